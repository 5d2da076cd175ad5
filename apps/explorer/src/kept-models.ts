/** @file Models that the visitor chose, kept in this browser so that a reloaded page or a link finds them again. */

/** How many are kept; the one opened longest ago goes first. */
const MOST = 8;

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('phosphene', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('models', { keyPath: 'name' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error(String(request.error)));
  });
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error(String(request.error)));
  });
}

interface Kept {
  readonly name: string;
  readonly files: readonly File[];
  readonly at: number;
}

/** The files of a model, if they are kept. */
export async function keptModel(name: string): Promise<readonly File[] | undefined> {
  try {
    const store = (await database()).transaction('models').objectStore('models');
    return ((await done(store.get(name))) as Kept | undefined)?.files;
  } catch {
    return undefined;
  }
}

/** Keeps the files of a model, if the browser lets us: some do not in a private window. */
export async function keepModel(name: string, files: readonly File[]): Promise<void> {
  try {
    const store = (await database()).transaction('models', 'readwrite').objectStore('models');
    await done(store.put({ name, files, at: Date.now() } satisfies Kept));
    const all = (await done(store.getAll())) as Kept[];
    for (const old of all.sort((a, b) => b.at - a.at).slice(MOST)) store.delete(old.name);
  } catch {
    // It is asked for again after the next reload.
  }
}

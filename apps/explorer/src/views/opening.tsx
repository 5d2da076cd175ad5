/** @file Opening models: a button, a place to drop files, what a link is missing, and what a network expects of pictures. */
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ModelFacts } from 'phosphene/web';
import { isImage, MOST_PHOTOS, openPhotos } from '../photos.ts';
import { amend, at, go, MOST_PINS, type Route, route } from '../route.ts';
import { failure, offer } from '../state.ts';
import { expects, origins, plainName } from '../words.ts';

const TYPES = '.onnx,.keras,.h5,.hdf5,.json,.bin,.data,.pb';

/** What went wrong with the last files, and whether some are being read. */
const refusal = signal<string | undefined>(undefined);
const reading = signal<string | undefined>(undefined);

/** Opens files, and goes to what they hold. With `wanted`, that must be the model of this name. */
async function take(files: readonly File[], wanted?: string): Promise<void> {
  if (files.length === 0) return;
  refusal.value = undefined;
  // Photos are looked at by the network that is open.
  if (wanted === undefined && files.every(isImage)) {
    const { value: now } = route;
    if (openPhotos(files)) go({ ...at(now, { layer: now.layer, unit: now.unit }), view: 'photo' });
    return;
  }
  reading.value = files.length === 1 ? files[0]!.name : `${files.length} files`;
  try {
    const name = await offer(files);
    if (wanted === undefined) return go(opened(name));
    if (name === wanted) return location.reload();
    refusal.value = `This is another file: its contents are ${name.slice(-12)}…, and the link means ${wanted.slice(-12)}…`;
  } catch (error) {
    refusal.value = failure(error).message;
  } finally {
    reading.value = undefined;
  }
}

/** Where a model that was opened is seen: alone, or beside what is being compared, at the same place. */
function opened(model: string): Route {
  const { view, pins = [], preset, settings, ...now } = route.value;
  if (view !== 'compare' || pins.length === 0) return { model, settings: {}, pins };
  const { layer, unit } = pins.at(-1)!;
  return { ...now, view, preset, settings, pins: [...pins, { model, layer, unit }].slice(-MOST_PINS) };
}

function Chooser({ wanted, children }: { readonly wanted?: string; readonly children: preact.ComponentChildren }) {
  return (
    <label class="button">
      {children}
      <input
        type="file"
        multiple
        accept={TYPES}
        onChange={(event) => {
          const input = event.currentTarget;
          void take([...(input.files ?? [])], wanted).finally(() => (input.value = ''));
        }}
      />
    </label>
  );
}

export function OpenButton() {
  return (
    <>
      <Chooser>Open a model</Chooser>
      {reading.value !== undefined && (
        <p class="trouble" role="status">
          Reading {reading.value}…
        </p>
      )}
      {refusal.value !== undefined && (
        <div class="trouble" role="alert">
          <p>{refusal.value}</p>
          <button type="button" onClick={() => (refusal.value = undefined)}>
            Close
          </button>
        </div>
      )}
    </>
  );
}

/** Files that were dropped, and those in a folder that was. */
async function dropped({ items, files }: DataTransfer): Promise<readonly File[]> {
  const plain = [...files];
  // Must be asked for before the first wait: the list is empty after it.
  const entries = [...items].map((item) => item.webkitGetAsEntry());
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  const found: File[] = [];
  const enter = async (entry: FileSystemEntry | null): Promise<void> => {
    if (!entry || found.length > MOST_PHOTOS) return;
    if (entry.isFile)
      found.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
    else {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      for (;;) {
        // A part of a folder at a time.
        const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (part.length === 0) break;
        for (const inside of part) await enter(inside);
      }
    }
  };
  for (const entry of entries) await enter(entry).catch(() => {});
  // Of a folder with both, the photos are meant.
  const images = found.filter(isImage);
  return images.length > 0 ? images : found;
}

/** The whole page takes files that are dropped on it. */
export function DropZone() {
  const over = useSignal(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const enter = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over.value = true;
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) over.value = false;
    };
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over.value = false;
      void dropped(event.dataTransfer!).then((files) => take(files));
    };
    addEventListener('dragover', enter);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  return over.value ? (
    <div class="drop" aria-hidden="true">
      <p>Drop a model or photos. They stay on this machine.</p>
    </div>
  ) : null;
}

/** A link to a model that is a file of someone. */
export function Missing({ name }: { readonly name: string }) {
  return (
    <div class="failed">
      <h1>{plainName(name)}</h1>
      <p>
        This link shows a model that is a file. Choose the same file, and you see what the link shows; it stays on this
        machine.
      </p>
      <p class="facts">SHA-256 {name.slice(-12)}…</p>
      <Chooser wanted={name}>Choose {plainName(name)}</Chooser>
    </div>
  );
}

const named = ['tf', 'torch', 'caffe', 'raw'] as const;
const meaning = {
  tf: 'RGB in [-1, 1]',
  torch: 'as torchvision does',
  caffe: 'BGR, mean subtracted',
  raw: 'RGB in [0, 255]',
} as const;

/** What the network expects of a picture, to be seen and changed. */
export function Preprocessing({ facts, route: now }: { readonly facts: ModelFacts; readonly route: Route }) {
  const { from } = facts.input;
  const set = (preprocess: string | undefined): void => amend({ ...route.value, preprocess });
  const custom = now.preprocess !== undefined && !named.includes(now.preprocess as 'tf');
  return (
    <details class="preprocess" open={from === 'assumed' || undefined}>
      <summary>
        Takes {expects(facts)} <span class="facts">({origins[from]})</span>
      </summary>
      <div class="field">
        <label for="preprocess">Preprocessing</label>
        <select
          id="preprocess"
          value={custom ? 'custom' : (now.preprocess ?? '')}
          onChange={(e) => {
            const { value } = e.currentTarget;
            set(value === '' ? undefined : value === 'custom' ? '{"range":[0,1],"mean":0,"std":1}' : value);
          }}
        >
          <option value="">what is known of the model</option>
          {named.map((name) => (
            <option key={name} value={name}>
              {name} ({meaning[name]})
            </option>
          ))}
          <option value="custom">own numbers</option>
        </select>
      </div>
      {custom && (
        <div class="field">
          <label for="numbers">Numbers</label>
          <input
            id="numbers"
            value={now.preprocess}
            spellcheck={false}
            onChange={(e) => set(e.currentTarget.value || undefined)}
          />
        </div>
      )}
    </details>
  );
}

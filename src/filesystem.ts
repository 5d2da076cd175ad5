/** @file Failures of the file system, said so that people can act on them. */
import { PhospheneError } from './errors.ts';

/** The system's error code (`ENOENT`, `ENOSPC` …) of anything thrown, looking through `cause`; undefined if there is none. */
export function systemCode(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 8; e = e.cause, depth++) {
    if ('code' in e && typeof e.code === 'string') return e.code;
    // Node tries every address of a host; the reasons are inside.
    if (e instanceof AggregateError && e.errors.length > 0) return systemCode(e.errors[0]);
  }
  return undefined;
}

type Reasons = Readonly<Record<string, readonly [reason: string, remedy: string]>>;

/** What has to do with the place: another one may be better. */
const ofPlaces: Reasons = {
  EACCES: ['not permitted', 'choose a place that you may read and write'],
  EPERM: ['not permitted', 'choose a place that you may read and write'],
  EROFS: ['the file system is read-only', 'choose another folder'],
  ENOENT: ['no such file or folder', 'check the path'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'check the path'],
  EEXIST: ['a file of that name is there already', 'choose another name'],
  EISDIR: ['a folder of that name is there already', 'choose another name'],
  ENOTEMPTY: ['a folder of that name is there already', 'choose another name'],
  ENAMETOOLONG: ['the name is too long', 'choose a shorter one'],
  EIO: ['the disk reported an error', 'check it, or use another'],
};

/** What is the same in every place. */
const ofMachines: Reasons = {
  ENOSPC: ['the disk is full', 'free some space and run again, what is finished is kept'],
  EDQUOT: ['your disk quota is used up', 'free some space and run again, what is finished is kept'],
  EMFILE: ['too many files are open', 'raise the limit (`ulimit -n`) or close other programs'],
  ENFILE: ['too many files are open on this machine', 'close other programs'],
  EBUSY: ['in use by another program', 'close it and run again'],
};

/**
 * A file-system error as a PhospheneError: `path` first, then `what` could not be done, why, and what helps: `instead`,
 * if the caller knows how another place is chosen and that helps. Errors that are PhospheneErrors already pass through.
 *
 * @example
 * throw explained(error, 'out/grid.png', 'cannot be written'); // out/grid.png cannot be written: the disk is full (ENOSPC); …
 */
export function explained(error: unknown, path: string, what: string, instead?: string): PhospheneError {
  if (error instanceof PhospheneError) return error;
  const code = systemCode(error);
  const place = ofPlaces[code ?? ''];
  const [reason, remedy] = place ?? ofMachines[code ?? ''] ?? [];
  const why = reason ? `${reason} (${code})` : (code ?? (error instanceof Error ? error.message : String(error)));
  const help = place || !reason ? (instead ?? remedy) : remedy;
  return new PhospheneError(
    'filesystem',
    `${path} ${what}: ${why}${help === undefined ? '' : `; ${help}`}`,
    { path, systemCode: code },
    error,
  );
}

/** @file Failures of the file system, said so that people can act on them. */
import { PhospheneError } from '../errors.ts';

/** The system's error code (`ENOENT`, `ENOSPC` …) of anything thrown, looking through `cause`; undefined where there is none. */
export function systemCode(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 8; e = e.cause, depth++) {
    if ('code' in e && typeof e.code === 'string') return e.code;
    // Node tries every address of a host; the reasons are inside.
    if (e instanceof AggregateError && e.errors.length > 0) return systemCode(e.errors[0]);
  }
  return undefined;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'there is no permission to write there',
  EPERM: 'there is no permission to write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file is where a folder should be',
  EISDIR: 'a folder is where the file should be',
  EMFILE: 'too many files are open',
  EIO: 'the disk reports an error',
};

/** A `filesystem` error for something that failed at `path`. */
export function filesystemError(path: string, cause: unknown): PhospheneError {
  const code = systemCode(cause) ?? 'unknown';
  const reason = REASONS[code] ?? `the system says ${code}`;
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'free some space and run again (what was fetched is kept)'
      : 'choose another cache folder with `PHOSPHENE_CACHE`';
  return new PhospheneError(
    'filesystem',
    `${path}: cannot be written, ${reason}; ${remedy}`,
    { path, reason: code },
    cause,
  );
}

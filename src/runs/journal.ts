/** @file The index of a folder of results: one line for each set begun and each picture finished, only ever appended to. */
import { constants } from 'node:fs';
import * as node from 'node:fs/promises';
import { PhospheneError } from '../errors.ts';
import { explained } from '../filesystem.ts';
import { fileAt, type FileSystem } from './files.ts';
import { isActivation, isCount } from './manifest.ts';
import type { Failure } from '../render/diagnosis.ts';
import { isFailure, isObject } from '../render/record.ts';

/** A line of `index.jsonl`. Documented in docs/results.md. */
export type Entry = SetEntry | PictureEntry;

/** A run into a set begins. */
export interface SetEntry {
  readonly type: 'set';
  /** LAYER/SET: its folder. */
  readonly set: string;
  readonly series: string;
  readonly model: string;
  readonly layer: string;
  readonly preset: string;
}

/** A picture is there, whole. */
export interface PictureEntry {
  readonly type: 'picture';
  readonly set: string;
  readonly channel: number;
  /** Of its recipe. */
  readonly digest: string;
  readonly activation: number | null;
  readonly diagnosis?: Failure;
}

/** An index that is open for more. */
export interface Journal {
  /** Writes one line in one piece: those of several processes never mix. Throws `filesystem`. */
  append(entry: Entry): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens an index for appending, and makes it if it is missing. A line that a killed process left unfinished is ended first, so that
 * nothing is lost but that line. Throws `filesystem`; a link or a pipe in its place is refused.
 *
 * @example
 * const journal = await openJournal('out/index.jsonl');
 * await journal.append({ type: 'picture', set: 'conv1/keras', channel: 7, digest, activation: 2.5 });
 * await journal.close();
 */
export async function openJournal(path: string, fs: Pick<FileSystem, 'lstat' | 'open'> = node): Promise<Journal> {
  if ((await fileAt(path, fs)) === 'other')
    throw new PhospheneError(
      'filesystem',
      `${path} cannot be appended to: it is a symbolic link, or something else that is no plain file, and links are not followed there; move it away, or choose another folder for the results`,
      { path, option: 'out' },
    );
  const failed = (error: unknown): never => {
    throw explained(error, path, 'cannot be appended to');
  };
  // No link is followed even if one took its place just now.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0);
  const file = await fs.open(path, flags, 0o666).catch(failed);
  const write = async (line: string): Promise<void> => {
    await file.appendFile(line).catch(failed);
  };
  try {
    const { size } = await file.stat().catch(failed);
    const last = new Uint8Array(1);
    if (size > 0) await file.read(last, 0, 1, size - 1).catch(failed);
    if (size > 0 && last[0] !== newline) await write('\n');
  } catch (error) {
    await file.close();
    throw error;
  }
  return { append: (entry) => write(`${JSON.stringify(entry)}\n`), close: () => file.close() };
}

const newline = 10;
const mostOfIndex = 1 << 28;
const mostOfLine = 1 << 16;

/**
 * The entries of an index, oldest first, and the number of lines that are none, which a killed process may have left. A missing
 * index has none. Of an index above 256 MiB only the end is read. Throws `filesystem` if it cannot be read.
 *
 * @example
 * await readJournal('out/index.jsonl', (entry) => console.log(entry.set));
 */
export async function readJournal(
  path: string,
  take: (entry: Entry) => void,
  fs: Pick<FileSystem, 'lstat' | 'open'> = node,
): Promise<{ malformed: number }> {
  if ((await fileAt(path, fs)) !== 'file') return { malformed: 0 };
  let malformed = 0;
  const line = (bytes: Uint8Array): void => {
    const entry = parseEntry(new TextDecoder().decode(bytes));
    if (entry) take(entry);
    else malformed++;
  };
  try {
    const file = await fs.open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const { size } = await file.stat();
      const buffer = new Uint8Array(2 * mostOfLine);
      // The bytes of a line whose end comes later, at the buffer's beginning; of one that is too long none are kept.
      let held = 0;
      let tooLong = false;
      for (let at = Math.max(0, size - mostOfIndex); at < size;) {
        const { bytesRead } = await file.read(buffer, held, Math.min(mostOfLine, size - at), at);
        if (bytesRead === 0) break;
        at += bytesRead;
        const filled = buffer.subarray(0, held + bytesRead);
        let begin = 0;
        for (let end = filled.indexOf(newline); end !== -1; end = filled.indexOf(newline, begin)) {
          if (tooLong) malformed++;
          else line(filled.subarray(begin, end));
          tooLong = false;
          begin = end + 1;
        }
        tooLong ||= filled.length - begin > mostOfLine;
        held = tooLong ? 0 : filled.length - begin;
        buffer.copyWithin(0, begin, begin + held);
      }
      if (tooLong) malformed++;
      else if (held > 0) line(buffer.subarray(0, held));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw explained(error, path, 'cannot be read');
  }
  return { malformed };
}

/** The entry in a line; undefined if it is none. */
export function parseEntry(line: string): Entry | undefined {
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(found) || typeof found['set'] !== 'string') return undefined;
  const { type, set } = found;
  if (type === 'set') {
    const { series, model, layer, preset } = found;
    const texts = [series, model, layer, preset].every((value) => typeof value === 'string');
    return texts ? (found as unknown as SetEntry) : undefined;
  }
  const { channel, digest, activation, diagnosis } = found;
  if (type !== 'picture' || !isCount(channel) || typeof digest !== 'string' || !isActivation(activation))
    return undefined;
  if (diagnosis !== undefined && !isFailure(diagnosis)) return undefined;
  return { type, set, channel, digest, activation, ...(diagnosis ? { diagnosis } : {}) };
}

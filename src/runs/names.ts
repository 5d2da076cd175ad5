/** @file Names of folders for names that may be anything: layers come from strangers' files. */
import { createHash } from 'node:crypto';

// Lower case, ASCII: the same name on every file system, whatever it thinks of case and of Unicode's forms.
const plainName = /^[a-z0-9_](?:[a-z0-9_.-]{0,98}[a-z0-9_-])?$/;
const digested = /-[0-9a-f]{8}$/;
// Windows keeps these for devices, with any extension.
const reserved = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])(?:$|\.)/i;

/**
 * The name of the folder for `name`. It leads nowhere else, fits every file system, is none of those that are `taken` (given in
 * lower case), and belongs to `name` alone: two names never share a folder, not even if case is ignored.
 *
 * A short name of `a`-`z`, `0`-`9`, `_`, `-` and `.` stays as it is. Any other keeps its letters and digits and ends in eight
 * digits of its SHA-256.
 *
 * @example
 * folderName('features.12'); // features.12
 * folderName('/features/Conv'); // features_Conv-ca7ea829
 */
export function folderName(name: string, taken: readonly string[] = []): string {
  // A name that looks as if it had its digest already might be the folder of another.
  if (plainName.test(name) && !digested.test(name) && !reserved.test(name) && !taken.includes(name)) return name;
  const readable = name
    .normalize('NFKC')
    .replaceAll(/[^\p{L}\p{N}_.-]+/gu, '_')
    .replace(/^[_.-]+/, '');
  // Names have 255 bytes at most, and a character has up to four.
  const short = Array.from(readable).slice(0, 48).join('') || '_';
  // UTF-16 as it is: UTF-8 has one spelling for all halves of characters.
  const digest = createHash('sha256').update(Buffer.from(name, 'utf16le')).digest('hex').slice(0, 8);
  return `${reserved.test(short) ? '_' : ''}${short}-${digest}`;
}

/** @file Zip archives, as far as Keras writes them: members stored or deflated, found by the directory at the archive's end. */
import { inflateSync } from 'fflate';
import { PhospheneError } from '../errors.ts';
import { bytesSource, type Source, sourceSlice } from './source.ts';

/** What a deflated member may unfold to. */
const MOST_BYTES = 2 ** 31 - 1;
/** Keras writes three or four members, and some assets. */
const MOST_MEMBERS = 10_000;
/** The end of central directory record and the longest comment after it. */
const TAIL = 22 + 65_535;

/**
 * The members of an archive by name. None is unfolded before it is asked for; a stored one is a part of the archive. Throws
 * `bad-file` for a damaged archive, `too-large` for one that unfolds to too much.
 *
 * @example
 * const config = await (await openZip(source)).get('config.json')?.();
 */
export async function openZip(source: Source): Promise<ReadonlyMap<string, () => Promise<Source>>> {
  const fault = (what: string): PhospheneError =>
    new PhospheneError('bad-file', `${source.name}: ${what}; the archive is damaged or cut short`, {
      path: source.name,
    });
  const tailLength = Math.min(TAIL, source.size);
  const tail = viewOf(await source.read(source.size - tailLength, tailLength));
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw fault('it has no directory of members');
  const [count, size, start] = [
    tail.getUint16(end + 10, true),
    tail.getUint32(end + 12, true),
    tail.getUint32(end + 16, true),
  ];
  if (count > MOST_MEMBERS) throw fault(`it has ${count} members`);
  if (start === 0xffffffff)
    throw new PhospheneError(
      'too-large',
      `${source.name}: it is a zip64 archive, of more than 4 GiB; save the model as \`.h5\``,
      { path: source.name },
    );
  const directory = viewOf(await source.read(start, size));
  const members = new Map<string, () => Promise<Source>>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== 0x02014b50)
      throw fault('its directory does not hold all members');
    const short = (offset: number): number => directory.getUint16(at + offset, true);
    const long = (offset: number): number => directory.getUint32(at + offset, true);
    const [method, flags, packed, unpacked, local] = [short(10), short(8), long(20), long(24), long(42)];
    if (at + 46 + short(28) > directory.byteLength) throw fault('its directory does not hold all members');
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, directory.byteOffset + at + 46, short(28)));
    at += 46 + short(28) + short(30) + short(32);
    members.set(name, async () => {
      if (flags & 1) throw fault(`its member ${name} is encrypted`);
      const header = viewOf(await source.read(local, 30));
      if (header.getUint32(0, true) !== 0x04034b50) throw fault(`its member ${name} is not where the directory says`);
      const from = local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
      const label = `${source.name}/${name}`;
      if (method === 0) return sourceSlice(source, label, from, packed);
      if (method !== 8) throw fault(`its member ${name} is compressed by method ${method}`);
      if (unpacked > MOST_BYTES || unpacked > 1032 * packed + 1024)
        throw new PhospheneError('too-large', `${label}: it says that it unfolds to ${unpacked} bytes`, {
          path: source.name,
        });
      try {
        // Into an array of the stated length: what is longer is an error.
        const bytes = inflateSync(await source.read(from, packed), { out: new Uint8Array(unpacked) });
        return bytesSource(label, bytes);
      } catch (error) {
        if (error instanceof PhospheneError) throw error;
        throw fault(`its member ${name} cannot be unfolded`);
      }
    });
  }
  return members;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @file From the first byte to an object: the superblock, and the object headers that hold an object's messages. */
import { bytesAt, type ByteSource, Cursor, cursorAt, damaged } from './bytes.ts';

/** One message of an object header: its number in the HDF5 specification, and its body. */
export interface Message {
  readonly type: number;
  readonly body: Uint8Array;
}

export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

export const SIGNATURE: Uint8Array = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);

/**
 * Reads the superblock and returns the address of the root group's header. Throws `bad-file` for a file that is shorter than
 * the superblock says, which is what an interrupted download or a full disk leaves.
 */
export function readSuperblock(source: ByteSource): number {
  const cut = (): never => {
    throw damaged(
      source.name,
      `the HDF5 file ends after ${source.size} bytes, in its first block; it is truncated, fetch or save it again`,
    );
  };
  if (source.size < 9) cut();
  const version = bytesAt(source, 8, 1)[0]!;
  if (version > 3)
    throw damaged(source.name, `HDF5 superblock version ${version} is newer than the ones read here (0 to 3)`);
  const length = version === 0 ? 96 : version === 1 ? 100 : 48;
  if (source.size < length) cut();
  const c = cursorAt(source, 0, length);
  c.skip(version < 2 ? 13 : 9);
  const [offsets, lengths] = [c.u8(), c.u8()];
  if (offsets !== 8 || lengths !== 8)
    throw damaged(
      source.name,
      `uses HDF5 addresses of ${offsets} and lengths of ${lengths} bytes; only 8 and 8 are read`,
    );
  c.at = version === 0 ? 24 : version === 1 ? 28 : 12;
  const base = c.address();
  if (base !== 0) throw damaged(source.name, `has an HDF5 base address of ${base}; only 0 is read`);
  c.skip(8);
  const end = c.address();
  if (end === undefined || end < length)
    throw damaged(source.name, 'the HDF5 superblock gives no end of file; the file is damaged');
  if (source.size < end) {
    throw damaged(
      source.name,
      `the file has ${source.size} bytes and should have ${end}; it is truncated, fetch or save it again`,
      {
        size: source.size,
        expected: end,
      },
    );
  }
  if (version < 2) c.skip(16);
  const root = c.address();
  if (root === undefined) throw damaged(source.name, 'the HDF5 superblock names no root group; the file is damaged');
  return root;
}

/** A hostile file can chain header blocks for ever; real ones have a handful. */
const MOST_BLOCKS = 4096;
/** The older kind of header counts its messages in 16 bits. */
const MOST_MESSAGES = 65536;
const used: ReadonlySet<number> = new Set(Object.values(MESSAGE));

/** The messages of the object whose header is at `address`. */
export function readHeader(source: ByteSource, address: number): Message[] {
  const version2 = String.fromCharCode(...bytesAt(source, address, 4)) === 'OHDR';
  const messages: Message[] = [];
  const blocks: Uint8Array[] = [];
  let messageHead = 8;
  if (version2) {
    const c = cursorAt(source, address, Math.min(64, source.size - address)).skip(5);
    const flags = c.u8();
    c.skip((flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
    const size = c.unsigned(1 << (flags & 3));
    blocks.push(bytesAt(source, address + c.at, size));
    messageHead = flags & 4 ? 6 : 4;
  } else {
    const c = cursorAt(source, address, 16);
    const version = c.u8();
    if (version !== 1)
      throw damaged(
        source.name,
        `an HDF5 object header has version ${version}; the file is damaged or of a newer kind`,
      );
    c.skip(7);
    blocks.push(bytesAt(source, address + 16, c.u32()));
  }

  for (let i = 0; i < blocks.length; i++) {
    if (i > MOST_BLOCKS) throw damaged(source.name, 'an HDF5 object header goes in circles; the file is damaged');
    const c = new Cursor(source.name, blocks[i]!);
    while (c.left >= messageHead) {
      const type = version2 ? c.u8() : c.u16();
      const size = c.u16();
      const flags = c.u8();
      c.skip(messageHead - (version2 ? 4 : 5));
      const body = c.take(size);
      if (type === MESSAGE.continuation) {
        const link = new Cursor(source.name, body);
        const block = bytesAt(source, link.address(), link.u64());
        // A version 2 block is framed by OCHK and a checksum.
        blocks.push(
          version2 ? new Cursor(source.name, block).expect('OCHK').take(Math.max(0, block.length - 8)) : block,
        );
      } else if (flags & 2 && (type === MESSAGE.datatype || type === MESSAGE.dataspace || type === MESSAGE.attribute)) {
        throw damaged(
          source.name,
          'uses shared HDF5 messages (committed types), which are not read; save the weights again with Keras',
        );
      } else if (used.has(type)) {
        if (messages.length >= MOST_MESSAGES)
          throw damaged(source.name, `an HDF5 object has more than ${MOST_MESSAGES} messages; the file is damaged`);
        messages.push({ type, body });
      }
    }
  }
  return messages;
}

/**
 * Refuses what is stored in the dense form: the body of a link-info or attribute-info message, in which `indexBytes` of an optional
 * index stand before the address of a dense store. `stored` begins the sentence: "a group is".
 */
export function refuseDense(source: ByteSource, body: Uint8Array, indexBytes: number, stored: string): void {
  const c = new Cursor(source.name, body).skip(1);
  if (c.u8() & 1) c.skip(indexBytes);
  if (c.address() !== undefined) {
    throw damaged(
      source.name,
      `${stored} stored in HDF5's newer dense form, which is not read; save the weights with h5py's default \`libver\``,
    );
  }
}

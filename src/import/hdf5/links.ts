/** @file The members of a group: name to address, from a symbol table (what h5py writes) or from link messages. */
import { bytesAt, type ByteSource, Cursor, cursorAt, damaged, textOf } from './bytes.ts';
import { MESSAGE, type Message, refuseDense } from './header.ts';

/** The hard links of a group: name to the address of the object's header. Soft and external links are left out: following one could leave the file. */
export function readLinks(source: ByteSource, messages: readonly Message[]): Map<string, number> {
  const links = new Map<string, number>();
  for (const { type, body } of messages) {
    if (type === MESSAGE.symbolTable) readSymbolTable(source, body, links);
    else if (type === MESSAGE.link) readLink(source, body, links);
    else if (type === MESSAGE.linkInfo) refuseDense(source, body, 8, 'a group is');
  }
  return links;
}

/** Visits the leaves of a version 1 B-tree. `entry` reads one key and returns nothing; the child's address follows it. */
export function walkTree<K>(
  source: ByteSource,
  root: number | undefined,
  kind: 0 | 1,
  keySize: number,
  key: (c: Cursor) => K,
  leaf: (key: K, address: number) => void,
): void {
  const seen = new Set<number>();
  const visit = (address: number | undefined, level: number | undefined): void => {
    const c = cursorAt(source, address, 24).expect('TREE');
    if (seen.has(address!)) throw damaged(source.name, 'an HDF5 index goes in circles; the file is damaged');
    seen.add(address!);
    const type = c.u8();
    const found = c.u8();
    const entries = c.u16();
    // Levels fall by one on the way down, which bounds the depth.
    if (type !== kind || (level !== undefined && found !== level))
      throw damaged(source.name, 'an HDF5 index is inconsistent; the file is damaged');
    const body = cursorAt(source, address! + 24, entries * (keySize + 8) + keySize);
    for (let i = 0; i < entries; i++) {
      const k = key(body);
      const child = body.address();
      if (child === undefined) throw damaged(source.name, 'an HDF5 index points nowhere; the file is damaged');
      if (found === 0) leaf(k, child);
      else visit(child, found - 1);
    }
  };
  visit(root, undefined);
}

function readSymbolTable(source: ByteSource, body: Uint8Array, links: Map<string, number>): void {
  const table = new Cursor(source.name, body);
  const tree = table.address();
  const heap = cursorAt(source, table.address(), 32).expect('HEAP').skip(4);
  const heapSize = heap.u64();
  heap.skip(8);
  const names = bytesAt(source, heap.address(), heapSize);
  // Each name has its own place in the heap.
  let nameBytes = 0;
  walkTree(
    source,
    tree,
    0,
    8,
    (c) => c.skip(8),
    (_, address) => {
      const node = cursorAt(source, address, 8).expect('SNOD').skip(2);
      const count = node.u16();
      const entries = cursorAt(source, address + 8, count * 40);
      for (let i = 0; i < count; i++) {
        const nameAt = entries.u64();
        const header = entries.address();
        const cacheType = entries.u32();
        entries.skip(20);
        if (nameAt >= names.length)
          throw damaged(source.name, 'an HDF5 name lies outside its heap; the file is damaged');
        const end = names.indexOf(0, nameAt);
        const name = names.subarray(nameAt, end < 0 ? names.length : end);
        nameBytes += name.length;
        if (nameBytes > names.length)
          throw damaged(source.name, 'the names of an HDF5 group overlap; the file is damaged');
        // Cache type 2 is a symbolic link.
        if (header !== undefined && cacheType !== 2) links.set(textOf(name), header);
      }
    },
  );
}

function readLink(source: ByteSource, body: Uint8Array, links: Map<string, number>): void {
  const c = new Cursor(source.name, body).skip(1);
  const flags = c.u8();
  const kind = flags & 8 ? c.u8() : 0;
  c.skip((flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0));
  const name = textOf(c.take(c.unsigned(1 << (flags & 3))));
  if (kind !== 0) return;
  const header = c.address();
  if (header !== undefined) links.set(name, header);
}

/** @file Whether a file is the one that was published: its MD5, computed once and remembered beside it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';

interface Record {
  readonly md5: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** MD5 of a file, in hex. */
export async function md5Of(file: string): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Remembers that `file`, as it is now, has this MD5. A folder that cannot be written only costs the next look some time. */
export async function remember(file: string, md5: string): Promise<void> {
  const { size, mtimeMs } = await stat(file);
  await writeFile(`${file}.md5.json`, JSON.stringify({ md5, size, mtimeMs } satisfies Record)).catch(() => {});
}

/**
 * `absent`, `sound` or `wrong`. A file whose size and time are those remembered is not read again; any other is.
 */
export async function verify(file: string, md5: string): Promise<'absent' | 'sound' | 'wrong'> {
  const now = await stat(file).catch(() => undefined);
  if (!now?.isFile()) return 'absent';
  const text = await readFile(`${file}.md5.json`, 'utf8').catch(() => '{}');
  try {
    const known = JSON.parse(text) as Partial<Record>;
    if (known.md5 === md5 && known.size === now.size && known.mtimeMs === now.mtimeMs) return 'sound';
  } catch {
    // A record cut short by a crash is no record.
  }
  if ((await md5Of(file)) !== md5) return 'wrong';
  await remember(file, md5);
  return 'sound';
}

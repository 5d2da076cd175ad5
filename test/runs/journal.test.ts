/** @file The index: appended to in whole lines, read whatever its lines are. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Entry, openJournal, parseEntry, readJournal } from '../../src/runs/journal.ts';
import { counting, failing, temporary } from './fake.ts';

const begun: Entry = { type: 'set', set: 'a/keras', series: 'f'.repeat(64), model: 'toy', layer: 'a', preset: 'keras' };
const made: Entry = { type: 'picture', set: 'a/keras', channel: 7, digest: 'e'.repeat(64), activation: 2.5 };

let path = '';
beforeEach(() => {
  path = join(temporary(), 'index.jsonl');
});

async function append(...entries: Entry[]): Promise<void> {
  const journal = await openJournal(path);
  for (const entry of entries) await journal.append(entry);
  await journal.close();
}

async function read(): Promise<{ entries: Entry[]; malformed: number }> {
  const entries: Entry[] = [];
  const { malformed } = await readJournal(path, (entry) => entries.push(entry));
  return { entries, malformed };
}

describe('an index', () => {
  it('holds one short line for each entry', async () => {
    await append(begun, made);
    await append({ ...made, channel: 0, activation: null, diagnosis: 'not-finite' });
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines).toHaveLength(4);
    expect(JSON.parse(lines[1]!)).toEqual(made);
    expect(await read()).toEqual({
      entries: [begun, made, { ...made, channel: 0, activation: null, diagnosis: 'not-finite' }],
      malformed: 0,
    });
  });

  it('keeps whole lines of writers that write at once', async () => {
    const many = Array.from({ length: 200 }, (_, channel): Entry => ({ ...made, channel }));
    const journals = await Promise.all([1, 2, 3, 4].map(() => openJournal(path)));
    await Promise.all(many.map((entry, i) => journals[i % 4]!.append(entry)));
    await Promise.all(journals.map((journal) => journal.close()));
    const { entries, malformed } = await read();
    expect(malformed).toBe(0);
    expect(new Set(entries.map((entry) => entry.type === 'picture' && entry.channel))).toEqual(
      new Set(many.map((_, i) => i)),
    );
    expect(entries).toHaveLength(many.length);
  });

  it('ends a line that a killed run left unfinished', async () => {
    await append(begun);
    appendFileSync(path, '{"type":"picture","set":"a/ker');
    await append(made);
    expect(readFileSync(path, 'utf8')).toBe(
      `${JSON.stringify(begun)}\n{"type":"picture","set":"a/ker\n${JSON.stringify(made)}\n`,
    );
    expect(await read()).toEqual({ entries: [begun, made], malformed: 1 });
  });

  it('reads a last line that has no end yet', async () => {
    writeFileSync(path, `${JSON.stringify(begun)}\n${JSON.stringify(made)}`);
    expect(await read()).toEqual({ entries: [begun, made], malformed: 0 });
  });

  it('is empty if it is missing, or if it is no file', async () => {
    expect(await read()).toEqual({ entries: [], malformed: 0 });
    symlinkSync('/dev/zero', path);
    expect(await read()).toEqual({ entries: [], malformed: 0 });
  });

  it('is read in pieces, whatever the length of its lines', async () => {
    const lines: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const entry = { ...begun, set: `${i}/${'x'.repeat((i * 37) % 400)}` };
      lines.push(JSON.stringify(entry));
      if (i % 500 === 7) lines.push('y'.repeat(70_000 + i), '', 'null', '\xff\xfe');
      if (i % 700 === 9) lines.push('z'.repeat(400_000));
    }
    writeFileSync(path, `${lines.join('\n')}\n`);
    const { entries, malformed } = await read();
    expect(entries.map((entry) => entry.set.split('/')[0])).toEqual(Array.from({ length: 3000 }, (_, i) => String(i)));
    expect(malformed).toBe(lines.length - 3000);
    writeFileSync(path, 'w'.repeat(300_000));
    expect(await read()).toEqual({ entries: [], malformed: 1 });
  });

  it('is read from its end if it is huge', async () => {
    writeFileSync(path, '\n');
    truncateSync(path, 3e9);
    appendFileSync(path, `\n${JSON.stringify(made)}\n`);
    expect(await read()).toEqual({ entries: [made], malformed: 1 });
    expect(statSync(path).size).toBeGreaterThan(3e9);
  });

  it('is not appended to through a link, nor to a folder', async () => {
    const target = join(temporary(), 'target');
    symlinkSync(target, path);
    await expect(openJournal(path)).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('cannot be appended to: it is a symbolic link'),
      details: { path, option: 'out' },
    });
    expect(existsSync(target)).toBe(false);
    await node.rm(path);
    mkdirSync(path);
    await expect(openJournal(path)).rejects.toThrow(/it is a folder, and a file of that name is needed/);
    await expect(readJournal(path, () => undefined)).rejects.toThrow(/it is a folder/);
  });

  it('says what the system says', async () => {
    const open = (() => Promise.reject(failing('EACCES'))) as typeof node.open;
    await append(begun);
    const { fs } = counting({ open });
    await expect(openJournal(path, fs)).rejects.toThrow(/cannot be appended to: not permitted \(EACCES\)/);
    await expect(readJournal(path, () => undefined, fs)).rejects.toThrow(/cannot be read: not permitted \(EACCES\)/);
    const full = (async (...args: Parameters<typeof node.open>) =>
      Object.assign(await node.open(...args), {
        appendFile: () => Promise.reject(failing('ENOSPC')),
      })) as typeof node.open;
    const journal = await openJournal(path, counting({ open: full }).fs);
    await expect(journal.append(made)).rejects.toThrow(/cannot be appended to: the disk is full \(ENOSPC\)/);
    await journal.close();
  });
});

describe('parseEntry', () => {
  it.each([
    '',
    'x',
    'null',
    '[]',
    '7',
    '{}',
    JSON.stringify({ ...begun, type: 'other' }),
    ...['series', 'model', 'layer', 'preset', 'set', 'type'].map((key) => JSON.stringify({ ...begun, [key]: 1 })),
    ...['set', 'type', 'digest'].map((key) => JSON.stringify({ ...made, [key]: 1 })),
    ...[-1, 0.5, '7', null].map((channel) => JSON.stringify({ ...made, channel })),
    JSON.stringify({ ...made, activation: 'x' }),
    JSON.stringify({ ...made, activation: undefined }),
    JSON.stringify({ ...made, diagnosis: 'x' }),
    JSON.stringify(made).replace('2.5', '1e999'),
  ])('knows that %j is no entry', (line) => expect(parseEntry(line)).toBeUndefined());
});

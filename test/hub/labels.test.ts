/** @file Names of classes: from texts and JSON of all the usual kinds, from files, and from a server. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readLabels } from '../../src/hub/labels.ts';
import { parseLabels } from '../../src/import/labels.ts';
import { rejected, thrown } from '../thrown.ts';
import { give, serve } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'phosphene-labels-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const keras = '{"0": ["n01440764", "tench"], "2": ["n01484850", "great_white_shark"], "1": ["n01443537", "goldfish"]}';

describe('labels', () => {
  it.each<[string, string, readonly string[]]>([
    ['lines', 'tench\ngoldfish\n', ['tench', 'goldfish']],
    [
      'lines of Windows, with spaces, and an end without one',
      'tench\r\n great white shark ',
      ['tench', 'great white shark'],
    ],
    ['one line', 'tench', ['tench']],
    ['lines of which one is empty, which is a class without a name', 'a\n\nb', ['a', '', 'b']],
    ['a list', ' ["a", "b, c"]', ['a', 'b, c']],
    ['lists in a list', '[["n01", "a"], ["n02", "b"]]', ['a', 'b']],
    ['an object of names', '{"0": "a", "1": "b"}', ['a', 'b']],
    ["Keras' object, in any order", keras, ['tench', 'goldfish', 'great_white_shark']],
  ])('are read from %s', (_, text, expected) => expect(parseLabels(text, 'labels.txt')).toEqual(expected));
  it.each([
    ['', 'holds no labels'],
    [' \n ', 'holds no labels'],
    ['[]', 'holds no labels'],
    ['{}', 'holds no labels'],
    ['["a"', 'begins like JSON and is none, or is cut short'],
    ['{"0": "a", "2": "b"}', 'its numbers do not go from 0 on without a gap'],
    ['{"1": "a"}', 'its numbers do not go from 0 on without a gap'],
    ['["a", 3]', 'class 1 has no name'],
    ['[[]]', 'class 0 has no name'],
  ])('are refused in %j', (text, why) => {
    const error = thrown(() => parseLabels(text, 'labels.txt'));
    expect(error.code).toBe('bad-file');
    expect(error.message).toBe(
      `labels.txt: ${why}; labels are a text with one a line, a JSON list of names, or a JSON object from numbers to names`,
    );
    expect(error.details).toEqual({ path: 'labels.txt', option: 'labels' });
  });
});

describe('labels by name', () => {
  it('of a file are those in it', async () => {
    const path = join(folder, 'mine.txt');
    writeFileSync(path, 'cat\ndog\n');
    expect(await readLabels(path)).toEqual(['cat', 'dog']);
    expect((await rejected(readLabels(join(folder, 'none.txt')))).message).toContain(
      'give a file of labels, or `imagenet`',
    );
    expect((await rejected(readLabels('imagenett'))).message).toContain('did you mean `imagenet`?');
    expect((await rejected(readLabels('toString'))).code).toBe('filesystem');
  });
  it('of ImageNet are fetched once, and checked', async () => {
    const content = new TextEncoder().encode(keras);
    const hash = createHash('md5').update(content).digest('hex');
    const server = await serve((request, response) => give(request, response, content));
    try {
      const options = { cacheDir: join(folder, 'cache'), url: server.url, hash };
      expect(await readLabels('imagenet', options)).toEqual(['tench', 'goldfish', 'great_white_shark']);
      expect(await readLabels('imagenet', options)).toHaveLength(3);
      expect(server.requests).toHaveLength(1);
      const error = await rejected(
        readLabels('imagenet', { ...options, cacheDir: join(folder, 'other'), hash: 'ab'.repeat(16) }),
      );
      expect(error.code).toBe('hash-mismatch');
      expect(error.message).toContain(
        'fetch the file elsewhere and give its path as the labels, or give the number of the class',
      );
      expect(error.details).toMatchObject({ option: 'labels' });
    } finally {
      await server.close();
    }
  });
  it('are asked for where Keras has them', async () => {
    const asked: string[] = [];
    const fetch = (url: unknown): Promise<never> => {
      asked.push(String(url));
      return Promise.reject(
        new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ENOTFOUND' }) }),
      );
    };
    const error = await rejected(readLabels('imagenet', { cacheDir: join(folder, 'empty'), fetch }));
    expect(asked[0]).toBe('https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json');
    expect(error.code).toBe('offline');
    expect(error.message).toContain('Without it, fetch the file elsewhere and give its path as the labels');
  });
});

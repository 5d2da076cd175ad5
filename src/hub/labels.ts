/** @file Names of classes: from a file of the user's, or those of ImageNet, fetched once. */
import { basename, join } from 'node:path';
import { didYouMean, PhospheneError } from '../errors.ts';
import { parseLabels } from '../import/labels.ts';
import { cacheFolder } from './cache.ts';
import { download, INSTEAD } from './download.ts';
import { fileSource } from './file-source.ts';
import type { EnsureOptions } from './weights.ts';

/** The labels that are known by name. Address and MD5 as Keras' source has them (`applications/imagenet_utils.py`). */
const KNOWN = {
  imagenet: {
    url: 'https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json',
    hash: 'c2c37ea517e94d9795004a39431a14cb',
  },
} as const;
const knownNames: readonly string[] = Object.keys(KNOWN);

/** No list of names comes near this. */
const MOST = 1 << 24;

/**
 * The names of classes, in the order of the network's units: those of ImageNet (`imagenet`), fetched once into the cache, or those of
 * a file: one a line, or JSON. Throws `bad-file`, `filesystem`, and what `download` throws.
 *
 * @example
 * (await readLabels('imagenet'))[2]; // great_white_shark
 */
export async function readLabels(
  name: string,
  { cacheDir, ...options }: EnsureOptions & { readonly url?: string; readonly hash?: string } = {},
): Promise<readonly string[]> {
  if (!Object.hasOwn(KNOWN, name)) {
    const near = /[/\\.]/.test(name) ? '' : didYouMean(name, knownNames);
    return fromFile(name, near === '' ? 'give a file of labels, or `imagenet`' : near.replace(/^; /, ''));
  }
  const { url, hash } = { ...KNOWN[name as keyof typeof KNOWN], ...options };
  try {
    const file = await download({
      ...options,
      url,
      hash,
      file: join(cacheFolder(cacheDir), 'keras', basename(new URL(url).pathname)),
    });
    return await fromFile(file, 'fetch it again');
  } catch (error) {
    if (!(error instanceof PhospheneError && error.message.includes(INSTEAD))) throw error;
    const instead = 'fetch the file elsewhere and give its path as the labels, or give the number of the class';
    throw new PhospheneError(
      error.code,
      error.message.replace(INSTEAD, instead),
      { ...error.details, option: 'labels' },
      error,
    );
  }
}

async function fromFile(path: string, remedy: string): Promise<readonly string[]> {
  const source = await fileSource(path, remedy);
  try {
    if (source.size > MOST)
      throw new PhospheneError('bad-file', `${path}: has ${source.size} bytes; a list of labels has at most ${MOST}`, {
        path,
        option: 'labels',
      });
    return parseLabels(new TextDecoder().decode(await source.read(0, source.size)), path);
  } finally {
    await source.close();
  }
}

/** @file The weights of a published model, on this machine: from the cache, or fetched into it. */
import { basename, join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { download, type DownloadOptions } from './download.ts';
import { findModel, type PublishedModel } from './models.ts';

/** How published weights are fetched, and where they are kept. */
export interface EnsureOptions extends Pick<
  DownloadOptions,
  'onProgress' | 'signal' | 'fetch' | 'stallMs' | 'retries'
> {
  /** Default: `$PHOSPHENE_CACHE`, else the system's place for caches (`cacheFolder`). */
  readonly cacheDir?: string | undefined;
}

/** Where a model's weights are kept; not yet there if nobody fetched them. */
export function weightsPath({ url }: Pick<PublishedModel, 'url'>, cacheDir?: string): string {
  return join(cacheFolder(cacheDir), 'keras', basename(new URL(url).pathname));
}

/**
 * The path of the model's verified weight file. Fetched once; afterwards only its size and time are looked at. Throws
 * `unknown-model` and what `download` throws.
 *
 * @example
 * const file = await openWeights(await ensureWeights('resnet50v2'));
 */
export async function ensureWeights(model: string | PublishedModel, options: EnsureOptions = {}): Promise<string> {
  const published = typeof model === 'string' ? findModel(model) : model;
  const { url, hash, bytes } = published;
  const { cacheDir, ...rest } = options;
  return download({ ...rest, url, hash, bytes, file: weightsPath(published, cacheDir) });
}

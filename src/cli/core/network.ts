/** @file The network of a request, opened; what is downloaded for it is told. */
import { type DownloadOptions, type Network, open } from '../../node.ts';
import type { RenderNews, RenderRequest } from '../render.ts';

type DownloadNews = Extract<RenderNews, { type: 'download' }>;
type Tell = (news: DownloadNews) => Promise<void>;

/** How something is downloaded for a request. `what` is asked when there is news of it. */
export function downloads(
  { cache, signal }: Pick<RenderRequest, 'cache' | 'signal'>,
  tell: Tell,
  what: () => string,
): { readonly cacheDir: string | undefined } & Pick<DownloadOptions, 'signal' | 'onProgress'> {
  return {
    cacheDir: cache,
    signal,
    onProgress: ({ received, total }) => void tell({ type: 'download', what: what(), received, total }),
  };
}

/** Opens the model of a request. It must be closed. */
export async function openModelOf(
  request: Pick<RenderRequest, 'model' | 'architecture' | 'preprocess' | 'weights' | 'cache' | 'signal'>,
  tell: Tell,
): Promise<Network> {
  const { model, architecture, preprocess, weights } = request;
  // Weights are downloaded when they are first needed: by then there is a network.
  const network: Network = await open(model, {
    architecture,
    preprocess,
    weights,
    ...downloads(request, tell, () => `the weights of ${network.name}`),
  });
  return network;
}

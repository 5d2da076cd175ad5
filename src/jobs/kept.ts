/** @file What was made of a network and is kept while the network is: the last few things of a kind. */
import type { Network } from '../import/network.ts';

/**
 * A memory for one kind of thing: gives what was made of a network under a key, or makes it. Of each network the `most` that were used
 * last are kept. What failed is made anew.
 *
 * @example
 * const keptMap = keeper<ActivationMap>(2);
 * const map = await keptMap(network, 'conv1', () => mapOf(network, 'conv1'));
 */
export function keeper<T>(most: number): (network: Network, key: string, make: () => Promise<T>) => Promise<T> {
  const all = new WeakMap<Network, Map<string, Promise<T>>>();
  return (network, key, make) => {
    const kept = all.get(network) ?? new Map<string, Promise<T>>();
    all.set(network, kept);
    const found = kept.get(key) ?? make();
    // The one used longest ago stands first.
    kept.delete(key);
    kept.set(key, found);
    if (kept.size > most) kept.delete(kept.keys().next().value!);
    return found.catch((error: unknown) => {
      if (kept.get(key) === found) kept.delete(key);
      throw error;
    });
  };
}

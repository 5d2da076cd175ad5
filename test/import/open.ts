/** @file Networks from bytes in memory, for tests. */
import { type OpenOptions, openNetwork } from '../../src/import/formats.ts';
import type { Network } from '../../src/import/network.ts';
import { bytesSource } from '../../src/import/source.ts';

/** The network in these bytes, which its messages call `net.onnx` unless told otherwise. */
export function openBytes(bytes: Uint8Array, { name = 'net.onnx', ...options }: OpenOptions = {}): Promise<Network> {
  return openNetwork(bytesSource(name, bytes), options);
}

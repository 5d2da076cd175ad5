/** @file Reads NumPy's .npy files of little-endian float32 in C order. */
import { readFileSync } from 'node:fs';

export function readNpy(path: string): { dims: number[]; data: Float32Array } {
  const bytes = readFileSync(path);
  const headerLength = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + headerLength);
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False")) throw new Error(`${path}: ${header}`);
  const dims = /\(([^)]*)\)/
    .exec(header)![1]!
    .split(',')
    .filter((d) => d.trim() !== '')
    .map(Number);
  const body = bytes.subarray(10 + headerLength);
  return { dims, data: new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength)) };
}

/** [h, w, c] to [1, c, h, w], flat. */
export function hwcToChw({ dims, data }: { dims: number[]; data: Float32Array }): Float32Array {
  const [h, w, c] = dims as [number, number, number];
  const out = new Float32Array(data.length);
  for (let i = 0; i < h * w; i++) for (let k = 0; k < c; k++) out[k * h * w + i] = data[i * c + k]!;
  return out;
}

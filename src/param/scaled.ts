/** @file Lucid's scaled Fourier coefficients: planes of them, and they of planes. */
import type { Builder, Value } from '../ir/builder.ts';
import { type Dims, float32, type Tensor } from '../ir/tensor.ts';
import { inverseDft } from './dft.ts';
import { frequencies, rfft2 } from './fft.ts';

/** Dims of the coefficients of planes [n, c, h, w]: [n, c, 2h, ⌊w/2⌋ + 1], the real parts above the imaginary ones. */
export function coefficientDims([n, c, height, width]: Dims): Dims {
  return [n!, c!, 2 * height!, Math.floor(width! / 2) + 1];
}

/** The planes [n, c, h, width] of coefficients: the inverse transform of each times its scale. */
export function planesOf(b: Builder, coefficients: Value, width: number, decayPower: number): Value {
  const [, , both, half] = coefficients.dims as [number, number, number, number];
  const scale = scaleOf(both / 2, width, decayPower);
  const twice = b.budget.floats(2 * scale.length);
  twice.set(scale);
  twice.set(scale, scale.length);
  return inverseDft(b, b.mul(coefficients, b.constant(float32(twice, [both, half]))), width);
}

/** The coefficients of planes of these dims [n, c, h, w]. */
export function coefficientsOf(planes: Float64Array, dims: Dims, decayPower: number): Tensor<'float32'> {
  const [n, c, height, width] = dims as [number, number, number, number];
  const scale = scaleOf(height, width, decayPower);
  const size = scale.length;
  const out = new Float32Array(2 * n * c * size);
  for (let k = 0; k < n * c; k++) {
    const { re, im } = rfft2(planes.subarray(k * height * width, (k + 1) * height * width), height, width);
    out.set(
      re.map((v, i) => v / scale[i]!),
      2 * k * size,
    );
    out.set(
      im.map((v, i) => v / scale[i]!),
      (2 * k + 1) * size,
    );
  }
  return float32(out, coefficientDims(dims));
}

/** √(wh) / max(f, 1 / max(w, h))^decayPower, over the 4 that Lucid calls a magic constant; row by row, f in cycles per pixel. */
function scaleOf(height: number, width: number, decayPower: number): Float64Array {
  const least = 1 / Math.max(width, height);
  return frequencies(height, width).map((f) => Math.sqrt(width * height) / Math.max(f, least) ** decayPower / 4);
}

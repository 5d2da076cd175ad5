/** @file Pictures in another size, as TensorFlow makes them for Keras. */
import type { Value } from '../../../ir/builder.ts';
import { float32, int64 } from '../../../ir/tensor.ts';
import { type LayerContext, unsupported } from '../layer.ts';

/** How much a pixel at a distance counts, and from which distance on it does not. */
interface Kernel {
  readonly radius: number;
  readonly weight: (distance: number) => number;
  /** Whether TensorFlow computes it, unless it smooths, and does not look it up in a table. */
  readonly exact: boolean;
}

/** A position as TensorFlow's table has it: in steps of 1/1024. */
function tabulated(position: number): number {
  const below = Math.floor(position);
  return below + Math.round((position - below) * 1024) / 1024;
}

/** Keys' cubic with a = -1/2. */
function cubic(distance: number): number {
  const d = Math.abs(distance);
  return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

const lanczos = (radius: number): Kernel => ({
  radius,
  exact: true,
  weight(distance) {
    const d = Math.abs(distance);
    if (d >= radius) return 0;
    if (d < 1e-3) return 1;
    return (radius * Math.sin(Math.PI * d) * Math.sin((Math.PI * d) / radius)) / (Math.PI * Math.PI * d * d);
  },
});

const kernels: Readonly<Record<string, Kernel>> = {
  bilinear: { radius: 1, weight: (d) => Math.max(0, 1 - Math.abs(d)), exact: true },
  bicubic: { radius: 2, weight: cubic, exact: false },
  lanczos3: lanczos(3),
  lanczos5: lanczos(5),
};

/**
 * A picture in a size, under the layer's name. Pixels are squares whose middles are compared, as everywhere in Keras. `antialias`
 * takes more pixels together if it becomes smaller.
 */
export function resized(
  context: LayerContext,
  x: Value,
  size: readonly [height: number, width: number],
  interpolation: string,
  antialias = false,
): Value {
  const { b, name } = context;
  const dims = [...x.dims.slice(0, 2), ...size];
  if (x.dims[2] === size[0] && x.dims[3] === size[1]) return b.one('Identity', [x], {}, name);
  const kernel = Object.hasOwn(kernels, interpolation) ? kernels[interpolation] : undefined;
  if (interpolation === 'nearest' || (interpolation === 'bilinear' && !antialias)) {
    const mode =
      interpolation === 'nearest' ? { mode: 'nearest', nearest_mode: 'round_prefer_ceil' } : { mode: 'linear' };
    const attributes = { ...mode, coordinate_transformation_mode: 'half_pixel' };
    return b.one('Resize', [x, undefined, undefined, b.constant(int64(dims))], attributes, name);
  }
  if (!kernel) throw unsupported(context, `its interpolation is ${JSON.stringify(interpolation)}`);
  // Each axis by a matrix: of these there is no operator whose gradient engines have.
  const along = (axis: 2 | 3): Value => b.constant(matrix(context, x.dims[axis]!, size[axis - 2]!, kernel, antialias));
  const columns = b.matmul(x, b.transpose(along(3), [1, 0]));
  return b.one('MatMul', [along(2), columns], {}, name);
}

/** The matrix [count, length] of a map along one axis: weights that add up to 1 over the pixels that there are. */
function matrix(context: LayerContext, length: number, count: number, kernel: Kernel, antialias: boolean) {
  const { radius, weight } = kernel;
  const exact = kernel.exact || antialias;
  const data = context.b.budget.floats(length * count);
  const step = length / count;
  const wide = antialias ? Math.max(step, 1) : 1;
  for (let i = 0; i < count; i++) {
    const middle = exact ? (i + 0.5) * step - 0.5 : tabulated((i + 0.5) * step - 0.5);
    const from = Math.max(0, Math.ceil(middle - radius * wide));
    const to = Math.min(length - 1, Math.floor(middle + radius * wide));
    let sum = 0;
    for (let j = from; j <= to; j++) sum += weight((j - middle) / wide);
    for (let j = from; j <= to; j++) data[i * length + j] = weight((j - middle) / wide) / sum;
  }
  return float32(data, [count, length]);
}

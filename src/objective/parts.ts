/** @file What several objectives are made of: positions of a map, vectors along an axis, means a picture. */
import { PhospheneError } from '../errors.ts';
import type { Builder, Value } from '../ir/builder.ts';
import { float32, sizeOf, tensor } from '../ir/tensor.ts';
import { number, text, unset, whole } from '../settings.ts';
import type { Activation, ObjectiveContext } from './objective.ts';

/** Settings that several kinds have. */
export const layer = text({ help: 'Name of the layer' });
export const weight = number({ help: 'What it is multiplied by', default: 1, from: 0, to: 1e9 });
export const channel = whole({ help: 'Channel of the layer, from 0', default: 0 });
export const power = number({
  help: 'Power of the cosine that the dot product is multiplied by: 0 for the dot product alone',
  default: 0,
  from: 0,
  to: 100,
});
/** Of a penalty, which is for the picture itself unless a layer is named. */
export const ofLayer = unset(text({ help: 'Name of a layer; the picture itself unless given' }));

/** The axes of a map: those that count neither pictures nor channels. */
export function mapAxes({ value, channelAxis }: Activation): number[] {
  return value.dims.flatMap((_, axis) => (axis === 0 || axis === channelAxis ? [] : [axis]));
}

/** What a penalty is for: a layer's activation, or the picture. */
export function subjectOf({ image, activation }: ObjectiveContext, name: string | undefined): Activation {
  return name === undefined ? { value: image, channelAxis: 1, layer: 'the picture' } : activation(name);
}

/** How a shape names that. */
export function subjectShape(name: string | undefined): string {
  return name === undefined ? 'picture' : JSON.stringify(name);
}

/** A vector of float32 that is one at the fed `index` and zero elsewhere, along one axis of a tensor of `rank` axes. */
export function oneHot(b: Builder, index: Value, length: number, axis: number, rank: number): Value {
  const along = Array.from({ length: rank }, (_, i) => (i === axis ? length : 1));
  const numbers = BigInt64Array.from({ length }, (_, i) => BigInt(i));
  return b.cast(b.equal(b.constant(tensor('int64', along, numbers)), index), 'float32');
}

/** The sum over pictures of the mean over everything else. */
export function summedMean(b: Builder, x: Value): Value {
  const each = sizeOf(x.dims.slice(1));
  return b.mul(b.sum(b.cast(x, 'float32'), undefined, false), 1 / each);
}

/** The sum of all elements, a scalar. */
export function total(b: Builder, x: Value): Value {
  return b.sum(x, undefined, false);
}

/** A penalty: the negative of `value`, times the fed weight. */
export function penalty({ b, value }: ObjectiveContext, amount: Value): Value {
  return b.neg(b.mul(value('weight'), amount));
}

/** The value of a weight. */
export function weightValue(given: number): { readonly weight: ReturnType<typeof float32> } {
  return { weight: float32(given) };
}

/**
 * Σ over pictures of the mean over positions of (x·v) max(0.1, cos(x, v))^power, x and v being vectors along the channel axis.
 * Source: Lucid's `_dot_cossim`. Here the 1e-4 that keeps it from dividing by zero stands in the root, so that a position at which
 * every unit is off has a gradient, and not a NaN.
 */
export function dotCosine(b: Builder, { value, channelAxis }: Activation, vector: Value, exponent: Value): Value {
  const x = b.cast(value, 'float32');
  const along = (y: Value): Value => b.sum(y, [channelAxis], true);
  const length = (y: Value): Value => b.sqrt(b.add(along(b.mul(y, y)), EPSILON * EPSILON));
  const dot = along(b.mul(x, vector));
  const cosine = b.div(dot, b.mul(length(x), length(vector)));
  return summedMean(b, b.mul(dot, b.pow(b.max(cosine, 0.1), exponent)));
}
const EPSILON = 1e-4;

/** The error for a tensor that does not fit a layer. */
export function misfit(what: string, dims: readonly number[], wanted: readonly number[], of: string): PhospheneError {
  return new PhospheneError(
    'shape',
    `${what} is [${dims.join(', ')}], and [${wanted.join(', ')}] is needed for layer \`${of}\` at this size`,
    { dims, wanted, layer: of },
  );
}

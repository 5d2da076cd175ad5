/** @file What a Keras layer is here: a function from its config, inputs and weights to Builder calls. Axes are n, c, h, w inside. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../../ir/builder.ts';
import type { Dims, Tensor } from '../../ir/tensor.ts';

/** A layer's configuration, under the keys that Keras saves. */
export type Config = Readonly<Record<string, unknown>>;

/** What a layer is built from. */
export interface LayerContext {
  readonly b: Builder;
  /** The layer's name: its output's name as well. */
  readonly name: string;
  readonly config: Config;
  readonly inputs: readonly Value[];
  /** Whether the model is from Keras 2, in which some functions are others. */
  readonly keras2: boolean;
  /** Whether the channels of its pictures are their first axis, as they are here, and not their last. */
  readonly channelsFirst: boolean;
  /**
   * A weight by Keras' name (`kernel`, `gamma` …) and of Keras' dims. `change` brings it to the dims that it gives: another
   * order of axes, or numbers computed from these.
   */
  readonly weight: (name: string, dims: Dims, change?: Change) => Value;
}

/** A change of a weight: what its dims become, and how its numbers do. */
export interface Change {
  readonly dims: Dims;
  apply(t: Tensor<'float32'>): Tensor;
}

/** Adds a layer of one class and gives its output. Throws `unsupported-op` for a configuration that is not supported. */
export type KerasLayer = (context: LayerContext) => Value;

/** A setting that is a whole number or a list of them, for both image axes: `3`, `[3, 3]`. */
export function pair(context: LayerContext, key: string, otherwise: number): readonly [number, number] {
  const value = context.config[key] ?? otherwise;
  const [rows, columns] = Array.isArray(value) ? (value as unknown[]) : [value, value];
  const fits = (v: unknown): v is number => isWhole(v) && v <= MOST_PIXELS;
  if (!fits(rows) || !fits(columns)) throw unsupported(context, `its ${key} is ${JSON.stringify(value)}`);
  return [rows, columns];
}

/** A number of channels or groups. */
export function whole(context: LayerContext, key: string, otherwise: number): number {
  const value = context.config[key] ?? otherwise;
  if (!isWhole(value) || value > MOST_CHANNELS) throw unsupported(context, `its ${key} is ${JSON.stringify(value)}`);
  return value;
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}
/** Kernels, strides and paddings are not longer, and no layer has more channels, but in files that would take all memory. */
export const MOST_PIXELS = 2 ** 14;
const MOST_CHANNELS = 2 ** 20;

export function number(context: LayerContext, key: string, otherwise: number): number {
  const value = context.config[key] ?? otherwise;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw unsupported(context, `its ${key} is ${JSON.stringify(value)}`);
  return value;
}

export function flag(context: LayerContext, key: string, otherwise: boolean): boolean {
  const value = context.config[key] ?? otherwise;
  return value === true;
}

export function text(context: LayerContext, key: string, otherwise: string): string {
  const value = context.config[key] ?? otherwise;
  if (typeof value !== 'string') throw unsupported(context, `its ${key} is ${JSON.stringify(value)}`);
  return value;
}

/** The one input of a layer. */
export function only({ inputs, name }: LayerContext): Value {
  const [x] = inputs;
  if (!x || inputs.length !== 1)
    throw new PhospheneError('bad-file', `layer \`${name}\`: it has ${inputs.length} inputs; one is needed`, {
      layer: name,
    });
  return x;
}

/** The one input of a layer that works on pictures. Throws if its channels are on another axis than those of the model. */
export function picture(context: LayerContext): Value {
  const x = only(context);
  const format = context.config['data_format'] ?? null;
  if (format !== null && (format === 'channels_first') !== context.channelsFirst)
    throw unsupported(context, `its data_format is ${JSON.stringify(format)}, and that of other layers is another`);
  if (x.dims.length !== 4)
    throw unsupported(context, `its input has ${x.dims.length - 1} axes and not height, width and channels`);
  return x;
}

/** Refuses a layer for `why`. */
export function unsupported({ name }: LayerContext, why: string): PhospheneError {
  return new PhospheneError('unsupported-op', `layer \`${name}\`: ${why}, which is not supported`, {
    layer: name,
    node: name,
  });
}

/** Pads of a window as ONNX writes them, [top, left, bottom, right], for Keras' `valid` or `same`. */
export function windowPads(
  context: LayerContext,
  x: Value,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[] = [1, 1],
): number[] {
  const padding = text(context, 'padding', 'valid');
  if (padding === 'valid') return [0, 0, 0, 0];
  if (padding !== 'same') throw unsupported(context, `its padding is ${JSON.stringify(padding)}`);
  const sides = x.dims.slice(2).map((d, i) => {
    const extent = (kernel[i]! - 1) * dilations[i]! + 1;
    const total = Math.max((Math.ceil(d / strides[i]!) - 1) * strides[i]! + extent - d, 0);
    // What is odd goes to the end.
    return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
  });
  return [...sides.map(([begin]) => begin), ...sides.map(([, end]) => end)];
}

/** Numbers in lists of any depth as one list, or one number as a list of it; undefined for anything else. */
export function perChannel(setting: unknown): readonly number[] | undefined {
  const flat: unknown[] = Array.isArray(setting) ? (setting as unknown[]).flat(8) : [setting];
  return flat.length > 0 && flat.every((v): v is number => typeof v === 'number' && Number.isFinite(v))
    ? flat
    : undefined;
}

/** A value in Keras' order of axes, if it is a picture: the channels last, unless the model has them first. */
export function inKerasOrder({ b, channelsFirst }: LayerContext, x: Value): Value {
  return x.dims.length === 4 && !channelsFirst ? b.transpose(x, [0, 2, 3, 1]) : x;
}

/** A value in our order of axes from Keras', under the layer's name. */
export function inOurOrder({ b, name, channelsFirst }: LayerContext, x: Value): Value {
  return x.dims.length === 4 && !channelsFirst
    ? b.one('Transpose', [x], { perm: [0, 3, 1, 2] }, name)
    : b.one('Identity', [x], {}, name);
}

/** Which of our axes an axis of Keras is, for a value of this rank; negative ones count from the end. */
export function ourAxis(context: LayerContext, axis: unknown, rank: number): number {
  const at = typeof axis === 'number' && axis < 0 ? axis + rank : axis;
  if (typeof at !== 'number' || !Number.isInteger(at) || at < 0 || at >= rank)
    throw unsupported(context, `its axis is ${JSON.stringify(axis)}`);
  return rank === 4 && !context.channelsFirst ? [0, 2, 3, 1][at]! : at;
}

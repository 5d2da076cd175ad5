/** @file Resize: pictures made larger or smaller by copying or interpolating, along each axis by itself. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../builder.ts';
import type { Attribute } from '../graph.ts';
import { known, normalAxes } from '../shape.ts';
import { float32, sizeOf } from '../tensor.ts';
import { flag, float, floats, foreign, type InputInfo, type Inputs, ints, operator, word } from './operator.ts';

interface ResizeAttributes {
  readonly axes: readonly number[] | undefined;
  readonly antialias: number;
  readonly mode: string;
  readonly coordinate_transformation_mode: string;
  readonly nearest_mode: string;
}

/** A linear map along one axis of `length` to one of `count`. */
export interface AxisMap {
  readonly length: number;
  readonly count: number;
  /** The positions that position `i` of the result is made of, and their weights. */
  readonly taps: (i: number) => readonly (readonly [at: number, weight: number])[];
}

/** An empty tensor says nothing: opset 11 had no other way to leave one out. */
const absent = (x: InputInfo | undefined): boolean => x === undefined || sizeOf(x.dims) === 0;

/** The scale and the length of the result on each axis. Throws `shape`. */
function targets(
  [x, , scales, sizes]: Inputs,
  axes: readonly number[] | undefined,
): { scale: number; length: number }[] {
  const { dims } = x!;
  const at = axes ? normalAxes(axes, dims.length) : dims.map((_, i) => i);
  if (absent(scales) === absent(sizes))
    throw new PhospheneError('shape', 'either scales or sizes are needed, not both');
  const given = absent(sizes) ? known(scales, 'scales', at.length) : known(sizes, 'sizes', at.length);
  // In float32, as ONNX Runtime counts: 10 times 1.3 is 13, though what is nearest to 1.3 is less.
  const all = dims.map((length) => ({ scale: 1, length }));
  at.forEach((axis, i) => {
    const [length, value] = [dims[axis]!, given[i]!];
    if (!(value > 0) || !Number.isFinite(value))
      throw new PhospheneError('shape', `a ${absent(sizes) ? 'scale' : 'size'} must be positive, not ${value}`);
    all[axis] = absent(sizes)
      ? { scale: value, length: Math.floor(Math.fround(length * value)) }
      : { scale: Math.fround(value / length), length: value };
  });
  return all;
}

export const resize = {
  Resize: operator({
    limits: 'no gradient for `cubic` and `antialias`; no `tf_crop_and_resize`, no aspect-ratio policy',
    inputs: ['T', 'float?', 'float?', 'int64?'],
    of: 'number',
    attributes: {
      axes: ints(),
      antialias: flag(),
      coordinate_transformation_mode: word('half_pixel', [
        'half_pixel_symmetric',
        'pytorch_half_pixel',
        'align_corners',
        'asymmetric',
        'tf_crop_and_resize',
      ]),
      cubic_coeff_a: float(-0.75),
      exclude_outside: flag(),
      extrapolation_value: float(0),
      keep_aspect_ratio_policy: word('stretch', []),
      mode: word('nearest', ['linear', 'cubic']),
      nearest_mode: word('round_prefer_floor', ['round_prefer_ceil', 'floor', 'ceil']),
    },
    infer({ inputs, attributes }) {
      if (attributes.coordinate_transformation_mode === 'tf_crop_and_resize')
        throw new PhospheneError('unsupported-op', 'crops (`tf_crop_and_resize`) are not supported');
      return [{ dtype: inputs[0]!.dtype, dims: targets(inputs, attributes.axes).map(({ length }) => length) }];
    },
    upgrade({ b, inputs: [x, scales], attributes: { mode = 'nearest' }, opset, name }) {
      // Before opset 11 its second input were the scales, and it did what Upsample does.
      return opset >= 11 ? undefined : [upsampled(b, x, scales, mode, name)];
    },
  }),
};

/** Upsampling as it was before Resize could do other things. */
function upsampled(b: Builder, x: Value | undefined, scales: Value | undefined, mode: Attribute, name: string): Value {
  if (!scales) throw new PhospheneError('shape', 'its scales are missing');
  const attributes = { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return b.one('Resize', [x, undefined, scales], attributes, name);
}

/** Resizing as files spell it and we do not. */
export const foreignResize = {
  Upsample: foreign({
    inputs: ['T', 'float?'],
    of: 'number',
    attributes: { mode: word('nearest', ['linear']), scales: floats() },
    upgrade({ b, inputs: [x, scales], attributes, name }) {
      const stated = attributes.scales && b.constant(float32(attributes.scales));
      return [upsampled(b, x, stated ?? scales, attributes.mode, name)];
    },
  }),
};

/**
 * What a Resize does to each axis; undefined for an axis that it leaves as it is, and in whole for cubic interpolation and if it
 * smooths before it makes smaller.
 */
export function resizeMaps(inputs: Inputs, attributes: ResizeAttributes): (AxisMap | undefined)[] | undefined {
  const { mode, antialias } = attributes;
  if (mode === 'cubic' || antialias === 1) return undefined;
  const { dims } = inputs[0]!;
  return targets(inputs, attributes.axes).map(({ scale, length: out }, axis) => {
    const length = dims[axis]!;
    if (scale === 1) return undefined;
    const taps: AxisMap['taps'] = (i) => {
      const at = origin(i, length, out, scale, attributes);
      if (mode === 'nearest') return [[clamped(nearest(at, attributes), length), 1]];
      const inside = Math.min(Math.max(at, 0), length - 1);
      const below = Math.floor(inside);
      const part = inside - below;
      return part === 0
        ? [[below, 1]]
        : [
            [below, 1 - part],
            [below + 1, part],
          ];
    };
    return { length, count: out, taps };
  });
}

const halfPixel = (i: number, scale: number): number => Math.fround(Math.fround((i + 0.5) / scale) - 0.5);

const clamped = (at: number, length: number): number => Math.min(Math.max(at, 0), length - 1);

/** Where position `i` of the result lies in the input. */
function origin(
  i: number,
  length: number,
  out: number,
  scale: number,
  { coordinate_transformation_mode: mode }: ResizeAttributes,
): number {
  switch (mode) {
    case 'asymmetric':
      return Math.fround(i / scale);
    case 'align_corners':
      return out === 1 ? 0 : (i * (length - 1)) / (out - 1);
    case 'pytorch_half_pixel':
      return out === 1 ? 0 : halfPixel(i, scale);
    case 'half_pixel_symmetric': {
      // The length is rounded down: the middle stays where it is.
      const adjustment = Math.fround(out / Math.fround(scale * length));
      const offset = Math.fround((length / 2) * Math.fround(1 - adjustment));
      return Math.fround(Math.fround(offset + Math.fround((i + 0.5) / scale)) - 0.5);
    }
    default:
      return halfPixel(i, scale);
  }
}

function nearest(at: number, { nearest_mode }: ResizeAttributes): number {
  switch (nearest_mode) {
    case 'floor':
      return Math.floor(at);
    case 'ceil':
      return Math.ceil(at);
    case 'round_prefer_ceil':
      return Math.floor(at + 0.5);
    default:
      return Math.ceil(at - 0.5);
  }
}

/** @file Pooling, reductions and softmax. */
import { PhospheneError } from '../../errors.ts';
import type { Value } from '../builder.ts';
import { reduced } from '../fold.ts';
import type { Attributes } from '../graph.ts';
import { known, normalAxes, normalAxis } from '../shape.ts';
import { sizeOf, toNumbers } from '../tensor.ts';
import { flooredPads, windowOf, windowOutput, type WindowOptions } from '../window.ts';
import { windowAttributes } from './linear.ts';
import {
  type Call,
  checked,
  flag,
  type FoldCall,
  foreign,
  type Inferred,
  type InputInfo,
  int,
  ints,
  operator,
  statedInts,
  type UpgradeCall,
} from './operator.ts';

/** Axes of a reduction over an input of `rank`: no axes means all, or none if that is said. */
export function reducedAxes(given: readonly number[] | undefined, rank: number, noop: number): number[] {
  if (given && given.length > 0) return normalAxes(given, rank);
  return noop === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

type Reduction = { readonly keepdims: number; readonly noop_with_empty_axes: number };
const reduce = (start: number, f?: (sum: number, value: number) => number, mean = false) =>
  operator({
    inputs: ['T', 'int64?'],
    of: 'number',
    attributes: { keepdims: flag(1), noop_with_empty_axes: flag() },
    infer({ inputs: [x, axes], attributes: { keepdims, noop_with_empty_axes } }: Call<Reduction>) {
      const { dtype, dims } = x!;
      const over = new Set(reducedAxes(axes && known(axes, 'axes'), dims.length, noop_with_empty_axes));
      return [
        {
          dtype,
          dims: keepdims === 1 ? dims.map((d, i) => (over.has(i) ? 1 : d)) : dims.filter((_, i) => !over.has(i)),
        },
      ];
    },
    ...(f
      ? {
          fold({ inputs: [x, axes], attributes: { noop_with_empty_axes }, out }: FoldCall<Reduction>) {
            const over = reducedAxes(axes && toNumbers(axes), x!.dims.length, noop_with_empty_axes);
            const count = mean ? over.reduce((n, a) => n * x!.dims[a]!, 1) : 1;
            if (mean && count !== 1) {
              const sums = reduced(x!, over, { ...out, dtype: 'float64' }, start, f);
              return out.dtype === 'float32'
                ? { ...out, data: Float32Array.from(toNumbers(sums), (s) => s / count) }
                : undefined;
            }
            return reduced(x!, over, out, start, f);
          },
        }
      : {}),
    // Axes became an input with opset 13 or 18.
    upgrade: ({ attributes, inputs, ints, without, as }: UpgradeCall) =>
      attributes['axes'] === undefined ? undefined : as([inputs[0], ints('axes')], without('axes')),
  });

/** The window of a pooling node over the input `x`. */
function poolWindow(x: InputInfo, attributes: WindowOptions & { readonly kernel_shape: readonly number[] }) {
  const window = windowOf(attributes, attributes.kernel_shape, x.dims.slice(2));
  const rank = window.kernel.length;
  // ONNX Runtime takes no more.
  if (window.pads.some((p, i) => p >= window.kernel[i % rank]!))
    throw new PhospheneError(
      'shape',
      `pads [${window.pads.join(', ')}] must be shorter than the window of [${window.kernel.join(', ')}]`,
    );
  return window;
}

function pooled(x: InputInfo, attributes: WindowOptions & { readonly kernel_shape: readonly number[] }): number[] {
  return [...x.dims.slice(0, 2), ...windowOutput(poolWindow(x, attributes), x.dims.slice(2))];
}

const maxAttributes = {
  kernel_shape: statedInts({ least: 1 }),
  ...windowAttributes,
  ceil_mode: flag(),
  storage_order: flag(),
};
const { dilations: _, ...undilated } = windowAttributes;
/** What average pooling declares. */
export const averageAttributes = {
  kernel_shape: statedInts({ least: 1 }),
  ...undilated,
  ceil_mode: flag(),
  count_include_pad: flag(),
};

const globalPool = operator({
  inputs: ['T'],
  attributes: {},
  infer({ inputs: [x] }) {
    if (x!.dims.length < 3) throw new PhospheneError('shape', `[${x!.dims.join(', ')}] has no spatial axes`);
    return [{ dtype: x!.dtype, dims: x!.dims.map((d, i) => (i < 2 ? d : 1)) }];
  },
});

/**
 * A pooling with explicit pads and without ceil mode: which window of that is the last depends on the operator set and the engine.
 * What its windows overhang becomes padding; a Pad stands before it if that says something else.
 */
function explicit(op: 'MaxPool' | 'AveragePool', call: UpgradeCall, attributes: Attributes): Value[] | undefined {
  const { b, inputs, as } = call;
  const [x] = inputs;
  const options = checked(op === 'MaxPool' ? maxAttributes : averageAttributes, attributes);
  if (!x || (options.auto_pad === 'NOTSET' && options.ceil_mode === 0))
    return attributes === call.attributes ? undefined : as(inputs, attributes);
  const size = x.dims.slice(2);
  const window = windowOf(options, options.kernel_shape, size);
  const { auto_pad: _, ...padded } = attributes;
  if (!window.ceil) return as(inputs, { ...padded, pads: window.pads });
  const { ceil_mode: __, ...rest } = padded;
  const pads = flooredPads(window, size);
  const rank = window.kernel.length;
  const around = (amounts: readonly number[], value: number): Value =>
    b.pad(x, [0, 0, ...amounts.slice(0, rank), 0, 0, ...amounts.slice(rank)], value);
  const overhang = pads.map((p, i) => p - window.pads[i]!);
  // An average that counts its padding never counts what overhangs even that.
  if ('count_include_pad' in options && options.count_include_pad === 1 && overhang.some((p) => p > 0))
    return as([around(window.pads, 0)], { ...rest, pads: overhang, count_include_pad: 0 });
  // ONNX Runtime takes no padding as wide as the kernel, and a dilated window can overhang by more.
  if (op === 'MaxPool' && pads.some((p, i) => p >= window.kernel[i % rank]!))
    return as([around(pads, -Infinity)], { ...rest, pads: pads.map(() => 0) });
  return as([x], { ...rest, pads });
}

const softmax = operator({
  inputs: ['T'],
  attributes: { axis: int(-1) },
  infer({ inputs: [x], attributes: { axis } }) {
    normalAxis(axis, x!.dims.length);
    return [{ dtype: x!.dtype, dims: x!.dims }];
  },
});

/** Before opset 13 the default axis was 1, and it and all after it were one axis. */
const flatSoftmax =
  (op: 'Softmax' | 'LogSoftmax') =>
  ({ b, opset, inputs: [x], attributes, name, as }: UpgradeCall): Value[] | undefined => {
    if (opset >= 13 || !x) return undefined;
    const { dims } = x;
    const axis = normalAxis((attributes['axis'] as number | undefined) ?? 1, dims.length);
    if (sizeOf(dims.slice(axis)) === dims[axis]) return as([x], { axis });
    const rows = b.reshape(x, [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))]);
    return [b.one('Reshape', [b.one(op, [rows], { axis: 1 }), b.ints(dims)], {}, name)];
  };

export const pool = {
  MaxPool: operator({
    inputs: ['T'],
    of: 'number',
    attributes: maxAttributes,
    infer({ inputs: [x], attributes, outputs }) {
      const out: Inferred = { dtype: x!.dtype, dims: pooled(x!, attributes) };
      return outputs > 1 ? [out, { dtype: 'int64', dims: out.dims }] : [out];
    },
    upgrade: (call) => explicit('MaxPool', call, call.attributes),
  }),
  AveragePool: operator({
    limits: 'a gradient for two spatial axes; no dilations',
    inputs: ['T'],
    attributes: averageAttributes,
    infer: ({ inputs: [x], attributes }) => [{ dtype: x!.dtype, dims: pooled(x!, attributes) }],
    upgrade(call) {
      const { dilations, ...rest } = call.attributes;
      if (dilations === undefined) return explicit('AveragePool', call, call.attributes);
      // Opset 19 gave it some.
      if (!Array.isArray(dilations) || dilations.some((d) => d !== 1))
        throw new PhospheneError('unsupported-op', 'its dilations are not supported');
      return explicit('AveragePool', call, rest);
    },
  }),
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  ReduceL1: reduce(0, (sum, v) => sum + Math.abs(v)),
  ReduceL2: reduce(0),
  ReduceLogSumExp: reduce(0),
  ReduceMax: reduce(-Infinity, Math.max),
  ReduceMean: reduce(0, (sum, v) => sum + v, true),
  ReduceMin: reduce(Infinity, Math.min),
  ReduceProd: reduce(1, (product, v) => product * v),
  ReduceSum: reduce(0, (sum, v) => sum + v),
  ReduceSumSquare: reduce(0, (sum, v) => sum + v * v),
  Softmax: { ...softmax, upgrade: flatSoftmax('Softmax') },
  LogSoftmax: { ...softmax, upgrade: flatSoftmax('LogSoftmax') },
};

/** Reductions and pooling as files spell them and we do not. */
export const foreignPool = {
  ReduceLogSum: foreign({
    inputs: ['T', 'int64?'],
    attributes: { keepdims: flag(1), noop_with_empty_axes: flag(), axes: ints() },
    upgrade({ b, inputs: [x, given], attributes: { axes, ...attributes }, name }) {
      return [b.one('Log', [b.one('ReduceSum', [x, axes ? b.ints(axes) : given], attributes)], {}, name)];
    },
  }),
  GlobalLpPool: foreign({
    inputs: ['T'],
    attributes: { p: int(2, { least: 1 }) },
    upgrade({ b, inputs: [x], attributes: { p }, name }) {
      if (x!.dims.length < 3) throw new PhospheneError('shape', `[${x!.dims.join(', ')}] has no spatial axes`);
      const axes = b.ints(x!.dims.slice(2).map((_, i) => i + 2));
      if (p <= 2) return [b.one(p === 1 ? 'ReduceL1' : 'ReduceL2', [x, axes], {}, name)];
      const powers = b.pow(b.one('Abs', [x]), p);
      return [b.one('Pow', [b.one('ReduceSum', [powers, axes]), b.float(1 / p)], {}, name)];
    },
  }),
};

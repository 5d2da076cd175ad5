/** @file Operators that only move elements, and those that speak of shapes. */
import { PhospheneError } from '../../errors.ts';
import { broadcastStrides, filled, fromNumbers, gathered, joined, readable, restride, transpose } from '../fold.ts';
import type { Attribute } from '../graph.ts';
import { broadcast, known, normalAxes, normalAxis, shapeOf, sliceRanges } from '../shape.ts';
import { bounded, float32, int64, sizeOf, stridesOf, type Tensor, toNumbers } from '../tensor.ts';
import {
  flag,
  type FoldCall,
  type InputInfo,
  int,
  ints,
  operator,
  statedInt,
  tensorAttribute,
  word,
} from './operator.ts';

/** Axes that some exporters give as a scalar. */
const axesOf = (input: InputInfo): number[] => known(input.dims.length === 0 ? { ...input, dims: [1] } : input, 'axes');
const reshaped = ({ inputs: [x], out }: Pick<FoldCall, 'inputs' | 'out'>): Tensor => ({ ...x!, dims: out.dims });
/** Axes were an attribute before opset 13. */
const axesAsInput: NonNullable<ReturnType<typeof operator>['upgrade']> = ({
  attributes,
  inputs,
  ints: list,
  without,
  as,
}) => (attributes['axes'] === undefined ? undefined : as([inputs[0], list('axes')], without('axes')));
/** [n, c, h, w], which blocks are cut from. */
function checkImage({ dims }: InputInfo): void {
  if (dims.length !== 4) throw new PhospheneError('shape', `[${dims.join(', ')}] is not [n, c, h, w]`);
}

/** What a Constant node holds, in whichever of its attributes. */
function constantOf(attributes: Readonly<Record<string, Attribute>>): Tensor {
  const { value, value_float, value_floats, value_int, value_ints } = attributes;
  const [float, whole] = [value_float ?? value_floats, value_int ?? value_ints];
  const isNumeric = (v: Attribute | undefined): v is number | readonly number[] =>
    typeof v === 'number' || Array.isArray(v);
  if (typeof value === 'object' && 'dtype' in value) return value;
  if (isNumeric(float)) return float32(float);
  if (isNumeric(whole) && [whole].flat().every(Number.isInteger)) return int64(whole);
  throw new PhospheneError('bad-file', 'it has no numeric value');
}

export const movement = {
  Concat: operator({
    inputs: ['T*'],
    of: 'any',
    attributes: { axis: statedInt() },
    infer({ inputs, attributes: { axis } }) {
      const { dtype, dims } = inputs[0]!;
      const at = normalAxis(axis, dims.length);
      for (const other of inputs) {
        if (other!.dims.length !== dims.length || other!.dims.some((d, i) => i !== at && d !== dims[i])) {
          throw new PhospheneError(
            'shape',
            `[${inputs.map((i) => i!.dims.join(', ')).join('] and [')}] do not join on axis ${at}`,
          );
        }
      }
      return [{ dtype, dims: dims.map((d, i) => (i === at ? inputs.reduce((sum, x) => sum + x!.dims[at]!, 0) : d)) }];
    },
    fold: ({ inputs, attributes: { axis }, out }) =>
      joined(
        inputs.map((x) => x!),
        normalAxis(axis, out.dims.length),
        out,
      ),
  }),
  Split: operator({
    inputs: ['T', 'int64?'],
    of: 'any',
    attributes: { axis: int(0), num_outputs: int(undefined, { least: 1 }) },
    infer({ inputs: [x, sizes], attributes: { axis, num_outputs }, outputs }) {
      const { dtype, dims } = x!;
      const at = normalAxis(axis, dims.length);
      if (!sizes && num_outputs !== undefined && num_outputs !== outputs)
        throw new PhospheneError('shape', `it has ${outputs} outputs, \`num_outputs\` is ${num_outputs}`);
      const even = Math.ceil(dims[at]! / outputs);
      const parts = sizes
        ? known(sizes, 'sizes', outputs)
        : Array.from({ length: outputs }, (_, i) => Math.min(even, dims[at]! - i * even));
      if (parts.some((part) => part < 0) || parts.reduce((sum, part) => sum + part, 0) !== dims[at])
        throw new PhospheneError('shape', `parts of [${parts.join(', ')}] do not add up to an axis of ${dims[at]}`);
      return parts.map((part) => ({ dtype, dims: dims.map((d, i) => (i === at ? part : d)) }));
    },
    upgrade({ opset, inputs, attributes, outputs, ints: list, without, as }) {
      if (opset < 13 && attributes['split'] !== undefined) return as([inputs[0], list('split')], without('split'));
      return inputs.length === 1 ? as(inputs, { ...attributes, num_outputs: outputs }) : undefined;
    },
  }),
  Pad: operator({
    limits: 'no mode `wrap`',
    inputs: ['T', 'int64', 'T?', 'index?'],
    of: 'any',
    attributes: { mode: word('constant', ['reflect', 'edge', 'wrap']) },
    infer({ inputs: [x, amounts, , at], attributes: { mode } }) {
      const { dtype, dims } = x!;
      if (mode === 'wrap') throw new PhospheneError('shape', `mode \`${mode}\` is not supported`);
      const axes = at ? normalAxes(known(at, 'axes'), dims.length) : dims.map((_, i) => i);
      const pads = known(amounts, 'amounts', 2 * axes.length);
      const out = [...dims];
      axes.forEach((axis, i) => (out[axis]! += pads[i]! + pads[i + axes.length]!));
      if (out.some((d) => d < 1))
        throw new PhospheneError('shape', `pads [${pads.join(', ')}] leave nothing of [${dims.join(', ')}]`);
      if (mode === 'reflect' && axes.some((axis, i) => Math.max(pads[i]!, pads[i + axes.length]!) >= dims[axis]!))
        throw new PhospheneError(
          'shape',
          `pads [${pads.join(', ')}] reflect more than there is of [${dims.join(', ')}]`,
        );
      return [{ dtype, dims: out }];
    },
    upgrade({ b, opset, inputs, ints: list, number, without, as }) {
      const stated = opset < 11 ? [inputs[0], list('pads'), number('value')] : inputs;
      const constant = stated[2]?.dtype === 'float32' ? stated[2].constant : undefined;
      const value = constant && b.float(bounded(toNumbers(constant)[0]!));
      return as(value ? stated.with(2, value) : stated, without('pads', 'value'));
    },
  }),
  Slice: operator({
    inputs: ['T', 'index', 'index', 'index?', 'index?'],
    of: 'any',
    attributes: {},
    infer({ inputs: [x, starts, ends, axes, steps] }) {
      const ranges = sliceRanges(
        x!.dims,
        known(starts, 'starts'),
        known(ends, 'ends'),
        axes && known(axes, 'axes'),
        steps && known(steps, 'steps'),
      );
      return [{ dtype: x!.dtype, dims: ranges.map((r) => r.count) }];
    },
    fold({ inputs: [x, starts, ends, axes, steps], out }) {
      const ranges = sliceRanges(
        x!.dims,
        toNumbers(starts!),
        toNumbers(ends!),
        axes && toNumbers(axes),
        steps && toNumbers(steps),
      );
      const strides = stridesOf(x!.dims);
      const begin = ranges.reduce((sum, r, i) => sum + r.begin * strides[i]!, 0);
      return restride(
        x!,
        out.dims,
        ranges.map((r, i) => r.step * strides[i]!),
        begin,
      );
    },
    upgrade: ({ opset, inputs, ints: list, as }) =>
      opset < 10 ? as([inputs[0], list('starts'), list('ends'), list('axes')], {}) : undefined,
  }),
  Reshape: operator({
    inputs: ['T', 'int64'],
    of: 'any',
    attributes: { allowzero: flag() },
    infer({ inputs: [x, shape], attributes: { allowzero } }) {
      const { dtype, dims } = x!;
      const wanted = known(shape, 'shape').map((d, i) => (d === 0 && allowzero !== 1 ? (dims[i] ?? -2) : d));
      const rest = wanted.reduce((product, d) => (d === -1 ? product : product * d), 1);
      const out = wanted.map((d) => (d === -1 ? sizeOf(dims) / rest : d));
      if (sizeOf(out) !== sizeOf(dims) || out.some((d) => !Number.isInteger(d) || d < 0))
        throw new PhospheneError('shape', `[${dims.join(', ')}] does not reshape to [${wanted.join(', ')}]`);
      return [{ dtype, dims: out }];
    },
    view: true,
    fold: reshaped,
  }),
  Flatten: operator({
    inputs: ['T'],
    of: 'any',
    attributes: { axis: int(1) },
    infer({ inputs: [x], attributes: { axis } }) {
      const { dtype, dims } = x!;
      const at = axis < 0 ? axis + dims.length : axis;
      if (at < 0 || at > dims.length)
        throw new PhospheneError('shape', `axis ${axis} is outside a rank of ${dims.length}`);
      return [{ dtype, dims: [sizeOf(dims.slice(0, at)), sizeOf(dims.slice(at))] }];
    },
    view: true,
    fold: reshaped,
  }),
  Transpose: operator({
    inputs: ['T'],
    of: 'any',
    attributes: { perm: ints({ least: 0 }) },
    infer({ inputs: [x], attributes: { perm } }) {
      const { dtype, dims } = x!;
      const order = perm ?? dims.map((_, i) => dims.length - 1 - i);
      if (order.length !== dims.length || dims.some((_, i) => !order.includes(i)))
        throw new PhospheneError('shape', `[${order.join(', ')}] is no order of ${dims.length} axes`);
      return [{ dtype, dims: order.map((p) => dims[p]!) }];
    },
    fold: ({ inputs: [x], attributes: { perm } }) =>
      transpose(x!, perm ?? x!.dims.map((_, i) => x!.dims.length - 1 - i)),
  }),
  Squeeze: operator({
    inputs: ['T', 'int64?'],
    of: 'any',
    attributes: {},
    infer({ inputs: [x, given] }) {
      const { dtype, dims } = x!;
      const axes = given ? normalAxes(axesOf(given), dims.length) : dims.flatMap((d, i) => (d === 1 ? [i] : []));
      const long = axes.find((axis) => dims[axis] !== 1);
      if (long !== undefined) throw new PhospheneError('shape', `axis ${long} of [${dims.join(', ')}] is not 1`);
      return [{ dtype, dims: dims.filter((_, i) => !axes.includes(i)) }];
    },
    view: true,
    fold: reshaped,
    upgrade: axesAsInput,
  }),
  Unsqueeze: operator({
    inputs: ['T', 'int64'],
    of: 'any',
    attributes: {},
    infer({ inputs: [x, given] }) {
      const { dtype, dims } = x!;
      const axes = axesOf(given!);
      const rank = dims.length + axes.length;
      const at = normalAxes(axes, rank);
      const rest = dims[Symbol.iterator]();
      return [{ dtype, dims: Array.from({ length: rank }, (_, i) => (at.includes(i) ? 1 : rest.next().value!)) }];
    },
    view: true,
    fold: reshaped,
    upgrade: axesAsInput,
  }),
  Expand: operator({
    inputs: ['T', 'int64'],
    of: 'any',
    attributes: {},
    infer: ({ inputs: [x, shape] }) => [{ dtype: x!.dtype, dims: broadcast(x!.dims, known(shape, 'shape')) }],
    fold: ({ inputs: [x], out }) => restride(x!, out.dims, broadcastStrides(x!.dims, out.dims)),
  }),
  Tile: operator({
    inputs: ['T', 'int64'],
    of: 'any',
    attributes: {},
    infer({ inputs: [x, repeats] }) {
      const times = known(repeats, 'repeats', x!.dims.length);
      return [{ dtype: x!.dtype, dims: x!.dims.map((d, i) => d * times[i]!) }];
    },
  }),
  Gather: operator({
    inputs: ['T', 'index'],
    of: 'any',
    attributes: { axis: int(0) },
    infer({ inputs: [x, indices], attributes: { axis } }) {
      const at = normalAxis(axis, x!.dims.length);
      return [{ dtype: x!.dtype, dims: [...x!.dims.slice(0, at), ...indices!.dims, ...x!.dims.slice(at + 1)] }];
    },
    fold: ({ inputs: [x, indices], attributes: { axis }, out }) =>
      gathered(x!, indices!, normalAxis(axis, x!.dims.length), out),
  }),
  GatherElements: operator({
    inputs: ['T', 'index'],
    of: 'any',
    attributes: { axis: int(0) },
    infer({ inputs: [x, indices], attributes: { axis } }) {
      const at = normalAxis(axis, x!.dims.length);
      const fits =
        indices!.dims.length === x!.dims.length && indices!.dims.every((d, i) => i === at || d <= x!.dims[i]!);
      if (!fits)
        throw new PhospheneError(
          'shape',
          `indices of [${indices!.dims.join(', ')}] do not fit [${x!.dims.join(', ')}]`,
        );
      return [{ dtype: x!.dtype, dims: indices!.dims }];
    },
  }),
  ScatterElements: operator({
    limits: 'a gradient for the reductions `none` and `add`',
    inputs: ['T', 'index', 'T'],
    of: 'any',
    attributes: { axis: int(0), reduction: word('none', ['add', 'mul', 'max', 'min']) },
    infer({ inputs: [x, indices, updates], attributes: { axis } }) {
      normalAxis(axis, x!.dims.length);
      if (indices!.dims.join() !== updates!.dims.join() || indices!.dims.length !== x!.dims.length)
        throw new PhospheneError(
          'shape',
          `indices of [${indices!.dims.join(', ')}] and updates of [${updates!.dims.join(', ')}] do not fit`,
        );
      return [{ dtype: x!.dtype, dims: x!.dims }];
    },
  }),
  ScatterND: operator({
    inputs: ['T', 'int64', 'T'],
    of: 'any',
    attributes: { reduction: word('none', ['add', 'mul', 'max', 'min']) },
    infer({ inputs: [x, indices, updates] }) {
      const depth = indices!.dims.at(-1) ?? 0;
      const wanted = [...indices!.dims.slice(0, -1), ...x!.dims.slice(depth)];
      if (depth < 1 || depth > x!.dims.length || wanted.join() !== updates!.dims.join())
        throw new PhospheneError(
          'shape',
          `indices of [${indices!.dims.join(', ')}] and updates of [${updates!.dims.join(', ')}] do not fit`,
        );
      return [{ dtype: x!.dtype, dims: x!.dims }];
    },
  }),
  DepthToSpace: operator({
    inputs: ['T'],
    of: 'any',
    attributes: { blocksize: statedInt({ least: 1 }), mode: word('DCR', ['CRD']) },
    infer({ inputs: [x], attributes: { blocksize: b } }) {
      checkImage(x!);
      const { dtype, dims } = x!;
      return [{ dtype, dims: [dims[0]!, dims[1]! / (b * b), dims[2]! * b, dims[3]! * b] }];
    },
  }),
  SpaceToDepth: operator({
    inputs: ['T'],
    of: 'any',
    attributes: { blocksize: statedInt({ least: 1 }) },
    infer({ inputs: [x], attributes: { blocksize: b } }) {
      checkImage(x!);
      const { dtype, dims } = x!;
      return [{ dtype, dims: [dims[0]!, dims[1]! * b * b, dims[2]! / b, dims[3]! / b] }];
    },
  }),
  Shape: operator({
    inputs: ['any'],
    attributes: { start: int(0), end: int() },
    infer: ({ inputs: [x], attributes }) => [{ dtype: 'int64', dims: [shapeOf(x!.dims, attributes).length] }],
  }),
  Size: operator({
    inputs: ['any'],
    attributes: {},
    infer: () => [{ dtype: 'int64', dims: [] }],
  }),
  Range: operator({
    inputs: ['T', 'T', 'T'],
    of: 'number',
    attributes: {},
    infer({ inputs }) {
      const [start, limit, step] = inputs.map((input, i) => {
        const what = ['start', 'limit', 'step'][i]!;
        return known(input && sizeOf(input.dims) === 1 ? { ...input, dims: [1] } : input, what, 1)[0]!;
      }) as [number, number, number];
      if (step === 0) throw new PhospheneError('shape', 'its step is 0');
      return [{ dtype: inputs[0]!.dtype, dims: [Math.max(0, Math.ceil((limit - start) / step))] }];
    },
    fold({ inputs: [start, , step], out }) {
      const [from, by] = [toNumbers(start!)[0]!, toNumbers(step!)[0]!];
      return fromNumbers(out.dtype, out.dims, (i) => from + i * by);
    },
  }),
  CumSum: operator({
    inputs: ['T', 'index'],
    of: 'number',
    attributes: { exclusive: flag(), reverse: flag() },
    infer: ({ inputs: [x] }) => [{ dtype: x!.dtype, dims: x!.dims }],
    fold({ inputs: [x, axis], attributes: { exclusive, reverse }, out }) {
      const at = normalAxis(toNumbers(axis!)[0]!, out.dims.length);
      const [length, stride] = [out.dims[at]!, stridesOf(out.dims)[at]!];
      const values = Float64Array.from(readable(x!));
      for (let i = 0; i < values.length; i++) {
        // The first of each row, along the axis.
        if (Math.floor(i / stride) % length !== 0) continue;
        let sum = 0;
        for (let k = 0; k < length; k++) {
          const j = i + (reverse === 1 ? length - 1 - k : k) * stride;
          const value = values[j]!;
          values[j] = exclusive === 1 ? sum : sum + value;
          sum += value;
        }
      }
      return fromNumbers(out.dtype, out.dims, (i) => values[i]!);
    },
  }),
  ConstantOfShape: operator({
    inputs: ['int64'],
    attributes: { value: tensorAttribute() },
    infer: ({ inputs: [shape], attributes: { value } }) => [
      { dtype: value?.dtype ?? 'float32', dims: known(shape, 'shape') },
    ],
    fold({ attributes: { value }, out }) {
      return filled(out.dtype, out.dims, value ? toNumbers(value)[0]! : 0);
    },
  }),
  /** Never in a graph of ours: what it holds is a constant. */
  Constant: operator({
    inputs: [],
    attributes: {},
    infer() {
      throw new PhospheneError('unsupported-op', 'a constant belongs to the constants of a graph');
    },
    upgrade: ({ b, attributes, name }) => [b.constant(constantOf(attributes), name)],
  }),
};

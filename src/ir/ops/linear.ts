/** @file Bilinear maps, and normalisation. */
import { PhospheneError } from '../../errors.ts';
import type { Value } from '../builder.ts';
import { normalAxis, broadcast } from '../shape.ts';
import { type Dims, sameDims, sizeOf } from '../tensor.ts';
import { einsum } from '../einsum.ts';
import { type AutoPad, windowOf, windowOutput } from '../window.ts';
import {
  checked,
  float,
  flag,
  foreign,
  type Inferred,
  int,
  type InputInfo,
  ints,
  operator,
  statedInt,
  text,
  word,
} from './operator.ts';

const autoPad = word<AutoPad>('NOTSET', ['SAME_UPPER', 'SAME_LOWER', 'VALID']);
/** What all windows declare. */
export const windowAttributes = {
  strides: ints({ least: 1 }),
  pads: ints({ least: 0 }),
  dilations: ints({ least: 1 }),
  auto_pad: autoPad,
};

/** Kernel of a convolution's weights. ONNX Runtime reads the attribute beside them, and trusts it. */
function kernelOf(x: InputInfo, w: InputInfo, stated: Dims | undefined): Dims {
  if (x.dims.length !== w.dims.length || x.dims.length < 3)
    throw new PhospheneError('shape', `input has rank ${x.dims.length}, weights have ${w.dims.length}`);
  const kernel = w.dims.slice(2);
  if (stated && !sameDims(stated, kernel))
    throw new PhospheneError(
      'bad-file',
      `attribute \`kernel_shape\` is [${stated.join(', ')}], the weights are [${w.dims.join(', ')}]`,
    );
  return kernel;
}

function checkBias(bias: InputInfo | undefined, filters: number): void {
  if (bias && !sameDims(bias.dims, [filters]))
    throw new PhospheneError('shape', `${filters} filters have a bias of [${bias.dims.join(', ')}]`);
}

/** Inputs that hold one number for each channel. */
function checkChannels(x: InputInfo, parameters: readonly (InputInfo | undefined)[]): void {
  const odd = parameters.find((p) => p!.dims.length !== 1 || p!.dims[0] !== x.dims[1]);
  if (odd)
    throw new PhospheneError('shape', `input has ${x.dims[1]} channels, a parameter is [${odd.dims.join(', ')}]`);
}

/** What all convolutions declare. */
export const convAttributes = { kernel_shape: ints({ least: 1 }), group: int(1, { least: 1 }), ...windowAttributes };

const transposeAttributes = {
  ...convAttributes,
  output_padding: ints({ least: 0 }),
  output_shape: ints({ least: 1 }),
};

export const linear = {
  Conv: operator({
    inputs: ['T', 'T', 'T?'],
    attributes: convAttributes,
    infer({ inputs: [x, w, bias], attributes }) {
      const kernel = kernelOf(x!, w!, attributes.kernel_shape);
      const { group } = attributes;
      if (x!.dims[1] !== w!.dims[1]! * group)
        throw new PhospheneError('shape', `input has ${x!.dims[1]} channels, weights expect ${w!.dims[1]! * group}`);
      if (w!.dims[0]! % group !== 0)
        throw new PhospheneError('shape', `${w!.dims[0]} filters do not divide into ${group} groups`);
      checkBias(bias, w!.dims[0]!);
      const size = x!.dims.slice(2);
      return [
        {
          dtype: x!.dtype,
          dims: [x!.dims[0]!, w!.dims[0]!, ...windowOutput(windowOf(attributes, kernel, size), size)],
        },
      ];
    },
    upgrade({ inputs: [x, w, ...rest], attributes, without, as }) {
      // Pads as numbers: ONNX Runtime's SAME fails if a stride is wider than its kernel.
      if (!x || !w || (attributes['auto_pad'] ?? 'NOTSET') === 'NOTSET') return undefined;
      const options = checked(convAttributes, attributes);
      const { pads } = windowOf(options, kernelOf(x, w, options.kernel_shape), x.dims.slice(2));
      return as([x, w, ...rest], { ...without('auto_pad'), pads });
    },
  }),
  ConvTranspose: operator({
    limits: 'output padding must be less than a stride',
    inputs: ['T', 'T', 'T?'],
    attributes: transposeAttributes,
    infer({ inputs: [x, w, bias], attributes }) {
      const kernel = kernelOf(x!, w!, attributes.kernel_shape);
      const { group, output_padding, output_shape, auto_pad } = attributes;
      if (x!.dims[1] !== w!.dims[0])
        throw new PhospheneError('shape', `input has ${x!.dims[1]} channels, weights expect ${w!.dims[0]}`);
      if (w!.dims[0]! % group !== 0)
        throw new PhospheneError('shape', `${w!.dims[0]} channels do not divide into ${group} groups`);
      checkBias(bias, w!.dims[1]! * group);
      if (output_shape !== undefined || !['NOTSET', 'VALID'].includes(auto_pad))
        throw new PhospheneError('shape', 'only explicit pads are supported');
      const size = x!.dims.slice(2);
      const window = windowOf(attributes, kernel, size);
      const extra = output_padding ?? size.map(() => 0);
      if (extra.length !== size.length)
        throw new PhospheneError('shape', `output padding [${extra.join(', ')}] should be ${size.length} numbers`);
      // ONNX allows it if a dilation is wider, ONNX Runtime never.
      if (extra.some((e, i) => e > 0 && e >= window.strides[i]!))
        throw new PhospheneError('shape', `output padding [${extra.join(', ')}] as wide as a stride is not supported`);
      const out = size.map(
        (d, i) =>
          (d - 1) * window.strides[i]! +
          (window.kernel[i]! - 1) * window.dilations[i]! +
          1 -
          window.pads[i]! -
          window.pads[i + size.length]! +
          extra[i]!,
      );
      if (out.some((d) => d < 1)) throw new PhospheneError('shape', `it would give [${out.join(', ')}]`);
      return [{ dtype: x!.dtype, dims: [x!.dims[0]!, w!.dims[1]! * group, ...out] }];
    },
    upgrade({ inputs: [x, w, ...rest], attributes, without, as }) {
      // Pads as numbers, whether the file states them, a size, or none.
      if (!x || !w) return undefined;
      const options = checked(transposeAttributes, attributes);
      const { auto_pad, output_shape } = options;
      if (output_shape === undefined && !auto_pad.startsWith('SAME')) return undefined;
      const size = x.dims.slice(2);
      const { kernel, strides, dilations } = windowOf(
        { ...options, auto_pad: 'NOTSET' },
        kernelOf(x, w, options.kernel_shape),
        size,
      );
      const extra = options.output_padding ?? size.map(() => 0);
      // Some files state all axes.
      const wanted = output_shape ? output_shape.slice(-size.length) : size.map((d, i) => d * strides[i]!);
      if (wanted.length !== size.length)
        throw new PhospheneError(
          'shape',
          `attribute \`output_shape\` [${wanted.join(', ')}] should be ${size.length} numbers`,
        );
      const totals = size.map(
        (d, i) => (d - 1) * strides[i]! + extra[i]! + (kernel[i]! - 1) * dilations[i]! + 1 - wanted[i]!,
      );
      if (totals.some((t) => t < 0))
        throw new PhospheneError(
          'unsupported-op',
          `a result of [${wanted.join(', ')}] is larger than what its windows reach, which is not supported`,
        );
      const small = totals.map((t) => Math.floor(t / 2));
      const large = totals.map((t, i) => t - small[i]!);
      const pads = auto_pad === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
      return as([x, w, ...rest], { ...without('auto_pad', 'output_shape', 'pads'), pads });
    },
  }),
  MatMul: operator({
    inputs: ['T', 'T'],
    of: 'number',
    attributes: {},
    infer({ inputs: [a, b] }) {
      const [m, n] = [a!.dims, b!.dims];
      if (m.length < 2 || n.length < 2 || m.at(-1) !== n.at(-2))
        throw new PhospheneError('shape', `[${m.join(', ')}] and [${n.join(', ')}] do not multiply`);
      return [{ dtype: a!.dtype, dims: [...broadcast(m.slice(0, -2), n.slice(0, -2)), m.at(-2)!, n.at(-1)!] }];
    },
    // A vector is a row before the product and a column behind it, and its axis is gone from the result.
    upgrade({ b, inputs: [x, y], name }) {
      if (!x || !y || (x.dims.length !== 1 && y.dims.length !== 1)) return undefined;
      if (x.dims.length === 0 || y.dims.length === 0) return undefined;
      const [row, column] = [x.dims.length === 1, y.dims.length === 1];
      const product = b.matmul(row ? b.reshape(x, [1, x.dims[0]!]) : x, column ? b.reshape(y, [y.dims[0]!, 1]) : y);
      const rank = product.dims.length;
      const dims = product.dims.filter((_, i) => !(row && i === rank - 2) && !(column && i === rank - 1));
      return [b.one('Reshape', [product, b.ints(dims)], {}, name)];
    },
  }),
  Gemm: operator({
    inputs: ['T', 'T', 'T?'],
    of: 'number',
    attributes: { alpha: float(1), beta: float(1), transA: flag(), transB: flag() },
    infer({ inputs: [a, b, c], attributes: { transA, transB } }) {
      if (a!.dims.length !== 2 || b!.dims.length !== 2)
        throw new PhospheneError('shape', `[${a!.dims.join(', ')}] and [${b!.dims.join(', ')}]: matrices are needed`);
      const [m, k] = transA === 1 ? [a!.dims[1]!, a!.dims[0]!] : [a!.dims[0]!, a!.dims[1]!];
      const [k2, n] = transB === 1 ? [b!.dims[1]!, b!.dims[0]!] : [b!.dims[0]!, b!.dims[1]!];
      if (k !== k2)
        throw new PhospheneError('shape', `[${a!.dims.join(', ')}] and [${b!.dims.join(', ')}] do not multiply`);
      if (c && !sameDims(broadcast(c.dims, [m, n]), [m, n]))
        throw new PhospheneError('shape', `[${c.dims.join(', ')}] cannot be added to [${m}, ${n}]`);
      return [{ dtype: a!.dtype, dims: [m, n] }];
    },
    // `broadcast` is how it was said before opset 7.
    upgrade: ({ inputs, without, as }) => as(inputs, without('broadcast')),
  }),
  BatchNormalization: operator({
    limits: 'in training mode only of weights',
    inputs: ['T', 'float', 'float', 'float', 'float'],
    attributes: { epsilon: float(1e-5) },
    infer({ inputs: [x, ...parameters] }) {
      checkChannels(x!, parameters);
      return [{ dtype: x!.dtype, dims: x!.dims }];
    },
    upgrade({ b, inputs, attributes, without, name }) {
      if (attributes['training_mode'] === 1) {
        const [x, gamma, beta] = inputs;
        // Weights may be standardised so in each run. A picture alone has statistics that no network was trained for.
        if (!x || !gamma || !beta || b.graph([x]).inputs.length > 0)
          throw new PhospheneError(
            'unsupported-op',
            'it normalises by the statistics of a batch, as in training; export the network for inference (in PyTorch: after `model.eval()`)',
          );
        const { epsilon } = checked({ epsilon: float(1e-5) }, without('training_mode', 'momentum'));
        checkChannels(x, [gamma, beta]);
        const axes = x.dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
        const each = (p: Value): Value => b.reshape(p, [p.dims[0]!, ...x.dims.slice(2).map(() => 1)]);
        const centred = b.sub(x, b.mean(x, axes));
        const deviation = b.sqrt(b.add(b.mean(b.mul(centred, centred), axes), epsilon));
        return [b.one('Add', [b.mul(b.div(centred, deviation), each(gamma)), each(beta)], {}, name)];
      }
      // Older sets list its other outputs also for inference; they are not used there.
      return [
        b.one(
          'BatchNormalization',
          inputs,
          without('spatial', 'momentum', 'training_mode', 'consumed_inputs', 'is_test'),
          name,
        ),
      ];
    },
  }),
  InstanceNormalization: operator({
    inputs: ['T', 'T', 'T'],
    attributes: { epsilon: float(1e-5) },
    infer({ inputs: [x, ...parameters] }) {
      if (x!.dims.length < 3) throw new PhospheneError('shape', `[${x!.dims.join(', ')}] has no spatial axes`);
      checkChannels(x!, parameters);
      return [{ dtype: x!.dtype, dims: x!.dims }];
    },
    upgrade: ({ inputs, without, as }) => as(inputs, without('consumed_inputs')),
  }),
  LayerNormalization: operator({
    inputs: ['T', 'T', 'T?'],
    attributes: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) },
    infer({ inputs: [x, ...parameters], attributes: { axis } }) {
      const first = normalAxis(axis, x!.dims.length);
      const wanted = x!.dims.slice(first);
      const odd = parameters.find((p) => p && !sameDims(broadcast(p.dims, wanted), wanted));
      if (odd)
        throw new PhospheneError(
          'shape',
          `a parameter is [${odd.dims.join(', ')}], the last axes are [${wanted.join(', ')}]`,
        );
      // Mean and inverse deviation are there for whoever asks for them.
      const statistic: Inferred = { dtype: x!.dtype, dims: x!.dims.map((d, i) => (i < first ? d : 1)) };
      return [{ dtype: x!.dtype, dims: x!.dims }, statistic, statistic];
    },
  }),
  LRN: operator({
    limits: 'odd sizes, two spatial axes',
    inputs: ['T'],
    attributes: {
      alpha: float(1e-4),
      beta: float(0.75),
      bias: float(1),
      size: { ...int(1, { least: 1 }), needed: true },
    },
    infer({ inputs: [x], attributes: { size } }) {
      // ONNX allows others, ONNX Runtime does not.
      if (size % 2 === 0) throw new PhospheneError('shape', `attribute \`size\` must be odd, not ${size}`);
      if (x!.dims.length !== 4) throw new PhospheneError('shape', `[${x!.dims.join(', ')}] is not [n, c, h, w]`);
      return [{ dtype: x!.dtype, dims: x!.dims }];
    },
  }),
};

/** Products and normalisations as files spell them and we do not. */
export const foreignLinear = {
  Einsum: foreign({
    limits: 'no axis twice in one operand',
    inputs: ['T*'],
    attributes: { equation: text() },
    since: 12,
    upgrade: ({ b, inputs, attributes: { equation }, name }) => [
      b.one('Identity', [einsum(b, inputs as readonly Value[], equation)], {}, name),
    ],
  }),
  MeanVarianceNormalization: foreign({
    inputs: ['T'],
    attributes: { axes: ints() },
    upgrade({ b, inputs: [x], attributes: { axes = [0, 2, 3] }, name }) {
      const centred = b.sub(x!, b.mean(x!, axes));
      const deviation = b.sqrt(b.mean(b.mul(centred, centred), axes));
      return [b.one('Div', [centred, b.add(deviation, 1e-9)], {}, name)];
    },
  }),
  LpNormalization: foreign({
    inputs: ['T'],
    attributes: { axis: int(-1), p: int(2, { least: 1, most: 2 }) },
    upgrade({ b, inputs: [x], attributes: { axis, p }, name }) {
      const norm = b.one(p === 1 ? 'ReduceL1' : 'ReduceL2', [x, b.ints([axis])]);
      // Of nothing but zeros it is zero.
      return [b.one('Div', [x, b.max(norm, 1e-30)], {}, name)];
    },
  }),
  GroupNormalization: foreign({
    inputs: ['T', 'T', 'T'],
    attributes: { num_groups: statedInt({ least: 1 }), epsilon: float(1e-5), stash_type: int(1) },
    since: 18,
    upgrade({ b, inputs, attributes: { num_groups: groups, epsilon }, name }) {
      const [x, scale, bias] = inputs as readonly [Value, Value, Value];
      const [n, channels, ...size] = x.dims;
      if (n === undefined || channels === undefined || size.length === 0 || channels % groups !== 0)
        throw new PhospheneError('shape', `[${x.dims.join(', ')}] does not divide into ${groups} groups of channels`);
      // Each group is a channel that is normalised by itself.
      const same = (value: number): Value => b.cast(b.float(Array.from({ length: groups }, () => value)), x.dtype);
      const rows = b.reshape(x, [n, groups, sizeOf(x.dims.slice(1)) / groups]);
      const normal = b.reshape(b.one('InstanceNormalization', [rows, same(1), same(0)], { epsilon }), x.dims);
      // Before opset 21 they were one for each group.
      const perChannel = (p: Value): Value => {
        const each = channels / (p.dims[0] ?? 1);
        if (p.dims.length !== 1 || (each !== 1 && p.dims[0] !== groups))
          throw new PhospheneError('shape', `input has ${channels} channels, a parameter is [${p.dims.join(', ')}]`);
        const spread = b.expand(b.reshape(p, [p.dims[0]!, 1]), [p.dims[0]!, each]);
        return b.reshape(spread, [channels, ...size.map(() => 1)]);
      };
      return [b.one('Add', [b.mul(normal, perChannel(scale)), perChannel(bias)], {}, name)];
    },
  }),
};

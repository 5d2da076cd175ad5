/** @file Gradients of the bilinear maps and of normalisation, over their attributes. */
import { linear } from '../../src/grad/linear.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { type Case, checkRules, combinations, noise, titled } from '../check.ts';

const pair = (v: number): [number, number] => [v, v];

const windows = combinations({
  stride: [1, 2, 3],
  pads: [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [0, 1, 2, 1],
    [3, 3, 3, 3],
  ],
  dilation: [1, 2],
  group: ['one', 'two', 'depthwise'] as const,
  kernel: [1, 2, 3, 7],
  size: [
    [7, 7],
    [8, 9],
  ],
}).filter(({ pads, dilation, kernel, size }) => {
  const extent = (kernel - 1) * dilation + 1;
  const fits = size.every((d, i) => d + pads[i]! + pads[i + 2]! >= extent);
  return fits && !(kernel === 1 && dilation === 2);
});

const convolutions = windows.map((w): Case => {
  const group = w.group === 'one' ? 1 : w.group === 'two' ? 2 : 4;
  const attributes = { strides: pair(w.stride), pads: w.pads, dilations: pair(w.dilation), group };
  return {
    title: titled(w),
    build: (b, [x]) =>
      b.conv(x!, noise(b, [group === 2 ? 6 : 4, 4 / group, w.kernel, w.kernel]), undefined, attributes),
    inputs: [{ dims: [1, 4, ...w.size] }],
    options: { directions: 1 },
  };
});

const others: Case[] = [
  {
    title: 'unequal strides, dilations and kernel, two images, bias',
    build: (b, [x]) =>
      b.conv(x!, noise(b, [5, 2, 2, 3]), noise(b, [5]), { strides: [2, 3], dilations: [3, 1], pads: [0, 2, 1, 0] }),
    inputs: [{ dims: [2, 2, 9, 8] }],
  },
  {
    title: 'unequal strides without dilation',
    build: (b, [x]) => b.conv(x!, noise(b, [5, 2, 2, 3]), undefined, { strides: [1, 2] }),
    inputs: [{ dims: [1, 2, 9, 8] }],
  },
  {
    // Not to be taken for padding, which is spelled as a convolution by ones for each channel alone.
    title: 'the sum of the channels',
    build: (b, [x]) => b.conv(x!, b.constant(float32([1, 1, 1], [1, 3, 1, 1])), undefined, { pads: [1, 0, 0, 1] }),
    inputs: [{ dims: [1, 3, 4, 5] }],
  },
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((auto_pad) =>
    [1, 2].map((stride): Case => ({
      title: `${auto_pad}, stride ${stride}`,
      build: (b, [x]) =>
        b.one('Conv', [x, noise(b, [3, 2, 4, 3])], { auto_pad, kernel_shape: [4, 3], strides: pair(stride) }),
      inputs: [{ dims: [1, 2, 7, 8] }],
    })),
  ),
  ...[1, 2].map((stride): Case => ({
    title: `weights that are computed, stride ${stride}`,
    build: (b, [x]) =>
      b.conv(x!, b.tanh(noise(b, [3, 2, 3, 3])), undefined, { strides: pair(stride), pads: [1, 1, 1, 1] }),
    inputs: [{ dims: [1, 2, 6, 7] }],
  })),
  ...[1, 2].map((stride): Case => ({
    title: `one spatial axis, stride ${stride}`,
    build: (b, [x]) => b.one('Conv', [x, noise(b, [3, 2, 3])], { kernel_shape: [3], strides: [stride], pads: [1, 1] }),
    inputs: [{ dims: [1, 2, 8] }],
  })),
];

const transposed = combinations({
  stride: [1, 2, 3],
  pads: [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [0, 1, 1, 0],
  ],
  dilation: [1, 2],
  group: [1, 2],
  kernel: [2, 3],
  output_padding: [0, 1],
})
  .filter(({ stride, output_padding }) => output_padding < stride)
  .map((w): Case => ({
    title: titled(w),
    build: (b, [x]) =>
      b.convTranspose(x!, noise(b, [4, 3, w.kernel, w.kernel]), {
        strides: pair(w.stride),
        pads: w.pads,
        dilations: pair(w.dilation),
        group: w.group,
        output_padding: pair(w.output_padding),
      }),
    inputs: [{ dims: [1, 4, 4, 5] }],
    options: { directions: 1 },
  }));

const gemm = combinations({
  transA: [0, 1],
  transB: [0, 1],
  alpha: [1, 0.7],
  beta: [1, 1.3],
  bias: [undefined, [5], [1, 5], [3, 1], [3, 5], []],
}).map((c): Case => ({
  title: titled(c),
  build: (b, [x, bias]) => {
    const { transA, transB, alpha, beta } = c;
    const w = noise(b, transB ? [5, 4] : [4, 5]);
    return b.one('Gemm', bias ? [x, w, bias] : [x, w], { transA, transB, alpha, beta });
  },
  inputs: [{ dims: c.transA ? [4, 3] : [3, 4] }, ...(c.bias ? [{ dims: c.bias }] : [])],
}));

const products: [number[], number[]][] = [
  [
    [3, 4],
    [4, 5],
  ],
  [
    [2, 3, 4],
    [4, 5],
  ],
  [
    [3, 4],
    [2, 4, 5],
  ],
  [
    [2, 1, 3, 4],
    [3, 4, 2],
  ],
  [
    [1, 4],
    [4, 1],
  ],
];
const matmul = products.flatMap(([left, right]): Case[] => [
  { title: titled([left, right]), build: (b, [x, y]) => b.matmul(x!, y!), inputs: [{ dims: left }, { dims: right }] },
  {
    title: `${titled([left, right])}, left`,
    build: (b, [x]) => b.matmul(x!, noise(b, right)),
    inputs: [{ dims: left }],
  },
  {
    title: `${titled([left, right])}, right`,
    build: (b, [y]) => b.matmul(noise(b, left), y!),
    inputs: [{ dims: right }],
  },
]);

const normalisation = combinations({
  dims: [
    [2, 3, 4, 5],
    [1, 3, 4],
    [4, 3],
  ],
  epsilon: [undefined, 0.1],
  computed: [false, true],
}).map(({ dims, epsilon, computed }): Case => ({
  title: titled({ dims, epsilon, computed }),
  build: (b, [x]) => {
    const [gamma, beta, mean] = [noise(b, [3]), noise(b, [3], 0, 1), noise(b, [3], -0.5, 0.5)];
    const variance = noise(b, [3], 0.2, 2);
    // Tanh is not folded: statistics that are known only when the graph runs.
    const statistics = computed ? [b.tanh(gamma), beta, mean, b.tanh(variance)] : [gamma, beta, mean, variance];
    return b.one('BatchNormalization', [x, ...statistics], epsilon === undefined ? {} : { epsilon });
  },
  inputs: [{ dims }],
}));

const instances = combinations({
  dims: [
    [2, 3, 4, 5],
    [1, 2, 7],
    [1, 3, 2, 2, 3],
  ],
  epsilon: [undefined, 0.1],
}).map(({ dims, epsilon }): Case => ({
  title: titled({ dims, epsilon }),
  build: (b, [x]) =>
    b.one(
      'InstanceNormalization',
      [x, noise(b, [dims[1]!], 0.5, 2), noise(b, [dims[1]!])],
      epsilon === undefined ? {} : { epsilon },
    ),
  inputs: [{ dims }],
}));

const layered = combinations({
  axis: [undefined, -1, 1, 0, -2],
  epsilon: [undefined, 0.1],
  bias: [false, true],
}).map(({ axis, epsilon, bias }): Case => {
  const dims = [2, 3, 4];
  const normalised = dims.slice((axis ?? -1) < 0 ? dims.length + (axis ?? -1) : axis);
  return {
    title: titled({ axis, epsilon, bias }),
    build: (b, [x, scale, shift]) =>
      b.one('LayerNormalization', bias ? [x, scale, shift] : [x, scale], {
        ...(axis === undefined ? {} : { axis }),
        ...(epsilon === undefined ? {} : { epsilon }),
      }),
    inputs: [{ dims }, { dims: normalised, low: 0.5, high: 2 }, ...(bias ? [{ dims: normalised }] : [])],
  };
});

const responses = combinations({
  size: [1, 3, 5],
  alpha: [undefined, 0.5],
  beta: [undefined, 1.5],
  bias: [undefined, 2],
}).map(({ size, ...rest }): Case => ({
  title: titled({ size, ...rest }),
  build: (b, [x]) =>
    b.one('LRN', [x], { size, ...Object.fromEntries(Object.entries(rest).filter(([, v]) => v !== undefined)) }),
  inputs: [{ dims: [2, 4, 2, 3] }],
}));

checkRules(linear, {
  Conv: [...convolutions, ...others],
  ConvTranspose: transposed,
  MatMul: matmul,
  Gemm: gemm,
  BatchNormalization: normalisation,
  InstanceNormalization: instances,
  LayerNormalization: [
    ...layered,
    {
      title: 'its mean and deviation',
      build: (b, [x, scale]) => {
        const [y, mean, inverse] = b.op('LayerNormalization', [x, scale], { axis: -2 }, { outputs: 3 });
        return b.add(b.mul(y!, mean!), inverse!);
      },
      inputs: [{ dims: [2, 3, 4] }, { dims: [3, 4], low: 0.5, high: 2 }],
    },
  ],
  LRN: responses,
});

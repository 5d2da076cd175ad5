/**
 * @file The EfficientNets of keras.applications, V1 and V2.
 * Papers: Tan and Le 2019 (arXiv:1905.11946) and 2021 (arXiv:2104.00298).
 */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { act, add, conv, depthwise, divisible, globalPool, norm, predictions, stridePad, type Top } from './blocks.ts';

/** Coefficients by which the smallest network is made wider and deeper. */
export interface Scaling extends Top {
  readonly width: number;
  readonly depth: number;
}

/** ImageNet's mean and deviation of red, green and blue. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** One stage: [kernel, repeats, filters in, filters out, expansion, stride]. */
const STAGES = [
  [3, 1, 32, 16, 1, 1],
  [3, 2, 16, 24, 6, 2],
  [5, 2, 24, 40, 6, 2],
  [3, 3, 40, 80, 6, 2],
  [5, 3, 80, 112, 6, 1],
  [5, 4, 112, 192, 6, 2],
  [3, 1, 192, 320, 6, 1],
] as const;

/** Gives each channel a weight: squeeze-excite. */
function excite(t: TopologyBuilder, name: string, x: string, channels: number, inner: number): string {
  let s = globalPool(t, `${name}se_squeeze`, x);
  s = t.add('Reshape', `${name}se_reshape`, s, { target_shape: [1, 1, channels] });
  s = conv(t, `${name}se_reduce`, s, inner, 1, { bias: true, activation: 'silu' });
  s = conv(t, `${name}se_expand`, s, channels, 1, { bias: true, activation: 'sigmoid' });
  return t.add('Multiply', `${name}se_excite`, [x, s]);
}

/** Names of a stage's blocks: `block1a_`, `block1b_`, … */
const blockName = (stage: number, block: number): string => `block${stage + 1}${String.fromCharCode(97 + block)}_`;

/** The end of all of them. */
function head(t: TopologyBuilder, x: string, filters: number, top: boolean): Topology {
  const y = act(t, 'top_activation', norm(t, 'top_bn', conv(t, 'top_conv', x, filters, 1)), 'silu');
  if (!top) return t.finish(y);
  const pooled = t.add('Dropout', 'top_dropout', globalPool(t, 'avg_pool', y));
  return t.finish(predictions(t, pooled));
}

export function efficientnet({ width, depth, top }: Scaling): Topology {
  const t = new TopologyBuilder();
  const round = (filters: number): number => divisible(filters * width);
  let x = t.add('Rescaling', undefined, PICTURE, { scale: 1 / 255 });
  // Mean and variance are among the weights. The published ones are for a division by the variance, which the next layer makes up for.
  x = t.add('Normalization', undefined, x, { axis: 3 });
  x = t.add('Rescaling', undefined, x, { scale: DEVIATION.map((d) => 1 / Math.sqrt(d)) });
  x = conv(t, 'stem_conv', stridePad(t, 'stem_conv_pad', x, 3), round(32), 3, { stride: 2, valid: true });
  x = act(t, 'stem_activation', norm(t, 'stem_bn', x), 'silu');
  let number = 0;
  STAGES.forEach(([kernel, repeats, first, last, expansion, firstStride], stage) => {
    const filters = round(last);
    const count = Math.ceil(depth * repeats);
    for (let block = 0; block < count; block++, number++) {
      const name = blockName(stage, block);
      const channels = block === 0 ? round(first) : filters;
      const stride = block === 0 ? firstStride : 1;
      const wide = channels * expansion;
      let y = x;
      if (expansion !== 1) {
        y = conv(t, `${name}expand_conv`, y, wide, 1);
        y = act(t, `${name}expand_activation`, norm(t, `${name}expand_bn`, y), 'silu');
      }
      if (stride === 2) y = stridePad(t, `${name}dwconv_pad`, y, kernel);
      y = depthwise(t, `${name}dwconv`, y, kernel, stride === 2 ? { stride, valid: true } : {});
      y = act(t, `${name}activation`, norm(t, `${name}bn`, y), 'silu');
      y = excite(t, name, y, wide, Math.max(1, Math.floor(channels * 0.25)));
      y = norm(t, `${name}project_bn`, conv(t, `${name}project_conv`, y, filters, 1));
      if (stride === 1 && channels === filters) {
        if (number > 0) y = t.add('Dropout', `${name}drop`, y);
        y = add(t, `${name}add`, y, x);
      }
      x = y;
    }
  });
  return head(t, x, round(1280), top);
}

/** One stage of V2: the same with whether its blocks are fused, that is convolutions in place of a depthwise and a wide one. */
type StageV2 = readonly [
  repeats: number,
  first: number,
  last: number,
  expansion: number,
  stride: 1 | 2,
  fused: boolean,
];

const B: readonly StageV2[] = [
  [1, 32, 16, 1, 1, true],
  [2, 16, 32, 4, 2, true],
  [2, 32, 48, 4, 2, true],
  [3, 48, 96, 4, 2, false],
  [5, 96, 112, 6, 1, false],
  [8, 112, 192, 6, 2, false],
];
const STAGES_V2: Readonly<Record<'b' | 's' | 'm' | 'l', readonly StageV2[]>> = {
  b: B,
  s: [
    [2, 24, 24, 1, 1, true],
    [4, 24, 48, 4, 2, true],
    [4, 48, 64, 4, 2, true],
    [6, 64, 128, 4, 2, false],
    [9, 128, 160, 6, 1, false],
    [15, 160, 256, 6, 2, false],
  ],
  m: [
    [3, 24, 24, 1, 1, true],
    [5, 24, 48, 4, 2, true],
    [5, 48, 80, 4, 2, true],
    [7, 80, 160, 4, 2, false],
    [14, 160, 176, 6, 1, false],
    [18, 176, 304, 6, 2, false],
    [5, 304, 512, 6, 1, false],
  ],
  l: [
    [4, 32, 32, 1, 1, true],
    [7, 32, 64, 4, 2, true],
    [7, 64, 96, 4, 2, true],
    [10, 96, 192, 4, 2, false],
    [19, 192, 224, 6, 1, false],
    [25, 224, 384, 6, 2, false],
    [7, 384, 640, 6, 1, false],
  ],
};

export interface EfficientNetV2Options extends Scaling {
  readonly size: keyof typeof STAGES_V2;
}

export function efficientnetV2({ size, width, depth, top }: EfficientNetV2Options): Topology {
  const t = new TopologyBuilder();
  // Unlike in V1, what is rounded down may lose more than a tenth.
  const round = (filters: number): number => Math.max(8, Math.floor((filters * width + 4) / 8) * 8);
  const stages = STAGES_V2[size];
  let x: string;
  if (size === 'b') {
    x = t.add('Rescaling', undefined, PICTURE, { scale: 1 / 255 });
    x = t.add('Normalization', undefined, x, { axis: 3, mean: MEAN, variance: DEVIATION.map((d) => d * d) });
  } else x = t.add('Rescaling', undefined, PICTURE, { scale: 1 / 128, offset: -1 });
  x = conv(t, 'stem_conv', x, round(stages[0]![1]), 3, { stride: 2 });
  x = act(t, 'stem_activation', norm(t, 'stem_bn', x), 'silu');
  let number = 0;
  stages.forEach(([repeats, first, last, expansion, firstStride, fused], stage) => {
    const filters = round(last);
    const count = Math.ceil(depth * repeats);
    for (let block = 0; block < count; block++, number++) {
      const name = blockName(stage, block);
      const channels = block === 0 ? round(first) : filters;
      const stride = block === 0 ? firstStride : 1;
      const wide = channels * expansion;
      const [kernel, wideStride] = fused ? [3, stride] : [1, 1];
      let y = x;
      if (expansion !== 1) {
        y = conv(t, `${name}expand_conv`, y, wide, kernel, { stride: wideStride });
        y = act(t, `${name}expand_activation`, norm(t, `${name}expand_bn`, y), 'silu');
      }
      if (!fused) {
        y = depthwise(t, `${name}dwconv2`, y, 3, { stride });
        y = act(t, `${name}activation`, norm(t, `${name}bn`, y), 'silu');
        y = excite(t, name, y, wide, Math.max(1, Math.floor(channels * 0.25)));
      }
      const narrow = fused && expansion === 1;
      y = conv(t, `${name}project_conv`, y, filters, narrow ? 3 : 1, narrow ? { stride } : {});
      y = norm(t, `${name}project_bn`, y);
      if (narrow) y = act(t, `${name}project_activation`, y, 'silu');
      if (stride === 1 && channels === filters) {
        if (number > 0) y = t.add('Dropout', `${name}drop`, y);
        y = add(t, `${name}add`, y, x);
      }
      x = y;
    }
  });
  return head(t, x, round(1280), top);
}

/** @file The NASNets of keras.applications. Paper: Zoph et al. 2017 (arXiv:1707.07012). */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import {
  act,
  add,
  averagePool,
  concat,
  conv,
  globalPool,
  maxPool,
  norm,
  pad,
  predictions,
  separable,
  stridePad,
  type Top,
} from './blocks.ts';

export interface NasNetOptions extends Top {
  /** Filters of the last convolutions. */
  readonly penultimate: number;
  /** Normal cells between two reductions. */
  readonly cells: number;
  readonly stem: number;
  /** Whether the cell after a reduction looks past it. */
  readonly skipReduction: boolean;
}

/** A value, with what decides how another is adapted to it. */
interface Picture {
  readonly name: string;
  readonly channels: number;
  /** How often it was halved. */
  readonly level: number;
}

export function nasnet({ penultimate, cells, stem, skipReduction, top }: NasNetOptions): Topology {
  const t = new TopologyBuilder();
  const filters = penultimate / 24;
  let x: Picture = {
    name: norm(t, 'stem_bn1', conv(t, 'stem_conv1', PICTURE, stem, 3, { stride: 2, valid: true })),
    channels: stem,
    level: 0,
  };
  let p: Picture | undefined;
  [x, p] = [reduction(t, x, p, filters / 4, 'stem_1'), x];
  [x, p] = [reduction(t, x, p, filters / 2, 'stem_2'), x];
  for (let stage = 0; stage < 3; stage++) {
    const width = filters * 2 ** stage;
    if (stage > 0) {
      const before: Picture = x;
      x = reduction(t, x, p, width, `reduce_${stage * cells}`);
      if (!skipReduction) p = before;
    }
    for (let i = 0; i < cells; i++)
      [x, p] = [normal(t, x, p, width, String(stage * cells + i + Math.min(stage, 1))), x];
  }
  const y = act(t, undefined, x.name);
  return t.finish(top ? predictions(t, globalPool(t, undefined, y)) : y);
}

/** Two separable convolutions, a ReLU before each. */
function separableBlock(
  t: TopologyBuilder,
  x: string,
  filters: number,
  kernel: number,
  block: string,
  stride = 1,
): string {
  let y = act(t, undefined, x);
  if (stride === 2) y = stridePad(t, `separable_conv_1_pad_${block}`, y, kernel);
  y = separable(t, `separable_conv_1_${block}`, y, filters, kernel, stride === 2 ? { stride, valid: true } : {});
  y = act(t, undefined, norm(t, `separable_conv_1_bn_${block}`, y));
  y = separable(t, `separable_conv_2_${block}`, y, filters, kernel);
  return norm(t, `separable_conv_2_bn_${block}`, y);
}

/** The cell before the last, in the shape of the last. */
function adjusted(t: TopologyBuilder, p: Picture | undefined, x: Picture, filters: number, block: string): string {
  if (p === undefined) return x.name;
  if (p.level !== x.level) {
    const y = act(t, `adjust_relu_1_${block}`, p.name);
    const a = averagePool(t, `adjust_avg_pool_1_${block}`, y, 1, 2);
    const left = conv(t, `adjust_conv_1_${block}`, a, filters / 2, 1);
    // prettier-ignore
    let b = t.add('Cropping2D', undefined, pad(t, undefined, y, [[0, 1], [0, 1]]), { cropping: [[1, 0], [1, 0]] });
    b = averagePool(t, `adjust_avg_pool_2_${block}`, b, 1, 2);
    const right = conv(t, `adjust_conv_2_${block}`, b, filters / 2, 1);
    return norm(t, `adjust_bn_${block}`, concat(t, undefined, left, right));
  }
  if (p.channels === filters) return p.name;
  return norm(
    t,
    `adjust_bn_${block}`,
    conv(t, `adjust_conv_projection_${block}`, act(t, undefined, p.name), filters, 1),
  );
}

function normal(t: TopologyBuilder, x: Picture, before: Picture | undefined, filters: number, block: string): Picture {
  const p = adjusted(t, before, x, filters, block);
  let h = conv(t, `normal_conv_1_${block}`, act(t, undefined, x.name), filters, 1);
  h = norm(t, `normal_bn_1_${block}`, h);
  const part = (from: string, kernel: number, which: string): string =>
    separableBlock(t, from, filters, kernel, `normal_${which}_${block}`);
  const average = (from: string, which: string): string => averagePool(t, `normal_${which}_${block}`, from, 3, 1, true);
  const sum = (i: number, a: string, b: string): string => add(t, `normal_add_${i}_${block}`, a, b);
  const parts = [
    sum(1, part(h, 5, 'left1'), part(p, 3, 'right1')),
    sum(2, part(p, 5, 'left2'), part(p, 3, 'right2')),
    sum(3, average(h, 'left3'), p),
    sum(4, average(p, 'left4'), average(p, 'right4')),
    sum(5, part(h, 3, 'left5'), h),
  ];
  return { name: concat(t, `normal_concat_${block}`, p, ...parts), channels: 6 * filters, level: x.level };
}

function reduction(
  t: TopologyBuilder,
  x: Picture,
  before: Picture | undefined,
  filters: number,
  block: string,
): Picture {
  const p = adjusted(t, before, x, filters, block);
  let h = conv(t, `reduction_conv_1_${block}`, act(t, undefined, x.name), filters, 1);
  h = norm(t, `reduction_bn_1_${block}`, h);
  const padded = stridePad(t, `reduction_pad_1_${block}`, h, 3);
  const part = (from: string, kernel: number, which: string, stride = 2): string =>
    separableBlock(t, from, filters, kernel, `reduction_${which}_${block}`, stride);
  const y1 = add(t, `reduction_add_1_${block}`, part(h, 5, 'left1'), part(p, 7, 'right1'));
  const y2 = add(
    t,
    `reduction_add_2_${block}`,
    maxPool(t, `reduction_left2_${block}`, padded, 3, 2),
    part(p, 7, 'right2'),
  );
  const y3 = add(
    t,
    `reduction_add3_${block}`,
    averagePool(t, `reduction_left3_${block}`, padded, 3, 2),
    part(p, 5, 'right3'),
  );
  const y4 = add(t, undefined, y2, averagePool(t, `reduction_left4_${block}`, y1, 3, 1, true));
  const y5 = add(
    t,
    `reduction_add4_${block}`,
    part(y1, 3, 'left4', 1),
    maxPool(t, `reduction_right5_${block}`, padded, 3, 2),
  );
  return { name: concat(t, `reduction_concat_${block}`, y2, y3, y4, y5), channels: 4 * filters, level: x.level + 1 };
}

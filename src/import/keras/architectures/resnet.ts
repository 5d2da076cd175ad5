/**
 * @file The ResNets of keras.applications, V1 and V2.
 * Papers: He et al. 2015 (arXiv:1512.03385) and 2016 (arXiv:1603.05027).
 */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { act, add, classifier, conv, maxPool, norm, pad, type Top } from './blocks.ts';

export interface ResNetOptions extends Top {
  readonly version: 1 | 2;
  /** Blocks in each of the four stages. */
  readonly blocks: readonly number[];
}

const EPSILON = 1.001e-5;

export function resnet({ version, blocks, top }: ResNetOptions): Topology {
  const t = new TopologyBuilder();
  let x = pad(t, 'conv1_pad', PICTURE, 3);
  x = conv(t, 'conv1_conv', x, 64, 7, { stride: 2, bias: true, valid: true });
  if (version === 1) x = act(t, 'conv1_relu', norm(t, 'conv1_bn', x, EPSILON));
  // Zeros, not −∞, and in V2 before any ReLU: the pad must stay a layer of its own.
  x = maxPool(t, 'pool1_pool', pad(t, 'pool1_pad', x, 1), 3, 2);
  blocks.forEach((count, i) => {
    const filters = 64 << i;
    for (let block = 1; block <= count; block++) {
      const name = `conv${i + 2}_block${block}`;
      if (version === 1) x = blockV1(t, name, x, filters, block === 1, i > 0 && block === 1 ? 2 : 1);
      else x = blockV2(t, name, x, filters, block === 1, i < 3 && block === count ? 2 : 1);
    }
  });
  if (version === 2) x = act(t, 'post_relu', norm(t, 'post_bn', x, EPSILON));
  return t.finish(top ? classifier(t, x) : x);
}

function blockV1(
  t: TopologyBuilder,
  name: string,
  x: string,
  filters: number,
  project: boolean,
  stride: number,
): string {
  const bias = { bias: true, valid: true } as const;
  let shortcut = x;
  if (project) {
    shortcut = conv(t, `${name}_0_conv`, x, 4 * filters, 1, { ...bias, stride });
    shortcut = norm(t, `${name}_0_bn`, shortcut, EPSILON);
  }
  let y = conv(t, `${name}_1_conv`, x, filters, 1, { ...bias, stride });
  y = act(t, `${name}_1_relu`, norm(t, `${name}_1_bn`, y, EPSILON));
  y = conv(t, `${name}_2_conv`, y, filters, 3, { bias: true });
  y = act(t, `${name}_2_relu`, norm(t, `${name}_2_bn`, y, EPSILON));
  y = conv(t, `${name}_3_conv`, y, 4 * filters, 1, bias);
  y = norm(t, `${name}_3_bn`, y, EPSILON);
  return act(t, `${name}_out`, add(t, `${name}_add`, shortcut, y));
}

function blockV2(
  t: TopologyBuilder,
  name: string,
  x: string,
  filters: number,
  project: boolean,
  stride: number,
): string {
  const bias = { bias: true, valid: true } as const;
  const p = act(t, `${name}_preact_relu`, norm(t, `${name}_preact_bn`, x, EPSILON));
  let shortcut = x;
  if (project) shortcut = conv(t, `${name}_0_conv`, p, 4 * filters, 1, { ...bias, stride });
  else if (stride > 1) shortcut = maxPool(t, undefined, x, 1, stride);
  let y = conv(t, `${name}_1_conv`, p, filters, 1, { valid: true });
  y = act(t, `${name}_1_relu`, norm(t, `${name}_1_bn`, y, EPSILON));
  y = pad(t, `${name}_2_pad`, y, 1);
  y = conv(t, `${name}_2_conv`, y, filters, 3, { stride, valid: true });
  y = act(t, `${name}_2_relu`, norm(t, `${name}_2_bn`, y, EPSILON));
  y = conv(t, `${name}_3_conv`, y, 4 * filters, 1, bias);
  return add(t, `${name}_out`, shortcut, y);
}

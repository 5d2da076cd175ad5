/**
 * @file The ResNets of keras.applications, V1 and V2, as Builder calls with Keras' layer names.
 * Source: keras/src/applications/resnet.py; papers: He et al. 2015 (arXiv:1512.03385) and 2016 (arXiv:1603.05027).
 */
import type { Value } from '../ir/builder.ts';
import type { LayerBuilder } from '../import/layers.ts';

export interface ResNetOptions {
  readonly version: 1 | 2;
  /** Blocks in each of the four stages. */
  readonly blocks: readonly number[];
}

/** Keras' epsilon in every batch normalisation of the family. */
const EPSILON = 1.001e-5;

/** Adds the network without its classifier; stops early where the layer builder has reached its target. */
export function resnet(l: LayerBuilder, image: Value, { version, blocks }: ResNetOptions): void {
  let x = l.zeroPadding('conv1_pad', image, 3);
  x = l.conv('conv1_conv', x, { filters: 64, kernel: 7, stride: 2, bias: true });
  if (version === 1) x = l.relu('conv1_relu', l.batchNormalization('conv1_bn', x, EPSILON));
  // Zeros, not −∞, and in V2 before any ReLU: the pad must stay a layer of its own.
  x = l.zeroPadding('pool1_pad', x, 1);
  x = l.maxPooling('pool1_pool', x, 3, 2);
  blocks.forEach((count, i) => {
    const filters = 64 << i;
    for (let block = 1; block <= count; block++) {
      const name = `conv${i + 2}_block${block}`;
      if (version === 1) x = blockV1(l, name, x, filters, block === 1, i > 0 && block === 1 ? 2 : 1);
      else x = blockV2(l, name, x, filters, block === 1, i < 3 && block === count ? 2 : 1);
    }
  });
  if (version === 2) l.relu('post_relu', l.batchNormalization('post_bn', x, EPSILON));
}

function blockV1(l: LayerBuilder, name: string, x: Value, filters: number, project: boolean, stride: number): Value {
  let shortcut = x;
  if (project) {
    shortcut = l.conv(`${name}_0_conv`, x, { filters: 4 * filters, kernel: 1, stride, bias: true });
    shortcut = l.batchNormalization(`${name}_0_bn`, shortcut, EPSILON);
  }
  let y = l.conv(`${name}_1_conv`, x, { filters, kernel: 1, stride, bias: true });
  y = l.relu(`${name}_1_relu`, l.batchNormalization(`${name}_1_bn`, y, EPSILON));
  y = l.conv(`${name}_2_conv`, y, { filters, kernel: 3, bias: true, same: true });
  y = l.relu(`${name}_2_relu`, l.batchNormalization(`${name}_2_bn`, y, EPSILON));
  y = l.conv(`${name}_3_conv`, y, { filters: 4 * filters, kernel: 1, bias: true });
  y = l.batchNormalization(`${name}_3_bn`, y, EPSILON);
  return l.relu(`${name}_out`, l.add(`${name}_add`, shortcut, y));
}

function blockV2(l: LayerBuilder, name: string, x: Value, filters: number, project: boolean, stride: number): Value {
  const p = l.relu(`${name}_preact_relu`, l.batchNormalization(`${name}_preact_bn`, x, EPSILON));
  let y = l.conv(`${name}_1_conv`, p, { filters, kernel: 1 });
  y = l.relu(`${name}_1_relu`, l.batchNormalization(`${name}_1_bn`, y, EPSILON));
  y = l.zeroPadding(`${name}_2_pad`, y, 1);
  y = l.conv(`${name}_2_conv`, y, { filters, kernel: 3, stride });
  y = l.relu(`${name}_2_relu`, l.batchNormalization(`${name}_2_bn`, y, EPSILON));
  let shortcut = x;
  if (project) shortcut = l.conv(`${name}_0_conv`, p, { filters: 4 * filters, kernel: 1, stride, bias: true });
  else if (stride > 1) shortcut = l.maxPooling(l.autoName('max_pooling2d'), x, 1, stride);
  y = l.conv(`${name}_3_conv`, y, { filters: 4 * filters, kernel: 1, bias: true });
  return l.add(`${name}_out`, shortcut, y);
}

/**
 * @file The ResNets of keras.applications, V1 and V2, as topologies with Keras' layer names.
 * Source: keras/src/applications/resnet.py; papers: He et al. 2015 (arXiv:1512.03385) and 2016 (arXiv:1603.05027).
 */
import { PICTURE, type Topology, TopologyBuilder } from './topology.ts';

export interface ResNetOptions {
  readonly version: 1 | 2;
  /** Blocks in each of the four stages. */
  readonly blocks: readonly number[];
}

/** The network without its classifier. */
export function resnet({ version, blocks }: ResNetOptions): Topology {
  const t = new TopologyBuilder();
  let x = pad(t, 'conv1_pad', PICTURE, 3);
  x = conv(t, 'conv1_conv', x, { filters: 64, kernel: 7, stride: 2, bias: true });
  if (version === 1) x = relu(t, 'conv1_relu', norm(t, 'conv1_bn', x));
  // Zeros, not −∞, and in V2 before any ReLU: the pad must stay a layer of its own.
  x = pad(t, 'pool1_pad', x, 1);
  x = t.add('MaxPooling2D', 'pool1_pool', x, { pool_size: 3, strides: 2 });
  blocks.forEach((count, i) => {
    const filters = 64 << i;
    for (let block = 1; block <= count; block++) {
      const name = `conv${i + 2}_block${block}`;
      if (version === 1) x = blockV1(t, name, x, filters, block === 1, i > 0 && block === 1 ? 2 : 1);
      else x = blockV2(t, name, x, filters, block === 1, i < 3 && block === count ? 2 : 1);
    }
  });
  if (version === 2) relu(t, 'post_relu', norm(t, 'post_bn', x));
  return t.layers;
}

interface Convolution {
  readonly filters: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly bias?: boolean;
  readonly same?: boolean;
}

function conv(t: TopologyBuilder, name: string, x: string, o: Convolution): string {
  const { filters, kernel, stride = 1, bias = false, same = false } = o;
  const padding = same ? 'same' : 'valid';
  return t.add('Conv2D', name, x, { filters, kernel_size: kernel, strides: stride, padding, use_bias: bias });
}

function norm(t: TopologyBuilder, name: string, x: string): string {
  return t.add('BatchNormalization', name, x, { epsilon: 1.001e-5 });
}

function relu(t: TopologyBuilder, name: string, x: string): string {
  return t.add('Activation', name, x, { activation: 'relu' });
}

function pad(t: TopologyBuilder, name: string, x: string, by: number): string {
  return t.add('ZeroPadding2D', name, x, { padding: by });
}

function blockV1(
  t: TopologyBuilder,
  name: string,
  x: string,
  filters: number,
  project: boolean,
  stride: number,
): string {
  let shortcut = x;
  if (project) {
    shortcut = conv(t, `${name}_0_conv`, x, { filters: 4 * filters, kernel: 1, stride, bias: true });
    shortcut = norm(t, `${name}_0_bn`, shortcut);
  }
  let y = conv(t, `${name}_1_conv`, x, { filters, kernel: 1, stride, bias: true });
  y = relu(t, `${name}_1_relu`, norm(t, `${name}_1_bn`, y));
  y = conv(t, `${name}_2_conv`, y, { filters, kernel: 3, bias: true, same: true });
  y = relu(t, `${name}_2_relu`, norm(t, `${name}_2_bn`, y));
  y = conv(t, `${name}_3_conv`, y, { filters: 4 * filters, kernel: 1, bias: true });
  y = norm(t, `${name}_3_bn`, y);
  return relu(t, `${name}_out`, t.add('Add', `${name}_add`, [shortcut, y]));
}

function blockV2(
  t: TopologyBuilder,
  name: string,
  x: string,
  filters: number,
  project: boolean,
  stride: number,
): string {
  const p = relu(t, `${name}_preact_relu`, norm(t, `${name}_preact_bn`, x));
  let y = conv(t, `${name}_1_conv`, p, { filters, kernel: 1 });
  y = relu(t, `${name}_1_relu`, norm(t, `${name}_1_bn`, y));
  y = pad(t, `${name}_2_pad`, y, 1);
  y = conv(t, `${name}_2_conv`, y, { filters, kernel: 3, stride });
  y = relu(t, `${name}_2_relu`, norm(t, `${name}_2_bn`, y));
  let shortcut = x;
  if (project) shortcut = conv(t, `${name}_0_conv`, p, { filters: 4 * filters, kernel: 1, stride, bias: true });
  else if (stride > 1) shortcut = t.add('MaxPooling2D', undefined, x, { pool_size: 1, strides: stride });
  y = conv(t, `${name}_3_conv`, y, { filters: 4 * filters, kernel: 1, bias: true });
  return t.add('Add', `${name}_out`, [shortcut, y]);
}

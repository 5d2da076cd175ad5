/** @file The DenseNets of keras.applications. Paper: Huang et al. 2016 (arXiv:1608.06993). */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { act, averagePool, classifier, concat, conv, maxPool, norm, pad, type Top } from './blocks.ts';

const EPSILON = 1.001e-5;
/** Channels that each block adds. */
const GROWTH = 32;

/** `blocks` are those of each of the four stages. */
export function densenet({ blocks, top }: Top & { readonly blocks: readonly number[] }): Topology {
  const t = new TopologyBuilder();
  let x = conv(t, 'conv1_conv', pad(t, undefined, PICTURE, 3), 64, 7, { stride: 2, valid: true });
  x = act(t, 'conv1_relu', norm(t, 'conv1_bn', x, EPSILON));
  x = maxPool(t, 'pool1', pad(t, undefined, x, 1), 3, 2);
  let channels = 64;
  blocks.forEach((count, i) => {
    for (let block = 1; block <= count; block++) {
      const name = `conv${i + 2}_block${block}`;
      let y = act(t, `${name}_0_relu`, norm(t, `${name}_0_bn`, x, EPSILON));
      y = conv(t, `${name}_1_conv`, y, 4 * GROWTH, 1, { valid: true });
      y = act(t, `${name}_1_relu`, norm(t, `${name}_1_bn`, y, EPSILON));
      y = conv(t, `${name}_2_conv`, y, GROWTH, 3);
      x = concat(t, `${name}_concat`, x, y);
      channels += GROWTH;
    }
    if (i === blocks.length - 1) return;
    const name = `pool${i + 2}`;
    channels = Math.floor(channels / 2);
    x = act(t, `${name}_relu`, norm(t, `${name}_bn`, x, EPSILON));
    x = averagePool(t, `${name}_pool`, conv(t, `${name}_conv`, x, channels, 1, { valid: true }), 2, 2);
  });
  x = act(t, 'relu', norm(t, 'bn', x, EPSILON));
  return t.finish(top ? classifier(t, x) : x);
}

/** @file Xception of keras.applications. Paper: Chollet 2016 (arXiv:1610.02357). */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { act, add, classifier, conv, maxPool, norm, separable, type Top } from './blocks.ts';

export function xception({ top }: Top): Topology {
  const t = new TopologyBuilder();
  let x = conv(t, 'block1_conv1', PICTURE, 32, 3, { stride: 2, valid: true });
  x = act(t, 'block1_conv1_act', norm(t, 'block1_conv1_bn', x));
  x = conv(t, 'block1_conv2', x, 64, 3, { valid: true });
  x = act(t, 'block1_conv2_act', norm(t, 'block1_conv2_bn', x));
  /** A separable convolution with its normalisation. */
  const part = (name: string, input: string, filters: number): string =>
    norm(t, `${name}_bn`, separable(t, name, input, filters, 3));
  // Blocks at whose end the picture becomes half as large.
  const halving = (block: number, filters: readonly [number, number]): void => {
    const shortcut = norm(t, undefined, conv(t, undefined, x, filters[1], 1, { stride: 2 }));
    const name = `block${block}_sepconv`;
    let y = block === 2 ? x : act(t, `${name}1_act`, x);
    y = act(t, `${name}2_act`, part(`${name}1`, y, filters[0]));
    y = maxPool(t, `block${block}_pool`, part(`${name}2`, y, filters[1]), 3, 2, true);
    x = add(t, undefined, y, shortcut);
  };
  halving(2, [128, 128]);
  halving(3, [256, 256]);
  halving(4, [728, 728]);
  for (let block = 5; block <= 12; block++) {
    let y = x;
    for (let k = 1; k <= 3; k++) {
      const name = `block${block}_sepconv${k}`;
      y = part(name, act(t, `${name}_act`, y), 728);
    }
    x = add(t, undefined, y, x);
  }
  halving(13, [728, 1024]);
  x = act(t, 'block14_sepconv1_act', part('block14_sepconv1', x, 1536));
  x = act(t, 'block14_sepconv2_act', part('block14_sepconv2', x, 2048));
  return t.finish(top ? classifier(t, x) : x);
}

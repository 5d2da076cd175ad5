/** @file VGG16 and VGG19 of keras.applications. Paper: Simonyan and Zisserman 2014 (arXiv:1409.1556). */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { conv, dense, maxPool, predictions, type Top } from './blocks.ts';

const FILTERS = [64, 128, 256, 512, 512] as const;

/** `blocks` are the convolutions of each block. */
export function vgg({ blocks, top }: Top & { readonly blocks: readonly number[] }): Topology {
  const t = new TopologyBuilder();
  let x = PICTURE;
  blocks.forEach((count, i) => {
    for (let k = 1; k <= count; k++)
      x = conv(t, `block${i + 1}_conv${k}`, x, FILTERS[i]!, 3, { bias: true, activation: 'relu' });
    x = maxPool(t, `block${i + 1}_pool`, x, 2, 2);
  });
  if (!top) return t.finish(x);
  x = t.add('Flatten', 'flatten', x);
  // Its first layer has a weight for each pixel of a picture of 224×224, 32 times smaller.
  x = t.add('Dense', 'fc1', x, { units: 4096, activation: 'relu', inputs: 512 * 7 * 7 });
  x = dense(t, 'fc2', x, 4096, 'relu');
  return t.finish(predictions(t, x));
}

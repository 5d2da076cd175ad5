/** @file A small network that draws the picture: from where a pixel is to its colour. */
import type { Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';
import { whole } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import type { Param } from './param.ts';

/**
 * A compositional pattern-producing network: x and y in ±√3 go through `layers` of `hidden` channels, each followed by atan(v) / .67
 * and atan(v)² / .6 side by side, to colours that a sigmoid brings into (-1, 1). Its weights are what is ascended; they draw smooth
 * shapes at any size. The last layer begins with zeros, so the ascent begins with grey.
 *
 * Source: Lucid's `cppn` (`lucid/optvis/param/cppn.py`) with its weights of variance 1 / inputs and biases of deviation .1. It suits
 * Adam with a rate about .005. No photo can be started from. Of a picture that is not square, the longer side spans ±√3.
 */
export const cppn = kind({
  kind: 'cppn',
  help: 'A small network that draws smooth shapes: its weights are ascended',
  settings: {
    layers: whole({ help: 'Hidden layers of the drawing network', default: 8, from: 1, to: 64 }),
    hidden: whole({ help: 'Channels of each hidden layer', default: 24, from: 1, to: 1024 }),
  },
  make:
    ({ layers, hidden }): Param =>
    (s, dims) => {
      const { b } = s;
      const [n, c, height, width] = dims as [number, number, number, number];
      const z: Value[] = [];
      const normal = (name: string, of: readonly number[], deviation: number): Value => {
        const state = s.state(name, of, { kind: 'normal', mean: 0, deviation });
        z.push(state);
        return state;
      };
      let x: Value = b.constant(float32(coordinates(height, width), [1, height * width, 2]));
      for (let layer = 0; layer < layers; layer++) {
        const inputs = x.dims[2]!;
        const name = layer === 0 ? Z : `${Z}/${layer}`;
        const weights = normal(name, [n, inputs, hidden], Math.sqrt(1 / inputs));
        const biases = normal(`${Z}/${layer}/bias`, [n, 1, hidden], 0.1);
        const angle = b.one('Atan', [b.add(b.matmul(x, weights), biases)]);
        x = b.concat([b.mul(angle, 1 / 0.67), b.mul(b.mul(angle, angle), 1 / 0.6)], 2);
      }
      const last = normal(`${Z}/${layers}`, [n, 2 * hidden, c], 0);
      const colour = b.add(b.matmul(x, last), normal(`${Z}/${layers}/bias`, [n, 1, c], 0.1));
      const planes = b.reshape(b.transpose(colour, [0, 2, 1]), dims);
      return { z, image: b.tanh(b.mul(planes, 0.5)) };
    },
});

/** x and y of each pixel, row by row. */
function coordinates(height: number, width: number): Float32Array {
  const scale = (2 * Math.sqrt(3)) / Math.max(1, Math.max(height, width) - 1);
  return Float32Array.from({ length: 2 * height * width }, (_, i) => {
    const at = Math.floor(i / 2);
    return i % 2 === 0 ? scale * ((at % width) - (width - 1) / 2) : scale * (Math.floor(at / width) - (height - 1) / 2);
  });
}

/**
 * @file Inception V3 and Inception-ResNet V2 of keras.applications.
 * Papers: Szegedy et al. 2015 (arXiv:1512.00567) and 2016 (arXiv:1602.07261).
 */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { act, averagePool, classifier, concat, conv, type Convolution, maxPool, norm, type Top } from './blocks.ts';

/** A convolution with the normalisation and the ReLU that follow it, as [filters, kernel]. */
type Unit = readonly [filters: number, kernel: number | readonly [number, number], options?: Convolution];

const half = { stride: 2, valid: true } as const;
const valid = { valid: true } as const;

function unit(t: TopologyBuilder, x: string, [filters, kernel, options]: Unit, name?: string): string {
  const y = norm(t, name && `${name}_bn`, conv(t, name, x, filters, kernel, options), 1e-3, false);
  return act(t, name && `${name}_ac`, y);
}

/** Units one after the other. */
function branch(t: TopologyBuilder, x: string, ...units: readonly Unit[]): string {
  return units.reduce((y, u) => unit(t, y, u), x);
}

/** What both begin with. */
function stem(t: TopologyBuilder): string {
  let x = branch(t, PICTURE, [32, 3, half], [32, 3, valid], [64, 3]);
  x = branch(t, maxPool(t, undefined, x, 3, 2), [80, 1, valid], [192, 3, valid]);
  return maxPool(t, undefined, x, 3, 2);
}

export function inceptionV3({ top }: Top): Topology {
  const t = new TopologyBuilder();
  const pooled = (x: string, filters: number): string =>
    branch(t, averagePool(t, undefined, x, 3, 1, true), [filters, 1]);
  let x = stem(t);
  [32, 64, 64].forEach((filters, i) => {
    x = concat(
      t,
      `mixed${i}`,
      branch(t, x, [64, 1]),
      branch(t, x, [48, 1], [64, 5]),
      branch(t, x, [64, 1], [96, 3], [96, 3]),
      pooled(x, filters),
    );
  });
  x = concat(
    t,
    'mixed3',
    branch(t, x, [384, 3, half]),
    branch(t, x, [64, 1], [96, 3], [96, 3, half]),
    maxPool(t, undefined, x, 3, 2),
  );
  const [row, column] = [
    [1, 7],
    [7, 1],
  ] as const;
  [128, 160, 160, 192].forEach((f, i) => {
    x = concat(
      t,
      `mixed${4 + i}`,
      branch(t, x, [192, 1]),
      branch(t, x, [f, 1], [f, row], [192, column]),
      branch(t, x, [f, 1], [f, column], [f, row], [f, column], [192, row]),
      pooled(x, 192),
    );
  });
  x = concat(
    t,
    'mixed8',
    branch(t, x, [192, 1], [320, 3, half]),
    branch(t, x, [192, 1], [192, row], [192, column], [192, 3, half]),
    maxPool(t, undefined, x, 3, 2),
  );
  for (let i = 0; i < 2; i++) {
    const forked = (from: string, name?: string): string =>
      concat(t, name, branch(t, from, [384, [1, 3]]), branch(t, from, [384, [3, 1]]));
    x = concat(
      t,
      `mixed${9 + i}`,
      branch(t, x, [320, 1]),
      forked(branch(t, x, [384, 1]), `mixed9_${i}`),
      forked(branch(t, x, [448, 1], [384, 3])),
      pooled(x, 192),
    );
  }
  return t.finish(top ? classifier(t, x) : x);
}

export function inceptionResNetV2({ top }: Top): Topology {
  const t = new TopologyBuilder();
  let x = stem(t);
  x = concat(
    t,
    'mixed_5b',
    branch(t, x, [96, 1]),
    branch(t, x, [48, 1], [64, 5]),
    branch(t, x, [64, 1], [96, 3], [96, 3]),
    branch(t, averagePool(t, undefined, x, 3, 1, true), [64, 1]),
  );
  /** A block whose branches are added to its input, scaled; the last of all has no ReLU. */
  const residual = (
    name: string,
    channels: number,
    scale: number,
    branches: readonly (readonly Unit[])[],
    last = false,
  ): void => {
    const mixed = concat(t, `${name}_mixed`, ...branches.map((units) => branch(t, x, ...units)));
    const up = conv(t, `${name}_conv`, mixed, channels, 1, { bias: true });
    x = t.add('CustomScaleLayer', undefined, [x, up], { scale });
    if (!last) x = act(t, `${name}_ac`, x);
  };
  const block35: readonly (readonly Unit[])[] = [
    [[32, 1]],
    [
      [32, 1],
      [32, 3],
    ],
    [
      [32, 1],
      [48, 3],
      [64, 3],
    ],
  ];
  const block17: readonly (readonly Unit[])[] = [
    [[192, 1]],
    [
      [128, 1],
      [160, [1, 7]],
      [192, [7, 1]],
    ],
  ];
  const block8: readonly (readonly Unit[])[] = [
    [[192, 1]],
    [
      [192, 1],
      [224, [1, 3]],
      [256, [3, 1]],
    ],
  ];
  for (let i = 1; i <= 10; i++) residual(`block35_${i}`, 320, 0.17, block35);
  x = concat(
    t,
    'mixed_6a',
    branch(t, x, [384, 3, half]),
    branch(t, x, [256, 1], [256, 3], [384, 3, half]),
    maxPool(t, undefined, x, 3, 2),
  );
  for (let i = 1; i <= 20; i++) residual(`block17_${i}`, 1088, 0.1, block17);
  x = concat(
    t,
    'mixed_7a',
    branch(t, x, [256, 1], [384, 3, half]),
    branch(t, x, [256, 1], [288, 3, half]),
    branch(t, x, [256, 1], [288, 3], [320, 3, half]),
    maxPool(t, undefined, x, 3, 2),
  );
  for (let i = 1; i <= 9; i++) residual(`block8_${i}`, 2080, 0.2, block8);
  residual('block8_10', 2080, 1, block8, true);
  x = unit(t, x, [1536, 1], 'conv_7b');
  return t.finish(top ? classifier(t, x) : x);
}

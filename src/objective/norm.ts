/** @file Norms as penalties: small values, of the picture or of a layer. */
import type { Builder, Value } from '../ir/builder.ts';
import { float32, type Tensor } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { number } from '../settings.ts';
import type { Untitled, ObjectiveContext } from './objective.ts';
import { ofLayer, penalty, subjectOf, subjectShape, summedMean, total, weight, weightValue } from './parts.ts';

const around = number({
  help: 'The value that costs nothing; grey is 0 in a picture',
  default: 0,
  from: -1e6,
  to: 1e6,
});
const settings = { weight, layer: ofLayer, around };

/** −weight · mean |x − around|. Source: Lucid's `L1`, a sum; a mean here, so that a weight is the same at every size. */
export const l1 = kind({
  kind: 'l1',
  help: 'Negative mean of the absolute values of the picture, or of a layer',
  settings,
  make: (given): Untitled => norm('l1', given, {}, ({ b }, x) => summedMean(b, b.one('Abs', [x]))),
});

/** −weight · √(mean (x − around)² + 1e-6). Source: Lucid's `L2`, of a sum; of a mean here. */
export const l2 = kind({
  kind: 'l2',
  help: 'Negative root of the mean square of the picture, or of a layer',
  settings,
  make: (given): Untitled =>
    norm('l2', given, {}, ({ b }, x) => total(b, b.sqrt(b.add(meanOfEach(b, b.mul(x, x)), 1e-6)))),
});

/**
 * −weight · (mean |x − around|^p)^(1/p). A high p is for the largest values alone. Source: the L6 norm of Mahendran & Vedaldi 2016
 * and of keras-vis.
 */
export const lp = kind({
  kind: 'lp',
  help: 'Negative Lp norm of the picture, or of a layer',
  settings: { ...settings, p: number({ help: 'The p of the norm', default: 6, from: 1, to: 100 }) },
  make: ({ p, ...given }): Untitled =>
    norm('lp', given, { p: float32(p) }, ({ b, value }, x) => {
      const exponent = value('p');
      // Bounded below, since the power of zero has no logarithm, and a root none of its slope there.
      const size = b.max(b.one('Abs', [x]), 1e-6);
      return total(b, b.pow(meanOfEach(b, b.pow(size, exponent)), b.div(1, exponent)));
    }),
});

function norm(
  name: string,
  { weight, layer, around }: { readonly weight: number; readonly layer: string | undefined; readonly around: number },
  values: Readonly<Record<string, Tensor>>,
  size: (c: ObjectiveContext, x: Value) => Value,
): Untitled {
  return {
    shape: `${name}(${subjectShape(layer)})`,
    layers: layer === undefined ? [] : [layer],
    values: { ...weightValue(weight), around: float32(around), ...values },
    build(c) {
      const x = c.b.cast(subjectOf(c, layer).value, 'float32');
      return penalty(c, size(c, c.b.sub(x, c.value('around'))));
    },
  };
}

/** The mean of each picture's elements. */
function meanOfEach(b: Builder, x: Value): Value {
  return b.mean(x, x.dims.map((_, axis) => axis).slice(1), true);
}

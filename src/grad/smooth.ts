/** @file Smoothed max pooling (Lucid's `smoothed_maxpool_grad`): every position of a window gets a share of its gradient. */
import { attributesOf } from '../ir/infer.ts';
import { pool } from './pool.ts';
import type { Rule } from './rule.ts';

/** Added to the mean of a window, so that one of zeros has a gradient of zero. */
const SOFT = 1e-2;

/**
 * The pooling itself stays a maximum. Its gradient is that of mean(x²) / (mean |x| + 0.01) over each window: near the maximum's where one
 * value stands out, and smooth in all of them, so that it draws fewer of the one-pixel patterns to which the gradient of a maximum leads.
 */
const smoothed: Rule = (c) => {
  const { b, g, node, inputs } = c;
  const x = inputs[0]!;
  const { storage_order: _, dilations, ...window } = node.attributes;
  // There is no dilated mean to take.
  if (Array.isArray(dilations) && dilations.some((d) => d !== 1)) return pool['MaxPool']!(c);
  const mean = { ...node, op: 'AveragePool', attributes: { ...window, count_include_pad: 0 } };
  const average = (v: typeof x): typeof x => b.one('AveragePool', [v], mean.attributes);
  const spread = (v: typeof x): typeof x =>
    pool['AveragePool']!({ ...c, g: v, node: mean, attributes: attributesOf(mean) })[0]!;
  const divisor = b.add(average(b.one('Abs', [x])), SOFT);
  const value = b.div(average(b.mul(x, x)), divisor);
  const share = b.div(g, divisor);
  const rising = b.mul(spread(share), b.mul(x, 2));
  return [b.sub(rising, b.mul(spread(b.mul(share, value)), b.one('Sign', [x])))];
};

/** Rules of smoothed max pooling, for `overrides`. */
export const smoothPooling: Readonly<Record<string, Rule>> = { MaxPool: smoothed };

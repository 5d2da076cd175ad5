/** @file Gradients through whole networks, held against what other engines computed in float64. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { findLayer, type Network } from '../../src/import/network.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { compileSeed } from '../render/seed.ts';

/** A row of network-golden.json; its header explains the fields. */
export interface OracleCase {
  readonly model: string;
  readonly target: string;
  readonly channel: number;
  readonly border: number;
  readonly inputShape: readonly [number, number, number, number];
  readonly loss: number;
  readonly l2: number;
  readonly float32Error: number;
  readonly samples: readonly (readonly [number, number])[];
}

const GOLDEN = new URL('network-golden.json', import.meta.url);

/** The recorded cases, of one model or of all. */
export function oracleCases(model?: string, file: URL = GOLDEN): readonly OracleCase[] {
  const { cases: all } = JSON.parse(readFileSync(file, 'utf8')) as { cases: OracleCase[] };
  const cases = all.filter((c) => model === undefined || c.model === model);
  if (cases.length === 0) throw new Error(`${file.pathname} has no case of ${model}`);
  return cases;
}

/** Position in [1, c, h, w] of a flat NHWC index. */
export function nchw(flat: number, [, h, w, c]: readonly number[]): number {
  return (flat % c!) * h! * w! + Math.floor(flat / c!);
}

/** Holds loss and gradient of a network fed `image` [1, c, h, w] against a case. `layer` is our name of its target. */
export async function expectOracleGradient(
  model: Network,
  c: OracleCase,
  image: Float32Array,
  layer: string = c.target,
): Promise<void> {
  const [, height, width, channels] = c.inputShape;
  const { axis } = findLayer(model.name, model.layers({ height, width }).layers, layer).channels!;
  const seed = await compileSeed(await model.cut([layer], { height, width }), c.border, {}, axis);
  const { loss, gradient: g } = await seed.step(float32(image, [1, channels, height, width]), c.channel);
  await seed.dispose();
  // What float32 itself costs the oracle, with room for another order of summation.
  const tolerance = Math.max(1e-5, 5 * c.float32Error);
  expect(Math.abs(loss / c.loss - 1)).toBeLessThan(1e-4);
  expect(Math.abs(Math.sqrt(g.reduce((sum, v) => sum + v * v, 0)) / c.l2 - 1)).toBeLessThan(tolerance);
  const root = c.l2 / Math.sqrt(g.length);
  const squares = c.samples.reduce((sum, [flat, value]) => sum + (g[nchw(flat, c.inputShape)]! - value) ** 2, 0);
  expect(Math.sqrt(squares / c.samples.length) / root).toBeLessThan(3 * tolerance);
}

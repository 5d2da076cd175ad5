/** @file Layers models that TensorFlow.js saved, held against what it computes of them. */
import { describe, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { expectGolden, fixtures, goldenOf } from './tfjs-golden.ts';

const folder = fixtures('tfjs-layers');

describe.each(Object.entries(goldenOf(folder)))('%s', (model, golden) => {
  it.each(Object.entries(golden.layers))('%s', async (name, layer) => {
    await expectGolden(await openModel(`${folder}${model}/model.json`, { preprocess: 'tf' }), name, golden, layer);
  });
});

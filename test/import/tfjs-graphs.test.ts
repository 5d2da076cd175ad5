/** @file Graph models of TensorFlow.js, held against what TensorFlow computes of the same graphs. */
import { describe, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { expectGolden, fixtures, goldenOf } from './tfjs-golden.ts';

const folder = fixtures('tfjs');

describe.each(Object.entries(goldenOf(folder)))('%s', (model, golden) => {
  it.each(Object.entries(golden.layers))('%s', async (name, layer) => {
    await expectGolden(await openModel(`${folder}${model}/model.json`, { preprocess: 'tf' }), name, golden, layer);
  });
});

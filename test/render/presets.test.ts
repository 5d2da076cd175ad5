/** @file Presets on networks that nobody tuned them for: what the network fixes is kept to, and no picture fails. */
import { afterAll, describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { planOf } from '../../src/jobs/plan.ts';
import { createPool } from '../../src/jobs/pool.ts';
import type { Picture } from '../../src/jobs/render.ts';
import { presets, type PresetName } from '../../src/render/presets.ts';
import { sizeShown } from '../../src/render/recipe.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { noise } from '../check.ts';
import { openBytes } from '../import/open.ts';
import { inlineHost } from '../jobs/hosts.ts';

const pool = createPool(inlineHost(nodeRuntime));
afterAll(() => pool.close());

/** A small classifier of pictures of one size: two convolutions of stride 2, `deep` being the second, and the mean of each map before the end. */
function classifier(channels: number, height: number, width: number) {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, channels, height, width]);
  const layer = { strides: [2, 2], pads: [1, 1, 1, 1] };
  const first = b.relu(b.conv(x, noise(b, [8, channels, 3, 3]), undefined, layer));
  const deep = b.relu(b.conv(first, noise(b, [8, 8, 3, 3], -0.5), undefined, layer), 'deep');
  const logits = b.matmul(b.reshape(b.mean(deep, [2, 3]), [1, 8]), noise(b, [8, 10], 0.1));
  const end = b.one('Softmax', [logits], { axis: 1 }, 'probabilities');
  return openBytes(encodeOnnx(b.graph([end]), { 'phosphene.preprocess': 'tf' }));
}

const networks = [
  ['32×32 pixels', 3, 32, 32],
  ['28×28 pixels in grey', 1, 28, 28],
  ['a strip', 3, 20, 44],
] as const;

describe.each(networks)('of a network of %s, the preset', (_, channels, height, width) => {
  const network = classifier(channels, height, width);
  it.each(Object.keys(presets) as PresetName[])('`%s` makes pictures', async (preset) => {
    for (const what of [{ layer: 'deep', channels: [0, 3] }, { objective: 'probabilities:2' }]) {
      const plan = await planOf(await network, { ...what, preset, steps: Math.min(32, presets[preset].steps) });
      expect(sizeShown(plan.settled)).toEqual({ height, width });
      const found: Picture[] = [];
      for await (const event of plan.render({ pool, lowering: 'cpu' }))
        if (event.type === 'picture') found.push(event.picture);
      expect(found.length).toBe(plan.channels.length);
      for (const { diagnosis, image, raster } of found) {
        // Weights that were drawn like noise as well as anything.
        expect(['ok', 'noise-like']).toContain(diagnosis.status);
        expect(image.dims).toEqual([1, channels, plan.settled.size.height, plan.settled.size.width]);
        expect(raster.width).toBe(plan.settled.size.width - 2 * plan.settled.finish.crop);
        expect(raster.width).toBeGreaterThanOrEqual((width * 2) / 3);
        expect(diagnosis.plain).toBeGreaterThan(diagnosis.before);
      }
    }
  });
});

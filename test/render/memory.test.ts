/** @file The memory that a worker is said to need: against what was measured, and where a run is refused for it. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { memoryOf, targetOf } from '../../src/jobs/render.ts';
import { checkMemory } from '../../src/render/step.ts';

describe('the memory of a worker', () => {
  // Measured by bench/memory.js: MB that each worker adds to the peak of the command.
  it.each([
    ['resnet50v2', 'conv3_block4_out', 128, 104],
    ['resnet50v2', 'conv3_block4_out', 180, 144],
    ['resnet50v2', 'conv3_block4_out', 512, 580],
    ['resnet50v2-mini', 'conv3_block4_out', 128, 90],
    ['resnet50v2-mini', 'conv3_block4_out', 512, 549],
    ['resnet50v2', 'conv4_block6_out', 64, 359],
    ['resnet50v2', 'conv4_block6_out', 180, 447],
  ])('of %s to %s at %i px is estimated within a factor of 1.6', async (name, layer, side, measured) => {
    const model = await openModel(name);
    const size = { size: { height: side, width: side } };
    const memory = memoryOf(model, { targets: [await targetOf(model, layer, size)] }, size);
    await model.close();
    expect(memory / 1e6 / measured).toBeGreaterThan(1 / 1.6);
    expect(memory / 1e6 / measured).toBeLessThan(1.6);
  });

  it('is refused if it does not fit, and only then', () => {
    expect(() => checkMemory(2 * 2 ** 30, 2 * 2 ** 30)).not.toThrow();
    expect(() => checkMemory(2 * 2 ** 30 + 1, 2 ** 30)).toThrow(
      'size: a picture of this size needs about 2.0 GiB in each worker, and there are 1.0 GiB; choose a smaller size, an earlier layer or fewer workers',
    );
  });
});

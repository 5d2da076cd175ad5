/** @file The memory that a worker is said to need: against what was measured, and where a run is refused for it. */
import { freemem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { checkFits, targetOf } from '../../src/jobs/run.ts';
import { settingsOf } from '../../src/render/presets.ts';

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
    const { memory } = await targetOf(model, layer, settingsOf('keras', { height: side, width: side }));
    expect(memory / 1e6 / measured).toBeGreaterThan(1 / 1.6);
    expect(memory / 1e6 / measured).toBeLessThan(1.6);
  });

  it('counts the workers that a run will have, not those that it could', () => {
    const target = { channels: 512, memory: freemem() / 4 };
    expect(() => checkFits(target, 64, 64)).toThrow(/GiB in each worker.*fewer --workers/);
    expect(() => checkFits(target, 1, 64)).not.toThrow();
  });
});

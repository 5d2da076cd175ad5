/** @file Our own rate, as `render` has it. */
import { render } from '../dist/node.js';
import { filters as sheet, layer, size, steps } from './seed.js';

/**
 * Milliseconds of an image-step, from when all workers have compiled to the last picture: their cold first steps, start noise and
 * deprocessing included, and at the end whoever waits for the others.
 */
export async function ours(model, workers, filtersEach) {
  // The example's filters, over and over if there are many workers.
  const channels = Array.from({ length: filtersEach * workers }, (_, i) => i % sheet);
  const done = new Map();
  let [begun, ended, early] = [0, 0, 0];
  for await (const event of render(model, { layer, channels, size, steps }, { workers })) {
    if (event.type === 'steps') done.set(event.channel, event.done);
    if (event.type === 'picture') ended = performance.now();
    if (event.type === 'ready') {
      begun = performance.now();
      // Who has compiled first does not wait for the others: these steps were done before the clock began.
      early = [...done.values()].reduce((a, b) => a + b, 0);
    }
  }
  return (ended - begun) / (channels.length * steps - early);
}

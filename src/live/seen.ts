/** @file What is told of a layer's activations for a photo. */
import { PhospheneError } from '../errors.ts';
import type { ActivationMap } from '../jobs/look.ts';
import type { Seen } from './protocol.ts';

type SeenAs<What extends Seen['what']> = Extract<Seen, { readonly what: What }>;

/** How strongly each channel fires, and where it fires most. */
export function peaksOf({ channels, height, width, data }: ActivationMap): SeenAs<'peaks'> {
  const places = height * width;
  const peak = new Float32Array(channels);
  const mean = new Float32Array(channels);
  const place = new Int32Array(channels);
  for (let c = 0; c < channels; c++) {
    let [best, sum] = [c * places, 0];
    for (let i = c * places; i < (c + 1) * places; i++) {
      sum += data[i]!;
      if (data[i]! > data[best]!) best = i;
    }
    peak[c] = data[best]!;
    mean[c] = sum / places;
    place[c] = best - c * places;
  }
  return { what: 'peaks', peak, mean, place, height, width };
}

/** How strongly each channel fires at a place; x and y from 0 to 1. Throws `bad-option` for a place that is none. */
export function valuesAt(
  { channels, height, width, data }: ActivationMap,
  { x, y }: { readonly x: number; readonly y: number },
): Float32Array {
  if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1))
    throw new PhospheneError('bad-option', `place: ${x}, ${y} found; both are numbers from 0 to 1`, { x, y });
  const row = Math.min(height - 1, Math.floor(y * height));
  const column = Math.min(width - 1, Math.floor(x * width));
  return Float32Array.from({ length: channels }, (_, c) => data[(c * height + row) * width + column]!);
}

/** How strongly a channel fires at each place. Throws `bad-option` for a channel that is not there. */
export function heatOf({ layer, channels, height, width, data }: ActivationMap, channel: number): SeenAs<'heat'> {
  if (!Number.isInteger(channel) || channel < 0 || channel >= channels)
    throw new PhospheneError('bad-option', `${layer} has no channel ${channel}; they are 0 to ${channels - 1}`, {
      layer,
      channel,
    });
  const places = height * width;
  return { what: 'heat', values: data.slice(channel * places, (channel + 1) * places), height, width };
}

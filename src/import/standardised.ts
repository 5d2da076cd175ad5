/** @file Which pictures a network wants that standardises them itself: the range for which the result is centred on zero. */
import { type Preprocess, preprocessOf } from './preprocess.ts';

/** What a network does with each channel of its input first: `scale[i] * x + shift[i]`. */
export interface Affine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** What pixels may be, from black to white. */
const ranges = [
  [0, 1],
  [0, 255],
  [-1, 1],
] as const;

/** ImageNet's mean of red, green and blue, for pixels in [0, 1]. */
const IMAGENET = [0.485, 0.456, 0.406] as const;

/** How far the middle of a standardised range may be from zero, as a part of its length. */
const OFF_CENTRE = 0.15;

/**
 * The preprocessing of a network that does the rest itself, or undefined if that does not tell. With a shift, it is the range whose
 * middle comes to lie nearest to zero; without one, 0..255 if the scale makes at most 2 of it, and 0..1 if it makes 255 of that.
 *
 * @example
 * standardised({ scale: [1 / 127.5], shift: [-1] }); // { scale: [127.5], shift: [127.5], order: 'rgb' }: pixels in [0, 255]
 */
export function standardised({ scale, shift }: Affine): Preprocess | undefined {
  const channels = scale.length;
  if (!scale.every((s) => Number.isFinite(s) && s > 0) || !shift.every(Number.isFinite)) return undefined;
  if (shift.every((t) => t === 0)) {
    const most = 255 * Math.max(...scale);
    if (most >= 0.5 && most <= 2.5) return preprocessOf({ range: [0, 255] }, channels);
    return scale.every((s) => s === 255) ? preprocessOf({ range: [0, 1] }, channels) : undefined;
  }
  const offCentre = ([black, white]: readonly [number, number]): number =>
    Math.max(...scale.map((s, i) => Math.abs((black + white) / 2 + shift[i]! / s) / (white - black)));
  const [best] = ranges.toSorted((a, b) => offCentre(a) - offCentre(b));
  if (offCentre(best!) > OFF_CENTRE) return undefined;
  const [black, white] = best!;
  const means = scale.map((s, i) => (-shift[i]! / s - black) / (white - black));
  // ImageNet's mean the other way round is that of a network which takes blue first.
  const bgr = channels === 3 && means.every((m, i) => Math.abs(m - IMAGENET[2 - i]!) < 0.01);
  return preprocessOf({ range: [black, white], ...(bgr ? { bgr } : {}) }, channels);
}

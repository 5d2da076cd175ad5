/** @file Which pictures a network wants that standardises them itself: its mean says what the range of pixels is. */
import { type Preprocess, preprocessOf } from './preprocess.ts';

/** What a network does with each channel of its input first: `scale[i] * x + shift[i]`. */
export interface Affine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** ImageNet's mean of red, green and blue, for pixels in [0, 1]. */
const IMAGENET = [0.485, 0.456, 0.406] as const;

/** Where the middle of a standardised picture may lie, for each range of pixels: means of data sets, and the range's own middle. */
const middles = [
  { white: 1, from: 0.02, to: 0.98 },
  { white: 255, from: 5, to: 250 },
] as const;

/**
 * The preprocessing of a network that does the rest itself, or undefined if that does not tell. With a shift, the pixel that becomes
 * zero tells whether pixels are in [0, 1] or in [0, 255]. Without one they are in [0, 255] if that becomes 0.5 to 2.5, and in
 * [0, 1] if that becomes 255.
 *
 * @example
 * standardised({ scale: [1 / 127.5], shift: [-1] }); // { scale: [127.5], shift: [127.5], order: 'rgb' }: pixels in [0, 255]
 */
export function standardised({ scale, shift }: Affine): Preprocess | undefined {
  const channels = scale.length;
  if (!scale.every((s) => Number.isFinite(s) && s > 0)) return undefined;
  if (shift.every((t) => t === 0)) {
    const most = 255 * Math.max(...scale);
    if (most >= 0.5 && most <= 2.5) return preprocessOf({ range: [0, 255] }, channels);
    return scale.every((s) => s === 255) ? preprocessOf({ range: [0, 1] }, channels) : undefined;
  }
  const means = scale.map((s, i) => -shift[i]! / s);
  const fit = middles.find(({ from, to }) => means.every((m) => m >= from && m <= to));
  if (!fit) return undefined;
  // ImageNet's mean the other way round is that of a network which takes blue first.
  const bgr = channels === 3 && means.every((m, i) => Math.abs(m / fit.white - IMAGENET[2 - i]!) < 0.01);
  return preprocessOf({ range: [0, fit.white], bgr }, channels);
}

/** @file What `phosphene measure` asks of the core. */
import { measureColours, measureSpectrum, openPhotos, photoTensor } from '../../node.ts';
import type { MeasureCore } from '../measure.ts';

export const measure: MeasureCore = async ({ folder, only }) => {
  const photos = async function* () {
    for await (const photo of openPhotos(folder)) yield photoTensor(photo);
  };
  const rounded = (numbers: readonly number[], digits: number): readonly number[] =>
    numbers.map((value) => Number(value.toPrecision(digits)));
  const colour = only === 'spectrum' ? undefined : rounded(await measureColours(photos()), 5);
  const spectrum = only === 'colour' ? undefined : rounded(await measureSpectrum(photos(), colour), 4);
  return { ...(colour && { colour }), ...(spectrum && { spectrum }) };
};

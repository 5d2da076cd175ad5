/** @file Finishes: from an optimised image to the picture that people see. One file each; a new one is a line of the table. */
import { kind, type SpecOf, type Table, table } from '../noun.ts';
import { flag, number, whole } from '../settings.ts';
import { deprocess, rescaleLikeKeras } from './deprocess.ts';
import { type Raster, raster } from './raster.ts';

/** Makes the picture of an image [3, height, width], values about [-1, 1]; of four planes the last is the opacity. Throws `bad-option` if its crop leaves nothing. */
export type Finish = (image: Float32Array, size: { readonly height: number; readonly width: number }) => Raster;

/** Keras' `deprocess_image`: mean and deviation brought to those of a photograph, then the borders cut away. */
const contrast = kind({
  kind: 'contrast',
  help: "Centred, brought to one contrast and cropped, as Keras' deprocess_image does",
  settings: {
    crop: whole({ help: 'Pixels cut from each side of the finished picture', default: 25, to: 1 << 16 }),
    contrast: number({
      help: 'Standard deviation of the finished picture, as a share of the range from black to white',
      default: 0.15,
      above: 0,
      to: 1,
    }),
    stretch: flag({ help: "Stretch each picture to full contrast once more, as Keras' save_img does", default: false }),
  },
  make: ({ crop, contrast: deviation, stretch }): Finish =>
    layered(crop, (image, { height, width }) => {
      const picture = deprocess(image, { height, width, crop, deviation });
      return stretch ? rescaleLikeKeras(picture) : picture;
    }),
});

/** A finish that also takes images of four planes, the last one being the opacity of the picture, from -1 to 1. */
function layered(crop: number, finish: Finish): Finish {
  return (image, size) => {
    const plane = size.height * size.width;
    if (image.length !== 4 * plane) return finish(image, size);
    const { width, height, data } = finish(image.subarray(0, 3 * plane), size);
    const alpha = Uint8Array.from({ length: width * height }, (_, i) => {
      const row = Math.floor(i / width) + crop;
      const opacity = image[3 * plane + row * size.width + (i % width) + crop]!;
      return Math.round(Math.min(Math.max((opacity + 1) / 2, 0), 1) * 255);
    });
    return raster(width, height, data, alpha);
  };
}

/** What the network saw: from -1, black, to 1, white. For pictures that keep within that range. */
const plain = kind({
  kind: 'plain',
  help: 'As the network sees it, from -1 (black) to 1 (white), and cropped',
  settings: { crop: whole({ help: 'Pixels cut from each side of the finished picture', default: 0, to: 1 << 16 }) },
  make: ({ crop }): Finish =>
    layered(crop, (image, { height, width }) => {
      const plane = height * width;
      const last = image.length / plane - 1;
      const picture = raster(width - 2 * crop, height - 2 * crop);
      let at = 0;
      for (let y = crop; y < height - crop; y++)
        for (let x = crop; x < width - crop; x++)
          for (let c = 0; c < 3; c++)
            picture.data[at++] = Math.round(
              127.5 * (1 + Math.min(1, Math.max(-1, image[Math.min(c, last) * plane + y * width + x]!))),
            );
      return picture;
    }),
});

const kinds = [contrast, plain] as const;

/** All data of a finish. */
export type FinishSpec = SpecOf<(typeof kinds)[number]>;

/** The finishes by kind. */
export const finishes: Table<Finish, (typeof kinds)[number]> = table('finish', kinds);

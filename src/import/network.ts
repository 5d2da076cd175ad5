/** @file What a network is to everything above it. */

/** Height and width of the picture in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** From the picture, RGB in [-1, 1], to what the network expects: channel i is scale[i] · picture[order[i]] + shift[i]. */
export interface Preprocess {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
  readonly order: 'rgb' | 'bgr';
}

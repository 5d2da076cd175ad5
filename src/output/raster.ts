/** @file A raster is rows of RGB bytes. Everything in this folder makes, joins or writes rasters, and knows no model. */

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** Row-major, three bytes a pixel. */
  readonly data: Uint8Array;
}

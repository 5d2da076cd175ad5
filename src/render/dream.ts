/**
 * @file DeepDream (Mordvintsev et al. 2015): a photo in which a layer's findings are raised, from coarse to fine. Its settings, its recipe,
 * and its geometry: sizes that grow, and tiles that move.
 */
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils';
import { PhospheneError } from '../errors.ts';
import type { Size } from '../import/network.ts';
import type { Preprocess } from '../import/preprocess.ts';
import { float32, type Tensor } from '../ir/tensor.ts';
import type { Random } from '../random.ts';
import { number, type Schema, type Values, whole } from '../settings.ts';
import { canonical, type Recipe, type StartSpec } from './recipe.ts';

/** What decides a dream besides photo, network and layer. */
export const dreamSettings = {
  octaves: whole({ help: 'Sizes at which the photo is dreamt, the last of them its own', default: 4, from: 1, to: 16 }),
  scale: number({ help: 'How much larger each size is than the one before', default: 1.4, above: 1, to: 4 }),
  steps: whole({ help: 'Steps at each size', default: 10, from: 1, to: 10_000 }),
  rate: number({
    help: 'How far a step moves the pixels: root mean square, black being -1 and white 1',
    default: 0.02,
    above: 0,
    to: 1,
  }),
  tile: whole({
    help: 'Sides of the tiles that the network sees one at a time, in pixels, unless the model fixes them',
    default: 256,
    from: 16,
    to: 4096,
  }),
  seed: whole({
    help: 'Seed of where tiles lie; the same seed gives the same bytes',
    default: 0,
    from: Number.MIN_SAFE_INTEGER,
  }),
} satisfies Schema;

/** All values of {@link dreamSettings}. */
export type DreamSettings = Values<typeof dreamSettings>;

/** All that decides a dream, as plain data: it stands in the file. */
export interface DreamRecipe extends DreamSettings {
  readonly model: Recipe['model'];
  readonly preprocess: Preprocess;
  readonly size: Size;
  readonly start: StartSpec;
  readonly layer: string;
  /** Channels whose mean activations are raised; without it, the mean square of the whole layer is. */
  readonly channels?: readonly number[] | undefined;
}

/** The revision of the algorithm: raise it if the same recipe gives other pictures than before. */
const DREAM = 1;

/**
 * The digest of a dream's recipe, in hex. The name of the model does not count.
 *
 * @example
 * dreamDigest(dreamed) === dreamDigest({ ...dreamed, seed: dreamed.seed + 1 }); // false
 */
export function dreamDigest({ model, ...rest }: DreamRecipe): string {
  return bytesToHex(sha256(utf8ToBytes(`phosphene-dream/${DREAM}/${canonical({ ...rest, model: model.digest })}`)));
}

/** Sides below which nothing is dreamt, unless the photo itself is smaller. */
const SMALLEST = 64;

/**
 * The sizes of a dream, small to large, the last being the photo's. Those that would be smaller than `least` are left out.
 *
 * @example
 * octaveSizes({ height: 300, width: 400 }, { octaves: 3, scale: 2 }); // 75×100, 150×200, 300×400
 */
export function octaveSizes(
  { height, width }: Size,
  { octaves, scale }: Pick<DreamSettings, 'octaves' | 'scale'>,
  least: Size = { height: SMALLEST, width: SMALLEST },
): Size[] {
  const sizes = Array.from({ length: octaves }, (_, i) => {
    const by = scale ** (octaves - 1 - i);
    return { height: Math.round(height / by), width: Math.round(width / by) };
  });
  return sizes.filter((size, i) => i === octaves - 1 || (size.height >= least.height && size.width >= least.width));
}

/**
 * The size of the tiles of a picture: `tile` pixels a side, unless the picture is smaller or the network fixes them.
 *
 * Throws `shape` for a picture that is smaller than what the network sees.
 */
export function tileSize(picture: Size, tile: number, fixed: Partial<Size> = {}): Size {
  const height = fixed.height ?? Math.min(tile, picture.height);
  const width = fixed.width ?? Math.min(tile, picture.width);
  if (height > picture.height || width > picture.width)
    throw new PhospheneError(
      'shape',
      `size: the photo is ${picture.width}×${picture.height}, and the network sees ${width}×${height} pixels, neither more nor less; choose a larger photo or \`size\``,
      { option: 'size', picture, tile: { height, width } },
    );
  return { height, width };
}

/** Where a tile begins. */
export interface Place {
  readonly top: number;
  readonly left: number;
}

/**
 * Where the tiles of one step lie: as few as cover the picture, evenly, from a drawn corner on. The picture is taken as a torus, so that its
 * border is as good a place as any; since each step draws anew, no seam stays.
 *
 * @example
 * tilePlaces({ height: 10, width: 6 }, { height: 5, width: 6 }, new Random('0')).length; // 2
 */
export function tilePlaces(picture: Size, tile: Size, random: Random): Place[] {
  const along = (length: number, side: number): number[] => {
    const first = random.integer(length);
    const count = Math.ceil(length / side);
    return Array.from({ length: count }, (_, i) => (first + Math.floor((i * length) / count)) % length);
  };
  const [tops, lefts] = [along(picture.height, tile.height), along(picture.width, tile.width)];
  return tops.flatMap((top) => lefts.map((left) => ({ top, left })));
}

/** The tile of a picture [1, c, h, w] that begins at a place, around the border of the torus if it reaches it. */
export function cutTile(picture: Tensor<'float32'>, { top, left }: Place, tile: Size): Tensor<'float32'> {
  const [, channels, height, width] = picture.dims as readonly [number, number, number, number];
  const data = new Float32Array(channels * tile.height * tile.width);
  let at = 0;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < tile.height; y++) {
      const row = (c * height + ((top + y) % height)) * width;
      for (let x = 0; x < tile.width; x++) data[at++] = picture.data[row + ((left + x) % width)]!;
    }
  return float32(data, [1, channels, tile.height, tile.width]);
}

/** A tile after a step. */
export interface MovedTile extends Place {
  readonly before: Tensor<'float32'>;
  readonly after: Tensor<'float32'>;
}

/**
 * The picture after its tiles have moved. Where tiles overlap, each counts by its distance from its own border: there the network saw least.
 * Values are kept in [-1, 1].
 */
export function moved(picture: Tensor<'float32'>, tiles: readonly MovedTile[]): Tensor<'float32'> {
  const [, channels, height, width] = picture.dims as readonly [number, number, number, number];
  const plane = height * width;
  const sums = new Float32Array(channels * plane);
  const weights = new Float32Array(plane);
  for (const { top, left, before, after } of tiles) {
    const [, , h, w] = before.dims as readonly [number, number, number, number];
    for (let y = 0; y < h; y++) {
      const row = ((top + y) % height) * width;
      const vertical = Math.min(y + 1, h - y);
      for (let x = 0; x < w; x++) {
        const to = row + ((left + x) % width);
        const weight = vertical * Math.min(x + 1, w - x);
        weights[to]! += weight;
        for (let c = 0; c < channels; c++) {
          const from = (c * h + y) * w + x;
          sums[c * plane + to]! += weight * (after.data[from]! - before.data[from]!);
        }
      }
    }
  }
  const data = picture.data.map((value, i) => Math.max(-1, Math.min(1, value + sums[i]! / weights[i % plane]!)));
  return float32(data, picture.dims);
}

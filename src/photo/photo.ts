/** @file Photos: a stranger's file becomes a picture that an ascent can begin with. */
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex } from '@noble/hashes/utils';
import { PhospheneError } from '../errors.ts';
import { float32, type Tensor } from '../ir/tensor.ts';
import { decodePng } from '../output/png.ts';
import { type Raster, raster } from '../output/raster.ts';
import { decodeWith, type LoadCodec } from './codecs.ts';
import { orientationOf, upright } from './exif.ts';
import { type Header, inspect, wrong } from './header.ts';
import { type PhotoSize, resize } from './resize.ts';

/** A photo, upright. */
export type Photo = Raster;

/** How a photo is read. */
export interface ReadPhotoOptions {
  /** For messages: the name of the file. */
  readonly name?: string;
  /** Where the decoders' WebAssembly is read; browsers fetch it by themselves. */
  readonly loadCodec?: LoadCodec | undefined;
}

/**
 * The picture in a JPEG, PNG or WebP file, upright as its EXIF data say. The format is known by the content. Colours are taken as sRGB,
 * whatever profile the file has.
 *
 * The file may be a stranger's: its size is looked at before memory is taken, and decoders run in WebAssembly.
 *
 * Throws `bad-file` for what is no such file, is damaged or cut short, and `too-large` for more than 67 million pixels.
 *
 * @example
 * const photo = await readPhoto(new Uint8Array(await file.arrayBuffer()), { name: file.name });
 */
export async function readPhoto(bytes: Uint8Array, options: ReadPhotoOptions = {}): Promise<Photo> {
  const { name = 'photo', loadCodec } = options;
  const header = inspect(bytes, name);
  if (header.format === 'PNG') return readPng(bytes, name);
  const stored = await decoded(header, bytes, name, loadCodec);
  const { width, height, orientation } = header;
  if (stored.width !== width || stored.height !== height)
    throw wrong(
      name,
      `damaged: it holds ${stored.width}x${stored.height} pixels, and its header says ${width}x${height}`,
    );
  return upright(stored, orientation);
}

function readPng(bytes: Uint8Array, name: string): Raster {
  try {
    const { raster: stored, exif } = decodePng(bytes);
    return exif ? upright(stored, orientationOf(exif)) : stored;
  } catch (error) {
    if (!(error instanceof PhospheneError)) throw error;
    throw wrong(name, error.message.replace(/^PNG file: /, ''), error.details, error);
  }
}

async function decoded(header: Header, bytes: Uint8Array, name: string, load: LoadCodec | undefined): Promise<Raster> {
  try {
    return await decodeWith(header.format === 'JPEG' ? 'jpeg' : 'webp', bytes, load);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw wrong(
      name,
      `damaged or cut short: ${header.format} cannot be decoded (${why})`,
      { format: header.format },
      error,
    );
  }
}

/** What a photo is to be for a network. */
export interface PhotoShape {
  /** 3 for RGB, 1 for grey; 3 unless given. */
  readonly channels?: number;
  /** The photo's own unless given. Another shape is filled: the photo is cut evenly on two sides. */
  readonly size?: PhotoSize | undefined;
}

/** Rec. 601, as JPEG has it. */
const LUMA = [0.299, 0.587, 0.114] as const;

/**
 * A picture as a tensor [1, c, h, w] with values in [-1, 1]. Parts that are transparent become mid-grey, which is zero.
 *
 * Throws `bad-option` for a number of channels that is neither 1 nor 3.
 *
 * @example
 * photoTensor(raster(40, 30), { size: { height: 180, width: 180 } }).dims; // [1, 3, 180, 180]
 */
export function photoTensor(picture: Raster, { channels = 3, size }: PhotoShape = {}): Tensor<'float32'> {
  if (channels !== 1 && channels !== 3)
    throw new PhospheneError(
      'bad-option',
      `photo: the network takes pictures of ${channels} channels, and a photo has 3 (or 1, if it is grey)`,
      { option: 'start', channels },
    );
  const { width, height, data, alpha } = picture;
  const plane = width * height;
  const values = new Float32Array(channels * plane);
  const seen = (i: number): number => (alpha ? alpha[i]! / 255 : 1);
  for (let c = 0; c < 3; c++) {
    const [to, weight] = channels === 1 ? [0, LUMA[c]!] : [c * plane, 1];
    for (let i = 0; i < plane; i++) values[to + i]! += weight * (data[3 * i + c]! / 127.5 - 1) * seen(i);
  }
  const whole = float32(values, [1, channels, height, width]);
  return size ? clamped(filled(whole, size)) : whole;
}

/** The middle of the picture in another shape, as large as it can be. */
function filled(picture: Tensor<'float32'>, size: PhotoSize): Tensor<'float32'> {
  const [n, c, h, w] = picture.dims as readonly [number, number, number, number];
  const scale = Math.max(size.height / h, size.width / w);
  const [height, width] = [Math.max(size.height, Math.round(h * scale)), Math.max(size.width, Math.round(w * scale))];
  const scaled = resize(picture, { height, width });
  const [top, left] = [(height - size.height) >> 1, (width - size.width) >> 1];
  const data = new Float32Array(n * c * size.height * size.width);
  for (let p = 0; p < n * c; p++) {
    for (let y = 0; y < size.height; y++) {
      const from = (p * height + top + y) * width + left;
      data.set(scaled.data.subarray(from, from + size.width), (p * size.height + y) * size.width);
    }
  }
  return float32(data, [n, c, size.height, size.width]);
}

/** A copy with all values in [-1, 1]. */
export function clamped({ data, dims }: Tensor<'float32'>): Tensor<'float32'> {
  return float32(
    data.map((value) => Math.max(-1, Math.min(1, value))),
    dims,
  );
}

/**
 * The picture of a tensor [1, c, h, w] with values in [-1, 1] (1 or 3 channels): what {@link photoTensor} makes, taken back.
 *
 * @example
 * photoRaster(photoTensor(raster(2, 1))).width; // 2
 */
export function photoRaster({ data, dims }: Tensor<'float32'>): Raster {
  const [, channels, height, width] = dims as readonly [number, number, number, number];
  const plane = width * height;
  const picture = raster(width, height);
  for (let i = 0; i < plane; i++)
    for (let c = 0; c < 3; c++) {
      const value = data[(channels === 1 ? 0 : c) * plane + i]!;
      picture.data[3 * i + c] = Math.round(127.5 * (Math.max(-1, Math.min(1, value)) + 1));
    }
  return picture;
}

/** The SHA-256 of a picture's dims and values, in hex: it stands for the picture in recipes. */
export function photoDigest({ data, dims }: Tensor<'float32'>): string {
  const bytes = new Uint8Array(4 * (dims.length + data.length));
  const view = new DataView(bytes.buffer);
  // One order of bytes on every machine.
  for (const [i, d] of dims.entries()) view.setUint32(4 * i, d, true);
  for (let i = 0; i < data.length; i++) view.setFloat32(4 * (dims.length + i), data[i]!, true);
  return bytesToHex(sha256(bytes));
}

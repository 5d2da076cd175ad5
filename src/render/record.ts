/** @file The record of a picture: what its PNG says about itself, and by which a later run knows it again. */
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex } from '@noble/hashes/utils';
import { asciiJson, decodePng, encodePng } from '../output/png.ts';
import type { Raster } from '../output/raster.ts';
import { type Failure, type Status, statuses } from './diagnosis.ts';
import { ALGORITHM, canonical, type Recipe } from './recipe.ts';
import { VERSION } from '../version.ts';

/** The text chunk `phosphene` of a picture's PNG. Documented in docs/results.md. */
export interface PictureRecord {
  readonly format: 'phosphene-picture/2';
  /** The revision of the algorithm: it changes when the same recipe gives other pictures. */
  readonly algorithm: number;
  readonly recipe: Recipe;
  /** Of recipe and algorithm: the same digest, the same picture. */
  readonly digest: string;
  readonly preset: string;
  /** SHA-256 of the pixels (RGB, row by row), in hexadecimal. */
  readonly pixels: string;
  /** Of phosphene, for information. */
  readonly version: string;
  /** The last of the losses: that of the picture that entered the last step. */
  readonly activation: number | null;
  /** The loss before each step; null if it was not a finite number. */
  readonly losses: readonly (number | null)[];
  readonly status: Status;
  /** The objective of the picture without transforms; null if it is not known or not finite. */
  readonly plain: number | null;
}

/** What is known of a picture before it is made. */
export interface Expected {
  readonly recipe: Recipe;
  readonly digest: string;
  readonly preset: string;
  /** Pixels of the finished picture. */
  readonly width: number;
  readonly height: number;
}

/** A finished picture. */
export interface Finished {
  readonly raster: Raster;
  /** The loss before each step. */
  readonly losses: readonly (number | null)[];
  /** Absent if nobody has looked at it: then it is taken for `ok`. */
  readonly diagnosis?: Verdict;
}

/** What a record says of a diagnosis. Its other parts are the losses. */
export interface Verdict {
  readonly status: Status;
  readonly plain: number | null;
}

/** The loss before the last step, null if there is none or if it is not finite. */
export function activationOf(losses: readonly (number | null)[]): number | null {
  const last = losses.at(-1) ?? null;
  return Number.isFinite(last) ? last : null;
}

/**
 * The PNG of a finished picture, its record inside. The same picture gives the same bytes.
 *
 * @example
 * await writeFile('7.png', encodePicture(expected, { raster: tile, losses }));
 */
export function encodePicture(expected: Expected, picture: Finished): Uint8Array {
  const { raster } = picture;
  const text = asciiJson(
    recordOf(expected, {
      ...picture,
      diagnosis: picture.diagnosis ?? { status: 'ok', plain: null },
      model: expected.recipe.model.name,
      version: VERSION,
      pixels: digestOfPixels(raster),
    }),
  );
  return encodePng(raster, { Software: `phosphene ${VERSION}`, phosphene: text });
}

/** Bytes that the PNG of such a picture can have: pixels that nothing can compress, and a record with the longest of numbers. */
export function mostBytes({ recipe, width, height }: Expected): number {
  const rows = height * (3 * width + 1);
  return Math.ceil(rows * 1.001) + 25 * recipe.steps + asciiJson(recipe).length + 4096;
}

/**
 * The picture in a PNG, if it is exactly the one expected, whole and with a record that we would write today (but for the
 * version and the name of the model, which do not change pictures). Undefined for anything else, whatever the bytes. Takes memory for `mostBytes(expected)` and the expected pixels, not
 * for what the file claims.
 *
 * @example
 * const there = decodePicture(await readFile('7.png'), expected);
 */
export function decodePicture(bytes: Uint8Array, expected: Expected): Finished | undefined {
  if (bytes.length > mostBytes(expected) || !isPlain(bytes, expected)) return undefined;
  try {
    const { raster, text } = decodePng(bytes, expected);
    if (text['Software'] === undefined) return undefined;
    const record: unknown = JSON.parse(text['phosphene'] ?? 'null');
    const made = parse(record, expected.recipe);
    if (made === undefined || made.pixels !== digestOfPixels(raster)) return undefined;
    // Compared with what we would write: nothing can be missing or added.
    if (canonical(record) !== canonical(recordOf(expected, made))) return undefined;
    const { losses, diagnosis } = made;
    return { raster, losses, diagnosis };
  } catch {
    return undefined;
  }
}

/** What a record says that cannot be known beforehand, or that is information only. */
interface Made {
  readonly model: string;
  readonly pixels: string;
  readonly version: string;
  readonly losses: readonly (number | null)[];
  readonly diagnosis: Verdict;
}

function recordOf({ recipe, digest, preset }: Expected, made: Made): PictureRecord {
  const { model, pixels, version, losses, diagnosis } = made;
  return {
    format: 'phosphene-picture/2',
    algorithm: ALGORITHM,
    recipe: { ...recipe, model: { ...recipe.model, name: model } },
    digest,
    preset,
    pixels,
    version,
    activation: activationOf(losses),
    losses: losses.map((loss) => (Number.isFinite(loss) ? loss : null)),
    status: diagnosis.status,
    plain: Number.isFinite(diagnosis.plain) ? diagnosis.plain : null,
  };
}

/** The part of a record that the caller cannot know. Undefined if it makes no sense. */
function parse(record: unknown, { steps, patience }: Recipe): Made | undefined {
  if (!isObject(record) || !isObject(record['recipe']) || !isObject(record['recipe']['model'])) return undefined;
  const { pixels, version, losses, status, plain } = record;
  const model = record['recipe']['model']['name'];
  if (typeof model !== 'string' || typeof pixels !== 'string' || typeof version !== 'string') return undefined;
  if (!Array.isArray(losses) || losses.length > steps || !losses.every(isLoss)) return undefined;
  // Patience may end it before its time, but not before it has begun.
  if (losses.length < (patience === undefined ? steps : Math.min(1, steps))) return undefined;
  return isStatus(status) && isLoss(plain)
    ? { model, pixels, version, losses, diagnosis: { status, plain } }
    : undefined;
}

/** Whether a value from a file is an object or an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

// `1e999` is JSON, and infinite.
const isLoss = (loss: unknown): loss is number | null => loss === null || Number.isFinite(loss);

/** Whether a stranger's value is one of the statuses. */
export function isStatus(value: unknown): value is Status {
  return statuses.some((status) => status === value);
}

/** Whether a stranger's value is a status that is not `ok`. */
export function isFailure(value: unknown): value is Failure {
  return value !== 'ok' && isStatus(value);
}

// What is written, and nothing else: two texts, of which one is the record, and pixels.
const ours = /^IHDR(?:IDAT)*(?:tEXt(?:IDAT)*){2}IEND$/;

/** Whether a PNG has the expected size and the chunks that we write; looked at before anything in it is inflated. */
function isPlain(bytes: Uint8Array, { width, height }: Expected): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || view.getUint32(16) !== width || view.getUint32(20) !== height) return false;
  // 8 bits a sample, RGB, the one compression, the one filtering, not interlaced.
  if (view.getUint32(24) !== 0x08020000 || view.getUint8(28) !== 0) return false;
  let at = 8;
  let types = '';
  while (at + 12 <= bytes.length) {
    types += String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    at += 12 + view.getUint32(at);
  }
  return at === bytes.length && ours.test(types);
}

function digestOfPixels({ data }: Raster): string {
  return bytesToHex(sha256(data));
}

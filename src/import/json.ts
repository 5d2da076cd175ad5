/** @file Descriptions of models in JSON: parsed with a bound, and looked at one object at a time, since nothing is known of them. */
import { PhospheneError } from '../errors.ts';
import type { Source } from './source.ts';

/** An object in JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** No description of a real model has more bytes; one with its weights in base64 may come near. */
const MOST_BYTES = 1 << 26;

/** Whether a value from JSON is an object, and no list. */
export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether JSON is a model of TensorFlow.js, or its weights alone. */
export function isTfjs(json: unknown): boolean {
  if (Array.isArray(json)) return isRecord(json[0]) && 'paths' in json[0] && 'weights' in json[0];
  return isRecord(json) && ['modelTopology', 'weightsManifest', 'weightSpecs'].some((key) => key in json);
}

/** What a source holds as JSON. Throws `bad-file` if that is none, `too-large`. */
export async function jsonOf(source: Source): Promise<unknown> {
  return parseJson(source.name, await textOf(source));
}

/** The text of a source. Throws `too-large`. */
export async function textOf(source: Source): Promise<string> {
  if (source.size > MOST_BYTES)
    throw new PhospheneError('too-large', `${source.name}: it has ${source.size} bytes; no configuration has so many`, {
      path: source.name,
    });
  return new TextDecoder().decode(await source.read(0, source.size));
}

/** A text as JSON. Throws `bad-file`. */
export function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new PhospheneError('bad-file', `${file}: its configuration is not JSON; it is damaged or cut short`, {
      path: file,
    });
  }
}

/** @file The decoders of JPEG (mozjpeg) and WebP (libwebp), as WebAssembly: a fresh instance for each photo, since a damaged one may leave it unusable. */
import { type Raster, raster } from '../output/raster.ts';

/** The formats that are decoded by WebAssembly. */
export type CodecName = 'jpeg' | 'webp';

/** The bytes of a codec's WebAssembly; without it, the codec fetches its own file as browsers do. */
export type LoadCodec = (name: CodecName) => Promise<Uint8Array>;

/** What the codecs give: RGBA bytes in reading order. */
interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** A module of WebAssembly: the types of no platform are loaded here. */
type WasmModule = object;

/** What the codecs take: how an instance is made. */
interface Overrides {
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
}

interface Codec {
  readonly init: (module: WasmModule | undefined, overrides: Overrides) => Promise<void>;
  readonly default: (bytes: Uint8Array) => Promise<Decoded>;
}

// Loaded when a photo asks for them. The types of the packages name those of a browser and of Emscripten, which we do not load.
const codecs: Readonly<Record<CodecName, () => Promise<unknown>>> = {
  jpeg: () => import('@jsquash/jpeg/decode.js'),
  webp: () => import('@jsquash/webp/decode.js'),
};

const { compile } = (
  globalThis as unknown as { readonly WebAssembly: { readonly compile: (bytes: Uint8Array) => Promise<WasmModule> } }
).WebAssembly;
const modules = new Map<CodecName, Promise<WasmModule>>();

/** Compiled once; instances are cheap. */
function compiled(name: CodecName, load: LoadCodec): Promise<WasmModule> {
  const known = modules.get(name) ?? load(name).then(compile);
  modules.set(name, known);
  // What could not be read may be there the next time.
  known.catch(() => modules.delete(name));
  return known;
}

/**
 * Decodes a photo. Its size must be known and sane before. Throws a plain `Error` whose message says what the decoder complained of, also for
 * photos that it could make something of: those that are cut short would be grey from there on.
 */
export async function decodeWith(name: CodecName, bytes: Uint8Array, load?: LoadCodec): Promise<Raster> {
  const [codec, module] = await Promise.all([codecs[name]() as Promise<Codec>, load && compiled(name, load)]);
  const complaints: string[] = [];
  const hear = (line: string): void => void complaints.push(line);
  let decoded: Decoded;
  try {
    const ready = codec.init(module, { print: hear, printErr: hear });
    // Both in one turn: the codec takes the instance that was asked for last.
    [, decoded] = await Promise.all([ready, codec.default(bytes)]);
  } catch (error) {
    throw new Error(complaints[0] ?? 'its decoder gave up', { cause: error });
  }
  if (complaints.length > 0) throw new Error(complaints[0]);
  return opaque(decoded);
}

/** RGB beside alpha, which is left out if all of the picture is seen. */
function opaque({ width, height, data }: Decoded): Raster {
  const count = width * height;
  const rgb = new Uint8Array(3 * count);
  const alpha = new Uint8Array(count);
  let seen = true;
  for (let i = 0; i < count; i++) {
    rgb[3 * i] = data[4 * i]!;
    rgb[3 * i + 1] = data[4 * i + 1]!;
    rgb[3 * i + 2] = data[4 * i + 2]!;
    alpha[i] = data[4 * i + 3]!;
    seen &&= alpha[i] === 255;
  }
  return raster(width, height, rgb, seen ? undefined : alpha);
}

/** @file A network: something that lists its layers without reading weights, and is cut at some of them, for any image size. */
import { didYouMean, PhospheneError } from '../errors.ts';
import { Builder, type Value } from '../ir/builder.ts';
import { type Graph, largeWeights, load, prune } from '../ir/graph.ts';
import { type Dims, toNumbers } from '../ir/tensor.ts';
import { channelAxes } from './channels.ts';
import { type Origin, type Preprocess, preprocessed } from './preprocess.ts';

/** Height and width of the picture in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A layer of a network, as users see it: any value that depends on the picture. */
export interface Layer {
  readonly name: string;
  /** The path of the PyTorch module that gives it, if the file says so; it is accepted in place of the name. */
  readonly path?: string;
  /** The name of the node that gives it, if that is another; it is accepted in place of the name. */
  readonly node?: string;
  /** The names of the models in which it is nested, outermost first. */
  readonly within?: readonly string[];
  /** Keras' class or the ONNX operator. */
  readonly type: string;
  readonly dims: Dims;
  /** Which axis holds its channels, and how many there are; undefined if that is not known, and then it is no target. */
  readonly channels: { readonly axis: number; readonly count: number } | undefined;
  /** Trainable and other weights together. */
  readonly parameters: number;
}

/** What a network takes. */
export interface Input {
  readonly channels: number;
  /** What the file fixes of the picture's size. */
  readonly size?: { readonly height?: number; readonly width?: number };
  readonly preprocess: Preprocess;
  /** How the preprocessing is known. */
  readonly from: Origin;
  /** How likely it is that this is right, from 0 to 1, if it was inferred or assumed from the weights. */
  readonly sure?: number;
}

/** What there is to see in a network at one size. */
export interface Listing {
  readonly layers: readonly Layer[];
  /** From the picture to all layers, its outputs in their order. Its weights are not read yet. */
  readonly graph: Graph;
  /** Why the layers are not all that the network has: what is wrong with the first that cannot be built. */
  readonly barrier?: PhospheneError;
}

/** A network that was opened. Close it when its layers have been cut. */
export interface Network {
  /** A published name, or the name of the file. */
  readonly name: string;
  /** SHA-256 of topology and weights, in hex: what a picture says that it shows. Reads all weights; remembered. */
  digest(): Promise<string>;
  readonly input: Input;
  /** Names of the classes, in the order of the network's outputs, if the file has them. */
  readonly labels?: readonly string[];
  /** The layer that is shown if none is asked for. */
  readonly defaultLayer: string;
  /** The layers at this size. Reads no weights. Throws `bad-option` for a size that cannot be. */
  layers(size: Size): Listing;
  /**
   * The graph from {@link IMAGE} [1, channels, height, width], values in [-1, 1], to the outputs of some layers, in the order asked
   * and under these names; only the weights that they need are read. Throws `unknown-layer`, what bars the way to a layer
   * (`unsupported-op`, `shape`), `missing-weights`, `bad-weights`, `bad-file`.
   */
  cut(layers: readonly string[], size: Size, options?: CutOptions): Promise<Graph>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a network is cut. */
export interface CutOptions {
  /** Leave large weights unread if nothing but results depends on their numbers: `packOnnx` reads each when it writes it. */
  readonly lazily?: boolean;
}

/** The most channels of a picture: more are none, but a length that stands where channels should. */
export const MOST_CHANNELS = 16;

/** The name of the image input of every cut graph. */
export const IMAGE = 'image';

/** What a format adds to a builder. */
export interface Built {
  readonly layers: readonly BuiltLayer[];
  /** Why the others cannot be built, by their names, in order: each by its own fault or by that of what it needs. */
  readonly barred?: ReadonlyMap<string, PhospheneError>;
}
export interface BuiltLayer extends Pick<Layer, 'name' | 'path' | 'node' | 'within' | 'type'> {
  readonly value: Value;
  /** Names of the values that are its weights. */
  readonly weights: readonly Value[];
}

/** What a format knows of a network. */
export interface NetworkOptions extends Pick<Network, 'name' | 'input' | 'labels'> {
  /** Adds the network to a builder from its input on, [1, channels, height, width], as far as it can be built. */
  build(b: Builder, input: Value): Built;
  defaultLayer(network: Network): string;
  readonly digest: () => Promise<string>;
  readonly close: () => Promise<void>;
}

/** A network from what its format knows of it. */
export function network(options: NetworkOptions): Network {
  const { name, input, labels } = options;
  const close = (): Promise<void> => options.close();
  const buildAt = ({ height, width }: Size): { b: Builder; image: Value; built: Built } => {
    const b = new Builder();
    const image = b.input(IMAGE, 'float32', [1, input.channels, height, width]);
    return { b, image, built: options.build(b, preprocessed(b, image, input.preprocess)) };
  };
  const list = remembered((size) => {
    checkSize(size);
    const { b, image, built: all } = buildAt(size);
    const { layers: built } = all;
    const fits = (other: Size): boolean => ![...(buildAt(other).built.barred?.values() ?? [])].some(isOfSize);
    // Looked for once: every layer behind the first has the same trouble.
    let remedy: Remedy | undefined;
    const sized = (barrier: PhospheneError): PhospheneError =>
      isOfSize(barrier) ? withRemedy(barrier, (remedy ??= remedyFor(input, size, fits))) : barrier;
    const barred = new Map([...(all.barred ?? [])].map(([name, why]) => [name, () => sized(why)]));
    const axes = channelAxes(
      {
        nodes: b.nodes,
        dims: (value) => b.value(value).dims,
        constant: (value) => {
          const { constant } = b.value(value);
          return constant && toNumbers(constant);
        },
      },
      image.name,
    );
    // What does not depend on the picture is shape arithmetic, or weights that are computed.
    const seen = built.filter(({ value }) => axes.has(value.name));
    const barrier = [...barred.values()][0]?.();
    const listing: Listing = {
      layers: seen.map(({ value, weights, ...layer }) => ({
        ...layer,
        dims: value.dims,
        channels: channelsOf(value.dims, axes.get(value.name)),
        parameters: weights.reduce((sum, w) => sum + (axes.has(w.name) ? 0 : count(w)), 0),
      })),
      // The picture is there even if nothing depends on it.
      graph: {
        ...b.graph(seen.map(({ value }) => value)),
        inputs: [{ name: IMAGE, dtype: image.dtype, dims: image.dims }],
      },
      ...(barrier ? { barrier } : {}),
    };
    return { listing, built, barred };
  });
  let digest: Promise<string> | undefined;
  let defaultLayer: string | undefined;
  const self: Network = {
    name,
    input,
    ...(labels ? { labels } : {}),
    get defaultLayer() {
      return (defaultLayer ??= options.defaultLayer(self));
    },
    digest: () => (digest ??= options.digest()),
    layers: (size) => list(size).listing,
    async cut(layers, size, { lazily = false } = {}) {
      const { listing, built, barred } = list(size);
      const at = layers.map((layer) => {
        const index = indexOf(listing.layers, layer);
        if (index >= 0) return index;
        const barrier = barred.get(layer);
        if (barrier) throw barrier();
        if (built.some((l) => l.name === layer))
          throw new PhospheneError(
            'unknown-layer',
            `layer \`${layer}\` of ${name} does not depend on the picture, so there is nothing to see in it; choose another`,
            { layer, model: name },
          );
        throw unknownLayer(name, layer, listing.layers);
      });
      const outputs = at.map((i) => listing.graph.outputs[i]!);
      const needed = prune(listing.graph, [...new Set(outputs)]);
      const graph = await load(needed, lazily ? largeWeights(needed) : undefined);
      // Built anew only if something can be computed now that the weights are there, or must have another name.
      const foldable = graph.nodes.some(({ inputs }) => inputs.every((i) => i === '' || graph.constants.has(i)));
      if (!foldable && outputs.every((o, i) => o.name === layers[i])) return { ...graph, outputs };
      const b = new Builder(layers.filter((layer, i) => layer !== outputs[i]!.name));
      const image = b.input(IMAGE, 'float32', [1, input.channels, size.height, size.width]);
      const values = b.inline(graph, { [IMAGE]: image });
      return b.graph(Object.fromEntries(outputs.map((o, i) => [layers[i]!, values.get(o.name)!])));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return self;
}

function channelsOf(dims: Dims, axis: number | undefined): Layer['channels'] {
  return axis === undefined ? undefined : { axis, count: dims[axis]! };
}

function count({ dtype, dims }: Value): number {
  return dtype.startsWith('float') ? dims.reduce((product, d) => product * d, 1) : 0;
}

/**
 * Where a layer stands in the list, or -1. It is named by its name, by a path, by the name of its node, or by its place in the list:
 * `12`, or `-1` for the last. A path means the last of the layers that it names, a module's output.
 *
 * @example
 * const { layers } = network.layers(size);
 * layers[indexOf(layers, 'features.12')]?.name;
 */
export function indexOf(layers: readonly Layer[], name: string): number {
  const named = layers.findIndex((l) => l.name === name);
  if (named >= 0) return named;
  const module = layers.findLastIndex((l) => l.path === name || l.path?.startsWith(`${name}.`));
  if (module >= 0) return module;
  const node = layers.findIndex((l) => l.node === name);
  if (node >= 0 || !/^-?\d{1,9}$/.test(name)) return node;
  const place = Number(name) + (name.startsWith('-') ? layers.length : 0);
  return place in layers ? place : -1;
}

/** The layer of that name or path. Throws `unknown-layer`. */
export function findLayer(model: string, layers: readonly Layer[], name: string): Layer {
  const found = layers[indexOf(layers, name)];
  if (!found) throw unknownLayer(model, name, layers);
  return found;
}

/** What is said of a layer that is not there, with the names and paths nearest to it. */
export function unknownLayer(model: string, layer: string, layers: readonly Layer[]): PhospheneError {
  const names = layers.flatMap((l) => [l.name, l.path, l.node].filter((name) => name !== undefined));
  return new PhospheneError(
    'unknown-layer',
    `layer \`${layer}\` not found in ${model}${didYouMean(layer, names) || `; \`phosphene layers ${model}\` lists its ${layers.length} layers`}`,
    { layer, model },
  );
}

/** Whether the size may be to blame for a barrier. */
function isOfSize({ code }: PhospheneError): boolean {
  return code === 'shape';
}

/** Networks halve a picture so often, and add what they enlarge again to what they had before. */
const STEPS = [32, 64, 128] as const;

/** What is said of a size that does not fit, and one that may. */
interface Remedy {
  readonly words?: string;
  readonly size?: Size;
}

/** The file's own size if it states one, else the nearest of round numbers that `fits`. */
function remedyFor({ size }: Input, asked: Size, fits: (size: Size) => boolean): Remedy {
  const isAsked = ({ height, width }: Size): boolean => height === asked.height && width === asked.width;
  const own = { height: size?.height ?? asked.height, width: size?.width ?? asked.width };
  if (!isAsked(own))
    return {
      size: own,
      words: `the file is for pictures of ${own.height}×${own.width}, not ${asked.height}×${asked.width}`,
    };
  const round = (length: number, step: number): number => Math.ceil(length / step) * step;
  const other = STEPS.map((step) => ({
    height: size?.height ?? round(asked.height, step),
    width: size?.width ?? round(asked.width, step),
  })).find((o) => !isAsked(o) && fits(o));
  return other ? { size: other, words: `pictures of ${other.height}×${other.width} fit` } : {};
}

function withRemedy(barrier: PhospheneError, { words, size }: Remedy): PhospheneError {
  if (words === undefined) return barrier;
  return new PhospheneError(
    barrier.code,
    `${barrier.message}; ${words}`,
    { ...barrier.details, option: 'size', size },
    barrier,
  );
}

/** Checks a picture size before anything is built for it. Throws `bad-option`. */
export function checkSize({ height, width }: Size): void {
  for (const [what, value] of [
    ['height', height],
    ['width', width],
  ] as const) {
    if (!Number.isInteger(value) || value < 1 || value > MOST_PIXELS)
      throw new PhospheneError(
        'bad-option',
        `size: the ${what} must be a whole number of pixels from 1 to ${MOST_PIXELS}, not ${value}`,
        { option: 'size' },
      );
  }
}
const MOST_PIXELS = 1 << 16;

/** The size at which a network is listed and rendered if none is asked for: the file's own, else `otherwise`. */
export function defaultSize({ size }: Input, otherwise: Size): Size {
  return { height: size?.height ?? otherwise.height, width: size?.width ?? otherwise.width };
}

/** Remembers what `list` gave for the last size: one start asks for the layers several times. */
function remembered<T>(list: (size: Size) => T): (size: Size) => T {
  let last: { readonly height: number; readonly width: number; readonly value: T } | undefined;
  return ({ height, width }) => {
    if (last?.height !== height || last.width !== width) last = { height, width, value: list({ height, width }) };
    return last.value;
  };
}

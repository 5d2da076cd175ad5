/** @file ONNX files as networks: nodes are replayed through the Builder at the size asked for. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../../ir/builder.ts';
import type { Node } from '../../ir/graph.ts';
import { upgraded } from '../../ir/infer.ts';
import { decodeOnnx, nodesOf, openInfo } from '../../ir/onnx.ts';
import type { GraphProto, TensorProto } from '../../ir/onnx_pb.ts';
import { type Constant, sizeOf } from '../../ir/tensor.ts';
import type { OpenOptions } from '../formats.ts';
import { type Built, type BuiltLayer, IMAGE, type Input, type Layer, type Network, network } from '../network.ts';
import {
  isPreprocessName,
  knownPreprocess,
  type Origin,
  type Preprocess,
  preprocessOf,
  unknownPreprocess,
} from '../preprocess.ts';
import { sha256, type Source } from '../source.ts';
import { labelsOf } from './labels.ts';
import { modulePaths } from './modules.ts';
import { inOrder } from './order.ts';
import { outlineOf } from './outline.ts';
import { weightsOf } from './weights.ts';

/**
 * A network from an ONNX file with one image input, [n, c, h, w] or [n, h, w, c]. Only its outline and small constants are read.
 * Throws `bad-file`, `bad-weights`, `bad-option`, `too-large`, `filesystem`.
 */
export async function openOnnx(source: Source, options: OpenOptions = {}): Promise<Network> {
  const name = options.name ?? source.name.replace(/^.*[/\\]/, '');
  const { proto, opset, metadata } = decodeOnnx(await outlineOf(source), name);
  const graph = proto.graph!;
  const weights = weightsOf(source);
  const constants = await weights.constants([...graph.initializer, ...constantNodes(graph)]);
  const nodes = inOrder(
    name,
    wellFormed(name, () => nodesOf(graph)),
    inputNames(graph, constants),
  );
  const input = imageInput(name, graph, constants, nodes);
  const paths = modulePaths(graph);
  const labels = labelsOf(metadata);

  const build = (b: Builder, image: Value): Built => {
    const values = new Map<string, Value>();
    const layers: BuiltLayer[] = [];
    values.set(
      input.name,
      input.axis === 1 ? image : b.one('Transpose', [image], { perm: [0, 2, 3, 1] }, 'image/nhwc'),
    );
    const resolve = (input: string): Value | undefined => {
      if (input === '') return undefined;
      const found = values.get(input);
      if (found) return found;
      const stored = constants.get(input);
      if (!stored) throw new PhospheneError('bad-file', `${name}: \`${input}\` is used before it is computed`);
      const value = b.constant(stored, input);
      values.set(input, value);
      return value;
    };
    for (const node of nodes) {
      let out: Value[];
      const inputs = node.inputs.map(resolve);
      try {
        out = upgraded(b, node, opset, inputs);
      } catch (error) {
        // What stands before a node that cannot be built can still be seen: the list ends here.
        if (!(error instanceof PhospheneError) || error.code === 'bad-file') throw error;
        return { layers, barrier: error };
      }
      node.outputs.forEach((o, i) => o !== '' && out[i] && values.set(o, out[i]));
      const [output] = node.outputs;
      const path = paths.get(output!);
      layers.push({
        // One name is taken: that of the picture.
        name: output === IMAGE ? out[0]!.name : output!,
        ...(path === undefined ? {} : { path }),
        type: node.op,
        value: out[0]!,
        weights: inputs.slice(1).flatMap((v) => (v ? [v] : [])),
      });
    }
    return { layers };
  };

  const outputs = new Set(nodes.flatMap((node) => node.outputs));
  return network({
    name,
    input: {
      channels: input.channels,
      ...(input.size.height !== undefined || input.size.width !== undefined ? { size: input.size } : {}),
      ...preprocessing(name, input.channels, metadata, options),
    },
    ...(labels ? { labels } : {}),
    build,
    knows: (layer) => outputs.has(layer) || [...paths.values()].includes(layer),
    defaultLayer: (self) => options.defaultLayer ?? defaultLayer(self, graph.output[0]?.name ?? ''),
    async digest() {
      const own = await source.digest();
      if (weights.files.length === 0) return own;
      const all = await Promise.all(weights.files.map(async (file) => `${file.size} ${await file.digest()}`));
      return sha256(new TextEncoder().encode([own, ...all].join('\n')));
    },
    async close() {
      await Promise.all([source, ...weights.files].map((file) => file.close()));
    },
  });
}

/** Large tensors of Constant nodes as initializers, which is what they are. Their nodes are taken away. */
function constantNodes(graph: GraphProto): TensorProto[] {
  const tensors: TensorProto[] = [];
  graph.node = graph.node.filter((node) => {
    const t =
      node.opType === 'Constant' && (node.domain ?? '') === ''
        ? node.attribute.find((a) => a.name === 'value')?.t
        : undefined;
    if (!t || t.externalData.length === 0 || !node.output[0]) return true;
    tensors.push({ ...t, name: node.output[0] });
    return false;
  });
  return tensors;
}

/** What nodes may use from the start on. */
function inputNames(graph: GraphProto, constants: ReadonlyMap<string, Constant>): Set<string> {
  return new Set([...graph.input.map((i) => i.name ?? ''), ...constants.keys()]);
}

interface ImageInput {
  readonly name: string;
  readonly channels: number;
  /** The axis of the channels: 1 or 3. */
  readonly axis: number;
  readonly size: NonNullable<Input['size']>;
}

/** The one input that is no weight and that nodes use. Throws `bad-file` if it is no picture. */
function imageInput(
  file: string,
  graph: GraphProto,
  constants: ReadonlyMap<string, Constant>,
  nodes: readonly Node[],
): ImageInput {
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const free = graph.input.filter((i) => !constants.has(i.name ?? ''));
  const inputs = free.length > 1 ? free.filter((i) => used.has(i.name ?? '')) : free;
  if (inputs.length !== 1)
    throw new PhospheneError(
      'bad-file',
      `${file}: it has ${inputs.length} inputs${inputs.length > 0 ? ` (${inputs.map((i) => i.name).join(', ')})` : ''}; a network with one image input is needed`,
      { path: file },
    );
  const { name, dtype, dims } = openInfo(inputs[0]!);
  const refused = (what: string): PhospheneError =>
    new PhospheneError('bad-file', `${file}: its input \`${name}\` is ${what}`, { path: file, input: name });
  if (dims.length !== 4) throw refused(`[${dims.join(', ')}]; a picture is needed, [n, c, h, w] or [n, h, w, c]`);
  if (dtype !== 'float32') throw refused(`${dtype}; float32 is needed`);
  const fits = (d: number): boolean => d >= 1 && d <= MOST_CHANNELS;
  const [, second, third, fourth] = dims as [number, number, number, number];
  // If both could be channels, the fewer are.
  const axis = fits(fourth) && !(fits(second) && second <= fourth) ? 3 : 1;
  const channels = axis === 1 ? second : fourth;
  const size = axis === 1 ? [third, fourth] : [second, third];
  // What nearly every network takes, if the file does not say it.
  if (channels === -1 && axis === 1) return { name, channels: 3, axis, size: sizeOfPicture(size) };
  if (!fits(channels))
    throw refused(`[${dims.join(', ')}]; of its axes 1 and 3 one must be from 1 to ${MOST_CHANNELS} channels`);
  return { name, channels, axis, size: sizeOfPicture(size) };
}
/** More are no picture, but a length that stands where channels should. */
const MOST_CHANNELS = 16;

function sizeOfPicture([height, width]: readonly number[]): ImageInput['size'] {
  return { ...(height! > 0 ? { height: height! } : {}), ...(width! > 0 ? { width: width! } : {}) };
}

/** What the network expects: as the caller says, else as the file says, else [-1, 1]. */
function preprocessing(
  file: string,
  channels: number,
  metadata: Readonly<Record<string, string>>,
  { preprocess }: OpenOptions,
): { preprocess: Preprocess; from: Origin } {
  if (preprocess !== undefined) return { preprocess: preprocessOf(preprocess, channels), from: 'given' };
  const stated = metadata['phosphene.preprocess'];
  if (stated === undefined) return { preprocess: preprocessOf('tf', channels), from: 'assumed' };
  if (!isPreprocessName(stated)) throw unknownPreprocess(`${file}: its metadata phosphene.preprocess`, stated);
  return { preprocess: channels === 3 ? knownPreprocess[stated] : preprocessOf(stated, channels), from: 'file' };
}

/**
 * The file's first output if it has channels and a size: a network that was cut for this. Else the last convolution before the
 * classifier whose output is larger than one position.
 */
function defaultLayer(self: Network, output: string): string {
  const { size } = self.input;
  let layers: readonly Layer[] = [];
  try {
    layers = self.layers({ height: size?.height ?? 224, width: size?.width ?? 224 }).layers;
  } catch (error) {
    if (!(error instanceof PhospheneError)) throw error;
  }
  const spatial = ({ dims, channels }: Layer): boolean =>
    channels !== undefined && dims.length > 2 && sizeOf(dims.filter((_, i) => i !== 0 && i !== channels.axis)) > 1;
  const own = layers.find((l) => l.name === output);
  if (own && spatial(own)) return output;
  const convolution = layers.findLast((l) => l.type === 'Conv' && spatial(l)) ?? layers.findLast(spatial);
  return convolution?.name ?? layers.at(-1)?.name ?? output;
}

/**
 * The result of `read`. If a file lacks an input or attribute that an operator must have, or has it in another type, reading it is
 * some other error within; one place says `bad-file` for all of them.
 */
function wellFormed<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof PhospheneError) throw error;
    throw new PhospheneError(
      'bad-file',
      `${what}: an input or attribute that ONNX asks for is missing, or of another type; export the file again`,
      {},
      error,
    );
  }
}

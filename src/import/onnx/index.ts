/** @file ONNX files as networks: nodes are replayed through the Builder at the size asked for. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../../ir/builder.ts';
import type { Node } from '../../ir/graph.ts';
import { decodeOnnx, openInfo } from '../../ir/onnx.ts';
import type { GraphProto, ModelProto } from '../../ir/onnx_pb.ts';
import type { Constant } from '../../ir/tensor.ts';
import { lastConvolution } from '../default-layer.ts';
import type { OpenOptions } from '../formats.ts';
import { type Known, toldPreprocess } from '../first.ts';
import { type Built, type Input, MOST_CHANNELS, type Network, network } from '../network.ts';
import { isPreprocessName, preprocessOf, unknownPreprocess } from '../preprocess.ts';
import { sha256, type Source } from '../source.ts';
import { type Body, bodyOf, usedBy } from './body.ts';
import { labelsOf } from './labels.ts';
import { modulePaths } from './modules.ts';
import { outlineOf } from './outline.ts';
import { heldAs } from './precision.ts';
import { replayed } from './replay.ts';
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
  const body = await bodyOf(name, graph, weights);
  const { picture, others } = imageInputs(name, graph, body);
  const preprocess = await preprocessing(name, picture, body, proto, metadata, options);
  const paths = modulePaths(graph);
  const labels = labelsOf(metadata);

  const build = (b: Builder, image: Value): Built => {
    const x = picture.axis === 1 ? image : b.one('Transpose', [image], { perm: [0, 2, 3, 1] }, 'image/nhwc');
    return replayed(b, body, {
      opset,
      paths,
      given: new Map([[picture.name, x]]),
      missing: new Map(others.map((other) => [other, needsInput(name, other, picture.name)])),
    });
  };

  return network({
    name,
    input: {
      channels: picture.channels,
      ...(picture.size.height !== undefined || picture.size.width !== undefined ? { size: picture.size } : {}),
      ...preprocess,
    },
    ...(labels ? { labels } : {}),
    build,
    defaultLayer: (self) => options.defaultLayer ?? lastConvolution(self, graph.output[0]?.name),
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

function needsInput(file: string, other: string, picture: string): PhospheneError {
  return new PhospheneError(
    'unsupported-op',
    `${file}: this layer needs the input \`${other}\` beside the picture \`${picture}\`, which is not supported; choose one that needs the picture alone`,
    { path: file, input: other },
  );
}

interface ImageInput {
  readonly name: string;
  readonly channels: number;
  /** The axis of the channels: 1 or 3. */
  readonly axis: number;
  readonly size: NonNullable<Input['size']>;
  /** Whether its pixels are bytes. */
  readonly bytes: boolean;
}

/**
 * The first input that is a picture, and the names of the others: those that are no weights and that nodes use. Throws `bad-file` if
 * none is one.
 */
function imageInputs(file: string, graph: GraphProto, body: Body): { picture: ImageInput; others: readonly string[] } {
  const { nodes, constants } = body;
  const used = new Set(nodes.flatMap((node) => usedBy(body, node)));
  const free = graph.input.filter((i) => !constants.has(i.name ?? ''));
  const inputs = free.length > 1 ? free.filter((i) => used.has(i.name ?? '')) : free;
  const found = inputs.map((input) => pictureOf(input, nodes, constants));
  const picture = found.find((f): f is ImageInput => typeof f !== 'string');
  if (picture) return { picture, others: free.flatMap(({ name }) => (name === picture.name ? [] : [name ?? ''])) };
  if (inputs.length === 1)
    throw new PhospheneError('bad-file', `${file}: its input \`${inputs[0]!.name}\` is ${found[0] as string}`, {
      path: file,
      input: inputs[0]!.name,
    });
  throw new PhospheneError(
    'bad-file',
    `${file}: it has ${inputs.length} inputs${inputs.length > 0 ? ` (${inputs.map((i) => i.name).join(', ')})` : ''}; a network with one image input is needed`,
    { path: file },
  );
}

/** An input as a picture, or what it is instead. */
function pictureOf(
  info: GraphProto['input'][number],
  nodes: readonly Node[],
  constants: ReadonlyMap<string, Constant>,
): ImageInput | string {
  if (info.type?.value.case !== 'tensorType') return 'no tensor; a picture is needed, [n, c, h, w] or [n, h, w, c]';
  const { name, dtype, dims } = openInfo(info);
  if (dims.length !== 4) return `[${dims.join(', ')}]; a picture is needed, [n, c, h, w] or [n, h, w, c]`;
  const bytes = dtype === 'uint8';
  if (heldAs(dtype) !== 'float32' && !bytes)
    return `of ${dtype}; a picture is needed, of float32, float16, float64 or uint8`;
  const fits = (d: number): boolean => d >= 1 && d <= MOST_CHANNELS;
  const [, second, third, fourth] = dims as [number, number, number, number];
  const axis = channelAxis(name, [second, fourth], nodes);
  // If the file leaves it open, the first convolution knows; else it is what nearly every network takes.
  const stated = axis === 1 ? second : fourth;
  const channels = stated === -1 ? (channelsOfConvolution(name, nodes, constants) ?? 3) : stated;
  if (!fits(channels))
    return `[${dims.join(', ')}]; of its axes 1 and 3 one must be from 1 to ${MOST_CHANNELS} channels`;
  return { name, channels, axis, size: sizeOfPicture(axis === 1 ? [third, fourth] : [second, third]), bytes };
}

/**
 * The axis of the channels, 1 or 3: what the first node takes it for, if that tells, else where a usual number of channels stands,
 * else a possible one.
 */
function channelAxis(input: string, lengths: readonly [second: number, fourth: number], nodes: readonly Node[]): 1 | 3 {
  const node = nodes.find((n) => n.inputs[0] === input);
  if (node?.op === 'Conv') return 1;
  if (node?.op === 'Transpose' && JSON.stringify(node.attributes['perm']) === '[0,3,1,2]') return 3;
  for (const likely of [(d: number) => [1, 3, 4].includes(d), (d: number) => d >= 1 && d <= MOST_CHANNELS]) {
    const [second, fourth] = lengths.map(likely);
    if (second) return 1;
    if (fourth) return 3;
  }
  return 1;
}

function channelsOfConvolution(
  input: string,
  nodes: readonly Node[],
  constants: ReadonlyMap<string, Constant>,
): number | undefined {
  const node = nodes.find((n) => n.op === 'Conv' && n.inputs[0] === input);
  const perGroup = constants.get(node?.inputs[1] ?? '')?.dims[1];
  return perGroup && perGroup * ((node?.attributes['group'] as number | undefined) ?? 1);
}

function sizeOfPicture([height, width]: readonly number[]): ImageInput['size'] {
  return { ...(height! > 0 ? { height: height! } : {}), ...(width! > 0 ? { width: width! } : {}) };
}

/**
 * What the network expects: as the caller says, else as the file says in words or by what it does first, else as its first convolution
 * and the habits of its exporter make likely.
 */
async function preprocessing(
  file: string,
  picture: ImageInput,
  body: Body,
  { producerName }: ModelProto,
  metadata: Readonly<Record<string, string>>,
  { preprocess }: OpenOptions,
): Promise<Known> {
  const { channels, bytes } = picture;
  if (preprocess !== undefined) return { preprocess: preprocessOf(preprocess, channels), from: 'given' };
  const stated = metadata['phosphene.preprocess'];
  if (stated !== undefined) {
    if (!isPreprocessName(stated)) throw unknownPreprocess(`${file}: its metadata phosphene.preprocess`, stated);
    return { preprocess: preprocessOf(stated, channels), from: 'file' };
  }
  if (bytes) return { preprocess: preprocessOf('raw', channels), from: 'file' };
  const told = await toldPreprocess(body, picture);
  if (told) return told;
  // PyTorch's exporters fold the normalisation away; its users standardise by ImageNet's statistics more often than not.
  const habit = producerName === 'pytorch' && channels === 3 ? 'torch' : 'tf';
  return { preprocess: preprocessOf(habit, channels), from: 'assumed' };
}

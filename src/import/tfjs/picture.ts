/** @file Which input of a graph model is the picture, and how it lies there. */
import { PhospheneError } from '../../errors.ts';
import { type Constant, isLazy, toNumbers } from '../../ir/tensor.ts';
import { isRecord } from '../json.ts';
import { type Input, MOST_CHANNELS } from '../network.ts';
import { type GraphNode, shapeOf, type, word } from './graph.ts';

/** The input that is the picture. */
export interface ImageInput {
  readonly name: string;
  readonly channels: number;
  /** How many axes it has: 4, or 3 if it has none for the batch. */
  readonly rank: number;
  /** The axis of the channels. */
  readonly axis: number;
  readonly size: NonNullable<Input['size']>;
  /** Whether its pixels are whole numbers. */
  readonly bytes: boolean;
  /** Whether the graph's pictures are [n, h, w, c]. */
  readonly pictures: boolean;
}

/** So many nodes behind an input are looked at for the first convolution. */
const MOST_LOOKS = 256;

/** What the first convolution behind an input says of it. */
interface Hint {
  readonly last: boolean;
  readonly channels: number | undefined;
}

/** The first input that is a picture, those that the signature names before others. Throws `bad-file` if none is one. */
export function pictureAmong(
  file: string,
  nodes: readonly GraphNode[],
  constants: ReadonlyMap<string, Constant>,
  signature: unknown,
): ImageInput {
  const stated = signatureOf(signature);
  const placeholders = nodes.filter(({ op }) => op === 'Placeholder');
  const sorted = [
    ...[...stated.keys()].flatMap((name) => placeholders.filter((p) => p.name === name)),
    ...placeholders.filter(({ name }) => !stated.has(name)),
  ];
  const found = sorted.map((node) => asPicture(node, stated.get(node.name), nodes, constants));
  const image = found.find((f): f is ImageInput => typeof f !== 'string');
  if (image) return image;
  if (sorted.length === 1)
    throw new PhospheneError('bad-file', `${file}: its input \`${sorted[0]!.name}\` is ${found[0] as string}`, {
      path: file,
      input: sorted[0]!.name,
    });
  const names = sorted.slice(0, 8).map((p) => p.name);
  throw new PhospheneError(
    'bad-file',
    `${file}: it has ${sorted.length} inputs${names.length > 0 ? ` (${names.join(', ')})` : ''}; a network with one image input is needed`,
    { path: file },
  );
}

/** The shapes that a signature states of its inputs, by node. */
function signatureOf(signature: unknown): Map<string, readonly number[] | undefined> {
  const inner = isRecord(signature) && isRecord(signature['signature']) ? signature['signature'] : signature;
  const inputs = isRecord(inner) && isRecord(inner['inputs']) ? Object.values(inner['inputs']) : [];
  return new Map(
    inputs.flatMap((info) =>
      isRecord(info) && typeof info['name'] === 'string'
        ? [[info['name'].replace(/:\d+$/, ''), shapeOf(info['tensorShape'])] as const]
        : [],
    ),
  );
}

/** An input as a picture, or what it is instead. */
function asPicture(
  node: GraphNode,
  stated: readonly number[] | undefined,
  nodes: readonly GraphNode[],
  constants: ReadonlyMap<string, Constant>,
): ImageInput | string {
  const NEEDED = 'a picture is needed, [n, h, w, c] or [n, c, h, w]';
  const shape = isRecord(node.attr['shape']) ? shapeOf(node.attr['shape']['shape']) : undefined;
  const dims = (shape && shape.length > 0 ? shape : stated) ?? shape ?? [-1, -1, -1, -1];
  const dtype = type(node, 'dtype');
  const bytes = /^DT_U?INT/.test(dtype);
  if (!bytes && !['', 'DT_FLOAT', 'DT_HALF', 'DT_DOUBLE'].includes(dtype)) return `of ${dtype}; ${NEEDED}`;
  const rank = dims.length;
  if (rank !== 3 && rank !== 4) return `[${dims.join(', ')}]; ${NEEDED}`;
  const [a, , c] = dims.slice(-3) as [number, number, number];
  const fits = (d: number): boolean => d >= 1 && d <= MOST_CHANNELS;
  const hint = hintBehind(node.name, nodes, constants);
  const isLast = [(d: number) => [1, 3, 4].includes(d), fits].reduce<boolean | undefined>((decided, likely) => {
    if (decided !== undefined || likely(a) === likely(c)) return decided;
    return likely(c);
  }, undefined);
  const last = isLast ?? hint?.last ?? true;
  const length = last ? c : a;
  const channels = length > 0 ? length : (hint?.channels ?? 3);
  if (!fits(channels)) return `[${dims.join(', ')}]; of its axes one must be from 1 to ${MOST_CHANNELS} channels`;
  const [height, width] = last ? dims.slice(-3, -1) : dims.slice(-2);
  const size = { ...(height! > 0 ? { height: height! } : {}), ...(width! > 0 ? { width: width! } : {}) };
  const formats = nodes.filter((n) => n.op.includes('Conv')).map((n) => word(n, 'data_format', 'NHWC'));
  const pictures = formats.length === 0 ? last : formats.includes('NHWC');
  return { name: node.name, channels, rank, axis: last ? rank - 1 : rank - 3, size, bytes, pictures };
}

/** Looks for the first convolution behind an input, past what leaves the order of axes alone and Transposes that change it. */
function hintBehind(
  start: string,
  nodes: readonly GraphNode[],
  constants: ReadonlyMap<string, Constant>,
): Hint | undefined {
  /** Whether what is meant as [n, h, w, c] at the convolution is that at the input too. */
  const reached = new Map<string, boolean>([[start, true]]);
  for (const node of nodes) {
    const from = node.inputs.find((i) => reached.has(i));
    if (from === undefined) continue;
    if (reached.size > MOST_LOOKS) return undefined;
    const same = reached.get(from)!;
    if (/Conv/.test(node.op) && node.inputs[0] === from) {
      const last = word(node, 'data_format', 'NHWC') === 'NHWC';
      const channels = constants.get(node.inputs[1] ?? '')?.dims[2];
      return { last: same ? last : !last, channels };
    }
    const perm = constants.get(node.inputs[1] ?? '');
    const moves = node.op === 'Transpose' && perm && !isLazy(perm) && /^0,(2,3,1|3,1,2)$/.test(toNumbers(perm).join());
    for (const output of node.outputs) reached.set(output, moves ? !same : same);
  }
  return undefined;
}

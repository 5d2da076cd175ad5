/** @file What an operator of TensorFlow is here: a function from its node and inputs to Builder calls. */
import { PhospheneError } from '../../../errors.ts';
import type { Builder, Value } from '../../../ir/builder.ts';
import { toNumbers } from '../../../ir/tensor.ts';
import { type GraphNode, word } from '../graph.ts';
import { channelsFirst, type Held, last, picture, plain } from '../layout.ts';

/** One use of an operator. */
export interface Call {
  readonly b: Builder;
  readonly node: GraphNode;
  /** What its output is called. */
  readonly name: string;
  readonly inputs: readonly Held[];
  /** Whether the graph's pictures are [n, h, w, c]: a result of four axes is one then. */
  readonly pictures: boolean;
}

/** Adds what computes an operator and gives its output, or its outputs in order. Throws `unsupported-op`, `bad-file`, `shape`. */
export type TfOperator = (call: Call) => Held | readonly Held[];

/** Input `at`. Throws `bad-file` if the node has fewer. */
export function input({ inputs }: Call, at: number): Held {
  const found = inputs[at];
  if (!found) throw new PhospheneError('bad-file', `it has ${inputs.length} inputs, ${at + 1} or more are needed`, {});
  return found;
}

/** The numbers of input `at`, such as a shape. Throws `unsupported-op` if they are not known before there is a picture. */
export function numbers(call: Call, at: number, what: string): readonly number[] {
  const { constant } = input(call, at).value;
  if (!constant) throw unsupported(`its ${what} depends on the picture`);
  return toNumbers(constant);
}

/** The whole numbers of input `at`. Throws `bad-file` for others. */
export function wholes(call: Call, at: number, what: string): readonly number[] {
  const found = numbers(call, at, what);
  if (!found.every((n) => Number.isSafeInteger(n)))
    throw new PhospheneError('bad-file', `its ${what} is [${found.slice(0, 8).join(', ')}]; whole numbers are needed`);
  return found;
}

/** A single whole number, such as an axis. */
export function single(call: Call, at: number, what: string): number {
  const [found, ...others] = wholes(call, at, what);
  if (found === undefined || others.length > 0)
    throw new PhospheneError('bad-file', `its ${what} is ${others.length + 1} numbers and not one`);
  return found;
}

export function unsupported(why: string): PhospheneError {
  return new PhospheneError('unsupported-op', `${why}, which is not supported`);
}

/** A picture as the operator's `data_format` has it. */
export interface Spatial {
  /** [n, c, h, w] */
  readonly x: Value;
  /** Holds a result that has the same order. */
  as(value: Value): Held;
  /** What a list by axis says of height and width. */
  of<T>(list: readonly T[]): readonly T[];
}

/** Input `at` as a picture. Throws `shape` if it has not four axes. */
export function spatial(call: Call, at = 0): Spatial {
  const held = input(call, at);
  if (held.value.dims.length !== 4)
    throw new PhospheneError('shape', `its input [${held.value.dims.join(', ')}] is no picture, which has four axes`);
  return word(call.node, 'data_format', 'NHWC').startsWith('NC')
    ? { x: last(call.b, held), as: plain, of: (list) => list.slice(2, 4) }
    : { x: channelsFirst(call.b, held), as: picture, of: (list) => list.slice(1, 3) };
}

/** Height and width of a list by axis. Throws `bad-file` if it has others. */
export function sides(space: Spatial, list: readonly number[], what: string): readonly number[] {
  const found = list.length === 4 ? space.of(list) : list.length === 0 ? [1, 1] : [];
  if (found.length !== 2 || found.some((n) => n < 1))
    throw new PhospheneError('bad-file', `its ${what} is [${list.slice(0, 8).join(', ')}]`);
  return found;
}

/** Pads of a window as ONNX writes them, [top, left, bottom, right]. */
export function windowPads(
  call: Call,
  space: Spatial,
  explicit: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[] = [1, 1],
): readonly number[] {
  const padding = word(call.node, 'padding', 'VALID').toUpperCase();
  if (padding === 'VALID') return [0, 0, 0, 0];
  if (padding === 'EXPLICIT') {
    const pairs = [0, 1, 2, 3].map((axis) => explicit.slice(2 * axis, 2 * axis + 2));
    const [rows, columns] = space.of(pairs);
    const pads = [rows?.[0], columns?.[0], rows?.[1], columns?.[1]];
    if (pads.some((p) => p === undefined || p < 0))
      throw new PhospheneError('bad-file', `its explicit paddings are [${explicit.slice(0, 8).join(', ')}]`);
    return pads as number[];
  }
  if (padding !== 'SAME') throw unsupported(`its padding is \`${padding}\``);
  const around = space.x.dims.slice(2).map((d, i) => {
    const extent = (kernel[i]! - 1) * dilations[i]! + 1;
    const total = Math.max((Math.ceil(d / strides[i]!) - 1) * strides[i]! + extent - d, 0);
    // What is odd goes to the end.
    return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
  });
  return [...around.map(([begin]) => begin), ...around.map(([, end]) => end)];
}

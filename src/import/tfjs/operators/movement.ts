/** @file Operators that move elements: shapes, slices, pads, and pictures cut into parts of themselves. */
import { PhospheneError } from '../../../errors.ts';
import type { Value } from '../../../ir/builder.ts';
import { type Dims, sizeOf } from '../../../ir/tensor.ts';
import { int, ints, word } from '../graph.ts';
import { axisOf, byAxis, channelsFirst, dimsOf, type Held, last, picture, plain, reshaped } from '../layout.ts';
import { type Call, input, numbers, single, spatial, type TfOperator, unsupported, wholes } from './operator.ts';

/** The most elements of a list that a graph computes: axes, indices, ranges. */
const MOST = 1 << 16;

function axis(held: Held, given: number): number {
  const rank = held.value.dims.length;
  if (!Number.isInteger(given) || given < -rank || given >= rank)
    throw new PhospheneError('shape', `its axis ${given} is none of the ${rank} of its input`);
  return given < 0 ? given + rank : given;
}

/** The positions `at` of an axis, as TensorFlow counts axes. */
function taken({ b }: Call, held: Held, given: number, at: readonly number[], name?: string): Held {
  if (at.length > MOST) throw unsupported(`it takes ${at.length} positions`);
  return { value: b.one('Gather', [held.value, b.ints(at)], { axis: axisOf(held, given) }, name), first: held.first };
}

/** A part of a value, `from`, `to` and `step` one for each axis. */
function sliced({ b }: Call, held: Held, parts: readonly Part[], name?: string): Held {
  const some = parts.flatMap((part, at) =>
    part.step === 1 && part.from === 0 && part.to === part.length ? [] : [{ ...part, at }],
  );
  if (some.length === 0) return held;
  const list = (f: (part: (typeof some)[number]) => number): Value => b.ints(some.map(f));
  const steps = some.some(({ step }) => step !== 1) ? [list(({ step }) => step)] : [];
  const operands = [held.value, list(({ from }) => from), list(({ to }) => to), list(({ at }) => axisOf(held, at))];
  return { value: b.one('Slice', [...operands, ...steps], {}, name), first: held.first };
}
interface Part {
  readonly length: number;
  readonly from: number;
  readonly to: number;
  readonly step: number;
}
const whole = (length: number): Part => ({ length, from: 0, to: length, step: 1 });

const reshape: TfOperator = (call) => {
  const held = input(call, 0);
  const dims = dimsOf(held);
  const given = wholes(call, 1, 'shape');
  if (given.length > 8) throw unsupported(`its shape has ${given.length} axes`);
  const rest = sizeOf(given.filter((d) => d !== -1));
  const wanted = given.map((d) => (d === -1 ? sizeOf(dims) / rest : d));
  if (wanted.some((d) => !Number.isInteger(d)) || sizeOf(wanted) !== sizeOf(dims))
    throw new PhospheneError('shape', `[${dims.join(', ')}] cannot become [${given.join(', ')}]`);
  if (wanted.length === dims.length && wanted.every((d, i) => d === dims[i])) return held;
  return reshaped(call.b, held, wanted, call.pictures, call.name);
};

const expandDims: TfOperator = (call) => {
  const held = input(call, 0);
  const dims = dimsOf(held);
  const at = single(call, 1, 'axis');
  if (at < -dims.length - 1 || at > dims.length) throw new PhospheneError('shape', `its axis is ${at}`);
  return reshaped(call.b, held, dims.toSpliced(at < 0 ? at + dims.length + 1 : at, 0, 1), call.pictures, call.name);
};

const squeeze: TfOperator = (call) => {
  const held = input(call, 0);
  const dims = dimsOf(held);
  const given = ints(call.node, 'squeeze_dims').map((a) => axis(held, a));
  const odd = given.find((a) => dims[a] !== 1);
  if (odd !== undefined) throw new PhospheneError('shape', `its axis ${odd} has ${dims[odd]} elements and not one`);
  const left = dims.filter((d, i) => (given.length > 0 ? !given.includes(i) : d !== 1));
  return reshaped(call.b, held, left, call.pictures, call.name);
};

const transpose: TfOperator = (call) => {
  const held = input(call, 0);
  const rank = held.value.dims.length;
  const perm = wholes(call, 1, 'order of axes').map((a) => axis(held, a));
  if (perm.length !== rank || new Set(perm).size !== rank)
    throw new PhospheneError('shape', `[${perm.join(', ')}] is no order of ${rank} axes`);
  const is = (...order: readonly number[]): boolean => rank === 4 && order.every((a, i) => a === perm[i]);
  // Nothing moves: what was held as a picture is now meant as it is held, or the other way round.
  if (held.first && is(0, 3, 1, 2)) return plain(held.value);
  if (!held.first && !held.value.constant && is(0, 2, 3, 1)) return picture(held.value);
  return plain(call.b.one('Transpose', [held.value], { perm: perm.map((a) => axisOf(held, a)) }, call.name));
};

/** Values one behind the other. */
function joined(call: Call, inputs: readonly Held[], given: number): Held {
  const { b, name } = call;
  const [one] = inputs;
  if (!one) throw new PhospheneError('bad-file', 'it has no inputs');
  const rank = one.value.dims.length;
  const at = axis(one, given);
  if (inputs.length === 1) return one;
  const first = rank === 4 && inputs.some((h) => h.first) && inputs.every((h) => h.value.dims.length === 4);
  const values = inputs.map((h) => (first ? channelsFirst(b, h) : last(b, h)));
  const held = (value: Value): Held => ({ value, first });
  const floats = values.some((v) => v.dtype === 'float32');
  return held(
    b.one(
      'Concat',
      floats ? values.map((v) => b.cast(v, 'float32')) : values,
      { axis: axisOf(held(values[0]!), at) },
      name,
    ),
  );
}

const pack: TfOperator = (call) => {
  const at = int(call.node, 'axis', 0);
  const inputs = call.inputs.map((held) => {
    const dims = dimsOf(held);
    if (at < -dims.length - 1 || at > dims.length) throw new PhospheneError('shape', `its axis is ${at}`);
    const value = last(call.b, held);
    return plain(call.b.reshape(value, dims.toSpliced(at < 0 ? at + dims.length + 1 : at, 0, 1)));
  });
  return joined(call, inputs, at);
};

/** A value in parts of the given lengths along an axis. */
function parted(call: Call, held: Held, given: number, lengths: readonly number[]): readonly Held[] {
  const { b, name } = call;
  const at = axis(held, given);
  const dims = dimsOf(held);
  if (lengths.length > MOST || lengths.some((l) => l < 0) || lengths.reduce((a, c) => a + c, 0) !== dims[at])
    throw new PhospheneError('shape', `[${lengths.slice(0, 8).join(', ')}] are not the ${dims[at]} of its axis ${at}`);
  if (lengths.length === 1) return [held];
  if (held.value.constant) {
    let from = 0;
    return lengths.map((length) => {
      const parts = dims.map(whole).with(at, { length: dims[at]!, from, to: from + length, step: 1 });
      from += length;
      return sliced(call, held, parts);
    });
  }
  return b
    .op('Split', [held.value, b.ints(lengths)], { axis: axisOf(held, at) }, { name, outputs: lengths.length })
    .map((value) => ({ value, first: held.first }));
}

const split: TfOperator = (call) => {
  const held = input(call, 1);
  const at = axis(held, single(call, 0, 'axis'));
  const count = int(call.node, 'num_split', 1);
  const length = dimsOf(held)[at]! / count;
  if (count < 1 || count > MOST || !Number.isInteger(length))
    throw new PhospheneError('shape', `${dimsOf(held)[at]} cannot be split into ${count} parts`);
  return parted(
    call,
    held,
    at,
    Array.from({ length: count }, () => length),
  );
};

const splitV: TfOperator = (call) => {
  const held = input(call, 0);
  const at = axis(held, single(call, 2, 'axis'));
  const given = wholes(call, 1, 'sizes');
  const known = given.reduce((sum, l) => (l === -1 ? sum : sum + l), 0);
  return parted(
    call,
    held,
    at,
    given.map((l) => (l === -1 ? dimsOf(held)[at]! - known : l)),
  );
};

const unpack: TfOperator = (call) => {
  const held = input(call, 0);
  const at = axis(held, int(call.node, 'axis', 0));
  const dims = dimsOf(held);
  const parts = parted(
    call,
    held,
    at,
    Array.from({ length: Math.min(dims[at]!, MOST) }, () => 1),
  );
  return parts.map((part) => reshaped(call.b, part, dims.toSpliced(at, 1), call.pictures));
};

const stridedSlice: TfOperator = (call) => {
  const { b, node, name } = call;
  const held = input(call, 0);
  const dims = dimsOf(held);
  const [begin, end, strides] = [wholes(call, 1, 'begin'), wholes(call, 2, 'end'), wholes(call, 3, 'strides')];
  if (begin.length > 16 || end.length !== begin.length || strides.length !== begin.length)
    throw new PhospheneError('bad-file', 'its begin, end and strides are not of one length');
  const bit = (mask: string, at: number): boolean => ((int(node, mask, 0) >> at) & 1) === 1;
  const entries = begin.map((from, at) => ({
    from,
    to: end[at]!,
    step: strides[at]!,
    open: bit('begin_mask', at),
    endless: bit('end_mask', at),
    kind: bit('ellipsis_mask', at)
      ? 'rest'
      : bit('new_axis_mask', at)
        ? 'new'
        : bit('shrink_axis_mask', at)
          ? 'one'
          : 'part',
  }));
  const stated = entries.filter(({ kind }) => kind === 'one' || kind === 'part').length;
  if (stated > dims.length) throw new PhospheneError('shape', `it slices ${stated} axes of ${dims.length}`);
  const parts: Part[] = [];
  const apart: { readonly at: number; readonly positions: readonly number[] }[] = [];
  /** What the axes become: their number in what is sliced, or one that is new. */
  const shape: (number | 'new')[] = [];
  for (const { from, to, step, open, endless, kind } of entries) {
    if (kind === 'rest') {
      for (let left = dims.length - stated; left > 0; left--) {
        shape.push(parts.length);
        parts.push(whole(dims[parts.length]!));
      }
      continue;
    }
    if (kind === 'new') {
      shape.push('new');
      continue;
    }
    const at = parts.length;
    const length = dims[at]!;
    const inside = (value: number, least: number, most: number): number =>
      Math.min(Math.max(value < 0 ? value + length : value, least), most);
    if (kind === 'one') {
      const position = from < 0 ? from + length : from;
      if (position < 0 || position >= length)
        throw new PhospheneError('shape', `position ${from} is outside an axis of ${length}`);
      parts.push({ length, from: position, to: position + 1, step: 1 });
      continue;
    }
    if (step === 0) throw new PhospheneError('bad-file', 'one of its strides is 0');
    shape.push(at);
    const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
    const start = open ? (step > 0 ? low : high) : inside(from, low, high);
    const stop = endless ? (step > 0 ? high : low) : inside(to, low, high);
    if (step === 1 || (step > 0 && dims.length === 4 && axisOf(held, at) >= 2)) {
      parts.push({ length, from: start, to: Math.max(start, stop), step });
      continue;
    }
    // Slices with other steps have a gradient along rows and columns alone.
    const count = Math.max(0, Math.ceil((stop - start) / step));
    if (count > MOST) throw unsupported(`it takes ${count} positions`);
    apart.push({ at, positions: Array.from({ length: count }, (_, i) => start + i * step) });
    parts.push(whole(length));
  }
  while (parts.length < dims.length) {
    shape.push(parts.length);
    parts.push(whole(dims[parts.length]!));
  }
  const same = shape.length === dims.length && shape.every((s, i) => s === i);
  let result = sliced(call, held, parts, same && apart.length === 0 ? name : undefined);
  apart.forEach(({ at, positions }, i) => {
    result = taken(call, result, at, positions, same && i === apart.length - 1 ? name : undefined);
  });
  if (same) return result;
  const now = dimsOf(result);
  return reshaped(
    b,
    result,
    shape.map((s) => (s === 'new' ? 1 : now[s]!)),
    call.pictures,
    name,
  );
};

const slice: TfOperator = (call) => {
  const held = input(call, 0);
  const dims = dimsOf(held);
  const [begin, size] = [wholes(call, 1, 'begin'), wholes(call, 2, 'size')];
  const parts = dims.map((length, i) => {
    const from = begin[i] ?? 0;
    const count = size[i] === -1 || size[i] === undefined ? length - from : size[i];
    if (from < 0 || count < 0 || from + count > length)
      throw new PhospheneError('shape', `${count} positions from ${from} on are not in an axis of ${length}`);
    return { length, from, to: from + count, step: 1 };
  });
  return sliced(call, held, parts, call.name);
};

const gather: TfOperator = (call) => {
  const { b, name } = call;
  const [held, indices] = [input(call, 0), input(call, 1)];
  if (int(call.node, 'batch_dims', 0) !== 0) throw unsupported('it gathers from each element of a batch');
  const at = axis(held, call.inputs.length > 2 ? single(call, 2, 'axis') : 0);
  const positions = b.cast(last(b, indices), 'int64');
  if (positions.dims.length === 1)
    return { value: b.one('Gather', [held.value, positions], { axis: axisOf(held, at) }, name), first: held.first };
  return plain(b.one('Gather', [last(b, held), positions], { axis: at }, name));
};

const tile: TfOperator = (call) => {
  const held = input(call, 0);
  const times = wholes(call, 1, 'multiples');
  if (times.length !== held.value.dims.length)
    throw new PhospheneError('shape', `it has ${times.length} multiples for ${held.value.dims.length} axes`);
  if (times.every((t) => t === 1)) return held;
  return {
    value: call.b.one('Tile', [held.value, call.b.ints(byAxis(held, times))], {}, call.name),
    first: held.first,
  };
};

const reverse: TfOperator = (call) => {
  const held = input(call, 0);
  const dims = dimsOf(held);
  const axes = wholes(call, 1, 'axes').map((a) => axis(held, a));
  return axes.reduce<Held>((x, at, i) => {
    if (dims[at]! > MOST) throw unsupported(`it turns round ${dims[at]} positions`);
    const positions = Array.from({ length: dims[at]! }, (_, k) => dims[at]! - 1 - k);
    return taken(call, x, at, positions, i === axes.length - 1 ? call.name : undefined);
  }, held);
};

/** Pads by axis as TensorFlow lists them, [[begin, end], …]. Throws `bad-file`. */
function padsOf(call: Call, at: number, rank: number): (readonly [number, number])[] {
  const flat = wholes(call, at, 'paddings');
  if (flat.length !== 2 * rank || flat.some((p) => p < 0))
    throw new PhospheneError('bad-file', `its paddings [${flat.slice(0, 8).join(', ')}] are not those of ${rank} axes`);
  return Array.from({ length: rank }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!] as const);
}

const pad: TfOperator = (call) => {
  const { b, name } = call;
  const held = input(call, 0);
  const pads = byAxis(held, padsOf(call, 1, held.value.dims.length));
  const [value = 0] = call.inputs.length > 2 ? numbers(call, 2, 'value') : [];
  const list = [...pads.map(([begin]) => begin), ...pads.map(([, end]) => end)];
  if (list.every((p) => p === 0)) return held;
  return { value: b.pad(held.value, list, value, name), first: held.first };
};

const mirrorPad: TfOperator = (call) => {
  const { b, node, name } = call;
  const held = input(call, 0);
  const pads = padsOf(call, 1, held.value.dims.length);
  if (word(node, 'mode', 'REFLECT') === 'REFLECT') {
    const ours = byAxis(held, pads);
    const list = b.ints([...ours.map(([begin]) => begin), ...ours.map(([, end]) => end)]);
    return { value: b.one('Pad', [held.value, list], { mode: 'reflect' }, name), first: held.first };
  }
  // The border is repeated too, which ONNX cannot say.
  return pads.reduce<Held>((x, [begin, end], at) => {
    const length = dimsOf(held)[at]!;
    if (begin + end === 0) return x;
    if (Math.max(begin, end) > length)
      throw new PhospheneError('shape', `${length} cannot mirror ${Math.max(begin, end)}`);
    const from = (i: number): number => (i < 0 ? -i - 1 : i >= length ? 2 * length - 1 - i : i);
    return taken(
      call,
      x,
      at,
      Array.from({ length: begin + length + end }, (_, i) => from(i - begin)),
    );
  }, held);
};

const blocks =
  (op: 'DepthToSpace' | 'SpaceToDepth'): TfOperator =>
  (call) => {
    const space = spatial(call);
    const blocksize = int(call.node, 'block_size', 0);
    if (blocksize < 1) throw new PhospheneError('bad-file', `its block_size is ${blocksize}`);
    return space.as(
      call.b.one(op, [space.x], { blocksize, ...(op === 'DepthToSpace' ? { mode: 'DCR' } : {}) }, call.name),
    );
  };

/** Height and width of blocks. */
function blockOf(call: Call): readonly [number, number] {
  const [rows, columns, ...others] = wholes(call, 1, 'block shape');
  if (!(rows! > 0) || !(columns! > 0) || others.length > 0) throw unsupported('its blocks are not of rows and columns');
  return [rows!, columns!];
}

/** Every so many rows and columns as a picture of its own: what was dilated is dense then. */
const spaceToBatch: TfOperator = (call) => {
  const { b, name } = call;
  const x = channelsFirst(b, pictureOf(call));
  const [rows, columns] = blockOf(call);
  const [top, left] = padsOf(call, 2, 2);
  const padded = b.pad(x, [0, 0, top![0], left![0], 0, 0, top![1], left![1]]);
  const [n, c, h, w] = padded.dims as [number, number, number, number];
  if (h % rows !== 0 || w % columns !== 0)
    throw new PhospheneError('shape', `${h}×${w} does not divide into blocks of ${rows}×${columns}`);
  const cut = b.reshape(padded, [n, c, h / rows, rows, w / columns, columns]);
  const sorted = b.transpose(cut, [3, 5, 0, 1, 2, 4]);
  return picture(b.one('Reshape', [sorted, b.ints([rows * columns * n, c, h / rows, w / columns])], {}, name));
};

const batchToSpace: TfOperator = (call) => {
  const { b, name } = call;
  const x = channelsFirst(b, pictureOf(call));
  const [rows, columns] = blockOf(call);
  const [top, left] = padsOf(call, 2, 2);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  if (n % (rows * columns) !== 0)
    throw new PhospheneError('shape', `${n} pictures are not those of blocks of ${rows}×${columns}`);
  const batch = n / (rows * columns);
  const sorted = b.transpose(b.reshape(x, [rows, columns, batch, c, h, w]), [2, 3, 4, 0, 5, 1]);
  const together = b.reshape(sorted, [batch, c, h * rows, w * columns]);
  const [height, width] = [h * rows, w * columns];
  const whole = [...top!, ...left!].every((p) => p === 0);
  if (whole) return picture(together);
  return picture(
    b.one(
      'Slice',
      [together, b.ints([top![0], left![0]]), b.ints([height - top![1], width - left![1]]), b.ints([2, 3])],
      {},
      name,
    ),
  );
};

function pictureOf(call: Call): Held {
  const held = input(call, 0);
  if (held.value.dims.length !== 4) throw unsupported(`its input has ${held.value.dims.length} axes and not four`);
  return held;
}

function filled(call: Call, dims: Dims, value: Value): Held {
  if (dims.some((d) => d < 0)) throw new PhospheneError('shape', `[${dims.join(', ')}] is no shape`);
  return plain(call.b.expand(value, dims));
}

const range: TfOperator = (call) => {
  const [from, to, step] = [0, 1, 2].map((at) => numbers(call, at, 'limits')[0] ?? 0) as [number, number, number];
  const count = Math.ceil((to - from) / step);
  if (!(count >= 0 && count <= MOST)) throw unsupported(`its range has ${count} numbers`);
  const list = Array.from({ length: count }, (_, i) => from + i * step);
  return plain(input(call, 0).value.dtype === 'int64' ? call.b.ints(list) : call.b.float(list, [count]));
};

/** A sum of products over axes by letters, spelled as one product of matrices. */
const einsum: TfOperator = (call) => {
  const { b, node, name } = call;
  const equation = word(node, 'equation').replaceAll(' ', '');
  const [, left, right, out] = /^([a-zA-Z]*)(?:,([a-zA-Z]*))?->([a-zA-Z]*)$/.exec(equation) ?? [];
  const twice = (letters: string): boolean => new Set(letters).size !== letters.length;
  if (left === undefined || out === undefined || [left, right ?? '', out].some(twice))
    throw unsupported(`its equation is \`${equation.slice(0, 64)}\``);
  const lengths = new Map<string, number>();
  const operand = (at: number, letters: string): { value: Value; letters: string } => {
    const value = last(b, input(call, at));
    if (value.dims.length !== letters.length)
      throw new PhospheneError('shape', `[${value.dims.join(', ')}] does not fit \`${letters}\``);
    letters.split('').forEach((letter, i) => {
      if ((lengths.get(letter) ?? value.dims[i]) !== value.dims[i])
        throw new PhospheneError('shape', `\`${letter}\` of \`${equation}\` has two lengths`);
      lengths.set(letter, value.dims[i]!);
    });
    // What no other has is summed first.
    const others = (at === 0 ? (right ?? '') : left) + out;
    const gone = letters.split('').flatMap((letter, i) => (others.includes(letter) ? [] : [i]));
    if (gone.length === 0) return { value, letters };
    return {
      value: b.sum(value, gone, false),
      letters: letters
        .split('')
        .filter((l) => others.includes(l))
        .join(''),
    };
  };
  const inOrder = (value: Value, letters: string, wanted: string, own?: string): Held => {
    const perm = wanted.split('').map((l) => letters.indexOf(l));
    if (perm.includes(-1)) throw unsupported(`its equation is \`${equation}\``);
    return plain(b.one('Transpose', [value], { perm }, own));
  };
  const x = operand(0, left);
  if (right === undefined) return inOrder(x.value, x.letters, out, name);
  const y = operand(1, right);
  const [mine, theirs] = [x.letters.split(''), y.letters.split('')];
  const batch = mine.filter((l) => y.letters.includes(l) && out.includes(l));
  const over = mine.filter((l) => y.letters.includes(l) && !out.includes(l));
  const [rows, columns] = [mine.filter((l) => !y.letters.includes(l)), theirs.filter((l) => !x.letters.includes(l))];
  const size = (letters: readonly string[]): number => letters.reduce((product, l) => product * lengths.get(l)!, 1);
  const matrix = (part: typeof x, ...groups: readonly (readonly string[])[]): Value => {
    const wanted = groups.flat();
    const turned = b.transpose(
      part.value,
      wanted.map((l) => part.letters.indexOf(l)),
    );
    return b.reshape(turned, groups.map(size));
  };
  const product = b.matmul(matrix(x, batch, rows, over), matrix(y, batch, over, columns));
  const letters = [...batch, ...rows, ...columns];
  return inOrder(
    b.reshape(
      product,
      letters.map((l) => lengths.get(l)!),
    ),
    letters.join(''),
    out,
    name,
  );
};

export const movements: Readonly<Record<string, TfOperator>> = {
  Reshape: reshape,
  ExpandDims: expandDims,
  Squeeze: squeeze,
  Transpose: transpose,
  ConcatV2: (call) => joined(call, call.inputs.slice(0, -1), single(call, call.inputs.length - 1, 'axis')),
  Concat: (call) => joined(call, call.inputs.slice(1), single(call, 0, 'axis')),
  Pack: pack,
  Unpack: unpack,
  Split: split,
  SplitV: splitV,
  StridedSlice: stridedSlice,
  Slice: slice,
  Gather: gather,
  GatherV2: gather,
  Tile: tile,
  Reverse: reverse,
  ReverseV2: reverse,
  Pad: pad,
  PadV2: pad,
  MirrorPad: mirrorPad,
  DepthToSpace: blocks('DepthToSpace'),
  SpaceToDepth: blocks('SpaceToDepth'),
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  Shape: (call) => plain(call.b.ints(dimsOf(input(call, 0)))),
  Size: (call) => plain(call.b.reshape(call.b.ints([sizeOf(input(call, 0).value.dims)]), [])),
  Rank: (call) => plain(call.b.reshape(call.b.ints([input(call, 0).value.dims.length]), [])),
  Fill: (call) => filled(call, wholes(call, 0, 'shape'), input(call, 1).value),
  BroadcastTo: (call) => filled(call, wholes(call, 1, 'shape'), last(call.b, input(call, 0))),
  Range: range,
  Einsum: einsum,
  ShapeN: (call) => call.inputs.map((held) => plain(call.b.ints(dimsOf(held)))),
  InvertPermutation: (call) => {
    const perm = wholes(call, 0, 'order');
    return plain(call.b.ints(perm.map((_, i) => perm.indexOf(i))));
  },
  Where: () => {
    throw unsupported('how much it gives depends on the picture');
  },
};

/** @file Einstein's summation: sums of products over named axes, spelled by transposes, reshapes and one product of matrices a pair. */
import { PhospheneError } from '../errors.ts';
import type { Builder, Value } from './builder.ts';
import { sizeOf } from './tensor.ts';

/** A value whose axes have names: letters, and numbers for those that an ellipsis stands for, counted from the last. */
interface Named {
  readonly value: Value;
  readonly axes: readonly string[];
}

/**
 * The value of an equation such as `bhwc,hkc->bhwk`. Throws `shape` if it does not fit its operands, and for an axis that stands twice
 * in one of them.
 *
 * @example
 * const b = new Builder();
 * const x = b.input('x', 'float32', [2, 3, 4]);
 * einsum(b, [x], 'ijk->kji').dims; // [4, 3, 2]
 */
export function einsum(b: Builder, operands: readonly Value[], equation: string): Value {
  const fault = (what: string): PhospheneError => new PhospheneError('shape', `equation \`${equation}\`: ${what}`);
  const [left = '', right, ...rest] = equation.replaceAll(/\s/g, '').split('->');
  const terms = left.split(',');
  if (rest.length > 0 || [...terms, right ?? ''].some((term) => !/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term)))
    throw fault('it is none');
  if (terms.length !== operands.length) throw fault(`it has ${terms.length} operands, the node has ${operands.length}`);
  const named = operands.map((value, i): Named => {
    const term = terms[i]!;
    const hidden = value.dims.length - term.replace('...', '').length;
    if (hidden < 0 || (hidden > 0 && !term.includes('...')))
      throw fault(`\`${term}\` does not fit [${value.dims.join(', ')}]`);
    const axes = axesOf(term, hidden);
    if (new Set(axes).size !== axes.length) throw fault(`an axis stands twice in \`${term}\`, which is not supported`);
    return { value, axes };
  });
  const lengths = new Map<string, number>();
  for (const { value, axes } of named) {
    axes.forEach((axis, i) => {
      const [length, known] = [value.dims[i]!, lengths.get(axis) ?? 1];
      if (length !== known && length !== 1 && known !== 1) throw fault(`\`${axis}\` is both ${known} and ${length}`);
      lengths.set(axis, Math.max(length, known));
    });
  }
  const hidden = [...lengths.keys()].filter((axis) => /\d/.test(axis)).sort((a, c) => Number(c) - Number(a));
  const letters = left.replaceAll(/[,.]/g, '');
  const out =
    right === undefined
      ? // What stands once, in the order of the alphabet.
        [...hidden, ...[...new Set(letters.split(''))].filter((l) => letters.split(l).length === 2).sort()]
      : axesOf(right, hidden.length);
  if (out.some((axis) => !lengths.has(axis)) || new Set(out).size !== out.length)
    throw fault('its result has axes that its operands have not, or one twice');
  const whole = named.reduce((x, y, i) => product(b, x, y, [...out, ...named.slice(i + 1).flatMap((n) => n.axes)]));
  const summed = without(b, whole, out);
  return ordered(b, summed, out);
}

/** The names of the axes of a term; those behind an ellipsis count from the last, as in broadcasting. */
function axesOf(term: string, hidden: number): string[] {
  const [before = '', after = ''] = term.split('...');
  const numbers = Array.from({ length: term.includes('...') ? hidden : 0 }, (_, i) => String(hidden - 1 - i));
  return [...before.split(''), ...numbers, ...after.split('')];
}

/** Summed over the axes that are not `kept`. */
function without(b: Builder, { value, axes }: Named, kept: readonly string[]): Named {
  const gone = axes.flatMap((axis, i) => (kept.includes(axis) ? [] : [i]));
  if (gone.length === 0) return { value, axes };
  return { value: b.sum(value, gone, false), axes: axes.filter((axis) => kept.includes(axis)) };
}

function ordered(b: Builder, { value, axes }: Named, order: readonly string[]): Value {
  return b.transpose(
    value,
    order.map((axis) => axes.indexOf(axis)),
  );
}

/** The product of two, summed over what both have and is not `kept`. */
function product(b: Builder, first: Named, second: Named, kept: readonly string[]): Named {
  // What only one has and nobody wants is summed first.
  const x = without(b, first, [...kept, ...second.axes]);
  const y = without(b, second, [...kept, ...first.axes]);
  const length = (axis: string): number =>
    Math.max(...[x, y].map(({ value, axes }) => value.dims[axes.indexOf(axis)] ?? 1));
  const both = x.axes.filter((axis) => y.axes.includes(axis));
  const batch = both.filter((axis) => kept.includes(axis));
  const inner = both.filter((axis) => !kept.includes(axis));
  const rows = x.axes.filter((axis) => !both.includes(axis));
  const columns = y.axes.filter((axis) => !both.includes(axis));
  /** Axes of length 1 that the other has longer are spread. */
  const matrix = (of: Named, order: readonly string[], dims: readonly number[]): Value => {
    const spread = b.expand(ordered(b, of, order), order.map(length));
    return b.reshape(spread, dims);
  };
  const [n, r, k, c] = [batch, rows, inner, columns].map((list) => sizeOf(list.map(length))) as [
    number,
    number,
    number,
    number,
  ];
  const value = b.matmul(
    matrix(x, [...batch, ...rows, ...inner], [n, r, k]),
    matrix(y, [...batch, ...inner, ...columns], [n, k, c]),
  );
  const axes = [...batch, ...rows, ...columns];
  return { value: b.reshape(value, axes.map(length)), axes };
}

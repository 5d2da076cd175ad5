/** @file What an operator gives, asked of its record: shapes, values, and the spelling of our operator set. */
import { PhospheneError } from '../errors.ts';
import type { Budget } from './budget.ts';
import type { Builder, Value } from './builder.ts';
import type { Attributes, Node } from './graph.ts';
import { foreigners, operators, refused } from './ops/index.ts';
import { checked, checkInputs, type Inferred, type Inputs, type Operator } from './ops/operator.ts';
import { arrayTypes, sizeOf, type Tensor } from './tensor.ts';

/** Folded values of more elements stay in the graph: folding must not make a model bigger than its file. */
const MOST_ELEMENTS = 1 << 26;

/** Whether no gradient flows through an operator. */
export function jumps(op: string): boolean {
  return Object.hasOwn(operators, op) && operators[op]!.jumps === true;
}

/** The attributes of a node, checked, with the defaults of its operator; as they are if the operator is none of ours. */
export function attributesOf({ op, attributes }: Pick<Node, 'op' | 'attributes'>): Readonly<Record<string, unknown>> {
  return Object.hasOwn(operators, op) ? checked(operators[op]!.attributes, attributes) : attributes;
}

function recordOf(op: string): Operator {
  if (Object.hasOwn(operators, op)) return operators[op]!;
  const why = Object.hasOwn(refused, op) ? refused[op] : undefined;
  throw new PhospheneError('unsupported-op', `this operator is not supported${why === undefined ? '' : `: ${why}`}`);
}

/**
 * Runs `f`, and adds the operator and the node to what it throws. Files come from strangers: what is odd in a way that nobody
 * thought of is a fault of the file too, and not a bare error of the language.
 */
export function about<T>(op: string, node: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof PhospheneError) {
      if (error.details['op'] !== undefined) throw error;
      throw new PhospheneError(error.code, `${op} ${node}: ${error.message}`, { ...error.details, op, node }, error);
    }
    if (error instanceof TypeError || error instanceof RangeError)
      throw new PhospheneError(
        'bad-file',
        `${op} ${node}: its inputs or attributes are not what ONNX asks for (${error.message})`,
        { op, node },
        error,
      );
    throw error;
  }
}

/**
 * Output dtypes and dims of an operator. Throws `unsupported-op` for an unknown operator or attribute, `bad-file` for an attribute
 * of a wrong type or value, `shape` if the inputs do not fit; each names the operator and the node.
 */
export function infer(
  op: string,
  node: string,
  inputs: Inputs,
  attributes: Attributes,
  outputs: number,
): readonly Inferred[] {
  return about(op, node, () => {
    const record = recordOf(op);
    checkInputs(record, inputs);
    const inferred = record.infer({ inputs, attributes: checked(record.attributes, attributes), outputs });
    for (const { dims } of inferred) {
      if (dims.some((d) => !Number.isSafeInteger(d) || d < 0) || !Number.isSafeInteger(sizeOf(dims)))
        throw new PhospheneError('shape', `it would give [${dims.join(', ')}]`);
    }
    if (inferred.length < outputs)
      throw new PhospheneError('unsupported-op', `it has ${outputs} outputs, ${inferred.length} can be computed`);
    return inferred;
  });
}

/**
 * The value of an operator whose inputs are all known or absent and that {@link infer} let pass, or undefined if it must wait for
 * the runtime. What it allocates is counted.
 */
export function fold(
  op: string,
  node: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: Attributes,
  out: Inferred,
  budget: Budget,
): Tensor | undefined {
  return about(op, node, () => {
    const record = recordOf(op);
    const count = sizeOf(out.dims);
    const half = out.dtype === 'float16' || inputs.some((x) => x?.dtype === 'float16');
    if (!record.fold || count > MOST_ELEMENTS || half) return undefined;
    if (record.view !== true) budget.take(count * arrayTypes[out.dtype].BYTES_PER_ELEMENT);
    return record.fold({ inputs, attributes: checked(record.attributes, attributes), out });
  });
}

/**
 * Adds a node of a file whose operator set is `opset`, spelled as our operator set spells it, and returns its outputs: what older
 * sets had as attributes are inputs now. Throws as {@link infer}.
 *
 * @example
 * const [y] = upgraded(b, node, 9, node.inputs.map((name) => values.get(name)));
 */
export function upgraded(b: Builder, node: Node, opset: number, inputs: readonly (Value | undefined)[]): Value[] {
  const { op, attributes } = node;
  const name = node.outputs[0]!;
  const outputs = Math.max(1, node.outputs.findLastIndex((o) => o !== '') + 1);
  const as = (values: readonly (Value | undefined)[], others: Attributes): Value[] =>
    b.op(op, values, others, { name, outputs });
  const stated = <T>(attribute: string, fits: (value: unknown) => value is T, wanted: string): T | undefined => {
    const value = attributes[attribute];
    if (value === undefined || fits(value)) return value;
    throw new PhospheneError('bad-file', `attribute \`${attribute}\` must be ${wanted}`);
  };
  return about(op, name, () => {
    const foreigner = Object.hasOwn(foreigners, op) ? foreigners[op] : undefined;
    if (foreigner && opset >= (foreigner.since ?? 1)) {
      checkInputs(foreigner, inputs);
      return foreigner.upgrade({ b, inputs, attributes: checked(foreigner.attributes, attributes), name });
    }
    const other = recordOf(op).upgrade?.({
      b,
      inputs,
      attributes,
      opset,
      name,
      outputs,
      as,
      without: (...names) => Object.fromEntries(Object.entries(attributes).filter(([key]) => !names.includes(key))),
      ints(key) {
        const list = stated(key, isIntegers, 'whole numbers');
        return list && b.ints(list);
      },
      number(key) {
        const value = stated(key, (v) => typeof v === 'number', 'a number');
        return value === undefined ? undefined : b.float(value);
      },
    });
    return other ?? as(inputs, attributes);
  });
}

function isIntegers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(Number.isInteger);
}

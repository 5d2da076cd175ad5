/**
 * @file The Builder: the one language in which models, objectives, parameterisations, transforms and gradient rules are written.
 * Each call adds one ONNX operator, infers its shape, and computes it at once if everything is known.
 */
import { PhospheneError } from '../errors.ts';
import { Budget } from './budget.ts';
import { type Attributes, type Graph, type Node, prune, type ValueInfo } from './graph.ts';
import { fold, infer } from './infer.ts';
import type { Inferred } from './ops/operator.ts';
import { shapeOf } from './shape.ts';
import {
  bounded,
  type Constant,
  type Dims,
  type DType,
  float32,
  int64,
  isLazy,
  sameDims,
  sizeOf,
  type Tensor,
} from './tensor.ts';

/** A value in a graph being built. `constant` holds it if it is known; a lazy constant is known by its dtype and dims only. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: Dims;
  readonly constant?: Tensor | undefined;
}

/** Attributes of Conv and pooling; defaults as in ONNX. Pads are [top, left, bottom, right]. */
export interface WindowAttributes {
  readonly strides?: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
}

/** What a number stands for in an arithmetic method: a scalar constant of the other operand's dtype. */
export type Scalar = Value | number;

/** Constants of no more elements are compared by content; larger ones are weights, of which no two are alike. */
const SMALL = 64;

/**
 * A graph under construction.
 *
 * @example
 * const b = new Builder();
 * const x = b.input('x', 'float32', [1, 3, 8, 8]);
 * const graph = b.graph({ y: b.relu(b.conv(x, b.constant(weights))) });
 */
export class Builder {
  readonly #inputs: ValueInfo[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Constant>();
  readonly #values = new Map<string, Value>();
  /** Value numbering: the same operator on the same inputs is the same value. */
  readonly #known = new Map<string, Value[]>();
  readonly #reserved: ReadonlySet<string>;
  /** Names in a graph that is being inlined: none is made up that will be wanted. */
  #coming: ReadonlySet<string> = new Set();
  #counter = 0;

  /** What this builder, and the rules that write in it, may compute. */
  readonly budget: Budget;

  /** No value gets a name of `reserved`, so that they are free for inputs and outputs of the graph, whatever was inlined. */
  constructor(reserved: readonly string[] = [], budget: Budget = new Budget()) {
    this.#reserved = new Set(reserved);
    this.budget = budget;
  }

  /** The nodes so far, in order: what differentiation walks. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The value of that name. Throws if there is none: a programmer's error. */
  value(name: string): Value {
    const value = this.#values.get(name);
    if (!value) throw new Error(`internal: no value \`${name}\` in this builder`);
    return value;
  }

  /** What a constant holds, read or not; undefined if the value is computed. */
  stored(value: Value): Constant | undefined {
    return this.#constants.get(value.name);
  }

  input(name: string, dtype: DType, dims: Dims): Value {
    // Reserved names are for whoever asks for them by name.
    const free = name !== '' && !this.#values.has(name);
    const value = this.#register({ name: free ? name : this.#unique(name), dtype, dims });
    this.#inputs.push(value);
    return value;
  }

  /** A constant; small ones of the same content are one. Nothing is computed of a lazy one before it is read. */
  constant(t: Constant, name?: string): Value {
    if (isLazy(t)) {
      const { dtype, dims } = t;
      const value = this.#register({ name: this.#unique(name ?? 'constant'), dtype, dims });
      this.#constants.set(value.name, t);
      return value;
    }
    const key =
      t.data.length <= SMALL && name === undefined
        ? `${t.dtype}[${t.dims.join()}]${Array.from(t.data as ArrayLike<number | bigint>, exactly).join()}`
        : undefined;
    const seen = key === undefined ? undefined : this.#known.get(key);
    if (seen) return seen[0]!;
    const value = this.#register({ name: this.#unique(name ?? 'constant'), dtype: t.dtype, dims: t.dims, constant: t });
    this.#constants.set(value.name, t);
    if (key !== undefined) this.#known.set(key, [value]);
    return value;
  }

  /** A float32 scalar or vector. */
  float(values: number | readonly number[], dims?: Dims): Value {
    return this.constant(float32(values, dims));
  }

  /** An int64 vector: shapes, axes, indices. */
  ints(values: readonly number[]): Value {
    return this.constant(int64(values));
  }

  /**
   * Adds a node, and is what all other methods call. With a `name`, the node and its (first) output get that name and no earlier
   * equal node stands in for it. With `folded: false` an engine computes it once, when it compiles the graph, also if all is known: what
   * is made of a large weight would be as large. Throws `unsupported-op` or `shape`.
   */
  op(
    op: string,
    operands: readonly (Value | undefined)[],
    attributes: Attributes = {},
    options: { name?: string; outputs?: number; folded?: boolean } = {},
  ): Value[] {
    const { name, outputs = 1, folded: wanted = true } = options;
    // ONNX Runtime does not take every absent input that is written out for one that is left off.
    const inputs = operands.slice(0, operands.findLastIndex((i) => i !== undefined) + 1);
    const inferred = infer(op, name ?? '', inputs, attributes, outputs);
    this.budget.check();
    // Only what inference alone decides, or all inputs known, can be computed now.
    const folded = outputs === 1 && wanted ? this.#folded(op, name ?? '', inputs, attributes, inferred[0]!) : undefined;
    if (folded) return [this.constant(folded, name)];
    const key = `${op}(${inputs.map((i) => i?.name ?? '').join()})${outputs}${JSON.stringify(attributes, exactAttribute)}`;
    const seen = name === undefined ? this.#known.get(key) : undefined;
    if (seen) return seen;
    const base = this.#unique(name ?? op.toLowerCase());
    const values = inferred.map(({ dtype, dims }, i) =>
      this.#register({ name: i === 0 ? base : this.#unique(`${base}:${i}`), dtype, dims }),
    );
    this.#nodes.push({
      op,
      name: base,
      inputs: inputs.map((i) => i?.name ?? ''),
      outputs: values.map((v) => v.name),
      attributes,
    });
    if (name === undefined) this.#known.set(key, values);
    return values;
  }

  /** {@link op} for operators with one output. */
  one(op: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}, name?: string): Value {
    return this.op(op, inputs, attributes, name === undefined ? {} : { name })[0]!;
  }

  /**
   * Adds a whole graph, its inputs replaced by the given values, and returns its values by name. Shapes are inferred anew and
   * what has become known is folded. `rewrite` may spell a node's output otherwise.
   */
  inline(
    graph: Graph,
    inputs: Readonly<Record<string, Value>>,
    rewrite?: (node: Node, inputs: readonly (Value | undefined)[]) => Value | undefined,
  ): Map<string, Value> {
    const values = new Map<string, Value>();
    const before = this.#coming;
    this.#coming = new Set(graph.nodes.flatMap((node) => node.outputs));
    for (const { name } of graph.inputs) {
      const value = inputs[name];
      if (!value) throw new Error(`internal: inline needs the input \`${name}\``);
      values.set(name, value);
    }
    for (const [name, t] of graph.constants)
      values.set(name, this.constant(t, isLazy(t) || t.data.length > SMALL ? name : undefined));
    for (const node of graph.nodes) {
      const operands = node.inputs.map((i) => (i === '' ? undefined : values.get(i)!));
      const other = rewrite?.(node, operands);
      const out = other
        ? [other]
        : this.op(node.op, operands, node.attributes, { name: node.name, outputs: node.outputs.length });
      node.outputs.forEach((o, i) => values.set(o, out[i]!));
    }
    this.#coming = before;
    return values;
  }

  /** The finished graph, with only what the outputs need; each gets its key as its name, or in a list keeps its own. */
  graph(outputs: Readonly<Record<string, Value>> | readonly Value[]): Graph {
    const named = isList(outputs)
      ? outputs
      : Object.entries(outputs).map(([name, value]) => (value.name === name ? value : this.#identity(value, name)));
    const info = ({ name, dtype, dims }: Value): ValueInfo => ({ name, dtype, dims });
    return prune({ inputs: this.#inputs, outputs: named.map(info), nodes: this.#nodes, constants: this.#constants });
  }

  // Arithmetic, with numbers as scalars.
  add(a: Scalar, b: Scalar): Value {
    return this.#binary('Add', a, b);
  }
  sub(a: Scalar, b: Scalar): Value {
    return this.#binary('Sub', a, b);
  }
  mul(a: Scalar, b: Scalar): Value {
    return this.#binary('Mul', a, b);
  }
  div(a: Scalar, b: Scalar): Value {
    return this.#binary('Div', a, b);
  }
  pow(a: Scalar, b: Scalar): Value {
    return this.#binary('Pow', a, b);
  }
  max(a: Scalar, b: Scalar): Value {
    return this.#binary('Max', a, b);
  }
  min(a: Scalar, b: Scalar): Value {
    return this.#binary('Min', a, b);
  }
  neg(x: Value): Value {
    return this.one('Neg', [x]);
  }
  exp(x: Value): Value {
    return this.one('Exp', [x]);
  }
  sqrt(x: Value): Value {
    return this.one('Sqrt', [x]);
  }
  relu(x: Value, name?: string): Value {
    return this.one('Relu', [x], {}, name);
  }
  sigmoid(x: Value): Value {
    return this.one('Sigmoid', [x]);
  }
  tanh(x: Value): Value {
    return this.one('Tanh', [x]);
  }
  where(condition: Value, a: Value, b: Value): Value {
    return this.one('Where', [condition, a, b]);
  }
  greater(a: Scalar, b: Scalar): Value {
    return this.#binary('Greater', a, b);
  }
  less(a: Scalar, b: Scalar): Value {
    return this.#binary('Less', a, b);
  }
  equal(a: Scalar, b: Scalar): Value {
    return this.#binary('Equal', a, b);
  }
  cast(x: Value, to: DType): Value {
    return x.dtype === to ? x : this.one('Cast', [x], { to });
  }

  // Bilinear maps. Weights are [out, in/group, kh, kw] for conv and [in, out/group, kh, kw] for convTranspose.
  conv(x: Value, w: Value, bias?: Value, attributes: WindowAttributes = {}, name?: string): Value {
    return this.one('Conv', bias ? [x, w, bias] : [x, w], { kernel_shape: w.dims.slice(2), ...attributes }, name);
  }
  convTranspose(
    x: Value,
    w: Value,
    attributes: WindowAttributes & { readonly output_padding?: readonly number[] } = {},
  ): Value {
    return this.one('ConvTranspose', [x, w], { kernel_shape: w.dims.slice(2), ...attributes });
  }
  matmul(a: Value, b: Value): Value {
    return this.one('MatMul', [a, b]);
  }

  // Reductions keep their axes unless told otherwise; no axes means all.
  sum(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.#reduce('ReduceSum', x, axes, keepdims);
  }
  mean(x: Value, axes?: readonly number[], keepdims = true): Value {
    return this.#reduce('ReduceMean', x, axes, keepdims);
  }

  // Movement.
  reshape(x: Value, dims: Dims): Value {
    return sameDims(x.dims, dims) ? x : this.one('Reshape', [x, this.ints(dims)]);
  }
  transpose(x: Value, perm: readonly number[]): Value {
    return perm.every((p, i) => p === i) ? x : this.one('Transpose', [x], { perm });
  }
  expand(x: Value, dims: Dims): Value {
    return sameDims(x.dims, dims) ? x : this.one('Expand', [x, this.ints(dims)]);
  }
  concat(values: readonly Value[], axis: number): Value {
    return values.length === 1 ? values[0]! : this.one('Concat', values, { axis });
  }
  /** Pads with `value`, an infinite one as {@link bounded}; `pads` is [begin…, end…] over all axes; negative pads crop. */
  pad(x: Value, pads: readonly number[], value = 0, name?: string): Value {
    if (name === undefined && pads.every((p) => p === 0)) return x;
    return this.one(
      'Pad',
      value === 0 ? [x, this.ints(pads)] : [x, this.ints(pads), this.float(bounded(value))],
      { mode: 'constant' },
      name,
    );
  }
  slice(
    x: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ): Value {
    return this.one('Slice', [
      x,
      this.ints(starts),
      this.ints(ends),
      this.ints(axes),
      ...(steps ? [this.ints(steps)] : []),
    ]);
  }
  gather(x: Value, indices: Value, axis: number): Value {
    return this.one('Gather', [x, indices], { axis });
  }

  #folded(
    op: string,
    name: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    out: Inferred,
  ): Tensor | undefined {
    if (op === 'Size') return int64(sizeOf(inputs[0]!.dims));
    if (op === 'Shape') {
      const { start = 0, end } = attributes as { readonly start?: number; readonly end?: number };
      return int64(shapeOf(inputs[0]!.dims, { start, end }));
    }
    if (!inputs.every((i) => !i || i.constant)) return undefined;
    return fold(
      op,
      name,
      inputs.map((i) => i?.constant),
      attributes,
      out,
      this.budget,
    );
  }

  #binary(op: string, a: Scalar, b: Scalar): Value {
    if (typeof a === 'number' && typeof b === 'number') throw new Error(`internal: ${op} of two plain numbers`);
    const dtype = (typeof a === 'number' ? (b as Value) : a).dtype;
    const value = (v: Scalar): Value =>
      typeof v !== 'number' ? v : dtype === 'int64' ? this.constant(int64(v)) : this.cast(this.float(v), dtype);
    return this.one(op, [value(a), value(b)]);
  }

  #reduce(op: string, x: Value, axes: readonly number[] | undefined, keepdims: boolean): Value {
    // ONNX takes an empty list of axes for all of them.
    if (axes?.length === 0) return x;
    return this.one(op, axes ? [x, this.ints(axes)] : [x], { keepdims: keepdims ? 1 : 0 });
  }

  #identity(value: Value, name: string): Value {
    if (this.#values.has(name))
      throw new PhospheneError('bad-option', `output \`${name}\`: another value has this name`);
    this.#values.set(name, { ...value, name });
    this.#nodes.push({ op: 'Identity', name, inputs: [value.name], outputs: [name], attributes: {} });
    return this.#values.get(name)!;
  }

  #register(value: Value): Value {
    this.#values.set(value.name, value);
    return value;
  }

  #unique(name: string): string {
    let unique = name;
    const isTaken = (wanted: string): boolean =>
      wanted === '' ||
      this.#values.has(wanted) ||
      this.#reserved.has(wanted) ||
      (wanted !== name && this.#coming.has(wanted));
    while (isTaken(unique)) unique = `${name}_${this.#counter++}`;
    return unique;
  }
}

/** A number as text that tells -0 from 0: 1 / x does too. */
function exactly(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** `Array.isArray`, which does not know of lists that are read-only. */
function isList<T>(values: Readonly<Record<string, T>> | readonly T[]): values is readonly T[] {
  return Array.isArray(values);
}

/** Attributes as JSON that tells apart what differs: plain JSON writes NaN and the infinities as null, and -0 as 0. */
function exactAttribute(_: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, exactly);
  return typeof value === 'number' ? exactly(value) : value;
}

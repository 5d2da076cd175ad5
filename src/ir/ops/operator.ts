/** @file What is known of an operator, in one record: its inputs, its attributes, its shape, its value, its older spellings. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../builder.ts';
import type { Attribute, Attributes } from '../graph.ts';
import { type Dims, type DType, isDType, type Tensor } from '../tensor.ts';

/** What inference sees of an input; `constant` is there if the value is known while building. */
export interface InputInfo {
  readonly dtype: DType;
  readonly dims: Dims;
  readonly constant?: Tensor | undefined;
}
export interface Inferred<T extends DType = DType> {
  readonly dtype: T;
  readonly dims: Dims;
}
/** An absent optional input is undefined. */
export type Inputs = readonly (InputInfo | undefined)[];

/** An attribute: how ONNX stores it, what it is if absent, and which values it may have. */
export interface Declaration<T = unknown> {
  readonly kind: 'INT' | 'FLOAT' | 'STRING' | 'INTS' | 'FLOATS' | 'TENSOR' | 'DTYPE';
  readonly fallback: T;
  /** Whether a node must state it. */
  readonly needed?: boolean;
  /** What values are right, in words that follow "must be". */
  readonly wanted: string;
  readonly fits: (value: Attribute) => boolean;
}
export type Declarations = Readonly<Record<string, Declaration>>;
/** The attributes of a node as its operator declares them, defaults filled in. */
export type AttributesOf<D extends Declarations> = {
  readonly [K in keyof D]: D[K] extends Declaration<infer T> ? T : never;
};

interface Range {
  readonly least?: number;
  readonly most?: number;
}
/** Beyond it no axis, count or amount is: sums and products of some stay exact. "To the end" comes as an input, never so. */
const LARGEST = 2 ** 31 - 1;
const whole = (value: unknown, { least = -LARGEST, most = LARGEST }: Range): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const numeric = (value: unknown): boolean => typeof value === 'number';
const isList = (value: Attribute): value is readonly number[] => Array.isArray(value);
const range = ({ least, most }: Range): string =>
  least === undefined ? '' : most === undefined ? ` of at least ${least}` : ` from ${least} to ${most}`;

/** A whole number. Without `fallback` it may be absent. */
export function int(fallback: number, limits?: Range): Declaration<number>;
export function int(fallback?: undefined, limits?: Range): Declaration<number | undefined>;
export function int(fallback?: number, limits: Range = {}): Declaration<number | undefined> {
  return { kind: 'INT', fallback, wanted: `a whole number${range(limits)}`, fits: (v) => whole(v, limits) };
}

/** A whole number that every node must state. */
export function statedInt(limits: Range = {}): Declaration<number> {
  return { ...int(0, limits), needed: true };
}

/** 0 or 1. */
export function flag(fallback: 0 | 1 = 0): Declaration<number> {
  return int(fallback, { least: 0, most: 1 });
}

/** A number. ONNX holds it as float32. */
export function float(fallback: number): Declaration<number> {
  return { kind: 'FLOAT', fallback, wanted: 'a number', fits: numeric };
}

/** One of some words. */
export function word<T extends string>(fallback: T, others: readonly T[]): Declaration<T> {
  const words: readonly string[] = [fallback, ...others];
  return {
    kind: 'STRING',
    fallback,
    wanted: words.map((w) => `\`${w}\``).join(' or '),
    fits: (v) => typeof v === 'string' && words.includes(v),
  };
}

/** Any text, which every node must state. */
export function text(): Declaration<string> {
  return { kind: 'STRING', fallback: '', needed: true, wanted: 'text', fits: (v) => typeof v === 'string' };
}

/** Whole numbers. */
export function ints(limits: Range = {}): Declaration<readonly number[] | undefined> {
  return {
    kind: 'INTS',
    fallback: undefined,
    wanted: `whole numbers${range(limits)}`,
    fits: (v) => isList(v) && v.every((n) => whole(n, limits)),
  };
}

/** Whole numbers that every node must state. */
export function statedInts(limits: Range = {}): Declaration<readonly number[]> {
  const { kind, wanted, fits } = ints(limits);
  return { kind, wanted, fits, fallback: [], needed: true };
}

/** Numbers. ONNX holds them as float32. */
export function floats(): Declaration<readonly number[] | undefined> {
  return { kind: 'FLOATS', fallback: undefined, wanted: 'numbers', fits: (v) => isList(v) && v.every(numeric) };
}

export function tensorAttribute(): Declaration<Tensor | undefined> {
  return {
    kind: 'TENSOR',
    fallback: undefined,
    wanted: 'a tensor of one element',
    fits: (v) => typeof v === 'object' && 'dtype' in v && v.data.length === 1,
  };
}

/** An element type that every node must state. */
export function elementType(): Declaration<DType> {
  return {
    kind: 'DTYPE',
    fallback: 'float32',
    needed: true,
    wanted: 'an element type',
    fits: (v) => typeof v === 'string' && isDType(v),
  };
}

/** What inference is asked. */
export interface Call<A = Readonly<Record<string, unknown>>> {
  readonly inputs: Inputs;
  readonly attributes: A;
  /** How many outputs the node has. */
  readonly outputs: number;
}

/** What folding is asked: as {@link Call}, with all inputs known or absent. */
export interface FoldCall<A = Readonly<Record<string, unknown>>> {
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: A;
  readonly out: Inferred;
}

/** A node of a file of an older operator set, or of one that spells more than we do. */
export interface UpgradeCall {
  readonly b: Builder;
  readonly inputs: readonly (Value | undefined)[];
  /** As the file has them. */
  readonly attributes: Attributes;
  readonly opset: number;
  readonly name: string;
  readonly outputs: number;
  /** Adds the node itself, with other inputs or attributes. */
  readonly as: (inputs: readonly (Value | undefined)[], attributes: Attributes) => Value[];
  /** The attributes without some. */
  readonly without: (...names: readonly string[]) => Attributes;
  /** An attribute as an input: whole numbers … */
  readonly ints: (name: string) => Value | undefined;
  /** … or one number. */
  readonly number: (name: string) => Value | undefined;
}

/**
 * The type of an input: `T` is the same for all such inputs of a node; `index` is int32 or int64. One that ends in `?` may be
 * absent, one that ends in `*` is the last and may come any number of times, but once at least.
 */
export type InputType = 'T' | 'float' | 'number' | 'bool' | 'int64' | 'index' | 'any';
export type InputKind = InputType | `${InputType}?` | `${InputType}*`;

/** All that the language knows of an operator. Its gradient is in `src/grad`. */
export interface Operator<D extends Declarations = Declarations> {
  readonly inputs: readonly InputKind[];
  /** Which types `T` can be; float types unless it is said. */
  readonly of?: 'float' | 'number' | 'bool' | 'any';
  readonly attributes: D;
  /** No gradient flows through it: its output moves in jumps. */
  readonly jumps?: boolean;
  /** What `fold` gives shares the first input's data. */
  readonly view?: boolean;
  /** What of it is refused, or has no gradient, in words for the table of operators. */
  readonly limits?: string;
  /** Dtype and dims of each output. Throws `shape` if the inputs do not fit; the operator and the node are added by the caller. */
  infer(call: Call<AttributesOf<D>>): readonly Inferred[];
  /** Its value, for shape arithmetic and weights; undefined if it must wait for the runtime. Throws as `infer` does. */
  fold?(call: FoldCall<AttributesOf<D>>): Tensor | undefined;
  /** The values of a node that our operator set spells otherwise; undefined if the file's spelling is ours. */
  upgrade?(call: UpgradeCall): Value[] | undefined;
}

/** Gives a record its types. */
export function operator<const D extends Declarations>(record: Operator<D>): Operator<D> {
  return record;
}

/** What a node of a {@link Foreign} operator is: its inputs and attributes are checked. */
export interface ForeignCall<A = Readonly<Record<string, unknown>>> {
  readonly b: Builder;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: A;
  readonly name: string;
}

/** An operator that files have and graphs of ours have not: others spell it. */
export interface Foreign<D extends Declarations = Declarations> extends Pick<
  Operator<D>,
  'inputs' | 'of' | 'attributes'
> {
  /** The operator set that brought it. */
  readonly since?: number;
  /** What of it is refused, in words for the table of operators. */
  readonly limits?: string;
  /** Its values; the node that gives the first has the name. */
  upgrade(call: ForeignCall<AttributesOf<D>>): Value[];
}

/** Gives a record its types. */
export function foreign<const D extends Declarations>(record: Foreign<D>): Foreign<D> {
  return record;
}

/** One record for several operators. */
export function each<const K extends string, R>(names: readonly K[], record: R): Readonly<Record<K, R>> {
  return Object.fromEntries(names.map((name) => [name, record])) as Record<K, R>;
}

/**
 * The attributes of a node, checked against what its operator declares, defaults filled in: the one place where attributes that
 * come from strangers are looked at. Throws `bad-file` or `unsupported-op`; the operator and the node are added by the caller.
 */
export function checked<D extends Declarations>(declared: D, given: Attributes): AttributesOf<D> {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declared, name))
      throw new PhospheneError(
        'unsupported-op',
        `attribute \`${name}\` is not known; export the file again without it`,
      );
  }
  const entries = Object.entries(declared).map(([name, { fallback, needed, wanted, fits }]) => {
    const value = given[name];
    if (value === undefined) {
      if (needed) throw new PhospheneError('bad-file', `attribute \`${name}\` is missing; it must be ${wanted}`);
      return [name, fallback];
    }
    if (!fits(value))
      throw new PhospheneError('bad-file', `attribute \`${name}\` must be ${wanted}, not ${written(value)}`);
    return [name, value];
  });
  return Object.fromEntries(entries) as AttributesOf<D>;
}

/** Checks the number and the types of a node's inputs. Throws `shape`; the operator and the node are added by the caller. */
export function checkInputs({ inputs: kinds, of = 'float' }: Pick<Operator, 'inputs' | 'of'>, inputs: Inputs): void {
  const many = kinds.at(-1)!.endsWith('*');
  const least = kinds.filter((kind) => !kind.endsWith('?')).length;
  if (inputs.length > kinds.length && !many)
    throw new PhospheneError('shape', `it has ${inputs.length} inputs, ${kinds.length} at most are known`);
  const kindOf = (i: number): InputKind => kinds[Math.min(i, kinds.length - 1)]!;
  const missing = Array.from({ length: Math.max(inputs.length, least) }, (_, i) => i).find(
    (i) => !inputs[i] && !kindOf(i).endsWith('?'),
  );
  if (missing !== undefined) throw new PhospheneError('shape', `input ${missing} of ${least} is missing`);
  let common: DType | undefined;
  inputs.forEach((input, i) => {
    if (!input) return;
    const type = kindOf(i).replace(/[?*]$/, '') as InputType;
    if (type === 'T' && (common ??= input.dtype) !== input.dtype)
      throw new PhospheneError(
        'shape',
        `inputs of ${common} and ${input.dtype}; one type is needed, and pictures are float32`,
      );
    const wanted = type === 'T' ? of : type;
    if (!isOf(input.dtype, wanted))
      throw new PhospheneError('shape', `input ${i} is ${input.dtype}; ${typeWords[wanted]} is needed`);
  });
}

const typeWords: Readonly<Record<Exclude<InputType, 'T'>, string>> = {
  float: 'a float type',
  number: 'a type of numbers',
  bool: 'bool',
  int64: 'int64',
  index: 'int32 or int64',
  any: 'any type',
};

function isOf(dtype: DType, type: Exclude<InputType, 'T'>): boolean {
  switch (type) {
    case 'float':
      return dtype.startsWith('float');
    case 'number':
      return dtype !== 'bool';
    case 'index':
      return dtype === 'int32' || dtype === 'int64';
    case 'any':
      return true;
    default:
      return dtype === type;
  }
}

/** A value for a message, cut if it is long. */
function written(value: Attribute): string {
  if (typeof value === 'object' && 'dtype' in value) return `a tensor [${value.dims.join(', ')}]`;
  const text =
    typeof value === 'string' ? `\`${value}\`` : typeof value === 'number' ? `${value}` : `[${value.join(', ')}]`;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

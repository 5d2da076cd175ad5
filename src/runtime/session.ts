/** @file Programs and runs on a session of ONNX Runtime, the same in Node and in browsers, on the CPU and on a GPU: engines differ in where they leave results. */
import { PhospheneError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { type Packed, PACKED_WEIGHTS, packOnnx } from '../ir/onnx.ts';
import { arrayTypes, type DType, sameDims, sizeOf, type Tensor, type Tensors } from '../ir/tensor.ts';
import { NEXT, type Program, type Run } from './index.ts';

/** A tensor as ONNX Runtime has it. */
export interface EngineTensor {
  readonly type: string;
  readonly dims: readonly number[];
  /** Throws if the tensor is not in the memory of the CPU. */
  readonly data: unknown;
  /** Where it is, `cpu` or for example `gpu-buffer`. */
  readonly location: string;
  /** A copy for the CPU, wherever it is. */
  getData(): Promise<unknown>;
  /** Frees memory of a device. */
  dispose(): void;
}

/** The part of ONNX Runtime's session that programs use. */
export interface Session<T extends EngineTensor> {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Results of which the fetch is a tensor are written into it; null makes a new one. */
  run(feeds: Record<string, T>, fetches: Record<string, T | null>): Promise<Readonly<Record<string, T>>>;
  release(): Promise<void>;
}

/** What differs from engine to engine. */
export interface Engine<T extends EngineTensor> {
  /** A tensor over the same memory. */
  readonly wrap: (t: Tensor) => T;
  /** Whether the engine writes results into memory that it is given. */
  readonly writesInto: boolean;
}

/**
 * A program on a session.
 *
 * @example
 * programOf({ wrap: (t) => new ort.Tensor(t.dtype, t.data, t.dims), writesInto: true }, session);
 */
export function programOf<T extends EngineTensor>({ wrap, writesInto }: Engine<T>, session: Session<T>): Program {
  const { inputNames, outputNames } = session;
  const results = outputNames.filter((name) => !name.startsWith(NEXT));
  const carried = outputNames.filter((name) => name.startsWith(NEXT)).map((name) => name.slice(NEXT.length));
  const evaluate = (feeds: Record<string, T>, fetches: Record<string, T | null>) =>
    explaining('failed', () => session.run(feeds, fetches));
  // Memory of runs that are over, for the next: garbage is collected late, and by then sixty runs have left a hundred megabytes.
  const idle = new Map<string, OwnSlot[]>();
  const slotFor = (name: string, state: Tensor): OwnSlot => {
    const left = idle.get(name)?.pop();
    return left && sameDims(left.tensor.dims, state.dims) ? left : slot(emptyLike(state));
  };
  const wrapped = (feeds: Tensors): Record<string, T> =>
    Object.fromEntries(inputNames.flatMap((name) => (feeds[name] ? [[name, wrap(feeds[name])]] : [])));

  return {
    async run(feeds) {
      const all = await evaluate(wrapped(feeds), Object.fromEntries(outputNames.map((name) => [name, null])));
      return everyOne(outputNames, all);
    },

    async open(states) {
      for (const name of carried)
        if (!states[name]) throw new PhospheneError('runtime', `the run needs the state \`${name}\``, { state: name });
      const now = new Map<string, Slot>(
        Object.entries(states).map(([name, t]) => {
          const own = slotFor(name, t);
          own.tensor.data.set(t.data as never);
          return [name, own];
        }),
      );
      // Two buffers in turn: what the engine allocates for a result comes back to it only when garbage is collected, and fresh
      // memory costs a step a twentieth of its time.
      const spare = new Map<string, Slot>(
        writesInto ? carried.map((name) => [name, slotFor(name, states[name]!)]) : [],
      );
      return {
        async step(feeds) {
          const inputs = wrapped(feeds);
          for (const [name, { engine }] of now) if (inputNames.includes(name)) inputs[name] = engine;
          const fetches: Record<string, T | null> = {};
          for (const name of results) fetches[name] = null;
          for (const name of carried) fetches[NEXT + name] = spare.get(name)?.engine ?? null;
          const all = await evaluate(inputs, fetches);
          for (const name of carried) {
            const made = all[NEXT + name]!;
            const next = spare.get(name) ?? (onDevice(made) ? { engine: made } : slot(tensorOf(made)));
            const last = now.get(name)!;
            if (writesInto) spare.set(name, last);
            else if (!isOwn(last)) last.engine.dispose();
            now.set(name, next);
          }
          return everyOne(results, all);
        },
        async read(state) {
          const found = now.get(state);
          if (!found) throw new PhospheneError('runtime', `the run has no state \`${state}\``, { state });
          return found.tensor
            ? copyOf(found.tensor)
            : explaining('cannot read a state', () => downloaded(found.engine));
        },
        async close() {
          // What the engine has allocated itself is its own.
          for (const [name, left] of [...now, ...spare])
            if (!isOwn(left)) left.engine.dispose();
            else if (writesInto) idle.set(name, [...(idle.get(name) ?? []), left]);
          now.clear();
          spare.clear();
        },
      } satisfies Run;
    },

    dispose: () => explaining('cannot free the graph', () => session.release()),
  };

  /** A state: the engine's tensor, and ours over the same memory unless the engine keeps it on a device. */
  type Slot = { readonly tensor?: Tensor; readonly engine: T };
  type OwnSlot = Slot & { readonly tensor: Tensor };

  function slot(tensor: Tensor): OwnSlot {
    return { tensor, engine: wrap(tensor) };
  }

  function isOwn(one: Slot): one is OwnSlot {
    return one.tensor !== undefined;
  }
}

/** What `work` returns; its errors in our words: `ONNX Runtime WHAT: …`. */
export async function explaining<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new PhospheneError('runtime', `ONNX Runtime ${what}: ${message}`, {}, error);
  }
}

/** A model as ONNX Runtime takes it. */
export interface SessionModel {
  readonly bytes: Uint8Array;
  readonly options: SessionOptions;
}

/** The options that every session has, whatever the engine. */
export interface SessionOptions {
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  readonly executionMode: 'sequential';
  readonly graphOptimizationLevel: 'all';
  readonly enableMemPattern: boolean;
  readonly extra: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Networks with more bytes of weights have most of them in matrices behind a Flatten. */
const LARGE = 2 ** 28;

/** The model of a session. It is in memory that is not shared, which ONNX Runtime refuses; weights beside it may be. */
export async function sessionModel(model: Graph | Packed | Uint8Array): Promise<SessionModel> {
  if (model instanceof Uint8Array) return { bytes: unshared(model), options: optionsOf() };
  const { model: bytes, weights } = 'weights' in model ? model : await packOnnx(model);
  const externalData = [{ path: PACKED_WEIGHTS, data: weights }];
  return {
    bytes: unshared(bytes),
    options: {
      // ONNX Runtime would hold each matrix a second time, packed for products of many rows: half a gigabyte for VGG16, whose matrices
      // are multiplied by one row.
      ...optionsOf(weights.length > LARGE ? { disable_prepacking: '1' } : {}),
      ...(weights.length > 0 ? { externalData } : {}),
    },
  };
}

function optionsOf(entries: Readonly<Record<string, string>> = {}): SessionOptions {
  return {
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // It would plan one block for all activations at the first run, and hold it beside what that run had allocated: a quarter
    // more memory, and no faster.
    enableMemPattern: false,
    extra: {
      // Denormal numbers slow convolutions a hundredfold and change no picture.
      session: { set_denormal_as_zero: '1', ...entries },
      // ONNX Runtime folds a Pad of zeros into the MaxPool after it, which pads with -inf: wrong below zero (ResNet V2's pool1_pad).
      optimization: { disable_specified_optimizers: 'Pad_Fusion' },
    },
  };
}

function unshared(bytes: Uint8Array): Uint8Array {
  // A page that is not isolated has no such class.
  return typeof SharedArrayBuffer !== 'undefined' && bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : bytes;
}

function onDevice({ location }: EngineTensor): boolean {
  return location !== 'cpu';
}

/** Results by name, in the memory of the CPU; what was on a device is freed there. */
async function everyOne(
  names: readonly string[],
  all: Readonly<Record<string, EngineTensor>>,
): Promise<Record<string, Tensor>> {
  const found = await explaining('cannot read a result', () =>
    Promise.all(names.map(async (name) => [name, await fetched(all[name]!)] as const)),
  );
  return Object.fromEntries(found);
}

async function fetched(t: EngineTensor): Promise<Tensor> {
  if (!onDevice(t)) return tensorOf(t);
  const tensor = await downloaded(t);
  t.dispose();
  return tensor;
}

async function downloaded(t: EngineTensor): Promise<Tensor> {
  return tensorOf({ type: t.type, dims: t.dims, data: await t.getData() });
}

function tensorOf(t: Pick<EngineTensor, 'type' | 'dims' | 'data'>): Tensor {
  const dtype = t.type as DType;
  if (!(dtype in arrayTypes)) throw new PhospheneError('runtime', `ONNX Runtime returned a tensor of type ${t.type}`);
  return { dtype, dims: t.dims, data: (t.data as Float32Array).subarray(0, sizeOf(t.dims)) };
}

function copyOf(t: Tensor): Tensor {
  return { ...t, data: t.data.slice() };
}

function emptyLike(t: Tensor): Tensor {
  return { ...t, data: new arrayTypes[t.dtype](t.data.length) };
}

/** @file Programs and runs on a session of ONNX Runtime, the same in Node and in browsers, except that only some engines write results into memory that they are given. */
import { PhospheneError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { type Packed, PACKED_WEIGHTS, packOnnx } from '../ir/onnx.ts';
import { arrayTypes, type DType, sameDims, sizeOf, type Tensor, type Tensors } from '../ir/tensor.ts';
import { NEXT, type Program, type Run } from './index.ts';

/** A tensor as ONNX Runtime has it. */
export interface EngineTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** The part of ONNX Runtime's session that programs use. */
export interface Session<T extends EngineTensor> {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Results of which the fetch is a tensor are written into it; null makes a new one. */
  run(feeds: Record<string, T>, fetches: Record<string, T | null>): Promise<Readonly<Record<string, EngineTensor>>>;
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
  const idle = new Map<string, Slot[]>();
  const slotFor = (name: string, state: Tensor): Slot => {
    const left = idle.get(name)?.pop();
    return left && sameDims(left.tensor.dims, state.dims) ? left : slot(emptyLike(state));
  };
  const wrapped = (feeds: Tensors): Record<string, T> =>
    Object.fromEntries(inputNames.flatMap((name) => (feeds[name] ? [[name, wrap(feeds[name])]] : [])));

  return {
    async run(feeds) {
      const all = await evaluate(wrapped(feeds), Object.fromEntries(outputNames.map((name) => [name, null])));
      return Object.fromEntries(outputNames.map((name) => [name, tensorOf(all[name]!)]));
    },

    async open(states) {
      for (const name of carried)
        if (!states[name]) throw new PhospheneError('runtime', `the run needs the state \`${name}\``, { state: name });
      const now = new Map(
        Object.entries(states).map(([name, t]) => {
          const own = slotFor(name, t);
          own.tensor.data.set(t.data as never);
          return [name, own];
        }),
      );
      // Two buffers in turn: what the engine allocates for a result comes back to it only when garbage is collected, and fresh
      // memory costs a step a twentieth of its time.
      const spare = new Map(writesInto ? carried.map((name) => [name, slotFor(name, states[name]!)]) : []);
      return {
        async step(feeds) {
          const inputs = wrapped(feeds);
          for (const [name, { engine }] of now) if (inputNames.includes(name)) inputs[name] = engine;
          const fetches: Record<string, T | null> = {};
          for (const name of results) fetches[name] = null;
          for (const name of carried) fetches[NEXT + name] = spare.get(name)?.engine ?? null;
          const all = await evaluate(inputs, fetches);
          for (const name of carried) {
            const next = spare.get(name) ?? slot(tensorOf(all[NEXT + name]!));
            if (writesInto) spare.set(name, now.get(name)!);
            now.set(name, next);
          }
          return Object.fromEntries(results.map((name) => [name, tensorOf(all[name]!)]));
        },
        async read(state) {
          const found = now.get(state);
          if (!found) throw new PhospheneError('runtime', `the run has no state \`${state}\``, { state });
          return copyOf(found.tensor);
        },
        async close() {
          // What the engine has allocated itself is its own.
          if (writesInto)
            for (const slots of [now, spare])
              for (const [name, left] of slots) idle.set(name, [...(idle.get(name) ?? []), left]);
          now.clear();
          spare.clear();
        },
      } satisfies Run;
    },

    dispose: () => explaining('cannot free the graph', () => session.release()),
  };

  type Slot = { readonly tensor: Tensor; readonly engine: T };

  function slot(tensor: Tensor): Slot {
    return { tensor, engine: wrap(tensor) };
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
  readonly options: { readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[] };
  /** Entries of the session's configuration. */
  readonly session: Readonly<Record<string, string>>;
}

/** Networks with more bytes of weights have most of them in matrices behind a Flatten. */
const LARGE = 2 ** 28;

/** The model of a session. It is in memory that is not shared, which ONNX Runtime refuses; weights beside it may be. */
export async function sessionModel(model: Graph | Packed | Uint8Array): Promise<SessionModel> {
  // Denormal numbers slow convolutions a hundredfold and change no picture.
  const session = { set_denormal_as_zero: '1' };
  if (model instanceof Uint8Array) return { bytes: unshared(model), options: {}, session };
  const packed = 'weights' in model ? model : await packOnnx(model);
  const externalData = [{ path: PACKED_WEIGHTS, data: packed.weights }];
  return {
    bytes: unshared(packed.model),
    options: packed.weights.length > 0 ? { externalData } : {},
    // ONNX Runtime would hold each matrix a second time, packed for products of many rows: half a gigabyte for VGG16, whose matrices
    // are multiplied by one row.
    session: { ...session, ...(packed.weights.length > LARGE ? { disable_prepacking: '1' } : {}) },
  };
}

function unshared(bytes: Uint8Array): Uint8Array {
  // A page that is not isolated has no such class.
  return typeof SharedArrayBuffer !== 'undefined' && bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : bytes;
}

function tensorOf(t: EngineTensor): Tensor {
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

/**
 * @file A GPU that is believed only if it agrees with the CPU. Drivers differ, and the wrong results that were seen came without any error:
 * so the first evaluation of every program runs on both.
 */
import { PhospheneError } from '../errors.ts';
import type { Tensor, Tensors } from '../ir/tensor.ts';
import { NEXT, type CompileOptions, type Program, type Run, type Runtime } from './index.ts';

/**
 * How far apart, in lengths of what the CPU says, two results may be. Rounding makes 1e-6 of a gradient, and more where
 * an optimiser divides it by its own size; a wrong gradient was 0.35 away.
 */
const TOLERANCE = 1e-2;

/** What is known of the GPU: that its first step agreed, or why it is not used. */
export interface Verdict {
  /** `absent`: it could not be loaded. `failed`: it could not compile or compute something. `differs`: its results are others. */
  readonly reason: 'agrees' | 'absent' | 'failed' | 'differs';
  /** As a sentence for people. */
  readonly message: string;
  /** How far apart the results were, if it computed any. */
  readonly apart?: number;
}

/**
 * A runtime that computes on `gpu` as long as it agrees with `cpu`. Both are given graphs in the lowering of the GPU, which every engine
 * computes right. Of each program the first evaluation or step runs on both. If they differ, or if the GPU fails in it, the CPU's is what
 * counts, and this program and all that are compiled later run on the CPU. A GPU that fails later throws `runtime`,
 * since the states of the run are gone with it; what is compiled then runs on the CPU. `told` hears when the GPU is first trusted, and when
 * it is given up.
 *
 * @example
 * const runtime = checkedRuntime(createWebGpuRuntime(), createWebRuntime(), ({ message }) => console.warn(message));
 */
export function checkedRuntime(gpu: Runtime, cpu: Runtime, told: (verdict: Verdict) => void = () => {}): Runtime {
  let [doubted, praised] = [false, false];
  const refuse = (found: Verdict): void => {
    if (!doubted) told(found);
    doubted = true;
  };
  const praise = (apart: number): void => {
    if (!praised) told({ reason: 'agrees', message: 'The GPU is used: its first step agrees with the CPU', apart });
    praised = true;
  };
  const failed = (error: unknown, reason: Verdict['reason'] = 'failed'): void =>
    refuse({ reason, message: `The GPU is not used: ${error instanceof Error ? error.message : String(error)}` });
  /** Whether two results of one evaluation are the same but for rounding. */
  const agree = (before: Tensors, ours: Tensors, theirs: Tensors): boolean => {
    const apart = Math.max(0, ...Object.entries(theirs).map(([name, t]) => distance(ours[name]!, t, before[name])));
    if (apart <= TOLERANCE) {
      praise(apart);
      return true;
    }
    const much = Number.isFinite(apart) ? `by ${apart.toPrecision(2)} of their length` : 'and are no finite numbers';
    refuse({
      reason: 'differs',
      message: `The GPU is not used: the results of its first step differ from the CPU's ${much}`,
      apart,
    });
    return false;
  };

  const compile = async (model: Parameters<Runtime['compile']>[0], options?: CompileOptions): Promise<Program> => {
    if (doubted) return cpu.compile(model, options);
    const sure = await cpu.compile(model, options);
    let fast: Program;
    try {
      fast = await gpu.compile(model, options);
    } catch (error) {
      failed(error);
      return sure;
    }
    /** Undefined before the first evaluation. */
    let trusted: boolean | undefined;
    /** An evaluation on the GPU; once it is trusted its failure is the caller's. */
    const tried = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        failed(error);
        return undefined;
      }
    };
    const watched = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        failed(error);
        throw error;
      }
    };

    const opened = async (states: Tensors): Promise<Run> => {
      if (trusted === true) return watchedRun(await fast.open(states));
      if (trusted === false) return sure.open(states);
      const safe = await sure.open(states);
      const quick = await tried(() => fast.open(states));
      let now: Run | undefined = quick ? undefined : safe;
      if (!quick) trusted = false;
      return {
        async step(feeds) {
          if (now) return now.step(feeds);
          const theirs = await safe.step(feeds);
          const ours = await tried(() => quick!.step(feeds));
          const both = ours && (await tried(() => withStates(quick!, ours, Object.keys(states))));
          const good =
            both !== undefined && agree(nexts(states), both, await withStates(safe, theirs, Object.keys(states)));
          trusted = good;
          now = good ? watchedRun(quick!) : safe;
          await (good ? safe : quick!).close().catch(() => {});
          return good ? ours! : theirs;
        },
        read: (state) => (now ?? safe).read(state),
        close: async () => {
          if (now) return now.close();
          await Promise.all([safe.close(), quick!.close()]);
        },
      };
    };
    const watchedRun = (run: Run): Run => ({ ...run, step: (feeds) => watched(() => run.step(feeds)) });

    return {
      async run(feeds) {
        if (trusted === true) return watched(() => fast.run(feeds));
        const theirs = await sure.run(feeds);
        if (trusted === false) return theirs;
        const ours = await tried(() => fast.run(feeds));
        trusted = ours !== undefined && agree({}, ours, theirs);
        return trusted ? ours! : theirs;
      },
      open: opened,
      async dispose() {
        await Promise.all([sure.dispose(), fast.dispose().catch(() => {})]);
      },
    };
  };

  return {
    get name() {
      return doubted ? cpu.name : gpu.name;
    },
    get version() {
      return gpu.version;
    },
    lowering: gpu.lowering,
    async load() {
      await Promise.all([cpu.load(), gpu.load().catch((error: unknown) => failed(error, 'absent'))]);
    },
    compile,
  };
}

/** What a step returned, and the states that it left. */
async function withStates(run: Run, results: Tensors, states: readonly string[]): Promise<Tensors> {
  const read = await Promise.all(states.map(async (name) => [NEXT + name, await run.read(name)] as const));
  return { ...results, ...Object.fromEntries(read) };
}

function nexts(states: Tensors): Tensors {
  return Object.fromEntries(Object.entries(states).map(([name, t]) => [NEXT + name, t]));
}

/** The length of a − b in lengths of b, both taken from where they began, if they began somewhere. */
function distance(a: Tensor, b: Tensor, from?: Tensor): number {
  if (a.dims.join() !== b.dims.join())
    throw new PhospheneError(
      'runtime',
      `two engines returned results of dims [${a.dims.join()}] and [${b.dims.join()}]`,
    );
  let [apart, long] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    const [x, y, begin] = [Number(a.data[i]), Number(b.data[i]), Number(from?.data[i] ?? 0)];
    // The same infinity twice is no difference.
    if (Object.is(x, y)) apart += 0;
    else apart += (x - y) ** 2;
    if (Number.isFinite(y)) long += (y - begin) ** 2;
  }
  if (apart === 0) return 0;
  return Number.isNaN(apart) ? Infinity : Math.sqrt(apart / long);
}

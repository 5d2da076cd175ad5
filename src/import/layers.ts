/** @file Keras layers as Builder calls, each recorded under its name. Axes are n, c, h, w; kernels come as HWIO. */
import { PhospheneError } from '../errors.ts';
import type { Builder, Value } from '../ir/builder.ts';
import { transpose } from '../ir/fold.ts';
import { float32, sizeOf, type Tensor } from '../ir/tensor.ts';
import type { WeightSource } from './weights.ts';

/** A layer of a model, as users see it. */
export interface Layer {
  readonly name: string;
  /** Keras' class or the ONNX operator. */
  readonly type: string;
  /** [n, c, h, w] or [n, c] of its output. */
  readonly dims: readonly number[];
  /** Trainable and other weights together. */
  readonly parameters: number;
}

/** Thrown inside when the target is built: what comes after it is neither built nor read. */
class Reached extends Error {}

export class LayerBuilder {
  readonly layers: Layer[] = [];
  readonly #b: Builder;
  readonly #weights: WeightSource | undefined;
  readonly #until: string | undefined;
  readonly #automatic = new Map<string, number>();

  /** Without weights, zeros of the right shape stand in: enough to list the layers. */
  constructor(b: Builder, weights: WeightSource | undefined, until?: string) {
    this.#b = b;
    this.#weights = weights;
    this.#until = until;
  }

  /** Runs `build`, which ends at the layer `until` or at its own end. */
  run(build: () => void): void {
    try {
      build();
    } catch (error) {
      if (!(error instanceof Reached)) throw error;
    }
  }

  conv(
    name: string,
    x: Value,
    o: { filters: number; kernel: number; stride?: number; bias?: boolean; same?: boolean },
  ): Value {
    const dims = [o.kernel, o.kernel, x.dims[1]!, o.filters];
    const kernel = this.#weight(name, 'kernel', dims);
    const bias = o.bias ? this.#constant(name, 'bias', [o.filters]) : undefined;
    const side = o.same ? (o.kernel - 1) / 2 : 0;
    const stride = o.stride ?? 1;
    const w = this.#b.constant(
      this.#weights ? transpose(kernel, [3, 2, 0, 1]) : { ...kernel, dims: [dims[3]!, dims[2]!, dims[0]!, dims[1]!] },
      `${name}/kernel`,
    );
    const y = this.#b.conv(x, w, bias, { strides: [stride, stride], pads: [side, side, side, side] }, name);
    return this.#record('Conv2D', y, sizeOf(dims) + (o.bias ? o.filters : 0));
  }

  batchNormalization(name: string, x: Value, epsilon: number): Value {
    const c = x.dims[1]!;
    const inputs = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((weight) =>
      this.#constant(name, weight, [c]),
    );
    return this.#record(
      'BatchNormalization',
      this.#b.one('BatchNormalization', [x, ...inputs], { epsilon }, name),
      4 * c,
    );
  }

  relu(name: string, x: Value): Value {
    return this.#record('Activation', this.#b.relu(x, name));
  }

  add(name: string, x: Value, y: Value): Value {
    return this.#record('Add', this.#b.one('Add', [x, y], {}, name));
  }

  zeroPadding(name: string, x: Value, by: number): Value {
    return this.#record('ZeroPadding2D', this.#b.pad(x, [0, 0, by, by, 0, 0, by, by], 0, name));
  }

  maxPooling(name: string, x: Value, kernel: number, stride: number): Value {
    return this.#record(
      'MaxPooling2D',
      this.#b.one('MaxPool', [x], { kernel_shape: [kernel, kernel], strides: [stride, stride] }, name),
    );
  }

  /** Keras' automatic names: `max_pooling2d`, `max_pooling2d_1`, … */
  autoName(base: string): string {
    const count = this.#automatic.get(base) ?? 0;
    this.#automatic.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  }

  #record(type: string, value: Value, parameters = 0): Value {
    this.layers.push({ name: value.name, type, dims: value.dims, parameters });
    if (value.name === this.#until) throw new Reached();
    return value;
  }

  #constant(layer: string, weight: string, dims: readonly number[]): Value {
    return this.#b.constant(this.#weight(layer, weight, dims), `${layer}/${weight}`);
  }

  #weight(layer: string, weight: string, dims: readonly number[]): Tensor<'float32'> {
    if (!this.#weights) return float32(zeros(sizeOf(dims)), dims);
    const found = this.#weights.read(layer, weight, dims);
    const { source } = this.#weights;
    if (!found) {
      throw new PhospheneError(
        'missing-weights',
        `${source}: it has no \`${weight}\` for layer \`${layer}\`; choose a target before that layer, or a file that has it`,
        { layer, weight, source },
      );
    }
    if (found.dims.length !== dims.length || found.dims.some((d, i) => d !== dims[i])) {
      throw new PhospheneError(
        'bad-weights',
        `${source}: \`${weight}\` of layer \`${layer}\` is [${found.dims.join(', ')}], the layer takes [${dims.join(', ')}]`,
        { layer, weight, source },
      );
    }
    return found;
  }
}

/** What {@link zeros} gives views of. */
let blank = new Float32Array(0);

/** Weights of a topology without weights: views of one array, so that listing a large network allocates nearly nothing. */
function zeros(count: number): Float32Array {
  if (blank.length < count) blank = new Float32Array(count);
  return blank.subarray(0, count);
}

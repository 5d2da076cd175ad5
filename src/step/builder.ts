/** @file The StepBuilder: what parameterisations, transforms, objectives and optimisers are written against. */
import type { Builder, Value } from '../ir/builder.ts';
import type { ValueInfo } from '../ir/graph.ts';
import type { Dims, DType } from '../ir/tensor.ts';
import type { Draw } from './draw.ts';
import { type Feed, NEXT, type State } from './step.ts';

/**
 * A step under construction: the graph's Builder, and what the step is started with and fed. All names are the caller's; equal
 * names are an error of ours.
 *
 * @example
 * const rate = s.value('rate', 'float32', []);          // given once a picture
 * const rows = s.feed('jitter/rows', 'int64', [h], { kind: 'roll', length: h, by: 8 }); // drawn for every step
 * const m = s.state('momentum', z.dims, { kind: 'fill', value: 0 });  // carried from step to step
 * s.next(m, b.add(b.mul(m, 0.9), g));
 */
export class StepBuilder {
  /** For the arithmetic itself. */
  readonly b: Builder;
  readonly states: State[] = [];
  readonly feeds: Feed[] = [];
  readonly values: ValueInfo[] = [];
  readonly #next = new Map<string, Value>();

  constructor(b: Builder) {
    this.b = b;
  }

  /** A float32 state. {@link next} says what becomes of it. */
  state(name: string, dims: Dims, start: Draw): Value {
    this.states.push({ name, dtype: 'float32', dims, start });
    return this.#input(name, 'float32', dims);
  }

  /** What `state` is in the next step; it must have the same dims. */
  next(state: Value, value: Value): void {
    this.#next.set(state.name, value);
  }

  /** A tensor that is drawn anew for every step. */
  feed(name: string, dtype: DType, dims: Dims, draw: Draw): Value {
    this.feeds.push({ name, dtype, dims, draw });
    return this.#input(name, dtype, dims);
  }

  /** A tensor that is given once a picture. */
  value(name: string, dtype: DType, dims: Dims): Value {
    this.values.push({ name, dtype, dims });
    return this.#input(name, dtype, dims);
  }

  /** The outputs of the step's graph that carry its states on. */
  nexts(): Record<string, Value> {
    return Object.fromEntries(
      this.states.map(({ name }) => {
        const value = this.#next.get(name);
        if (!value) throw new Error(`internal: nothing says what becomes of the state \`${name}\``);
        return [`${NEXT}${name}`, value];
      }),
    );
  }

  #input(name: string, dtype: DType, dims: Dims): Value {
    const value = this.b.input(name, dtype, dims);
    if (value.name !== name) throw new Error(`internal: the name \`${name}\` is taken in this step`);
    return value;
  }
}

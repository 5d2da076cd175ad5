/** @file A step whose feeds are drawn while it is built: for checks of gradients, which see one step only. */
import type { Value } from '../../src/ir/builder.ts';
import type { Dims, DType } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { type Draw, drawn } from '../../src/step/draw.ts';

export class FixedStep extends StepBuilder {
  override feed(name: string, dtype: DType, dims: Dims, draw: Draw): Value {
    return this.b.constant(drawn(draw, dtype, dims, new Random(`fixed/${name}`), 0.5));
  }
}

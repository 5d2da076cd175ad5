/** @file A small network in which an operator without a gradient rule stands between layers. */
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { noise } from '../check.ts';

/** An ONNX file: `first`, `first_relu`, then the ReduceProd `sums`, which can be run but not differentiated, and `last`. */
export function barredFile(): Uint8Array {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, 16, 16]);
  const first = b.relu(b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'first'), 'first_relu');
  return encodeOnnx(b.graph([b.one('Selu', [b.one('ReduceProd', [first, b.ints([0])], {}, 'sums')], {}, 'last')]));
}

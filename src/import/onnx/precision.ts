/**
 * @file One precision for all: a network in half or double precision is computed in single precision. ONNX Runtime has few kernels
 * for halves on a CPU, gradients in halves are mostly rounding, and nobody sees the digits that doubles add.
 */
import type { Attributes, Node } from '../../ir/graph.ts';
import { type DType, float32, type Tensor } from '../../ir/tensor.ts';
import { fromHalf } from '../half.ts';

/** The element type in which values of this type are held. */
export function heldAs(dtype: DType): DType {
  return dtype === 'float16' || dtype === 'float64' ? 'float32' : dtype;
}

/** The same numbers in the type of {@link heldAs}. */
export function held(t: Tensor): Tensor {
  if (t.dtype === 'float16') return float32(Float32Array.from(t.data as Uint16Array, fromHalf), t.dims);
  if (t.dtype === 'float64') return float32(Float32Array.from(t.data as Float64Array), t.dims);
  return t;
}

/** A node whose attributes know no other precision: the target of a Cast, and tensors. */
export function heldNode(node: Node): Node {
  const attributes: Attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([name, value]) => {
      if (node.op === 'Cast' && name === 'to') return [name, heldAs(value as DType)];
      return [name, typeof value === 'object' && 'dtype' in value ? held(value) : value];
    }),
  );
  return { ...node, attributes };
}

/** @file The language: graphs as plain data, the Builder that writes them, and ONNX bytes in and out. */
export { Budget, type BudgetOptions } from './budget.ts';
export { Builder, type Scalar, type Value, type WindowAttributes } from './builder.ts';
export { type Attribute, type Attributes, type Graph, load, type Node, OPSET, prune, type ValueInfo } from './graph.ts';
export { encodeOnnx, type Packed, packOnnx } from './onnx.ts';
export {
  type Constant,
  type DataArrays,
  type Dims,
  type DType,
  float32,
  int64,
  isLazy,
  type Lazy,
  type Tensor,
  tensor,
  type Tensors,
} from './tensor.ts';

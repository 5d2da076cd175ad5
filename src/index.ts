/** @file The table of contents: what runs anywhere. `phosphene/node` adds files, workers and ONNX Runtime. */
export { PhospheneError, type ErrorCode } from './errors.ts';
export { Random } from './random.ts';

// The language and its calculus.
export { Builder, type Scalar, type Value, type WindowAttributes } from './ir/builder.ts';
export { type Attribute, type Attributes, type Graph, load, type Node, type ValueInfo } from './ir/graph.ts';
export { decodeOnnx, encodeOnnx, graphOf, type OnnxModel } from './ir/onnx.ts';
export { type Constant, float32, int64, isLazy, type DType, type Dims, type Lazy, type Tensor } from './ir/tensor.ts';
export {
  gradient,
  type GradientOptions,
  type Lowering,
  type Rule,
  type RuleContext,
  unbroadcast,
} from './grad/index.ts';
export type { CompileOptions, Program, Runtime } from './runtime/index.ts';

// Models.
export type { Layer } from './import/layers.ts';
export type { Model, Preprocess, Size } from './import/model.ts';
export { fromOnnx, type OnnxOptions } from './import/onnx.ts';

// The ascent.
export { channelMean, type Objective } from './objective/index.ts';
export { ascend, startNoise, type AscendOptions, type Ascent, type Diagnosis } from './render/ascend.ts';
export { presets, settingsOf, type PresetName, type Settings } from './render/presets.ts';
export { stepGraph, type StepOptions } from './render/step.ts';

// Pictures.
export { deprocess, rescaleLikeKeras, type DeprocessOptions } from './output/deprocess.ts';
export { defaultColumns, grid, type GridOptions } from './output/grid.ts';
export { asciiJson, decodePng, encodePng } from './output/png.ts';
export { raster, type Raster } from './output/raster.ts';

/** @file ONNX files written field by field, for tests of what no encoder of ours writes. */
import { create, toBinary } from '@bufbuild/protobuf';
import { encodeOnnx, decodeOnnx } from '../../src/ir/onnx.ts';
import { type ModelProto, ModelProtoSchema, StringStringEntryProtoSchema } from '../../src/ir/onnx_pb.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { type Dims, type DType, float32, sizeOf, type Tensor } from '../../src/ir/tensor.ts';

/** Weights that are alike in no two places, and the same each time. */
export function weights(...dims: number[]): Tensor<'float32'> {
  return float32(
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(i * 12.9898 + dims.length)),
    dims,
  );
}

/** A network from the input `data` as a file; `change` edits it before it is written. */
export function onnx(
  build: (b: Builder, x: Value) => Value,
  options: {
    readonly dims?: Dims;
    readonly dtype?: DType;
    readonly metadata?: Record<string, string>;
    readonly change?: (proto: ModelProto) => unknown;
  } = {},
): Uint8Array {
  const { dims = [1, 3, 8, 8], dtype = 'float32', metadata, change } = options;
  const b = new Builder();
  const bytes = encodeOnnx(b.graph({ out: build(b, b.input('data', dtype, dims)) }), metadata);
  if (!change) return bytes;
  const { proto } = decodeOnnx(bytes);
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

/** An entry of `metadata_props` or `external_data`. */
export function entry(key: string, value: string) {
  return create(StringStringEntryProtoSchema, { key, value });
}

/** The dims of the input as the file has them; -1 leaves one open. */
export function inputDims(proto: ModelProto, ...dims: number[]): void {
  const type = proto.graph!.input[0]!.type!.value;
  if (type.case !== 'tensorType') throw new Error('the input is no tensor');
  type.value.shape!.dim.forEach((d, i) => {
    d.value = dims[i] === -1 ? { case: 'dimParam', value: 'n' } : { case: 'dimValue', value: BigInt(dims[i]!) };
  });
}

/** @file Sound ONNX files to be damaged: every operator in a small network, small networks, files of each kind, and the beginning of the built-in model. */
import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PhospheneError } from '../../src/errors.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType as Type,
  TensorProtoSchema,
} from '../../src/ir/onnx_pb.ts';
import { float32, sizeOf, type Dims } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { build, cases, type OperatorCase } from '../ir/cases.ts';
import { sharedPath } from '../shared.ts';

/** A file that is sound, and a size of picture at which it can be used. */
export interface Sound {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly size: { readonly height: number; readonly width: number };
}

const SQUARE = { height: 16, width: 16 };

function noise(b: Builder, dims: Dims, low = -1, high = 1): Value {
  return b.constant(float32(new Random(`noise/${dims.join()}`).uniform(sizeOf(dims), low, high), dims));
}

function file(name: string, make: (b: Builder, image: Value) => Value, size = SQUARE): Sound {
  const b = new Builder();
  const out = make(b, b.input('data', 'float32', [1, 3, size.height, size.width]));
  return { name, bytes: encodeOnnx(b.graph({ out })), size };
}

/** One operator between a convolution and a sum over what came of it; its other operands are constants. */
function operator(name: string, op: string, one: OperatorCase): Sound {
  return file(
    name,
    (b, image) => {
      const flat = b.reshape(b.conv(image, noise(b, [4, 3, 1, 1])), [-1]);
      const alone = new Builder();
      const graph = alone.graph(build(alone, op, one));
      let fromImage = false;
      const operand = (dtype: Value['dtype'], dims: Dims): Value => {
        const count = sizeOf(dims);
        if (fromImage || count > sizeOf(flat.dims)) return b.cast(noise(b, dims, 0.1, 1), dtype);
        fromImage = true;
        return b.cast(b.reshape(b.slice(flat, [0], [count], [0], [1]), dims), dtype);
      };
      const inputs = Object.fromEntries(graph.inputs.map((i) => [i.name, operand(i.dtype, i.dims)]));
      const y = b.inline(graph, inputs).get(graph.outputs[0]!.name)!;
      const numbers = b.cast(y, 'float32');
      return numbers.dims.length >= 2 ? b.relu(numbers) : b.reshape(b.relu(numbers), [1, -1]);
    },
    { height: 6, width: 7 },
  );
}

function* operators(): Generator<Sound> {
  for (const [op, list] of Object.entries(cases)) {
    // Of the many pools and convolutions a few.
    const stride = Math.ceil(list.length / 6);
    for (let i = 0; i < list.length; i += stride) {
      try {
        yield operator(`${op} ${i}`, op, list[i]!);
      } catch (error) {
        // Some cases take operands that no picture can be made into.
        if (!(error instanceof PhospheneError)) throw error;
      }
    }
  }
}

function* networks(): Generator<Sound> {
  yield file('classic', (b, x) => {
    const c = b.conv(x, noise(b, [4, 3, 3, 3]), noise(b, [4]), { strides: [2, 2], pads: [1, 1, 1, 1] }, 'conv1');
    const four = Array.from({ length: 3 }, () => noise(b, [4]));
    const n = b.one('BatchNormalization', [c, ...four, noise(b, [4], 1, 2)], { epsilon: 0.001 }, 'norm1');
    const p = b.one('MaxPool', [b.relu(n)], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }, 'pool1');
    const flat = b.one('Flatten', [b.one('GlobalAveragePool', [p])], { axis: 1 });
    return b.one('Softmax', [b.one('Gemm', [flat, noise(b, [5, 4]), noise(b, [5])], { transB: 1 })], { axis: 1 });
  });
  yield file('split and joined', (b, x) => {
    const c = b.conv(b.pad(x, [0, 0, 1, 1, 0, 0, 1, 1]), noise(b, [4, 3, 3, 3]), undefined, {}, 'conv1');
    const [left, right] = b.op('Split', [c, b.ints([1, 3])], { axis: 1 }, { outputs: 2 });
    const joined = b.concat([left!, b.slice(right!, [0], [3], [1], [2])], 1);
    const mixed = b.transpose(b.reshape(joined, [1, 3, -1, 1]), [0, 2, 1, 3]);
    return b.mul(b.sigmoid(mixed), mixed);
  });
  yield file('shape arithmetic', (b, x) => {
    const shape = b.one('Shape', [x]);
    const rest = b.one('Concat', [b.gather(shape, b.ints([0]), 0), b.ints([-1])], { axis: 0 });
    const flat = b.one('Reshape', [b.relu(x), rest]);
    return b.matmul(flat, noise(b, [768, 6]));
  });
  yield file('squeeze and excite', (b, x) => {
    const c = b.conv(x, noise(b, [4, 3, 3, 3]), noise(b, [4]), {}, 'conv1');
    const s = b.conv(b.relu(b.conv(b.mean(c, [2, 3]), noise(b, [2, 4, 1, 1]))), noise(b, [4, 2, 1, 1]));
    return b.add(
      b.mul(c, b.one('HardSigmoid', [s])),
      b.conv(c, noise(b, [4, 1, 3, 3]), undefined, { group: 4, pads: [1, 1, 1, 1] }),
    );
  });
  yield file('decoder', (b, x) => {
    const c = b.tanh(b.conv(x, noise(b, [4, 3, 3, 3]), undefined, { strides: [2, 2] }));
    return b.convTranspose(b.max(c, 0.1), noise(b, [4, 2, 2, 2]), { strides: [2, 2] });
  });
}

/** A file that is edited before it is damaged, for what no builder of ours writes. */
function edited(name: string, edit: (proto: ModelProto) => void): Sound {
  const made = file(name, (b, x) => {
    const c = b.conv(x, noise(b, [4, 3, 3, 3]), noise(b, [4]), {}, 'conv1');
    return b.conv(b.relu(c, 'relu1'), noise(b, [5, 4, 3, 3]), undefined, {}, 'conv2');
  });
  const proto = fromBinary(ModelProtoSchema, made.bytes);
  edit(proto);
  return { ...made, bytes: toBinary(ModelProtoSchema, proto) };
}

const node = (opType: string, input: string[], output: string, attribute: AttributeProto[] = []): NodeProto =>
  create(NodeProtoSchema, { opType, name: output, input, output: [output], attribute });
const tensorOf = (name: string, dataType: Type, dims: number[], rawData: Uint8Array): TensorProto =>
  create(TensorProtoSchema, { name, dataType, dims: dims.map(BigInt), rawData });

/** Files of other kinds: quantised, in halves, with weights elsewhere, with several inputs, with control flow. */
function* kinds(): Generator<Sound> {
  yield edited('quantised', ({ graph, opsetImport }) => {
    opsetImport[0]!.version = 13n;
    const scale = new Uint8Array(Float32Array.of(0.02).buffer);
    graph!.initializer.push(
      tensorOf('scale', Type.FLOAT, [], scale),
      tensorOf('zero', Type.UINT8, [], Uint8Array.of(7)),
      tensorOf('codes', Type.INT8, [5, 4, 3, 3], new Uint8Array(180).fill(200, 60)),
      tensorOf('none', Type.INT8, [], Uint8Array.of(0)),
    );
    const at = graph!.node.findIndex(({ output }) => output[0] === 'relu1');
    graph!.node[at] = node('QuantizeLinear', ['conv1', 'scale', 'zero'], 'q');
    graph!.node.splice(
      at + 1,
      0,
      node('DequantizeLinear', ['q', 'scale', 'zero'], 'relu1'),
      node('DequantizeLinear', ['codes', 'scale', 'none'], 'weights'),
    );
    graph!.node.find(({ output }) => output[0] === 'conv2')!.input[1] = 'weights';
  });
  yield edited('quantised operators', ({ graph, opsetImport }) => {
    opsetImport[0]!.version = 13n;
    graph!.initializer.push(
      tensorOf('scale', Type.FLOAT, [], new Uint8Array(Float32Array.of(0.02).buffer)),
      tensorOf('zero', Type.UINT8, [], Uint8Array.of(7)),
      tensorOf('codes', Type.UINT8, [5, 4, 3, 3], new Uint8Array(180).fill(200, 60)),
    );
    const at = graph!.node.findIndex(({ output }) => output[0] === 'relu1');
    graph!.node[at] = node('QuantizeLinear', ['conv1', 'scale', 'zero'], 'q');
    const last = graph!.node.findIndex(({ output }) => output[0] === 'conv2');
    const quantised = ['scale', 'zero'];
    graph!.node[last] = node('QLinearConv', ['q', ...quantised, 'codes', ...quantised, ...quantised], 'codes2');
    graph!.node.splice(last + 1, 0, node('DequantizeLinear', ['codes2', ...quantised], 'conv2'));
  });
  yield edited('halves', ({ graph }) => {
    for (const t of graph!.initializer) {
      t.rawData = new Uint8Array(Uint16Array.from({ length: t.rawData.length / 4 }, (_, i) => 0x2c00 + 37 * i).buffer);
      t.dataType = Type.FLOAT16;
    }
    for (const { type } of [...graph!.input, ...graph!.output])
      if (type?.value.case === 'tensorType') type.value.value.elemType = Type.FLOAT16;
    graph!.node.reverse();
  });
  yield edited('weights elsewhere', ({ graph }) => {
    for (const [i, t] of graph!.initializer.entries()) {
      const entry = (key: string, value: number) => create(StringStringEntryProtoSchema, { key, value: String(value) });
      // Without a location they lie in the file itself.
      t.externalData = [entry('offset', 8 * i), entry('length', t.rawData.length)];
      t.dataLocation = TensorProto_DataLocation.EXTERNAL;
      t.rawData = new Uint8Array();
    }
    // So that there is as much as they ask for.
    graph!.docString = 'x'.repeat(2048);
  });
  yield edited('several inputs', ({ graph }) => {
    graph!.input.push({ ...graph!.input[0]!, name: 'mask' });
    graph!.node.push(node('Relu', ['conv1'], 'beside'), node('Add', ['data', 'mask'], 'both'));
    graph!.initializer.slice(0, 1).forEach(({ name }) => graph!.input.push({ ...graph!.input[0]!, name: name }));
  });
  yield edited('a side of an If', ({ graph }) => {
    graph!.initializer.push(tensorOf('condition', Type.BOOL, [], Uint8Array.of(1)));
    const at = graph!.node.findIndex(({ output }) => output[0] === 'relu1');
    const side = (op: string) => ({
      node: [node(op, ['conv1'], `${op} side`)],
      output: [{ ...graph!.output[0]!, name: `${op} side` }],
    });
    const branch = (name: string, op: string) =>
      create(AttributeProtoSchema, { name, type: Kind.GRAPH, g: create(GraphProtoSchema, side(op)) });
    graph!.node[at] = node('If', ['condition'], 'relu1', [
      branch('then_branch', 'Relu'),
      branch('else_branch', 'Tanh'),
    ]);
  });
}

/** The first `count` nodes of a file, with the weights that they need. */
function beginning(name: string, bytes: Uint8Array, count: number, size: Sound['size']): Sound {
  const proto = fromBinary(ModelProtoSchema, bytes);
  const graph = proto.graph!;
  graph.node = graph.node.slice(0, count);
  const used = new Set(graph.node.flatMap((n) => n.input));
  graph.initializer = graph.initializer.filter((t) => used.has(t.name));
  graph.input = graph.input.filter((i) => used.has(i.name));
  graph.valueInfo = [];
  graph.output = [clone(ModelProtoSchema, proto).graph!.output[0]!];
  graph.output[0]!.name = graph.node.at(-1)!.output[0]!;
  return { name, bytes: toBinary(ModelProtoSchema, proto), size };
}

function* shared(): Generator<Sound> {
  const repro = sharedPath('repro');
  if (repro)
    for (const name of readdirSync(repro).sort())
      if (name.endsWith('.onnx'))
        yield { name, bytes: readFileSync(join(repro, name)), size: { height: 32, width: 32 } };
  const squeezenet = sharedPath('models/squeezenet1.1/squeezenet1.1.onnx');
  if (squeezenet) yield beginning(basename(squeezenet), readFileSync(squeezenet), 12, { height: 40, width: 40 });
}

let everywhere: Sound[] | undefined;
let here: Sound[] | undefined;

/** The files of other kinds, for their own test. */
export const kindsOfFiles = (): readonly Sound[] => [...kinds()];

/** A sound file for this seed. One in eight is taken from the data beside the checkout, if that is there. */
export function sound(seed: number, random: Random): Sound {
  // The tests run where they lie, the fuzzer from where it was compiled to: the built-in model lies in the checkout either way.
  everywhere ??= [
    ...operators(),
    ...Array.from({ length: 8 }, () => [...networks(), ...kinds()]).flat(),
    ...[3, 6, 11].map((count) =>
      beginning(`resnet50v2-mini, ${count} nodes`, readFileSync('models/resnet50v2-mini.onnx'), count, {
        height: 32,
        width: 32,
      }),
    ),
  ];
  here ??= [...shared()];
  const drawn = everywhere[random.integer(everywhere.length)]!;
  return seed % 8 === 7 && here.length > 0 ? here[random.integer(here.length)]! : drawn;
}

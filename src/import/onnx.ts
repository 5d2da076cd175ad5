/** @file ONNX files as models: nodes are replayed through the Builder at the size asked for, and so brought up to our operator set. */
import { PhospheneError } from '../errors.ts';
import { Builder, type Value } from '../ir/builder.ts';
import type { Attributes, Graph, Node } from '../ir/graph.ts';
import { decodeOnnx, decodeTensor, nodesOf, openInfo } from '../ir/onnx.ts';
import { infer, normalAxis } from '../ir/shape.ts';
import { float32, int64, sizeOf, type Tensor } from '../ir/tensor.ts';
import { flooredPads, windowOf, type Window } from '../ir/window.ts';
import type { Layer } from './layers.ts';
import { IMAGE, type Model, type Preprocess, preprocessed, remembered, type Size, unknownLayer } from './model.ts';
import { looksLike } from './sniff.ts';

export interface OnnxOptions {
  readonly name: string;
  readonly hash: string;
  /** What the network expects; read from the file's metadata where that says it, else `tf`. */
  readonly preprocess?: Preprocess;
}

/** A model from the bytes of an ONNX file with one NCHW image input. Throws `bad-file` or `unsupported-op`. */
export function fromOnnx(bytes: Uint8Array, options: OnnxOptions): Model {
  // An empty file is a valid message without a graph, and what some other formats say is of no help to anyone.
  const kind = looksLike(bytes.subarray(0, 512));
  if (!['an ONNX model', 'an unknown kind of file'].includes(kind))
    throw new PhospheneError('bad-file', `${options.name}: holds no ONNX model but ${kind}`, { looksLike: kind });
  const { proto, opset, metadata } = decodeOnnx(bytes, options.name);
  const graph = proto.graph!;
  const initializers = new Map(graph.initializer.map((t) => [t.name ?? '', t]));
  const nodes = wellFormed(options.name, () => nodesOf(graph));
  const inputs = graph.input.filter((i) => !initializers.has(i.name ?? ''));
  if (inputs.length !== 1)
    throw new PhospheneError(
      'bad-file',
      `${options.name}: it has ${inputs.length} inputs; a network with one image input is needed`,
    );
  const input = openInfo(inputs[0]!);
  if (input.dims.length !== 4 || (input.dims[1] !== 3 && input.dims[1] !== -1)) {
    throw new PhospheneError(
      'bad-file',
      `${options.name}: its input is [${input.dims.join(', ')}]; [n, 3, h, w] is needed`,
    );
  }
  if (input.dtype !== 'float32')
    throw new PhospheneError('bad-file', `${options.name}: its input is ${input.dtype}; float32 is needed`);
  const preprocess = options.preprocess ?? preprocessOf(metadata);

  interface Built {
    readonly layers: Layer[];
    readonly outputs: Value[];
    readonly barrier?: PhospheneError;
  }
  const build = (b: Builder, size: Size, until?: string): Built => {
    const layers: Layer[] = [];
    const outputs: Value[] = [];
    const decoded = new Map<string, Tensor>();
    const values = new Map<string, Value>();
    const image = b.input(IMAGE, 'float32', [1, 3, size.height, size.width]);
    values.set(input.name, preprocessed(b, image, preprocess));
    const resolve = (name: string): Value | undefined => {
      if (name === '') return undefined;
      const found = values.get(name);
      if (found) return found;
      const stored = initializers.get(name);
      if (!stored) throw new PhospheneError('bad-file', `${options.name}: \`${name}\` is used before it is computed`);
      if (!decoded.has(name)) decoded.set(name, numbers(options.name, name, decodeTensor(stored)));
      const value = b.constant(decoded.get(name)!, name);
      values.set(name, value);
      return value;
    };
    for (const node of nodes) {
      let out: Value[];
      if (!node.outputs[0])
        throw new PhospheneError('bad-file', `${options.name}: ${node.op} ${node.name}: it has no output`);
      try {
        out = wellFormed(`${options.name}: ${node.op} ${node.name}`, () => replay(b, node, opset, resolve));
      } catch (error) {
        // What stands before a node that cannot be built can still be seen: a listing ends here.
        const seen = until === undefined && layers.length > 0;
        if (!(error instanceof PhospheneError) || error.code === 'bad-file' || !seen) throw error;
        return { layers, outputs, barrier: error };
      }
      node.outputs.forEach((o, i) => out[i] && values.set(o, out[i]));
      const [first] = out as [Value];
      if (first.constant) continue;
      outputs.push(first);
      const parameters = node.inputs
        .slice(1)
        .reduce(
          (sum, i) =>
            sum + (i !== '' && values.get(i)?.constant?.dtype === 'float32' ? sizeOf(values.get(i)!.dims) : 0),
          0,
        );
      layers.push({ name: node.outputs[0], type: node.op, dims: first.dims, parameters });
      if (node.outputs[0] === until) break;
    }
    return { layers, outputs };
  };

  const listed = remembered((size) => {
    const { layers, barrier } = build(new Builder(), size);
    return { layers, barrier };
  });
  return {
    name: options.name,
    hash: options.hash,
    preprocess,
    defaultLayer: graph.output[0]?.name ?? '',
    layers: (size) => listed(size).layers,
    barrier: (size) => listed(size).barrier,
    outline(size): Graph {
      const b = new Builder();
      return b.graph(build(b, size).outputs);
    },
    cut(layer, size): Graph {
      const b = new Builder();
      const { layers, outputs } = build(b, size, layer);
      if (layers.at(-1)?.name !== layer) throw unknownLayer(options.name, layer, layers);
      return b.graph(outputs.slice(-1));
    },
  };
}

/** Refuses what is not a number: every picture would be lost to it. Infinity has its uses, as padding of a maximum, say. */
function numbers(file: string, name: string, tensor: Tensor): Tensor {
  if (tensor.dtype === 'float32' && (tensor as Tensor<'float32'>).data.some(Number.isNaN))
    throw new PhospheneError(
      'bad-weights',
      `${file}: tensor \`${name}\` has values that are NaN; the training diverged or the file is damaged`,
      { file, tensor: name },
    );
  return tensor;
}

function preprocessOf(metadata: Readonly<Record<string, string>>): Preprocess {
  const stated = metadata['phosphene.preprocess'];
  return stated === 'caffe' || stated === 'torch' || stated === 'raw' ? stated : 'tf';
}

/**
 * The result of `read`. Where a file lacks an input or attribute that an operator must have, or has it in another type, reading
 * it is a TypeError or RangeError somewhere within; one place says `bad-file` for all of them.
 */
function wellFormed<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new PhospheneError(
      'bad-file',
      `${what}: its inputs or attributes are not what ONNX asks for (${error.message})`,
      {},
      error,
    );
  }
}

/** What a Constant node holds, in whichever of its attributes. */
function constantOf({ attributes, name }: Node): Tensor {
  const { value, value_float, value_floats, value_int, value_ints } = attributes;
  const [float, int] = [value_float ?? value_floats, value_int ?? value_ints] as (
    | number
    | readonly number[]
    | undefined
  )[];
  if (typeof value === 'object' && 'dtype' in value) return value;
  if (float !== undefined) return float32(float);
  if (int !== undefined) return int64(int);
  throw new PhospheneError('bad-file', `Constant ${name}: it has no numeric value`, { op: 'Constant', node: name });
}

/**
 * A pooling in ceil mode without that mode: which window of it is the last depends on the operator set and the engine. What its
 * windows overhang becomes padding; a Pad stands before it where that would say something else.
 */
function unceiled(b: Builder, op: string, x: Value, attributes: Attributes, window: Window): [Value, Attributes] {
  const { ceil_mode: _, ...rest } = attributes;
  const pads = flooredPads(window, x.dims.slice(2));
  const rank = window.kernel.length;
  const around = (amounts: readonly number[], value: number): Value =>
    b.pad(x, [0, 0, ...amounts.slice(0, rank), 0, 0, ...amounts.slice(rank)], value);
  const overhang = pads.map((p, i) => p - window.pads[i]!);
  // An average that counts its padding never counts what overhangs even that.
  if (op === 'AveragePool' && attributes['count_include_pad'] === 1 && overhang.some((p) => p > 0))
    return [around(window.pads, 0), { ...rest, pads: overhang, count_include_pad: 0 }];
  // ONNX Runtime takes no padding as wide as the kernel, and a dilated window can overhang by more.
  if (op === 'MaxPool' && pads.some((p, i) => p >= window.kernel[i % rank]!))
    return [around(pads, -Infinity), { ...rest, pads: pads.map(() => 0) }];
  return [x, { ...rest, pads }];
}

/** Attributes of an AveragePool without the dilations that opset 19 gave it. Throws `unsupported-op` where it has some. */
function undilated({ op, name, outputs, attributes: { dilations = [], ...rest } }: Node): Attributes {
  if ((dilations as readonly number[]).some((d) => d !== 1))
    throw new PhospheneError('unsupported-op', `AveragePool ${outputs[0]!}: its dilations are not supported`, {
      op,
      node: name,
    });
  return rest;
}

/** Adds one node of a file, spelled as our operator set spells it: what older sets had as attributes are inputs now. */
function replay(b: Builder, node: Node, opset: number, resolve: (name: string) => Value | undefined): Value[] {
  const inputs = node.inputs.map(resolve);
  const { op } = node;
  const attributes = op === 'AveragePool' ? undilated(node) : node.attributes;
  const options = { name: node.outputs[0]!, outputs: Math.max(1, node.outputs.filter((o) => o !== '').length) };
  const without = (...names: string[]): Attributes =>
    Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
  const list = (name: string): Value | undefined =>
    attributes[name] === undefined ? undefined : b.ints(attributes[name] as readonly number[]);
  const number = (name: string): Value | undefined =>
    attributes[name] === undefined ? undefined : b.float(attributes[name] as number);
  switch (op) {
    case 'Constant':
      return [b.constant(constantOf(node), node.outputs[0])];
    case 'Conv':
    case 'MaxPool':
    case 'AveragePool':
      // Pads as numbers: ONNX Runtime's SAME fails where a stride is wider than its kernel.
      if ((attributes['auto_pad'] ?? 'NOTSET') !== 'NOTSET' || attributes['ceil_mode'] === 1) {
        const kernel = op === 'Conv' ? inputs[1]!.dims.slice(2) : (attributes['kernel_shape'] as readonly number[]);
        const size = inputs[0]!.dims.slice(2);
        const window = windowOf(attributes, kernel, size);
        const explicit = { ...without('auto_pad'), pads: window.pads };
        if (!window.ceil) return b.op(op, inputs, explicit, options);
        // Says which node it is where the window does not fit.
        infer(op, options.name, inputs, attributes, options.outputs);
        const [x, floored] = unceiled(b, op, inputs[0]!, explicit, window);
        return b.op(op, [x], floored, options);
      }
      break;
    case 'Cast':
      // What opset 19 says beside the type concerns 8-bit floats, which we do not have.
      return [b.one(op, inputs, without('saturate', 'round_mode'), options.name)];
    case 'Dropout':
      return [b.one('Identity', [inputs[0]], {}, options.name)];
    case 'BatchNormalization':
      return [
        b.one(op, inputs, without('spatial', 'momentum', 'training_mode', 'consumed_inputs', 'is_test'), options.name),
      ];
    case 'Clip':
      if (opset < 11) return [b.one(op, [inputs[0], number('min'), number('max')], {}, options.name)];
      break;
    case 'Pad':
      if (opset < 11)
        return [b.one(op, [inputs[0], list('pads'), number('value')], without('pads', 'value'), options.name)];
      break;
    case 'Slice':
      if (opset < 10) return [b.one(op, [inputs[0], list('starts'), list('ends'), list('axes')], {}, options.name)];
      break;
    case 'Squeeze':
    case 'Unsqueeze':
    case 'ReduceL1':
    case 'ReduceL2':
    case 'ReduceMax':
    case 'ReduceMean':
    case 'ReduceMin':
    case 'ReduceProd':
    case 'ReduceSum':
    case 'ReduceSumSquare':
      if (attributes['axes'] !== undefined)
        return [b.one(op, [inputs[0], list('axes')], without('axes'), options.name)];
      break;
    case 'Softmax':
    case 'LogSoftmax':
      // Before opset 13 the default axis was 1, and it and all after it were one axis.
      if (opset < 13) {
        const { dims } = inputs[0]!;
        const axis = normalAxis((attributes['axis'] as number | undefined) ?? 1, dims.length);
        if (sizeOf(dims.slice(axis)) === dims[axis]) return [b.one(op, inputs, { axis }, options.name)];
        const rows = b.reshape(inputs[0]!, [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))]);
        return [b.one('Reshape', [b.one(op, [rows], { axis: 1 }), b.ints(dims)], {}, options.name)];
      }
      break;
    case 'Split':
      if (opset < 13 && attributes['split'] !== undefined)
        return b.op(op, [inputs[0], list('split')], without('split'), options);
      if (inputs.length === 1) return b.op(op, inputs, { ...attributes, num_outputs: options.outputs }, options);
      break;
  }
  return b.op(op, inputs, attributes, options);
}

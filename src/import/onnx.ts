/** @file ONNX files as models: nodes are replayed through the Builder at the size asked for, and so brought up to our operator set. */
import { PhospheneError } from '../errors.ts';
import { Builder, type Value } from '../ir/builder.ts';
import type { Graph } from '../ir/graph.ts';
import { decodeOnnx, decodeTensor, nodesOf, openInfo } from '../ir/onnx.ts';
import { upgraded } from '../ir/infer.ts';
import { sizeOf, type Tensor } from '../ir/tensor.ts';
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
        out = upgraded(b, node, opset, node.inputs.map(resolve));
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

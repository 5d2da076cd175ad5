/** @file Nodes of an ONNX file as Builder calls, brought up to our operator set: what older sets had as attributes are inputs now. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../../ir/builder.ts';
import type { Attributes, Node } from '../../ir/graph.ts';
import { infer, normalAxis } from '../../ir/shape.ts';
import { float32, int64, sizeOf, type Tensor } from '../../ir/tensor.ts';
import { flooredPads, windowOf, type Window } from '../../ir/window.ts';

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

/** Adds one node of a file and gives its outputs. */
export function replay(b: Builder, node: Node, opset: number, inputs: readonly (Value | undefined)[]): Value[] {
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

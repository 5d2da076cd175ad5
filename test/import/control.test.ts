/** @file Control flow in ONNX files: an If whose side is known is replaced by that side, and all else is refused, with what stands before it. */
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { decodeOnnx, encodeOnnx } from '../../src/ir/onnx.ts';
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  type GraphProto,
  type ModelProto,
  NodeProtoSchema,
} from '../../src/ir/onnx_pb.ts';
import { float32, int64, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { targets } from '../../src/render/targets.ts';
import { openBytes } from './open.ts';
import { onnx, weights } from './protos.ts';

const size = { height: 8, width: 8 };

/** A side of an If: a graph whose inputs are taken from the graph around it. */
function side(build: (b: Builder) => Value): GraphProto {
  const b = new Builder();
  const { proto } = decodeOnnx(encodeOnnx(b.graph({ result: build(b) })));
  proto.graph!.input = [];
  return proto.graph!;
}

/** Makes an If of the Relu `gate` of a file. */
function branch(proto: ModelProto, condition: string, then: GraphProto, otherwise: GraphProto): void {
  const graph = proto.graph!;
  graph.node = graph.node.map((node) =>
    node.output[0] === 'gate'
      ? create(NodeProtoSchema, {
          opType: 'If',
          name: 'choice',
          input: [condition],
          output: ['gate'],
          attribute: [
            create(AttributeProtoSchema, { name: 'then_branch', type: Kind.GRAPH, g: then }),
            create(AttributeProtoSchema, { name: 'else_branch', type: Kind.GRAPH, g: otherwise }),
          ],
        })
      : node,
  );
}

/** A convolution that is 6 wide, a Relu that becomes the If, and another convolution. The condition is whether 6 is more than `limit`. */
const file = (limit: number, sides: readonly [GraphProto, GraphProto], condition = 'wide'): Uint8Array =>
  onnx(
    (b, x) => {
      const first = b.conv(x, b.constant(weights(4, 3, 3, 3), 'w1'), undefined, {}, 'first');
      const bright = b.greater(b.one('ReduceMax', [first], { keepdims: 0 }), 0);
      const flag = b.cast(b.one('Identity', [bright], {}, 'bright'), 'float32');
      const last = b.conv(b.relu(first, 'gate'), b.constant(weights(5, 4, 1, 1), 'w2'), undefined, {}, 'last');
      return b.add(last, flag);
    },
    {
      change: (proto) => {
        const graph = proto.graph!;
        const small = (name: string, value: number) => {
          const b = new Builder();
          b.add(b.constant(int64(value), 'n'), b.input('x', 'int64', []));
          const { proto: other } = decodeOnnx(encodeOnnx(b.graph({ y: b.value('add') })));
          return { ...other.graph!.initializer[0]!, name };
        };
        graph.initializer.push(small('three', 3), small('limit', limit));
        const node = (opType: string, inputs: string[], output: string) =>
          create(NodeProtoSchema, { opType, name: output, input: inputs, output: [output] });
        graph.node.splice(
          graph.node.findIndex(({ output }) => output.includes('gate')),
          0,
          node('Shape', ['first'], 'shape'),
          node('Gather', ['shape', 'three'], 'width'),
          node('Greater', ['width', 'limit'], 'wide'),
        );
        branch(proto, condition, ...sides);
      },
    },
  );

const input = (b: Builder): Value => b.input('first', 'float32', [1, 4, 6, 6]);
const doubled = (): GraphProto => side((b) => b.mul(b.mul(input(b), b.constant(float32(4), 'factor')), 0.5));
const shifted = (): GraphProto => side((b) => b.add(input(b), b.constant(float32(1), 'factor')));

async function run(bytes: Uint8Array, layer: string): Promise<number[]> {
  const model = await openBytes(bytes, { preprocess: 'tf' });
  const program = await nodeRuntime.compile(await model.cut([layer], size));
  const found = await program.run({ image: weights(1, 3, 8, 8) });
  await program.dispose();
  await model.close();
  return toNumbers(found[layer]!);
}

describe('an If', () => {
  it('whose condition is known is the side that is taken', async () => {
    const first = await run(file(5, [doubled(), shifted()]), 'first');
    const then = await run(file(5, [doubled(), shifted()]), 'gate');
    const otherwise = await run(file(6, [doubled(), shifted()]), 'gate');
    expect(then.length).toBe(first.length);
    first.forEach((v, i) => {
      expect(then[i]).toBeCloseTo(2 * v, 4);
      expect(otherwise[i]).toBeCloseTo(v + 1, 4);
    });
  });

  it('leaves the layers behind it to be seen', async () => {
    const model = await openBytes(file(5, [doubled(), shifted()]));
    const { barrier } = model.layers(size);
    expect(barrier).toBeUndefined();
    expect(targets(model, size).map((l) => l.name)).toEqual(expect.arrayContaining(['first', 'gate', 'last']));
  });

  it('whose condition depends on the picture bars what needs it, and nothing before it', async () => {
    const model = await openBytes(file(5, [doubled(), shifted()], 'bright'));
    const { layers, barrier } = model.layers(size);
    expect(layers.map((l) => l.name)).toContain('first');
    expect(layers.map((l) => l.name)).not.toContain('last');
    expect(barrier).toMatchObject({
      code: 'unsupported-op',
      message: expect.stringMatching(/^If choice: which of its two sides is taken is not known before the picture is/),
      details: { op: 'If', node: 'choice' },
    });
    await expect(model.cut(['last'], size)).rejects.toThrow('If choice: which of its two sides');
  });

  it('with one side is no file', async () => {
    const bytes = onnx((b, x) => b.relu(x, 'gate'), {
      change: (proto) => {
        branch(proto, 'data', doubled(), shifted());
        proto.graph!.node[0]!.attribute.pop();
      },
    });
    await expect(openBytes(bytes)).rejects.toThrow('net.onnx: If choice: one of its two sides is missing');
  });

  it('in an If in an If is followed only so far', async () => {
    let inner = doubled();
    for (let depth = 0; depth < 40; depth++) {
      const proto = decodeOnnx(onnx((b, x) => b.relu(x, 'gate'))).proto;
      branch(proto, 'data', inner, shifted());
      inner = proto.graph!;
    }
    const bytes = onnx((b, x) => b.relu(x, 'gate'), { change: (proto) => branch(proto, 'data', inner, shifted()) });
    await expect(openBytes(bytes)).rejects.toMatchObject({ code: 'too-large' });
  });
});

it.each(['Loop', 'Scan'])('a %s is refused by name, and what stands before it can be seen', async (op) => {
  const bytes = onnx((b, x) => b.relu(b.relu(x, 'before'), 'gate'), {
    change: (proto) => {
      proto.graph!.node.find(({ output }) => output.includes('gate'))!.opType = op;
    },
  });
  const model = await openBytes(bytes);
  expect(model.layers(size).layers.map((l) => l.name)).toEqual(['before']);
  await expect(model.cut(['gate'], size)).rejects.toThrow(
    `${op} gate: this operator is not supported: only networks without control flow are supported`,
  );
});

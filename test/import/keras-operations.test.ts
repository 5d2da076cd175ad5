/**
 * @file Operations between the layers of Keras models, with numbers and with parts of values: above all what `preprocess_input` of
 * keras.applications leaves in a model that was built around one of them.
 */
import { strToU8 } from 'fflate';
import { describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { preprocessOf } from '../../src/import/preprocess.ts';
import { bytesSource } from '../../src/import/source.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

type Json = Record<string, unknown>;
const [HEIGHT, WIDTH] = [4, 5];
const size = { height: HEIGHT, width: WIDTH };
const MEAN = [103.939, 116.779, 123.68];

const t = (name: string): Json => ({ class_name: '__keras_tensor__', config: { keras_history: [name, 0, 0] } });
const numbers = (value: unknown): Json => ({ class_name: '__tensor__', config: { value, dtype: 'float32' } });
const ellipsis = { class_name: '__ellipsis__', config: {} };
const slice = (start: unknown, stop: unknown, step: unknown = null): Json => ({
  class_name: '__slice__',
  config: { start, stop, step },
});
/** An operation of Keras 3. */
const op = (class_name: string, name: string, args: unknown[], config: Json = {}): Json => ({
  module: 'keras.src.ops.numpy',
  class_name,
  name,
  config: { name, ...config },
  inbound_nodes: [{ args, kwargs: {} }],
});
/** A function of TensorFlow, as Keras 2 writes it. */
const lambda = (class_name: string, name: string, called: string, from: string, options: Json): Json => ({
  class_name,
  name,
  config: { name, function: called },
  inbound_nodes: [[from, 0, 0, options]],
});

function model(...layers: Json[]): Promise<Network> {
  const shape = [null, HEIGHT, WIDTH, 3];
  const input = { class_name: 'InputLayer', name: 'x', config: { name: 'x', batch_shape: shape }, inbound_nodes: [] };
  const config = {
    name: 'm',
    layers: [input, ...layers],
    input_layers: [['x', 0, 0]],
    output_layers: [[layers.at(-1)!['name'], 0, 0]],
  };
  return openNetwork(bytesSource('m.json', strToU8(JSON.stringify({ class_name: 'Functional', config }))));
}

/** A picture that is different everywhere. */
const picture = Float32Array.from({ length: 3 * HEIGHT * WIDTH }, (_, i) => Math.cos(i * 0.9));
const at = (c: number, y: number, x: number): number => picture[(c * HEIGHT + y) * WIDTH + x]!;

async function run(network: Network, name: string): Promise<{ dims: readonly number[]; data: Float32Array }> {
  const program = await nodeRuntime.compile(await network.cut([name], size));
  const out = (await program.run({ [IMAGE]: float32(picture, [1, 3, HEIGHT, WIDTH]) }))[name]!;
  await program.dispose();
  return { dims: out.dims, data: out.data as Float32Array };
}

/** What a model gives that takes [0, 255], channel by channel. */
async function expectChannels(network: Network, name: string, value: (raw: number[], c: number) => number) {
  expect(network.input).toMatchObject({ from: 'file', preprocess: preprocessOf('raw', 3) });
  const { dims, data } = await run(network, name);
  expect(dims).toEqual([1, 3, HEIGHT, WIDTH]);
  data.forEach((found, i) => {
    const [c, place] = [Math.floor(i / (HEIGHT * WIDTH)), i % (HEIGHT * WIDTH)];
    const raw = [0, 1, 2].map((k) => 127.5 * (picture[k * HEIGHT * WIDTH + place]! + 1));
    expect(found).toBeCloseTo(value(raw, c), 3);
  });
}

describe('preprocess_input in a model', () => {
  it('of mode `tf` is divided and subtracted from', async () => {
    const network = await model(op('TrueDivide', 'd', [t('x'), 127.5]), op('Subtract', 's', [t('d'), 1]));
    await expectChannels(network, 's', (raw, c) => raw[c]! / 127.5 - 1);
  });

  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  it('of mode `torch` has one number for each colour, in Keras 3', async () => {
    const network = await model(
      op('TrueDivide', 'd', [t('x'), 255]),
      op('Add', 'a', [t('d'), numbers([[[mean.map((m) => -m)]]])]),
      op('TrueDivide', 'e', [t('a'), { class_name: '__numpy__', config: { value: deviation, dtype: 'float32' } }]),
    );
    await expectChannels(network, 'e', (raw, c) => (raw[c]! / 255 - mean[c]!) / deviation[c]!);
  });

  it('of mode `torch` has one number for each colour, in Keras 2', async () => {
    const network = await model(
      lambda('TFOpLambda', 'd', 'math.truediv', 'x', { y: 255, name: null }),
      lambda('TFOpLambda', 'a', 'nn.bias_add', 'd', { bias: mean.map((m) => -m), data_format: 'channels_last' }),
      lambda('TFOpLambda', 'e', 'math.truediv', 'a', { y: deviation, name: null }),
    );
    await expectChannels(network, 'e', (raw, c) => (raw[c]! / 255 - mean[c]!) / deviation[c]!);
  });

  const caffe = (raw: number[], c: number): number => raw[2 - c]! - MEAN[c]!;
  it('of mode `caffe` puts blue first, by parts that are stacked', async () => {
    const network = await model(
      ...[2, 1, 0].map((c) => op('GetItem', `c${c}`, [t('x'), [ellipsis, c]])),
      op('Stack', 'b', [[t('c2'), t('c1'), t('c0')]], { axis: -1 }),
      op('Add', 'a', [t('b'), numbers([[[MEAN.map((m) => -m)]]])]),
    );
    await expectChannels(network, 'a', caffe);
  });

  it('of mode `caffe` puts blue first, by turning the colours round', async () => {
    const network = await model(
      op('GetItem', 'b', [t('x'), [ellipsis, slice(null, null, -1)]]),
      op('Subtract', 'a', [t('b'), numbers(MEAN)]),
    );
    await expectChannels(network, 'a', caffe);
  });

  it('of mode `caffe` puts blue first, in Keras 2', async () => {
    const parts = {
      class_name: '__tuple__',
      items: [{ class_name: '__ellipsis__' }, { start: null, stop: null, step: -1 }],
    };
    const network = await model(
      lambda('SlicingOpLambda', 'b', '__operators__.getitem', 'x', { slice_spec: parts }),
      lambda('TFOpLambda', 'a', 'nn.bias_add', 'b', { bias: MEAN.map((m) => -m), data_format: 'channels_last' }),
    );
    await expectChannels(network, 'a', caffe);
  });
});

describe('parts of a value', () => {
  it('are ranges along the axes of Keras', async () => {
    const all = slice(null, null);
    const network = await model(
      op('GetItem', 'rows', [t('x'), [all, slice(1, -1), slice(null, null, 2)]]),
      op('GetItem', 'colours', [t('rows'), [ellipsis, slice(1, null)]]),
    );
    const rows = await run(network, 'rows');
    expect(rows.dims).toEqual([1, 3, 2, 3]);
    expect(rows.data[(2 * 2 + 1) * 3 + 2]).toBeCloseTo(at(2, 2, 4), 5);
    const colours = await run(network, 'colours');
    expect(colours.dims).toEqual([1, 2, 2, 3]);
    expect(colours.data[0]).toBeCloseTo(at(1, 1, 0), 5);
  });

  it('are turned round on any axis', async () => {
    const network = await model(op('GetItem', 'r', [t('x'), [slice(null, null), slice(2, null, -1)]]));
    const { dims, data } = await run(network, 'r');
    expect(dims).toEqual([1, 3, 3, 5]);
    expect(data[WIDTH]).toBeCloseTo(at(0, 1, 0), 5);
  });

  it('lose the axis of which one position is taken, and their axes stand as in Keras', async () => {
    const network = await model(
      op('GetItem', 'row', [t('x'), [slice(null, null), -1]]),
      op('GetItem', 'grey', [t('x'), [ellipsis, 1]]),
    );
    const row = await run(network, 'row');
    expect(row.dims).toEqual([1, WIDTH, 3]);
    expect(row.data[2 * 3 + 1]).toBeCloseTo(at(1, HEIGHT - 1, 2), 5);
    const grey = await run(network, 'grey');
    expect(grey.dims).toEqual([1, HEIGHT, WIDTH]);
    expect(grey.data[WIDTH + 3]).toBeCloseTo(at(1, 1, 3), 5);
  });

  it.each<[unknown, RegExp]>([
    [0, /layer `p`: it takes parts of the batch/],
    [[slice(1, null)], /layer `p`: it takes parts of the batch/],
    [[ellipsis, 3], /layer `p`: it takes position 3 of 3/],
    [[ellipsis, -4], /layer `p`: it takes position -4 of 3/],
    [[ellipsis, 'x'], /layer `p`: it takes the parts \[.*\] of its input/],
    [[ellipsis, slice('x', null)], /layer `p`: it takes the parts \[.*\] of its input/],
    [[ellipsis, ellipsis], /layer `p`: it takes the parts \[.*\] of its input/],
    [[ellipsis, 0, 0, 0, 0, 0], /layer `p`: it takes the parts \[.*\] of its input/],
    [null, /layer `p`: it takes the parts null of its input/],
  ])('that cannot be are refused: %j', async (parts, message) => {
    const network = await model(op('Relu', 'r', [t('x')]), op('GetItem', 'p', [t('r'), parts]));
    expect(network.layers(size).layers.map((l) => l.name)).toEqual(['r']);
    expect(network.layers(size).barrier).toMatchObject({
      code: 'unsupported-op',
      message: expect.stringMatching(message),
    });
  });
});

describe('values that are stacked', () => {
  it('are channels if they are of different pictures', async () => {
    const network = await model(
      op('Relu', 'r', [t('x')]),
      op('GetItem', 'a', [t('x'), [ellipsis, 0]]),
      op('GetItem', 'b', [t('r'), [ellipsis, 2]]),
      op('Stack', 's', [[t('a'), t('b')]], { axis: -1 }),
    );
    const { dims, data } = await run(network, 's');
    expect(dims).toEqual([1, 2, HEIGHT, WIDTH]);
    expect(data[3]).toBeCloseTo(at(0, 0, 3), 5);
    expect(data[HEIGHT * WIDTH + 3]).toBeCloseTo(Math.max(at(2, 0, 3), 0), 5);
  });

  it.each([0, 1, -2, undefined])('along another axis than that of channels are refused: %j', async (axis) => {
    const network = await model(
      op('GetItem', 'a', [t('x'), [ellipsis, 0]]),
      op('Stack', 's', [[t('a'), t('a')]], axis === undefined ? {} : { axis }),
    );
    expect(network.layers(size).barrier?.message).toMatch(/^layer `s`: its axis is /);
  });
});

it('numbers beside a value that is no picture are combined as they are', async () => {
  const network = await model(
    op('GetItem', 'row', [t('x'), [slice(null, null), 0]]),
    op('Multiply', 'm', [t('row'), numbers([1, 2, 3])]),
    op('Power', 'p', [t('m'), 2]),
  );
  const { data } = await run(network, 'p');
  expect(data[1 * 3 + 2]).toBeCloseTo((3 * at(2, 0, 1)) ** 2, 4);
});

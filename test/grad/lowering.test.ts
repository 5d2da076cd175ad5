/** @file Spellings of whole networks: each engine's gives the gradient of every other, and WebGPU computes its own right. */
import { beforeAll, describe, expect, it } from 'vitest';
import { gradient, inlineFused, lowerings } from '../../src/grad/index.ts';
import { openModel } from '../../src/hub/open.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { float32, int64, sizeOf, type Tensors } from '../../src/ir/tensor.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import { Random } from '../../src/random.ts';
import { stepOf } from '../../src/render/step.ts';
import type { LoweringName, Runtime } from '../../src/runtime/index.ts';
import { nodeRuntime, webgpuRuntime } from '../../src/runtime/node.ts';
import { apart, hasVulkan, noise, withoutVulkan } from '../check.ts';

const pair = (v: number): [number, number] => [v, v];
const around = (v: number): [number, number, number, number] => [v, v, v, v];

/** Networks of what the famous ones are made of, from `image` to `y`. */
const networks: Readonly<Record<string, (b: Builder, image: Value) => Value>> = {
  // Padding of its own, a pool over values below zero, a strided shortcut, sampling.
  ResNet(b, image) {
    const stem = b.conv(b.pad(image, [0, 0, 3, 3, 0, 0, 3, 3]), noise(b, [8, 3, 7, 7]), noise(b, [8]), {
      strides: pair(2),
    });
    const x = b.one('MaxPool', [b.pad(stem, [0, 0, 1, 1, 0, 0, 1, 1])], { kernel_shape: pair(3), strides: pair(2) });
    const main = b.conv(b.relu(normalised(b, x)), noise(b, [8, 8, 3, 3]), undefined, {
      strides: pair(2),
      pads: [0, 0, 1, 1],
    });
    const sampled = b.one('MaxPool', [x], { kernel_shape: pair(1), strides: pair(2) });
    return b.relu(b.add(main, sampled));
  },
  // Depthwise convolutions, strided ones with padding on one side, a gate for each channel.
  MobileNet(b, image) {
    const x = b.conv(image, noise(b, [8, 3, 3, 3]), undefined, { strides: pair(2), pads: [0, 0, 1, 1] });
    const deep = b.conv(b.one('HardSwish', [x]), noise(b, [8, 1, 5, 5]), undefined, {
      strides: pair(2),
      pads: [1, 1, 2, 2],
      group: 8,
    });
    const gate = b.one('HardSigmoid', [b.conv(b.one('GlobalAveragePool', [deep]), noise(b, [8, 8, 1, 1]))], {});
    return b.conv(b.mul(deep, gate), noise(b, [12, 8, 1, 1]), noise(b, [12]));
  },
  // Pools that overlap and overhang, branches side by side, responses normalised.
  GoogLeNet(b, image) {
    const x = b.relu(b.conv(image, noise(b, [8, 3, 5, 5]), undefined, { strides: pair(2), pads: around(2) }));
    const pooled = b.one('MaxPool', [b.one('LRN', [x], { size: 3 })], {
      kernel_shape: pair(3),
      strides: pair(2),
      ceil_mode: 1,
    });
    const wide = b.one('MaxPool', [pooled], { kernel_shape: pair(3), pads: around(1) });
    const mean = b.one('AveragePool', [pooled], { kernel_shape: pair(3), pads: around(1), count_include_pad: 0 });
    return b.concat(
      [b.conv(wide, noise(b, [4, 8, 1, 1])), b.conv(mean, noise(b, [5, 8, 3, 3]), undefined, {})].map((v, i) =>
        i === 0 ? b.slice(v, [1, 1], [-1, -1], [2, 3]) : v,
      ),
      1,
    );
  },
  // Groups of channels, of all the sizes that were wrong in one layout or the other, and channels shuffled.
  ShuffleNet(b, image) {
    let x = b.conv(image, noise(b, [12, 3, 3, 3]));
    for (const [group, out] of [
      [3, 27],
      [3, 12],
      [1, 8],
      [2, 8],
      [4, 24],
    ] as const) {
      const stride = group === 1 ? 1 : 2;
      const w = noise(b, [out, x.dims[1]! / group, 3, 3]);
      x = b.one('LeakyRelu', [b.conv(x, w, undefined, { group, strides: pair(stride), pads: around(1) })]);
    }
    const [n, c, h, w] = x.dims as [number, number, number, number];
    return b.reshape(b.transpose(b.reshape(x, [n, 4, c / 4, h, w]), [0, 2, 1, 3, 4]), [n, c, h, w]);
  },
  // Convolutions by 1×1 with padding, which files may hold, and one as large as what it sees.
  pointwise(b, image) {
    const end = b.conv(image, noise(b, [6, 3, 1, 1]), noise(b, [6]), { pads: [0, 0, 1, 2] });
    const begin = b.conv(b.sigmoid(end), noise(b, [4, 6, 1, 1]), undefined, { pads: [1, 0, 0, 0], strides: pair(2) });
    const back = b.convTranspose(begin, noise(b, [4, 3, 1, 1]), { pads: [0, 0, 1, 1] });
    const [, , h, w] = back.dims as [number, number, number, number];
    return b.conv(b.tanh(back), noise(b, [2, 3, h, w]), undefined, { pads: [0, 0, 1, 1] });
  },
};

function normalised(b: Builder, x: Value): Value {
  const c = x.dims[1]!;
  const parameters = [noise(b, [c], 0.5, 2), noise(b, [c]), noise(b, [c], -0.2, 0.2), noise(b, [c], 0.5, 2)];
  return b.one('BatchNormalization', [x, ...parameters]);
}

const size = 24;
/** Software takes seconds where a GPU takes none, and many more beside other work. */
const SLOW = 180_000;

/** Layer and gradient of one of the {@link networks}, as it comes out of {@link inlineFused}. */
function problem(make: (b: Builder, image: Value) => Value, lowering: LoweringName): { graph: Graph; feeds: Tensors } {
  const inner = new Builder();
  const network = inner.graph({ y: make(inner, inner.input('image', 'float32', [1, 3, size, size])) });
  const b = new Builder();
  const z = b.input('z', 'float32', [1, 3, size, size]);
  const options = { lowering: lowerings[lowering] };
  const y = inlineFused(b, network, { image: z }, options).get('y')!;
  const loss = b.sum(b.mul(y, noise(b, y.dims, -0.5, 1.5)), undefined, false);
  const [g] = gradient(b, loss, [z], options);
  const feeds = { z: float32(new Random('z').uniform(sizeOf(z.dims), -1, 1), z.dims) };
  return { graph: b.graph({ y, g: g! }), feeds };
}

async function resultsOf(
  { graph, feeds }: { graph: Graph; feeds: Tensors },
  runtime: Runtime,
): Promise<Record<string, Float32Array>> {
  const program = await runtime.compile(graph);
  const results = await program.run(feeds);
  await program.dispose();
  return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, t.data as Float32Array]));
}

describe.each(Object.entries(networks))('a network such as %s', (_, make) => {
  it('has the same layer and gradient in every spelling', async () => {
    const cpu = await resultsOf(problem(make, 'cpu'), nodeRuntime);
    const gpu = await resultsOf(problem(make, 'webgpu'), nodeRuntime);
    expect(Math.hypot(...cpu['g']!)).toBeGreaterThan(0);
    expect(apart(gpu['y']!, cpu['y']!)).toBeLessThan(1e-6);
    expect(apart(gpu['g']!, cpu['g']!)).toBeLessThan(1e-6);
  });

  it.skipIf(!hasVulkan)(
    `is right on WebGPU${withoutVulkan}`,
    async () => {
      const cpu = await resultsOf(problem(make, 'cpu'), nodeRuntime);
      const gpu = await resultsOf(problem(make, 'webgpu'), webgpuRuntime);
      expect(apart(gpu['y']!, cpu['y']!)).toBeLessThan(1e-5);
      expect(apart(gpu['g']!, cpu['g']!)).toBeLessThan(1e-5);
    },
    SLOW,
  );
});

describe('a step of the built-in model', () => {
  const layer = 'conv3_block4_out';
  const side = 32;
  let cut: Graph;
  beforeAll(async () => {
    await using network = await openModel('resnet50v2-mini');
    cut = await network.cut([layer], { height: side, width: side });
  });
  const problemIn = (lowering: LoweringName): { graph: Graph; feeds: Tensors } => {
    const { graph } = stepOf({
      network: { graph: cut },
      objective: objectives.make({ kind: 'channel', layer, channel: 7, border: 0 }),
      param: params.make({ kind: 'pixel' }),
      optimiser: optimisers.make({ kind: 'normalised' }),
      lowering: lowerings[lowering],
      withGradient: true,
    });
    const dims = [1, 3, side, side];
    const z = float32(new Random('z').uniform(sizeOf(dims), -1, 1), dims);
    return { graph, feeds: { z, channel: int64(7), rate: float32(Float32Array.of(10), []) } };
  };

  it('has the same loss and gradient in every spelling', async () => {
    const cpu = await resultsOf(problemIn('cpu'), nodeRuntime);
    const gpu = await resultsOf(problemIn('webgpu'), nodeRuntime);
    for (const name of ['loss', 'gradient', 'next/z']) expect(apart(gpu[name]!, cpu[name]!), name).toBeLessThan(1e-6);
  });

  it.skipIf(!hasVulkan)(
    `is right on WebGPU${withoutVulkan}`,
    async () => {
      const cpu = await resultsOf(problemIn('cpu'), nodeRuntime);
      const gpu = await resultsOf(problemIn('webgpu'), webgpuRuntime);
      for (const name of ['loss', 'gradient', 'next/z']) expect(apart(gpu[name]!, cpu[name]!), name).toBeLessThan(1e-5);
    },
    SLOW,
  );
});

// If this fails one day, the lowering may be asked whether it still has to avoid what it avoids.
it.skipIf(!hasVulkan)(
  `WebGPU is wrong in the spelling of the CPU${withoutVulkan}`,
  async () => {
    const right = await resultsOf(problem(networks['pointwise']!, 'cpu'), nodeRuntime);
    const wrong = await resultsOf(problem(networks['pointwise']!, 'cpu'), webgpuRuntime);
    expect(apart(wrong['g']!, right['g']!)).toBeGreaterThan(0.01);
  },
  SLOW,
);

/**
 * @file onnx's own checker and strict shape inference on the graphs that we write:
 *
 *     PHOSPHENE_PYTHON=python npx vitest run test/oracles
 *
 * with a Python that has `test/oracles/requirements.txt`, or onnx alone.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { gradient } from '../../src/grad/index.ts';
import { openModel } from '../../src/hub/open.ts';
import { Builder } from '../../src/ir/builder.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { seedStep } from '../render/seed.ts';
import { build, cases } from '../ir/cases.ts';
import { sharedPath } from '../shared.ts';

const python = process.env['PHOSPHENE_PYTHON'];
if (!python) console.info('not checked by onnx: PHOSPHENE_PYTHON names no Python that has it');
const script = fileURLToPath(new URL('check_onnx.py', import.meta.url));
const resnet50v2 = sharedPath('models/resnet50v2-imagenet-conv1-4.h5');
const squeezenet = sharedPath('models/squeezenet1.1/squeezenet1.1.onnx');
const MINI = ['conv1_conv', 'pool1_pool', 'conv2_block1_out', 'conv3_block4_out'];
const RESNET = ['conv2_block3_out', 'conv3_block4_out', 'conv4_block6_out'];
const SQUEEZENET = ['squeezenet0_concat0', 'squeezenet0_concat5', 'squeezenet0_flatten0_reshape0'];

interface Pool {
  readonly ceil_mode?: number;
  readonly strides?: readonly number[];
  readonly kernel_shape?: readonly number[];
  readonly pads?: readonly number[];
}

interface Verdict {
  readonly files: number;
  readonly outputs: number;
  readonly faults: Readonly<Record<string, readonly string[]>>;
}

describe.skipIf(!python)('onnx accepts (needs PHOSPHENE_PYTHON, a Python with onnx)', { timeout: 120_000 }, () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'phosphene-onnx-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Writes graphs under their titles, with the dims of every value stated, and has them checked. */
  const check = (group: string, graphs: Iterable<readonly [title: string, graph: Graph]>): void => {
    const place = join(folder, group);
    mkdirSync(place);
    const titles = new Map<string, string>();
    for (const [title, graph] of graphs) {
      const name = `${titles.size}.onnx`;
      titles.set(name, title);
      writeFileSync(join(place, name), encodeOnnx(withAllValues(graph)));
    }
    const verdict = JSON.parse(execFileSync(python!, [script, place], { encoding: 'utf8' })) as Verdict;
    expect(Object.entries(verdict.faults).map(([name, faults]) => `${titles.get(name)}: ${faults.join('\n')}`)).toEqual(
      [],
    );
    expect(verdict.files).toBe(titles.size);
    expect(verdict.files).toBeGreaterThan(0);
    expect(verdict.outputs).toBeGreaterThan(verdict.files);
  };

  /** A network cut at several layers, and its steps. */
  const checkNetwork = async (name: string, layers: readonly string[], weights?: string): Promise<void> => {
    const model = await openModel(name, { weights });
    const size = { height: 224, width: 224 };
    const cuts = await Promise.all(layers.map(async (layer) => [layer, await model.cut([layer], size)] as const));
    const graphs = cuts.flatMap(([layer, network]) => {
      const step = seedStep(network, 2).graph;
      return [[`${layer}, forward`, network] as const, [`${layer}, step`, step] as const];
    });
    await model.close();
    check(model.name, graphs);
  };

  it('every operator, and its gradient where it has one', () => {
    check('operators', operatorGraphs());
  });

  it.skipIf(!resnet50v2)('resnet50v2 (needs shared/models)', () => checkNetwork('resnet50v2', RESNET, resnet50v2));
  it.skipIf(!squeezenet)('squeezenet1.1 (needs shared/models)', () => checkNetwork(squeezenet!, SQUEEZENET));
  it('resnet50v2-mini', () => checkNetwork('resnet50v2-mini', MINI));
});

/** The graph with all its values as outputs, so that what we infer for each of them is stated. */
function withAllValues(graph: Graph): Graph {
  const b = new Builder();
  const inputs = Object.fromEntries(graph.inputs.map(({ name, dtype, dims }) => [name, b.input(name, dtype, dims)]));
  const values = b.inline(graph, inputs);
  const outputs = graph.nodes.flatMap((node) => node.outputs.map((name) => ({ ...values.get(name)!, name })));
  return { ...graph, outputs };
}

/** Each case of each operator alone, and the gradient of its weighted sum where its rule takes it. */
function* operatorGraphs(): Generator<readonly [string, Graph]> {
  for (const [op, list] of Object.entries(cases)) {
    for (const c of list) {
      // Opset 18 counts a last window that starts in the end padding, engines do not: no importer writes such a pool.
      const { ceil_mode, strides = [], kernel_shape: kernel = [], pads = [] } = (c.attributes ?? {}) as Pool;
      if (ceil_mode === 1 && (strides.some((s, i) => s > kernel[i]!) || pads.some((p) => p > 0))) continue;
      const title = `${op} ${JSON.stringify(c)}`;
      const b = new Builder();
      const out = build(b, op, c);
      const forward = b.graph(out);
      // What is known while building leaves no node to check.
      if (forward.nodes.length === 0) continue;
      yield [title, forward];
      const [y] = out;
      if (y!.dtype !== 'float32') continue;
      const xs = forward.inputs.flatMap(({ name, dtype }) => (dtype === 'float32' ? [b.value(name)] : []));
      const loss = b.sum(b.mul(y!, b.input('u', 'float32', y!.dims)), undefined, false);
      try {
        yield [`gradient of ${title}`, b.graph(gradient(b, loss, xs))];
      } catch (error) {
        if (!(error instanceof PhospheneError && error.code === 'unsupported-op')) throw error;
      }
    }
  }
}

/**
 * @file ONNX's own test vectors: each model in them that is of numbers and of operators that we know is opened, run, and gives the
 * recorded outputs. They are looked for in the folder that PHOSPHENE_ONNX_DATA names, where Debian's libonnx-testdata puts
 * them, and in the onnx package of the Python that PHOSPHENE_PYTHON names.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { bodyOf } from '../../src/import/onnx/body.ts';
import { heldAs, held } from '../../src/import/onnx/precision.ts';
import { replayed } from '../../src/import/onnx/replay.ts';
import { weightsOf } from '../../src/import/onnx/weights.ts';
import { bytesSource } from '../../src/import/source.ts';
import { Builder } from '../../src/ir/builder.ts';
import { load } from '../../src/ir/graph.ts';
import { decodeOnnx, decodeTensor, openInfo } from '../../src/ir/onnx.ts';
import { TensorProtoSchema } from '../../src/ir/onnx_pb.ts';
import { type Tensor, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

const GROUPS = ['node', 'simple', 'pytorch-converted', 'pytorch-operator'];

/** The folder of the vectors, if there is one. */
function found(): string | undefined {
  const places = [process.env['PHOSPHENE_ONNX_DATA'], '/usr/share/libonnx-testdata/data'];
  const python = process.env['PHOSPHENE_PYTHON'];
  if (python) {
    try {
      const onnx = execFileSync(python, ['-c', 'import onnx; print(onnx.__path__[0])'], { encoding: 'utf8' }).trim();
      places.push(join(onnx, 'backend/test/data'));
    } catch {
      // It has no onnx.
    }
  }
  return places.find((place) => place && existsSync(place));
}
const data = found();
if (!data)
  console.info(
    "ONNX's test vectors are not run: neither PHOSPHENE_ONNX_DATA nor libonnx-testdata nor an onnx package has them",
  );

/** What is left out by name. The first two ONNX Runtime leaves out of its own tests as well. */
const NAMED = new Map([
  ['test_resize_downsample_scales_cubic_align_corners', 'ONNX Runtime counts whole pixels of the result'],
  ['test_resize_downsample_scales_linear_align_corners', 'ONNX Runtime counts whole pixels of the result'],
  ['test_if_seq', 'sequences, optionals and strings'],
]);

/**
 * What else is left out, and why. Whatever else fails is a fault of ours. The first reason that fits is counted.
 */
const reasons: readonly (readonly [reason: string, fits: (message: string) => boolean])[] = [
  ['an operator of training', (m) => /(Adagrad|Adam|Momentum|Gradient)\b/.test(m)],
  ['sequences, optionals and strings', (m) => /only tensors are supported|Sequence|Optional|STRING|StringNorm/.test(m)],
  ['an element type that pictures never have', (m) => /element type \w+ is not supported/.test(m)],
  ['control flow', (m) => /^(If|Loop|Scan) /.test(m)],
  ['an operator that we do not know', (m) => m.includes('this operator is not supported')],
  ['training mode', (m) => m.includes('as in training')],
  [
    'an attribute or mode that we do not know',
    (m) => /is not supported|are not supported|is not known; export|must be `|must be odd/.test(m),
  ],
];

interface Outcome {
  readonly model: string;
  readonly skipped?: string;
}

describe.skipIf(!data)("ONNX's test vectors (needs libonnx-testdata, or a folder)", { timeout: 600_000 }, () => {
  const outcomes: Outcome[] = [];
  afterAll(() => {
    const ran = outcomes.filter((o) => !o.skipped);
    const counts = new Map<string, number>();
    for (const { skipped } of outcomes) if (skipped) counts.set(skipped, (counts.get(skipped) ?? 0) + 1);
    const left = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, n]) => `  ${n}: ${reason}`);
    console.info(`ONNX's test vectors: ${ran.length} models give what is recorded; left out are\n${left.join('\n')}`);
  });

  it.each(GROUPS.filter((group) => data && existsSync(join(data, group))))('%s', async (group) => {
    const faults: string[] = [];
    let ran = 0;
    for (const model of readdirSync(join(data!, group)).sort()) {
      const folder = join(data!, group, model);
      if (!existsSync(join(folder, 'model.onnx'))) continue;
      try {
        await checked(folder);
        outcomes.push({ model });
        ran++;
      } catch (error) {
        const message = (error as Error).message;
        const reason =
          NAMED.get(model) ?? (error instanceof PhospheneError && reasons.find(([, fits]) => fits(message))?.[0]);
        if (reason) outcomes.push({ model, skipped: reason });
        else faults.push(`${model}: ${message.split('\n')[0]}`);
      }
    }
    expect(faults).toEqual([]);
    expect(ran).toBeGreaterThan(0);
  });
});

/** Opens a model, runs it on the recorded inputs, and compares. */
async function checked(folder: string): Promise<void> {
  const { proto, opset } = decodeOnnx(readFileSync(join(folder, 'model.onnx')));
  const graph = proto.graph!;
  const tensors = (set: string, kind: 'input' | 'output'): Tensor[] =>
    readdirSync(join(folder, set))
      .filter((f) => f.startsWith(`${kind}_`))
      .sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0]))
      .map((f) => held(decodeTensor(fromBinary(TensorProtoSchema, readFileSync(join(folder, set, f))))));
  const body = await bodyOf('model.onnx', graph, weightsOf(bytesSource('model.onnx', new Uint8Array())));
  const infos = graph.input.filter((i) => !body.constants.has(i.name ?? '')).map(openInfo);
  for (const set of readdirSync(folder).filter((f) => f.startsWith('test_data_set_'))) {
    const given = tensors(set, 'input');
    const expected = tensors(set, 'output');
    // What is no number of a picture is known while a graph is built: shapes, axes, indices. Scales and bounds may be, too.
    const attempts = [
      (t: Tensor): boolean => t.dtype !== 'float32',
      (t: Tensor, i: number): boolean => t.dtype !== 'float32' || i > 0,
      (): boolean => true,
    ];
    let problem: PhospheneError | undefined;
    for (const isKnown of attempts) {
      const b = new Builder();
      const values = new Map(
        infos.map(({ name, dtype }, i) => {
          const t = given[i]!;
          if (heldAs(dtype) !== t.dtype) throw new Error(`${name} is ${dtype}, recorded is ${t.dtype}`);
          return [name, isKnown(t, i) ? b.constant(t, name) : b.input(name, t.dtype, t.dims)] as const;
        }),
      );
      const { barred = new Map<string, PhospheneError>(), values: all } = replayed(b, body, { opset, given: values });
      problem = [...barred.values()][0];
      if (problem) {
        if (/must be known|whole numbers is divided/.test(problem.message)) continue;
        throw problem;
      }
      const outputs = body.outputs.map((name) => all.get(name) ?? b.constant(body.constants.get(name)!));
      const made = await load(b.graph(Object.fromEntries(outputs.map((o, i) => [`output ${i}`, o]))));
      const program = await nodeRuntime.compile(made);
      const fed = Object.fromEntries(
        infos.flatMap(({ name }, i) => (made.inputs.some((x) => x.name === name) ? [[name, given[i]!]] : [])),
      );
      const results = await program.run(fed);
      await program.dispose();
      expected.forEach((right, i) => compare(results[`output ${i}`]!, right));
      break;
    }
    if (problem) throw problem;
  }
}

/** As ONNX's own runner compares: within a thousandth of the value, and 1e-7. */
function compare(ours: Tensor, right: Tensor): void {
  if (ours.dims.join() !== right.dims.join())
    throw new Error(`dims [${ours.dims.join(', ')}], recorded are [${right.dims.join(', ')}]`);
  const [a, b] = [toNumbers(ours), toNumbers(right)];
  const off = b.findIndex(
    (v, i) => !(Object.is(v, a[i]) || v === a[i] || Math.abs(v - a[i]!) <= 1e-3 * Math.abs(v) + 1e-6),
  );
  if (off >= 0) throw new Error(`element ${off} is ${a[off]}, recorded is ${b[off]}`);
}

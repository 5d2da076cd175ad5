/** @file A model from what a user has: a published name with weights, or a file. */
import { createHash } from 'node:crypto';
import { open as openFile, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PhospheneError } from '../errors.ts';
import { explained } from '../filesystem.ts';
import { kerasModel, type Topology } from '../import/keras.ts';
import { openWeights } from '../import/keras-weights.ts';
import type { Model } from '../import/model.ts';
import type { WeightSource } from '../import/weights.ts';
import { BUILT_IN, findModel, isBuiltIn, modelNames } from './models.ts';
import { resnet } from './resnet.ts';

const builtInFile: string = fileURLToPath(new URL('../../models/resnet50v2-mini.onnx', import.meta.url));

/** Blocks of each stage, by depth and version. */
const topologies: Readonly<Record<string, Topology>> = Object.fromEntries(
  (
    [
      ['resnet50', 1, [3, 4, 6, 3]],
      ['resnet101', 1, [3, 4, 23, 3]],
      ['resnet152', 1, [3, 8, 36, 3]],
      ['resnet50v2', 2, [3, 4, 6, 3]],
      ['resnet101v2', 2, [3, 4, 23, 3]],
      ['resnet152v2', 2, [3, 8, 36, 3]],
    ] as const
  ).map(([name, version, blocks]) => [name, (l, image) => resnet(l, image, { version, blocks })]),
);

export interface OpenOptions {
  /** A weights file in place of the published one. */
  readonly weights?: string | undefined;
  /** How the published weights are had when no file is given; without it the model can only be listed. */
  readonly fetchWeights?: ((name: string) => Promise<string>) | undefined;
}

/** A model that may hold a file open. */
export interface OpenModel extends Model {
  close(): void;
}

/** A model as far as it is known without weights: its layers can be listed and options checked before anything is fetched. */
export interface ListedModel extends Model {
  /** The model itself. Throws `missing-weights`, `bad-file`, `filesystem`. */
  open(options?: OpenOptions): Promise<OpenModel>;
}

/**
 * Opens a model by name (`resnet50v2`), the built-in one (`resnet50v2-mini`), or an ONNX file by path.
 * Throws `unknown-model`, `missing-weights`, `bad-file`, `filesystem`.
 */
export async function openModel(name: string, options: OpenOptions = {}): Promise<OpenModel> {
  return (await listModel(name)).open(options);
}

/** Finds a model by what {@link openModel} takes. Throws `unknown-model`, `bad-file`, `filesystem`. */
export async function listModel(name: string): Promise<ListedModel> {
  if (isBuiltIn(name)) return readOnnx(builtInFile, BUILT_IN, 'conv3_block4_out');
  if (/\.onnx$/i.test(name) || name.includes('/') || name.includes('\\'))
    return readOnnx(name, name.replace(/^.*[/\\]/, ''));
  const published = findModel(name);
  const base = {
    name: published.name,
    preprocess: published.preprocess,
    defaultLayer: published.defaultLayer,
    topology: topologies[published.name]!,
  };
  return {
    ...kerasModel({ ...base, hash: '' }),
    async open({ weights, fetchWeights } = {}) {
      const source = weights ?? (await fetchWeights?.(published.name));
      if (!source)
        throw new PhospheneError(
          'missing-weights',
          `${name}: no weights; give a file of them, or use the built-in model \`${BUILT_IN}\``,
          { name, option: 'weights' },
        );
      const file = await openWeights(source);
      const hash = await hashOf(source).catch((error: unknown) => {
        file.close();
        throw explained(error, source, 'cannot be read');
      });
      const weightSource: WeightSource = { source, read: (layer, weight, dims) => file.read(layer, weight, dims) };
      const model = kerasModel({ ...base, hash, weights: weightSource });
      return { ...model, close: () => file.close() };
    },
  };
}

/** An ONNX file is list and weights in one. */
async function readOnnx(path: string, name: string, defaultLayer?: string): Promise<ListedModel> {
  let bytes: Uint8Array;
  try {
    if (!(await stat(path)).isFile())
      throw new PhospheneError('filesystem', `${path} cannot be read: not a file`, { path });
    bytes = await readFile(path);
  } catch (error) {
    throw explained(error, path, 'cannot be read', `the models known by name are ${modelNames.join(', ')}`);
  }
  // Loaded when needed: the protobuf runtime takes a tenth of a second.
  const { fromOnnx } = await import('../import/onnx.ts');
  const model = fromOnnx(bytes, { name, hash: createHash('sha256').update(bytes).digest('hex') });
  const opened = { ...model, ...(defaultLayer ? { defaultLayer } : {}), close: () => {} };
  return {
    ...opened,
    async open({ weights } = {}) {
      // Not passed by: whoever gives weights expects to see them.
      if (weights !== undefined)
        throw new PhospheneError('bad-option', `${name}: holds its own weights; ${weights} cannot take their place`, {
          name,
          weights,
        });
      return opened;
    },
  };
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await openFile(path);
  try {
    // Large pieces: a stream's small ones take eight times as long, and the first picture waits for this.
    const piece = Buffer.allocUnsafe(1 << 23);
    for (;;) {
      const { bytesRead } = await file.read(piece);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/**
 * @file Small layers models, saved by TensorFlow.js itself, with what it computes of them. Needs `@tensorflow/tfjs` in a folder outside
 * of the checkout, since it is large:
 *
 *     npm install --prefix /tmp/tfjs-oracle @tensorflow/tfjs
 *     NODE_PATH=/tmp/tfjs-oracle/node_modules node test/oracles/make_tfjs_layers.cjs
 */
const { mkdirSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const tf = require('@tensorflow/tfjs');

const DILATED = ['dilated', 'pooled', 'out'];
const OUT = path.join(__dirname, '..', 'import', 'tfjs-layers');

/** The same numbers on every machine. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function fill(model, seed) {
  const next = random(seed);
  for (const weight of model.weights) {
    const { shape, originalName: name } = weight;
    const fan = Math.max(
      1,
      shape.slice(0, -1).reduce((a, b) => a * b, 1),
    );
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => {
      const v = next() * 2 - 1;
      if (/variance/.test(name)) return 1 + next();
      if (/gamma/.test(name)) return 1 + 0.3 * v;
      return /kernel/.test(name) ? (1.7 * v) / Math.sqrt(fan) : 0.3 * v;
    });
    weight.write(tf.tensor(values, shape));
  }
}

/** Two levels of Sequential around a model, as Teachable Machine saves them. */
function teachable() {
  const x = tf.input({ shape: [20, 18, 3] });
  let y = tf.layers
    .conv2d({ filters: 6, kernelSize: 3, strides: 2, padding: 'same', useBias: false, name: 'Conv1' })
    .apply(x);
  y = tf.layers.batchNormalization({ name: 'bn_Conv1' }).apply(y);
  y = tf.layers.reLU({ maxValue: 6, name: 'Conv1_relu' }).apply(y);
  y = tf.layers
    .zeroPadding2d({
      padding: [
        [0, 1],
        [0, 1],
      ],
      name: 'pad',
    })
    .apply(y);
  y = tf.layers
    .depthwiseConv2d({ kernelSize: 3, strides: 2, depthMultiplier: 2, name: 'depth', depthwiseInitializer: 'zeros' })
    .apply(y);
  y = tf.layers.activation({ activation: 'hardSigmoid', name: 'hard' }).apply(y);
  const features = tf.model({ inputs: x, outputs: y, name: 'features' });
  const body = tf.sequential({ name: 'body', layers: [features, tf.layers.globalAveragePooling2d({ name: 'pool' })] });
  const head = tf.sequential({
    name: 'head',
    layers: [
      tf.layers.dense({ units: 7, activation: 'relu', inputShape: [12], name: 'dense_1' }),
      tf.layers.dense({ units: 3, activation: 'softmax', useBias: false, name: 'dense_2' }),
    ],
  });
  return {
    model: tf.sequential({ name: 'whole', layers: [body, head] }),
    inner: { features, body, head },
    layers: ['features/Conv1_relu', 'features/depth', 'features/hard', 'body/pool', 'head/dense_1'],
  };
}

/** Branches, a transposed convolution, shared and merging layers, in one model without a fixed size. */
function branches() {
  const x = tf.input({ shape: [null, null, 1], name: 'grey' });
  const a = tf.layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'elu', name: 'a' }).apply(x);
  const b = tf.layers
    .separableConv2d({ filters: 5, kernelSize: 3, strides: 2, padding: 'same', activation: 'tanh', name: 'b' })
    .apply(a);
  const up = tf.layers.conv2dTranspose({ filters: 4, kernelSize: 3, strides: 2, padding: 'same', name: 'up' }).apply(b);
  const sum = tf.layers.add({ name: 'sum' }).apply([a, up]);
  const shared = tf.layers.conv2d({ filters: 4, kernelSize: 1, dilationRate: 1, name: 'shared' });
  const one = shared.apply(sum);
  const two = shared.apply(tf.layers.leakyReLU({ alpha: 0.1, name: 'leaky' }).apply(sum));
  const joined = tf.layers.concatenate({ name: 'joined' }).apply([one, two]);
  const slopes = tf.layers.prelu({ sharedAxes: [1, 2], name: 'slopes' }).apply(joined);
  const spread = tf.layers.upSampling2d({ size: [2, 2], name: 'spread' }).apply(slopes);
  const dilated = tf.layers
    .conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same', activation: 'sigmoid', name: 'dilated' })
    .apply(spread);
  const pooled = tf.layers
    .averagePooling2d({ poolSize: 3, strides: 2, padding: 'same', name: 'pooled' })
    .apply(dilated);
  const out = tf.layers
    .dense({ units: 2, name: 'out' })
    .apply(tf.layers.globalMaxPooling2d({ name: 'most' }).apply(pooled));
  return {
    model: tf.model({ inputs: x, outputs: out, name: 'branches' }),
    layers: ['a', 'b', 'up', 'sum', 'leaky', 'slopes', 'spread', 'dilated', 'pooled', 'out'],
  };
}

/** Weights as the converter quantises them; what they are afterwards is written back to the model. */
function quantised(model, artifacts, kind) {
  const { weightSpecs, weightData } = artifacts;
  const bytes = [];
  let at = 0;
  const specs = weightSpecs.map((spec) => {
    const size = spec.shape.reduce((a, b) => a * b, 1);
    const values = new Float32Array(weightData.slice(at, at + 4 * size));
    at += 4 * size;
    if (kind === undefined || size < 8) {
      bytes.push(Buffer.from(values.buffer));
      return spec;
    }
    const [low, high] = [Math.min(0, ...values), Math.max(...values)];
    const scale = (high - low) / (kind === 'uint8' ? 255 : 65535);
    const min = -Math.round(-low / scale) * scale;
    const stored = (kind === 'uint8' ? Uint8Array : Uint16Array).from(values, (v) =>
      Math.max(0, Math.round((v - min) / scale)),
    );
    bytes.push(Buffer.from(stored.buffer));
    const weight = model.weights.find((w) => w.originalName === spec.name);
    weight.write(
      tf.tensor(
        Float32Array.from(stored, (q) => q * scale + min),
        spec.shape,
      ),
    );
    return { ...spec, quantization: { dtype: kind, min, scale, original_dtype: 'float32' } };
  });
  return { specs, data: Buffer.concat(bytes) };
}

const base64 = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

/** What Python writes becomes what TypeScript does: `class_name` becomes `className`. */
function camel(value, key = '') {
  const word = (text) => text.replace(/_([a-z])/g, (_, c) => c.toUpperCase());
  if (Array.isArray(value)) return value.map((v) => camel(v));
  if (typeof value === 'string') return ['activation', 'data_format', 'padding'].includes(key) ? word(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [word(k), camel(v, k)]));
}

async function write(
  name,
  { model, inner = {}, layers },
  { seed, size, quantization, shard, packed, camelCase, relic },
) {
  const folder = path.join(OUT, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  fill(model, seed);
  let saved;
  await model.save({
    save: async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  const { specs, data } = quantised(model, saved, quantization);
  const { modelTopology } = saved;
  // As some models have it: a shape in the middle, left over from another one.
  if (relic) modelTopology.config.layers.at(-1).config.batch_input_shape = [null, 7, 7, 1280];
  const json = {
    modelTopology: camelCase ? camel(modelTopology) : modelTopology,
    format: 'layers-model',
    generatedBy: saved.generatedBy,
    convertedBy: null,
  };
  if (packed) Object.assign(json, { weightSpecs: specs, weightData: data.toString('base64') });
  else {
    const pieces = [];
    for (let at = 0; at < data.length; at += shard ?? data.length)
      pieces.push(data.subarray(at, at + (shard ?? data.length)));
    const paths = pieces.map((_, i) =>
      pieces.length === 1 ? 'weights.bin' : `group1-shard${i + 1}of${pieces.length}`,
    );
    pieces.forEach((piece, i) => writeFileSync(path.join(folder, paths[i]), piece));
    json.weightsManifest = [{ paths, weights: specs }];
  }
  writeFileSync(path.join(folder, 'model.json'), JSON.stringify(json));

  const channels = model.inputs[0].shape[3];
  const next = random(1);
  const values = Float32Array.from({ length: size[0] * size[1] * channels }, () => next() * 2 - 1);
  const image = tf.tensor(values, [1, ...size, channels]);
  const golden = {};
  for (const layer of layers) {
    const [owner, own] = layer.includes('/') ? layer.split('/') : [undefined, layer];
    // Of models in models: what stands before the one that the layer is in, and then the part of that.
    const part = (m, of) => tf.model({ inputs: m.inputs, outputs: m.getLayer(of).output });
    const run = (x) => {
      if (owner === undefined) return part(model, own).apply(x);
      if (owner === 'features') return part(inner.features, own).apply(x);
      if (owner === 'body') return inner.body.apply(x);
      return part(inner.head, own).apply(inner.body.apply(x));
    };
    const y = run(image);
    const channel = Math.floor(y.shape.at(-1) / 2);
    const pick = (v) =>
      v
        .slice(
          v.shape.map((_, i) => (i === v.rank - 1 ? channel : 0)),
          v.shape.map((d, i) => (i === v.rank - 1 ? 1 : d)),
        )
        .mean();
    golden[own] = { dims: y.shape, value: base64(y.dataSync()), channel };
    // TensorFlow.js has no gradient of a dilated convolution.
    if (!DILATED.includes(own))
      golden[own].gradient = base64(
        tf
          .grad((x) => pick(run(x)))(image)
          .dataSync(),
      );
  }
  return { size, channels, image: base64(values), layers: golden };
}

async function main() {
  await tf.setBackend('cpu');
  mkdirSync(OUT, { recursive: true });
  const all = {
    teachable: await write('teachable', teachable(), { seed: 1, size: [20, 18] }),
    camel: await write('camel', teachable(), {
      seed: 2,
      size: [20, 18],
      quantization: 'uint8',
      camelCase: true,
      shard: 100,
    }),
    branches: await write('branches', branches(), { seed: 3, size: [14, 12], quantization: 'uint16', relic: true }),
    packed: await write('packed', branches(), { seed: 4, size: [10, 12], packed: true }),
  };
  writeFileSync(path.join(OUT, 'golden.json'), JSON.stringify(all));
}
void main();

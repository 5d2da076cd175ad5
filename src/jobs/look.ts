/** @file What a network sees in a photo: how strongly its channels fire, and where. */
import { PhospheneError } from '../errors.ts';
import { defaultSize, findLayer, type Layer, type Network } from '../import/network.ts';
import type { Builder, Value } from '../ir/builder.ts';
import type { Dims } from '../ir/tensor.ts';
import type { Raster } from '../output/raster.ts';
import { photoDigest, photoTensor } from '../photo/photo.ts';
import { targets } from '../render/targets.ts';
import { evaluated, forwardProgram } from './forward.ts';
import { keeper } from './kept.ts';
import type { Engine } from './render.ts';

/** How strongly the channels of a layer fire for a photo: a number for each. */
export interface Strengths {
  readonly layer: string;
  /** The greatest activation of all places. */
  readonly peak: Float32Array;
  /** The mean over all places. */
  readonly mean: Float32Array;
}

/** The activations of a layer for a photo. */
export interface ActivationMap {
  readonly layer: string;
  readonly channels: number;
  /** Places; 1 × 1 for a layer without any. */
  readonly height: number;
  readonly width: number;
  /** [channels, height, width] */
  readonly data: Float32Array;
}

/**
 * How strongly each channel of each layer fires for a photo, which is cut and scaled to what the network takes: of all layers that have
 * pictures, in one run. Throws `bad-option` for a network that takes no photos, and what cutting and running throw.
 *
 * @example
 * for (const { layer, peak } of await strengthsOf(network, photo, { pool, lowering: 'cpu' }))
 *   console.log(layer, Math.max(...peak));
 */
export async function strengthsOf(network: Network, photo: Raster, engine: Engine): Promise<readonly Strengths[]> {
  const size = defaultSize(network.input, photo);
  const image = photoTensor(photo, { channels: network.input.channels, size });
  const all = targets(network, size);
  const layers = all.map(({ name }) => name);
  if (layers.length === 0) return [];
  const { lowering } = engine;
  const program = await forwardProgram(network, { what: 'strengths', layers, size, lowering }, (b, value) =>
    b.concat(
      all.flatMap((layer) => {
        const map = b.cast(planes(b, value(layer.name), layer.channels.axis), 'float32');
        const { count } = layer.channels;
        return [
          b.reshape(b.one('ReduceMax', [map, b.ints([1])], { keepdims: 0 }), [count]),
          b.reshape(b.mean(map, [1]), [count]),
        ];
      }),
      0,
    ),
  );
  const { data } = await evaluated(program, image, engine);
  let at = 0;
  const next = (count: number): Float32Array => data.slice(at, (at += count));
  return all.map(({ name, channels: { count } }) => ({ layer: name, peak: next(count), mean: next(count) }));
}

/** The last maps of a network: who looks at one place looks at another, and at channels one after another. */
const keptMap = keeper<ActivationMap>(2);

/**
 * All activations of a layer for a photo, which is cut and scaled to what the network takes. The last of a network are kept. Throws
 * `unknown-layer`, also for a layer without channels, `bad-option` for a network that takes no photos, and what cutting and running throw.
 *
 * @example
 * const { data, height, width } = await activationMap(network, 'conv3_block4_out', photo, engine);
 * const channel7 = data.subarray(7 * height * width, 8 * height * width);
 */
export async function activationMap(
  network: Network,
  layer: string,
  photo: Raster,
  engine: Engine,
): Promise<ActivationMap> {
  const size = defaultSize(network.input, photo);
  const image = photoTensor(photo, { channels: network.input.channels, size });
  const { name, dims, channels } = withChannels(findLayer(network.name, network.layers(size).layers, layer));
  return keptMap(network, `${name}/${photoDigest(image)}`, async () => {
    const { lowering } = engine;
    const program = await forwardProgram(network, { what: 'map', layers: [name], size, lowering }, (b, value) =>
      planes(b, value(name), channels.axis),
    );
    const { data } = await evaluated(program, image, engine);
    return { layer: name, channels: channels.count, ...shapeOf(dims, channels.axis), data };
  });
}

function withChannels(layer: Layer): Layer & { readonly channels: NonNullable<Layer['channels']> } {
  const { name, dims, channels } = layer;
  if (channels) return { ...layer, channels };
  throw new PhospheneError(
    'unknown-layer',
    `layer \`${name}\` is [${dims.join(', ')}] and has no channels that can be told apart; choose another layer`,
    { option: 'layer', layer: name, dims },
  );
}

/** An activation as [channels, places]. */
function planes(b: Builder, value: Value, axis: number): Value {
  const others = value.dims.map((_, i) => i).filter((i) => i !== axis);
  const count = value.dims[axis]!;
  const places = others.reduce((product, i) => product * value.dims[i]!, 1);
  return b.reshape(b.transpose(value, [axis, ...others]), [count, places]);
}

/** How the places of a layer lie. The tokens of a transformer are the places of a square, if there are as many. */
function shapeOf(dims: Dims, axis: number): { readonly height: number; readonly width: number } {
  const rest = dims.filter((_, i) => i !== axis && i !== 0);
  const places = rest.reduce((product, d) => product * d, 1);
  const side = Math.sqrt(places);
  if (rest.length === 2) return { height: rest[0]!, width: rest[1]! };
  return Number.isInteger(side) ? { height: side, width: side } : { height: 1, width: places };
}

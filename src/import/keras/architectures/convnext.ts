/** @file The ConvNeXts of keras.applications. Paper: Liu et al. 2022 (arXiv:2201.03545). */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import { act, add, CLASSES, conv, dense, globalPool, type Top } from './blocks.ts';

export interface ConvNeXtOptions extends Top {
  /** With which the names of all layers begin. */
  readonly prefix: string;
  /** Blocks in each of the four stages, and their widths. */
  readonly depths: readonly number[];
  readonly widths: readonly number[];
}

const layerNorm = (t: TopologyBuilder, name: string | undefined, x: string): string =>
  t.add('LayerNormalization', name, x, { axis: -1, epsilon: 1e-6 });

export function convnext({ prefix, depths, widths, top }: ConvNeXtOptions): Topology {
  const t = new TopologyBuilder();
  const white = (values: readonly number[], power: number): number[] => values.map((v) => (v * 255) ** power);
  let x = t.add('Normalization', `${prefix}_prestem_normalization`, PICTURE, {
    axis: -1,
    mean: white([0.485, 0.456, 0.406], 1),
    variance: white([0.229, 0.224, 0.225], 2),
  });
  depths.forEach((count, stage) => {
    const width = widths[stage]!;
    const scaled = { bias: true, valid: true } as const;
    if (stage === 0)
      x = t.nested(`${prefix}_stem`, x, (y) =>
        layerNorm(t, `${prefix}_stem_layernorm`, conv(t, `${prefix}_stem_conv`, y, width, 4, { ...scaled, stride: 4 })),
      );
    else {
      const i = stage - 1;
      x = t.nested(`${prefix}_downsampling_block_${i}`, x, (y) =>
        conv(
          t,
          `${prefix}_downsampling_conv_${i}`,
          layerNorm(t, `${prefix}_downsampling_layernorm_${i}`, y),
          width,
          2,
          { ...scaled, stride: 2 },
        ),
      );
    }
    for (let block = 0; block < count; block++) {
      const name = `${prefix}_stage_${stage}_block_${block}`;
      let y = conv(t, `${name}_depthwise_conv`, x, width, 7, { bias: true, groups: width });
      y = dense(t, `${name}_pointwise_conv_1`, layerNorm(t, `${name}_layernorm`, y), 4 * width);
      y = dense(t, `${name}_pointwise_conv_2`, act(t, `${name}_gelu`, y, 'gelu'), width);
      y = t.add('LayerScale', `${name}_layer_scale`, y, { projection_dim: width });
      x = add(t, undefined, x, act(t, `${name}_identity`, y, 'linear'));
    }
  });
  // Without its classifier it normalises each pixel, with it their mean.
  if (!top) return t.finish(layerNorm(t, undefined, x));
  const pooled = layerNorm(t, `${prefix}_head_layernorm`, globalPool(t, `${prefix}_head_gap`, x));
  return t.finish(dense(t, `${prefix}_head_dense`, pooled, CLASSES, 'softmax'));
}

/** @file What `phosphene layers` asks of the core. */
import { openModel } from '../../hub/open.ts';
import { settle } from '../../render/recipe.ts';
import { surveyed } from '../../render/targets.ts';
import type { LayersCore } from '../layers.ts';

export const layers: LayersCore = async ({ model, architecture, size: asked, preprocess }) => {
  const network = await openModel(model, { architecture, preprocess });
  try {
    // The crop of a preset has nothing to do with a list.
    const { size } = settle({ size: asked, finish: { crop: 0 } }, network.input.size);
    const { barrier } = network.layers(size);
    return {
      model: network.name,
      input: network.input,
      size,
      defaultLayer: network.defaultLayer,
      ...(barrier ? { barrier } : {}),
      layers: surveyed(network, size).map(({ layer, obstacle, shows, isDetail }) => ({
        name: layer.name,
        path: layer.path,
        within: layer.within,
        type: layer.type,
        dims: layer.dims.slice(1),
        parameters: layer.parameters,
        channels: layer.channels?.count,
        shows,
        isDetail,
        obstacle,
      })),
    };
  } finally {
    await network.close();
  }
};

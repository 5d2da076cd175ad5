/** @file What `phosphene models` asks of the core. */
import { stat } from 'node:fs/promises';
import { BUILT_IN } from '../../hub/models.ts';
import { type PublishedFile, publishedModels } from '../../hub/published.ts';
import { weightsPath } from '../../hub/weights.ts';
import type { ListedFile, ModelsCore } from '../models.ts';

export const models: ModelsCore = async ({ cache }) => {
  const listed = async (file: PublishedFile): Promise<ListedFile> => {
    const cached = await stat(weightsPath(file, cache)).then(
      (found) => found.isFile(),
      () => false,
    );
    return { ...file, bytes: 4 * file.parameters, cached };
  };
  const published = publishedModels.map(async ({ name, year, size, preprocess, defaultLayer, full, noTop }) => ({
    name,
    year,
    size,
    preprocess,
    defaultLayer,
    full: await listed(full),
    noTop: await listed(noTop),
  }));
  return [builtIn, ...(await Promise.all(published))];
};

/** The small network that comes with the package (docs/resnet50v2-mini.md). */
const builtIn = {
  name: BUILT_IN,
  size: 180,
  preprocess: 'tf',
  defaultLayer: 'conv3_block4_out',
} as const;

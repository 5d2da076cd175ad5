/** @file What `phosphene layers` asks of the core. */
import type { Preprocess } from '../../import/model.ts';
import { isBuiltIn, modelNames } from '../../hub/models.ts';
import { listModel, type ListedModel } from '../../hub/open.ts';
import { PhospheneError } from '../../errors.ts';
import { presets } from '../../render/presets.ts';
import { targets } from '../../render/targets.ts';
import type { LayersCore } from '../layers.ts';
import type { InputFacts, PreprocessSpec } from '../model.ts';

const { height, width } = presets.keras;

export const layers: LayersCore = async ({ model: name, size = { height, width }, preprocess }) => {
  const model = await opened(name, preprocess);
  const possible = new Set(targets(model, size).map((l) => l.name));
  return {
    model: model.name,
    input: inputOf(name, model),
    size,
    barrier: model.barrier?.(size),
    layers: model.layers(size).map((l) => ({
      ...l,
      dims: l.dims.slice(1),
      channels: l.dims.length < 2 ? undefined : l.dims[1],
      ...(possible.has(l.name)
        ? {}
        : { obstacle: l.dims.length < 2 ? 'it has no channels' : 'there is no gradient for it' }),
    })),
  };
};

/** The model of that name, with its preprocessing as asked for. */
export async function opened(name: string, preprocess: PreprocessSpec | undefined): Promise<ListedModel> {
  if (preprocess !== undefined)
    throw new PhospheneError('bad-option', 'preprocess: this version takes it from the file only', {
      option: 'preprocess',
    });
  return listModel(name);
}

/** What a model says of its input. */
export function inputOf(name: string, model: ListedModel): InputFacts {
  const deviation = [0.229, 0.224, 0.225];
  const known: Readonly<Record<Preprocess, InputFacts['preprocess']>> = {
    tf: { scale: [1, 1, 1], shift: [0, 0, 0], order: 'rgb' },
    raw: { scale: [127.5, 127.5, 127.5], shift: [127.5, 127.5, 127.5], order: 'rgb' },
    caffe: { scale: [127.5, 127.5, 127.5], shift: [103.939, 116.779, 123.68].map((m) => 127.5 - m), order: 'bgr' },
    torch: {
      scale: deviation.map((d) => 0.5 / d),
      shift: [0.485, 0.456, 0.406].map((m, i) => (0.5 - m) / deviation[i]!),
      order: 'rgb',
    },
  };
  const published = isBuiltIn(name) || modelNames.includes(name);
  return {
    channels: 3,
    preprocess: known[model.preprocess],
    from: published ? 'known' : model.preprocess === 'tf' ? 'assumed' : 'file',
  };
}

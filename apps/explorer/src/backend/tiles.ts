/** @file Pictures that are files beside the page; what is not among them is made by the page itself, if it can. */
import type { Tiles, TilesOfModel, Wish } from 'phosphene/web';
import { type Backend, Failure } from './backend.ts';

/** The backend of a page of files, with `engine` behind it. */
export function tilesBackend(tiles: Tiles, base: URL, engine: Backend): Backend {
  const { catalogue, models } = tiles;
  const find = (name: string): TilesOfModel => {
    const found = models.find(({ facts }) => facts.ref.name === name);
    if (found) return found;
    throw new Failure({ code: 'unknown-model', message: `This page has no pictures of \`${name}\`.` });
  };
  /** The address of a picture, if it is there and is the one that is wished for. */
  const place = (
    model: TilesOfModel,
    { layer, channel, objective, preset, size, settings }: Wish,
  ): string | undefined => {
    const own = preset === undefined || preset === catalogue.presets[0]?.name;
    if (!own || objective !== undefined || size !== undefined || Object.keys(settings ?? {}).length > 0)
      return undefined;
    const there = Object.hasOwn(model.layers, layer) ? model.layers[layer] : undefined;
    return there?.channels.includes(channel) ? new URL(`${there.folder}/${channel}.png`, base).href : undefined;
  };
  // Browsers start no workers for a page of `file://`.
  const makes = (name: string): boolean => find(name).file !== undefined && location.protocol !== 'file:';
  const cannot = (): Failure =>
    new Failure({
      code: 'runtime',
      message:
        location.protocol === 'file:'
          ? 'This page was opened as a file, so that it shows only pictures that were made beforehand. On any web server it computes others too, and looks at photos.'
          : 'This page has only pictures of this model that were made beforehand. To look at photos, open the file of the model.',
    });
  return {
    kind: 'tiles',
    makes,
    catalogue: async () => catalogue,
    async open(ref) {
      // Another preprocessing makes other pictures.
      const { facts, file } = find(ref.name);
      return ref.preprocess === undefined || file === undefined ? facts : engine.open(ref);
    },
    async *watch(wish, signal) {
      const model = find(wish.model.name);
      const url = wish.model.preprocess === undefined ? place(model, wish) : undefined;
      const last = wish.kept !== false || !makes(wish.model.name);
      if (url !== undefined) yield { type: 'ready', url, last };
      if (url !== undefined && last) return;
      if (!makes(wish.model.name)) throw cannot();
      yield* engine.watch(wish, signal);
    },
    async look(look) {
      if (!makes(look.model.name)) throw cannot();
      return engine.look(look);
    },
    async study(study) {
      if (!makes(study.model.name)) throw cannot();
      return engine.study(study);
    },
    close: () => {},
  };
}

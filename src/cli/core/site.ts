/** @file What `phosphene site` asks of the core. */
import { availableParallelism } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { PhospheneError } from '../../errors.ts';
import { isBuiltIn } from '../../hub/models.ts';
import { builtInFile } from '../../hub/open.ts';
import { createPool } from '../../jobs/pool.ts';
import { nodeHost } from '../../jobs/node-host.ts';
import { blocksOf, endOf } from '../../live/blocks.ts';
import { SHOWN_FIRST } from '../../live/catalogue.ts';
import type { LayerFacts, TilesOfModel } from '../../live/protocol.ts';
import { createStudio } from '../../live/studio.ts';
import { open, type Network, renderToFolder } from '../../node.ts';
import { places, sizeOf, writeModel, writePage } from '../../site/site.ts';
import { chosenFilters, type FilterRange } from '../parse.ts';
import type { SiteCore, SiteRequest } from '../site.ts';

export const site: SiteCore = async (request, tell) => {
  const { preprocess, weights, cache, workers = availableParallelism(), signal } = request;
  const out = resolve(request.out);
  const pool = createPool(nodeHost({ parallelism: workers }));
  const paths = new Map<string, string>();
  const openAt = (path: string): Promise<Network> => open(path, { preprocess, weights, cacheDir: cache, signal });
  const studio = createStudio({
    models: [],
    open: (name) => openAt(paths.get(name)!),
    pool,
    lowering: 'cpu',
    engine: 'made beforehand',
    memory: () => Infinity,
  });
  try {
    const plans = [];
    for (const path of request.models) {
      const network = await openAt(path);
      if (paths.has(network.name))
        throw new PhospheneError('bad-option', `two models are called ${network.name}; rename one of the files`, {
          model: network.name,
        });
      paths.set(network.name, path);
      const facts = await studio.facts({ name: network.name });
      const layers = layersOf(request, facts.layers, network.name).map((layer) => ({
        name: layer.name,
        channels: chosenFilters(clipped(request.filters ?? [[0, 63]], layer.channels), layer.name, layer.channels),
      }));
      plans.push({ network, path, facts, layers, file: fileOf(path) });
    }
    const pictures = plans.flatMap((p) => p.layers).reduce((sum, l) => sum + l.channels.length, 0);
    const side = Math.max(...plans.map((p) => p.facts.size.height));
    const bytes = await sizeOf(
      pictures,
      side,
      plans.flatMap((p) => (p.file === undefined ? [] : [p.file])),
    );
    await tell({ type: 'plan', layers: plans.flatMap((p) => p.layers).length, pictures, bytes });
    if (request.dryRun) return;
    const preset = SHOWN_FIRST;
    const models: TilesOfModel[] = [];
    let done = 0;
    for (const { network, facts, layers, file } of plans) {
      const folder = join(out, places.tiles(network.name));
      const there: Record<string, { folder: string; channels: readonly number[] }> = {};
      for (const { name, channels } of layers) {
        for await (const event of renderToFolder(
          network,
          { layer: name, channels, preset },
          { out: folder, pool, signal },
        )) {
          if (event.type === 'picture') done++;
          else if (event.type === 'resumed') done += event.channels.length;
          else if (event.type === 'grid')
            there[name] = { folder: relative(out, event.folder).split(sep).join('/'), channels };
          await tell({ type: 'picture', model: network.name, layer: name, done });
        }
      }
      const copied = file === undefined ? {} : { file: await writeModel(out, network.name, file) };
      models.push({ facts, layers: there, ...copied });
      await network.close();
    }
    const catalogue = { ...studio.catalogue(), models: models.map((m) => m.facts.ref.name) };
    await writePage(out, { catalogue, models });
    await tell({ type: 'site', file: join(out, 'index.html') });
  } finally {
    await pool.close();
    await studio.close();
  }
};

type Shown = LayerFacts & { readonly channels: number };
const isShown = (layer: LayerFacts | undefined): layer is Shown =>
  layer !== undefined && layer.obstacle === undefined && layer.channels !== undefined;

function layersOf({ layers }: SiteRequest, all: readonly LayerFacts[], model: string): readonly Shown[] {
  if (layers === 'all') return all.filter(isShown);
  if (layers === undefined) return blocksOf(all).map(endOf).filter(isShown);
  return layers.map((name) => {
    const layer = all.find((l) => l.name === name) ?? all.findLast((l) => l.path === name);
    if (isShown(layer)) return layer;
    throw new PhospheneError('unknown-layer', `layer \`${name}\` of ${model} is not there, or cannot be rendered`, {
      layer: name,
      model,
      option: 'layers',
    });
  });
}

/** As much of the ranges as a layer has: layers are of many widths. */
function clipped(ranges: readonly FilterRange[] | 'all', count: number): readonly FilterRange[] | 'all' {
  if (ranges === 'all') return ranges;
  return ranges.filter(([first]) => first < count).map(([first, last]) => [first, Math.min(last, count - 1)]);
}

/** The file that a page needs to make pictures of a model itself, if it is one file. */
function fileOf(path: string): string | undefined {
  if (isBuiltIn(path)) return builtInFile;
  return /\.(onnx|keras|h5)$/i.test(path) ? path : undefined;
}

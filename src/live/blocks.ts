/** @file The blocks of a network, as its layers' names tell them. */
import type { LayerFacts } from './protocol.ts';

/** Layers that stand together. */
export interface Block {
  readonly name: string;
  readonly layers: readonly LayerFacts[];
}

/** A map with more blocks than this shows nothing. */
const MOST = 36;

/** Consecutive layers of equal key. */
function runs(layers: readonly LayerFacts[], keyOf: (layer: LayerFacts) => string): Block[] {
  const blocks: { name: string; layers: LayerFacts[] }[] = [];
  for (const layer of layers) {
    const name = keyOf(layer);
    const last = blocks.at(-1);
    if (last?.name === name) last.layers.push(layer);
    else blocks.push({ name, layers: [layer] });
  }
  return blocks;
}

/** The first parts of a name: two of `conv2_block1_out` are `conv2_block1`. */
function stem(name: string, parts: number): string {
  const found = name.replace(/^\//, '').split(/(?<=[^_/.])(?=[_/.])/);
  return found.slice(0, parts).join('');
}

/**
 * The blocks of a network: layers whose names begin alike, as finely as a map can show them. If names say nothing, layers of equal
 * width and height are a block.
 *
 * @example
 * const { layers } = await studio.facts({ name: 'net.onnx' });
 * blocksOf(layers).map((b) => b.name); // ['conv1', 'conv2_block1', 'conv2_block2', …]
 */
export function blocksOf(layers: readonly LayerFacts[]): readonly Block[] {
  const byNames = [4, 3, 2, 1]
    .map((parts) => runs(layers, ({ name, path }) => stem(path ?? name, parts)))
    .find((blocks) => blocks.length <= MOST && blocks.length > 2 && blocks.length <= layers.length / 2);
  const blocks = byNames ?? runs(layers, ({ dims }) => dims.slice(2).join(' × ') || 'classes');
  const joined = joinedSingles(blocks);
  if (joined.length <= MOST) return joined;
  // Nothing tells them apart: equal parts.
  const each = Math.ceil(layers.length / MOST);
  return Array.from({ length: Math.ceil(layers.length / each) }, (_, i) => {
    const part = layers.slice(i * each, (i + 1) * each);
    return { name: part[0]!.name, layers: part };
  });
}

/** Layers that stand alone, one after another, are a block together. */
function joinedSingles(blocks: readonly Block[]): readonly Block[] {
  const joined: { name: string; layers: LayerFacts[]; single: boolean }[] = [];
  for (const { name, layers } of blocks) {
    const last = joined.at(-1);
    const single = layers.length === 1;
    if (single && last?.single) last.layers.push(...layers);
    else joined.push({ name, layers: [...layers], single });
  }
  return joined;
}

/**
 * The layer that stands for a block: its last one that can be shown, if there is one.
 *
 * @example
 * const { layers } = await studio.facts({ name: 'net.onnx' });
 * blocksOf(layers).map((block) => endOf(block)?.name);
 */
export function endOf({ layers }: Block): LayerFacts | undefined {
  return layers.findLast((l) => l.obstacle === undefined && l.channels !== undefined);
}

/** @file Classes by name: the layer of a network that tells them apart, and the unit of it that stands for one. */
import { didYouMean, PhospheneError } from '../errors.ts';
import { indexOf, type Network, type Size, unknownLayer } from '../import/network.ts';
import { sizeOf } from '../ir/tensor.ts';
import { isEnd } from '../objective/index.ts';
import { type Target, targetAt } from './targets.ts';

/**
 * The layer whose units are the classes: the last end of the network that has channels and no map, or `layer`. Of several ends, the one
 * with as many units as there are labels. Throws `unknown-layer`.
 *
 * @example
 * classifierOf(network, size, network.labels).channels.count; // 1000
 */
export function classifierOf(
  network: Network,
  size: Size,
  labels: readonly string[] | undefined,
  layer?: string,
): Target {
  const listing = network.layers(size);
  if (layer !== undefined) {
    const index = indexOf(listing.layers, layer);
    if (index < 0) throw unknownLayer(network.name, layer, listing.layers);
    return targetAt(listing, index);
  }
  const { nodes, outputs } = listing.graph;
  const ends = listing.layers.flatMap(({ dims, channels }, index) => {
    const isVector = channels !== undefined && sizeOf(dims) === dims[0]! * channels.count;
    return isVector && isEnd(nodes, outputs[index]!.name) ? [targetAt(listing, index)] : [];
  });
  const found = ends.findLast(({ channels }) => channels.count === labels?.length) ?? ends.at(-1);
  if (found) return found;
  throw new PhospheneError(
    'unknown-layer',
    `class: ${network.name} does not end in classes; choose the \`layer\` whose units are the classes, or a channel of any layer`,
    { option: ['class', 'layer'], model: network.name },
  );
}

/**
 * The unit of a class: its number, or a name among the labels. A label may hold several names with commas between. Case, spaces and
 * `_` do not count. Throws `bad-option` with the nearest names.
 *
 * @example
 * classIndex('Great White Shark', ['tench', 'goldfish', 'great_white_shark'], 3); // 2
 */
export function classIndex(wanted: string | number, labels: readonly string[] | undefined, units: number): number {
  const refused = (why: string, details: Readonly<Record<string, unknown>> = {}): PhospheneError =>
    new PhospheneError('bad-option', `class: ${why}`, { option: 'class', class: wanted, ...details });
  const name = plain(String(wanted));
  const named =
    typeof wanted === 'string' ? (labels ?? []).flatMap((label, i) => (names(label).includes(name) ? [i] : [])) : [];
  if (named.length > 1)
    throw refused(`\`${wanted}\` is the name of ${named.length} classes; give the number of one: ${named.join(', ')}`, {
      classes: named,
    });
  const isNumber = typeof wanted === 'number' || /^\d+$/.test(name);
  const index = named[0] ?? (isNumber ? Number(wanted) : undefined);
  if (index === undefined) {
    if (!labels)
      throw refused(
        `the names of the classes are not known, so \`${wanted}\` cannot be found; give them as \`labels\`, or the number of the class (0-${units - 1})`,
        { option: ['class', 'labels'] },
      );
    throw refused(
      `there is no class \`${wanted}\`${didYouMean(name, labels.flatMap(names)) || `; there are ${labels.length}, such as ${labels.slice(0, 3).join(', ')}`}`,
    );
  }
  if (labels && named.length > 0 && labels.length !== units)
    throw refused(
      `there are ${labels.length} labels for ${units} units, so \`${wanted}\` cannot be told; give the \`labels\` of this network, or the number of the class`,
      { option: ['class', 'labels'], labels: labels.length, units },
    );
  if (!Number.isSafeInteger(index) || index < 0 || index >= units)
    throw refused(`${wanted} is out of range: there are ${units} classes (0-${units - 1})`, { units });
  return index;
}

/** Labels in which names are told apart: `great_white_shark` and `Great white shark` are one. */
function plain(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[\s_]+/g, ' ')
    .trim();
}

/** The names in a label: all of it, and its parts between commas. */
function names(label: string): string[] {
  return [...new Set([label, ...label.split(',')].map(plain).filter((name) => name !== ''))];
}

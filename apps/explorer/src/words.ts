/** @file What the page says: numbers, networks, and how to make the same picture elsewhere. */
import type { Catalogue, ModelFacts } from 'phosphene/web';
import type { Route } from './route.ts';

const whole = new Intl.NumberFormat('en');
export const count = (n: number): string => whole.format(n);

/** `1 layer`, `2 layers`. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
export const about = (n: number): string => short.format(n);

/** An activation, as long as it must be. */
export function activation(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '–' : String(Number(value.toPrecision(3)));
}

/** From -1 to 1 as a percentage. */
export const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** A model's name without what tells it apart. */
export const plainName = (model: string): string => model.replace(/@[0-9a-f]{12}$/, '');

/** What a network expects: `RGB in [-1, 1]`. */
export function expects({ input: { channels, preprocess } }: ModelFacts): string {
  const round = (value: number): string => String(Number(value.toPrecision(3)));
  const ranges = preprocess.scale.map(
    (s, i) => `[${round(preprocess.shift[i]! - s)}, ${round(preprocess.shift[i]! + s)}]`,
  );
  const colours =
    channels === 3 ? preprocess.order.toUpperCase() : channels === 1 ? 'Grey' : counted(channels, 'channel');
  return `${colours} in ${new Set(ranges).size === 1 ? ranges[0]! : ranges.join(' ')}`;
}

/** How that is known. */
export const origins = {
  known: 'as the model was published',
  file: 'says its file',
  given: 'as you say',
  inferred: 'judging by its weights',
  assumed: 'assumed; nothing says so',
} as const;

/** `56 × 56`, or nothing if a layer has no map. */
export function mapOf({ dims, channels }: { readonly dims: readonly number[]; readonly channels?: number }): string {
  const rest = dims.slice(1);
  if (channels === undefined) return rest.join(' × ');
  const at = rest.indexOf(channels);
  const map = rest.filter((_, i) => i !== at);
  return map.join(' × ');
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** The command that makes the same picture. */
export function commandOf(facts: ModelFacts, route: Route, preset: string | undefined): string {
  const { preprocess } = route;
  const options: [string, string][] = [
    ...(route.objective === undefined
      ? ([
          ['layer', route.layer!],
          ['filters', String(route.unit)],
        ] as [string, string][])
      : [['objective', route.objective] as [string, string]]),
    ...(preset === undefined ? [] : [['preset', preset] as [string, string]]),
    ...(route.size === undefined ? [] : [['size', String(route.size)] as [string, string]]),
    ...Object.entries(route.settings),
    ...(preprocess === undefined ? [] : given(preprocess)),
  ];
  const flags = options.map(([name, value]) => {
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === 'true') return flag;
    return /^-(?![\d.])/.test(value) ? `${flag}=${quoted(value)}` : `${flag} ${quoted(value)}`;
  });
  return ['phosphene render', quoted(plainName(facts.ref.name)), ...flags].join(' ');
}

function given(preprocess: string): [string, string][] {
  if (!preprocess.startsWith('{')) return [['preprocess', preprocess]];
  try {
    return Object.entries(JSON.parse(preprocess) as Record<string, unknown>).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : String(value as string),
    ]);
  } catch {
    return [];
  }
}

/** The six lines of TypeScript that make the same picture. */
export function scriptOf(
  facts: ModelFacts,
  route: Route,
  settings: Catalogue['settings'],
  preset: string | undefined,
): string {
  const options: Record<string, unknown> =
    route.objective === undefined ? { layer: route.layer, channels: [route.unit] } : { objective: route.objective };
  if (preset !== undefined) options['preset'] = preset;
  if (route.size !== undefined) options['size'] = route.size;
  for (const [name, text] of Object.entries(route.settings)) {
    const [first = name, second] = settings.find((s) => s.name === name)?.path ?? [];
    const value = /^-?[\d.]/.test(text) ? Number(text) : text === 'true' || text === 'false' ? text === 'true' : text;
    options[first] = second === undefined ? value : { ...(options[first] as object | undefined), [second]: value };
  }
  const { preprocess } = route;
  const how =
    preprocess === undefined
      ? ''
      : `, { preprocess: ${preprocess.startsWith('{') ? preprocess : literal(preprocess)} }`;
  return `import { writeFile } from 'node:fs/promises';
import { encodePng, open, render } from 'phosphene/node';
const network = await open(${literal(plainName(facts.ref.name))}${how});
for await (const event of render(network, ${literal(options)}))
  if (event.type === 'picture')
    await writeFile(\`\${event.picture.channel}.png\`, encodePng(event.picture.raster));
`;
}

/** A value as people write it in TypeScript. */
function literal(value: unknown): string {
  if (typeof value === 'string')
    return `'${JSON.stringify(value)
      .slice(1, -1)
      .replaceAll(String.raw`\"`, '"')
      .replaceAll("'", String.raw`\'`)}'`;
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, v]) => `${name}: ${literal(v)}`)
      .join(', ')} }`;
  return `${value as number}`;
}

/** A layer's name as it stands in the text of an objective. */
export const inObjective = (layer: string): string =>
  /^[A-Za-z_][\w./]*$/.test(layer) ? layer : `'${layer.replaceAll(/['\\]/g, String.raw`\$&`)}'`;

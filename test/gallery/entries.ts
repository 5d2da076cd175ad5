/**
 * @file What the gallery shows: every preset, parameterisation, transform, optimiser and objective that there is, each with its options. They come
 * from the tables, so that a new one is shown as soon as it is there; here stands only what suits it, if that is not what suits the others.
 */
import type { RenderOptions } from '../../src/jobs/plan.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import { presets } from '../../src/render/presets.ts';
import { transforms } from '../../src/transform/index.ts';

/** A picture of the gallery. */
export interface Entry {
  readonly section: Section;
  readonly name: string;
  readonly help: string;
  /** All that decides the picture, as data: it stands in the page as code. */
  readonly options: RenderOptions;
  /** What `phosphene render` is told, if the command line can say it. */
  readonly flags?: string | undefined;
}

export type Section = 'preset' | 'param' | 'transform' | 'optimiser' | 'objective';

const LAYER = 'conv3_block4_out';
const CHANNEL = 10;
/** Small, since they are files of the repository; with the settings of the Keras example, so that each is seen alone. */
const SIZE = 112;
const small = { preset: 'keras', size: SIZE, finish: { crop: 8 } } as const;
const target = { layer: LAYER, channels: [CHANNEL] } as const;
const adam = { kind: 'adam', rate: 0.05 } as const;
const flagsOfSmall = `--preset keras --size ${SIZE} --crop 8`;

/** Steps and rates that suit what a picture is made of. Anything that is not named is ascended by Adam. */
const tuned: Readonly<Record<string, { readonly steps: number; readonly rate: number }>> = {
  cppn: { steps: 64, rate: 0.005 },
  maco: { steps: 48, rate: 1 },
};

function paramEntry(kind: string, help: string): Entry {
  if (kind === 'pixel')
    return { section: 'param', name: kind, help, options: { ...target, ...small }, flags: flagsOfSmall };
  const { steps, rate } = tuned[kind] ?? { steps: 48, rate: 0.05 };
  return {
    section: 'param',
    name: kind,
    help,
    options: {
      ...target,
      ...small,
      steps,
      param: { kind } as RenderOptions['param'] & {},
      optimiser: { ...adam, rate },
    },
    flags: `${flagsOfSmall} --steps ${steps} --param ${kind} --optimiser adam --rate ${rate}`,
  };
}

/** Settings of transforms that need others than their own defaults to be seen in a small picture. */
const seen: Readonly<Record<string, object>> = { crop: { from: 0.9, to: 0.5 } };

/** A text for each kind of objective; those that work on the picture are shown with a channel. */
const texts: Readonly<Record<string, string>> = {
  channel: `${LAYER}:${CHANNEL}`,
  neuron: `neuron(${LAYER}:${CHANNEL})`,
  layer: `layer(${LAYER})`,
  direction: `direction(${LAYER}, [${CHANNEL}, 38], [1, 1])`,
  diversity: `${LAYER}:${CHANNEL} + diversity(${LAYER})`,
  alignment: `interpolate(${LAYER}:${CHANNEL}, ${LAYER}:38) + alignment(${LAYER})`,
  l1: `${LAYER}:${CHANNEL} + l1(300)`,
  l2: `${LAYER}:${CHANNEL} + l2(300)`,
  lp: `${LAYER}:${CHANNEL} + lp(100)`,
  tv: `${LAYER}:${CHANNEL} + tv(300)`,
  blur: `${LAYER}:${CHANNEL} + blur(3000)`,
  boundary: `${LAYER}:${CHANNEL} + boundary(300)`,
};

/** Objectives that need more than the built-in model and a text, and so have no picture: a classifier, a photo, a tensor. */
export const unshown: readonly string[] = ['logit', 'near', 'tensor', 'caricature'];

const kindsOf = (table: { readonly kinds: Readonly<Record<string, { readonly help: string }>> }): [string, string][] =>
  Object.entries(table.kinds).map(([name, { help }]) => [name, help]);

/** All pictures, in the order of the page. Throws for an objective that nothing is known of. */
export const entries: readonly Entry[] = [
  ...Object.entries(presets).map(([name, { help }]): Entry => ({
    section: 'preset',
    name,
    help,
    options: { ...target, preset: name as keyof typeof presets },
    flags: `--preset ${name}`,
  })),
  ...kindsOf(params).map(([name, help]) => paramEntry(name, help)),
  ...kindsOf(transforms).map(([name, help]): Entry => ({
    section: 'transform',
    name,
    help,
    options: {
      ...target,
      ...small,
      transforms: [{ kind: name, ...seen[name] } as NonNullable<RenderOptions['transforms']>[number]],
    },
  })),
  ...kindsOf(optimisers).map(([name, help]): Entry => ({
    section: 'optimiser',
    name,
    help,
    options: { ...target, ...small, optimiser: { kind: name } as RenderOptions['optimiser'] & {} },
    flags: `${flagsOfSmall} --optimiser ${name}`,
  })),
  ...kindsOf(objectives)
    .filter(([name]) => !unshown.includes(name))
    .map(([name, help]): Entry => {
      const objective = texts[name];
      if (objective === undefined) throw new Error(`test/gallery/entries.ts: which text shows the objective ${name}?`);
      return {
        section: 'objective',
        name,
        help,
        options: { ...small, objective },
        flags: `${flagsOfSmall} --objective "${objective}"`,
      };
    }),
];

const headings: Readonly<Record<Section, readonly [title: string, about: string]>> = {
  preset: ['Presets', 'Complete settings under a name.'],
  param: ['Parameterisations', 'What a picture is made of while it is ascended.'],
  transform: [
    'Transforms',
    'What happens to a picture before the network sees it. Each is shown alone; presets combine them.',
  ],
  optimiser: ['Optimisers', 'How a picture moves.'],
  objective: ['Objectives', 'What is raised. How they are written is in [objectives](objectives.md).'],
};

/** The file of an entry's picture, without its ending. */
export function fileOf({ section, name }: Entry): string {
  return `${section}-${name}`;
}

/** Data as code: without quotes where none are needed. */
function code(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(code).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${code(inner)}`)
      .join(', ')} }`;
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/** The page, docs/gallery.md. */
export function page(): string {
  const sections = Object.entries(headings).map(([section, [title, about]]) => {
    const own = entries.filter((entry) => entry.section === section);
    const rows = own.map((entry) => {
      const { name, help, options, flags } = entry;
      const filters = 'objective' in options ? '' : ` --filters ${CHANNEL}`;
      const command = flags === undefined ? '' : `<br><br>\`phosphene render${filters} ${flags}\``;
      return `| ![${name}](images/gallery/${fileOf(entry)}.png) | **${name}**: ${help}${command}<br><br>\`render(network, ${code(options)})\` |`;
    });
    return `## ${title}\n\n${about}\n\n| | |\n|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Gallery

Each picture is of the built-in model, filter ${CHANNEL} of \`${LAYER}\` unless its objective says otherwise. It stands with the command that makes it
and the same in code, where \`network\` is \`await open()\` of \`phosphene/node\`. The pictures are small; they are also what the tests compare with.

This page and its pictures are written from the tables in the code: [testing](testing.md) says how.

${sections.join('\n')}`;
}

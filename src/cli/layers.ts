/** @file phosphene layers: what there is to see in a model. The words; what is done is in core/layers.ts. */
import { type Command, command } from './command.ts';
import {
  type InputFacts,
  inputInWords,
  modelOf,
  modelOptions,
  modelPositional,
  outputOptions,
  preprocessOf,
  type PreprocessSpec,
} from './model.ts';
import { section } from './options.ts';
import { jsonLine, spelled } from './report.ts';
import { counted, printable, shortened, table } from './text.ts';
import type { PhospheneError } from '../errors.ts';
import { flag } from '../settings.ts';

/** What the core is asked for. */
export interface LayersRequest {
  readonly model: string;
  /** The published model that a file of weights is of. */
  readonly architecture: string | undefined;
  readonly preprocess: PreprocessSpec | undefined;
  /** Default: what the model fixes, else the preset's. */
  readonly size: { readonly height: number; readonly width: number } | undefined;
  readonly signal: AbortSignal;
}

/** A layer as a row of the list. */
export interface ListedLayer {
  readonly name: string;
  /** The path of its module in PyTorch, which is a name of it too. */
  readonly path?: string | undefined;
  /** The names of the models in which it is nested, outermost first. */
  readonly within?: readonly string[] | undefined;
  readonly type: string;
  /** Of its output, without the batch. */
  readonly dims: readonly number[];
  readonly parameters: number;
  /** How many filters or units it has; undefined if no axis of it is one of channels. */
  readonly channels: number | undefined;
  /** What is rendered of it; undefined if nothing can be. */
  readonly shows?: 'filters' | 'units' | 'logits' | undefined;
  /** Whether it only combines another layer with weights, position by position. */
  readonly isDetail?: boolean | undefined;
  /** Why it cannot be rendered; undefined if it can. */
  readonly obstacle?: string | undefined;
}

/** A model's layers at a size. */
export interface LayerList {
  readonly model: string;
  readonly input: InputFacts;
  readonly size: { readonly height: number; readonly width: number };
  readonly layers: readonly ListedLayer[];
  /** The layer that is rendered if none is asked for. */
  readonly defaultLayer: string;
  /** Why the list ends before the network does. */
  readonly barrier?: PhospheneError | undefined;
}

export type LayersCore = (request: LayersRequest) => Promise<LayerList>;

/** Longer names are shortened in the table; JSON has them whole. */
const LONGEST = 100;
const LONGEST_TYPE = 32;

const options = {
  ...modelOptions,
  ...section('Which layers', {
    all: {
      setting: flag({
        help: 'Also those that only normalise, scale, activate, pad or reshape what another layer gives; JSON has all either way',
        default: false,
      }),
    },
  }),
  ...outputOptions,
};

/** What exporters and Keras call layers that add no features of their own: what they give looks like what they are given. */
const DETAILS = new RegExp(
  `^(${[
    '(Batch|Layer|Instance|Group|Unit|MeanVariance|Lp)?Normalization(V[12])?|LRN|Rescaling',
    'Activation|(Leaky|Thresholded|P)?Re(lu|LU)|ReLU6|Relu6|Celu|E(lu|LU)|S[Ee](lu|LU)|(Hard)?S(igmoid|wish)|Softplus|Softsign|Tanh|Mish|G(elu|ELU)|Erf|Clip',
    '(Zero)?Pad(ding[123]D|V2|ding)?|MirrorPad|Cropping[123]D',
    'Identity|(Spatial)?Dropout([123]D)?|Gaussian(Noise|Dropout)|Cast(Like)?|InputLayer|(Quantize|Dequantize)Linear',
    'Reshape|Flatten|Squeeze|Unsqueeze|ExpandDims|Transpose|Permute',
  ].join('|')})$`,
);

/** Whether a layer stands in the table: the last one always does, being what the network says. */
function stands({ type, isDetail = false }: ListedLayer, at: number, layers: readonly ListedLayer[]): boolean {
  return at === layers.length - 1 || !(isDetail || DETAILS.test(type));
}

/** The command on a core, which is loaded when work begins. */
export function layersCommand(load: () => Promise<LayersCore>): Command<typeof options> {
  return command({
    options,
    positional: modelPositional,
    examples: [
      ['phosphene layers resnet50v2', 'those of a published network; no weights are needed'],
      ['phosphene layers model.onnx --all', 'with activations, normalisations and the like'],
      ['phosphene layers model.onnx --json', 'for programs, with all names whole'],
    ],
    async run(given, { positionals, print, note, progress, signal }) {
      const { architecture } = given;
      const request = {
        model: modelOf(positionals),
        architecture,
        preprocess: preprocessOf(given),
        size: given.size,
        signal,
      };
      const core = await load();
      progress.show({ key: 'read', label: `Reading ${printable(request.model)}` });
      const list = await core(request);
      progress.clear();
      await print(given.json ? asJson(list) : asTable(list, given.all));
      const { barrier, size } = list;
      if (barrier) {
        // The file may have said itself which size fits.
        const remedy = barrier.code === 'shape' && !('size' in barrier.details) ? '; another --size may fit' : '';
        note(
          `Not all layers can be built at ${size.height}×${size.width}. The first that cannot: ${printable(spelled(barrier, options))}${remedy}`,
        );
      }
    },
  });
}

function asJson({ layers, barrier, ...list }: LayerList): string {
  const rows = layers.map(({ obstacle, isDetail, ...layer }) => ({
    ...layer,
    ...(isDetail ? { isDetail } : {}),
    target: obstacle === undefined,
    ...(obstacle === undefined ? {} : { obstacle }),
  }));
  const end = barrier && { barrier: { ...barrier.details, code: barrier.code, message: barrier.message } };
  return jsonLine({ ...list, layers: rows, ...end });
}

function asTable({ model, input, size, layers, defaultLayer }: LayerList, isWhole: boolean): string {
  const cell = (text: string, most: number): string => shortened(printable(text), most);
  const shown = isWhole ? layers : layers.filter(stands);
  const rows = asTree(shown).map(({ layer: { name, path, within, type, dims, parameters, ...layer }, level }) => [
    // What is nested stands below its model, and its own name is enough.
    `${'  '.repeat(level)}${cell(within ? name : (path ?? name), LONGEST)}`,
    cell(type, LONGEST_TYPE),
    dims.join('×'),
    parameters === 0 ? '' : parameters.toLocaleString('en'),
    targetInWords(layer, cell),
  ]);
  const about = `${printable(model)}: input of ${inputInWords(input)}\n`;
  const rest = layers.length - shown.length;
  const more =
    rest === 0 ? '' : `, without ${rest} that only normalise, scale, activate, pad or reshape (--all lists them)`;
  const head = `Layers at ${size.height}×${size.width}${more}:\n\n`;
  const body = table([['layer', 'type', 'output', 'parameters', 'target'], ...rows], [3]);
  return about + head + body + howTo(layers, defaultLayer, (name) => cell(name, LONGEST));
}

/** What can be rendered of a layer: `64 filters`, `10 units`, or why nothing can. */
function targetInWords(
  { channels, shows, obstacle }: Pick<ListedLayer, 'channels' | 'shows' | 'obstacle'>,
  cell: (text: string, most: number) => string,
): string {
  if (obstacle !== undefined) return `no: ${cell(obstacle, LONGEST)}`;
  const one = shows === 'logits' ? 'class' : (shows ?? 'filters').slice(0, -1);
  return shows === 'logits' && channels !== 1 ? `${channels} classes` : counted(channels ?? 0, one);
}

/** How filters, units and classes are asked for, as far as there are any. */
function howTo(layers: readonly ListedLayer[], defaultLayer: string, cell: (name: string) => string): string {
  if (!layers.some(({ obstacle }) => obstacle === undefined)) return '';
  const own = !layers.some(({ name, obstacle }) => name === defaultLayer && obstacle !== undefined);
  const has = (what: ListedLayer['shows']): boolean => layers.some(({ shows }) => shows === what);
  return [
    `\nFilters are rendered with --layer${own ? ` (unless given: ${cell(defaultLayer)})` : ''} and --filters`,
    has('units') || has('logits') ? ', units and classes too' : '',
    has('logits') ? '; of a class its logit is raised, and --class takes its name or number' : '',
    '.\n',
  ].join('');
}

/**
 * The layers in the order in which they are shown, each with how many models it is nested in: a nested model stands above its layers, not
 * behind them as in the network.
 */
function asTree(layers: readonly ListedLayer[]): readonly { readonly layer: ListedLayer; readonly level: number }[] {
  const path = ({ within = [], name }: ListedLayer): string => JSON.stringify([...within, name]);
  const models = new Map(layers.map((layer) => [path(layer), layer]));
  const rows: { layer: ListedLayer; level: number }[] = [];
  const placed = new Set<ListedLayer>();
  const place = (layer: ListedLayer): void => {
    if (placed.has(layer)) return;
    const { within = [] } = layer;
    const around = models.get(JSON.stringify(within));
    if (around) place(around);
    placed.add(layer);
    rows.push({ layer, level: within.length });
  };
  layers.forEach(place);
  return rows;
}

export default layersCommand(() => import('./core/layers.ts').then((m) => m.layers));

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
  REMEDY,
} from './model.ts';
import { section } from './options.ts';
import { jsonLine, spelled } from './report.ts';
import { printable, shortened, table } from './text.ts';
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
  readonly type: string;
  /** Of its output, without the batch. */
  readonly dims: readonly number[];
  readonly parameters: number;
  /** How many filters it has; undefined if no axis of it is one of channels. */
  readonly channels: number | undefined;
  /** Why it cannot be rendered; undefined if it can. */
  readonly obstacle?: string | undefined;
}

/** A model's layers at a size. */
export interface LayerList {
  readonly model: string;
  readonly input: InputFacts;
  readonly size: { readonly height: number; readonly width: number };
  readonly layers: readonly ListedLayer[];
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
        help: 'Also those that only normalise, activate, pad or reshape what another layer gives; JSON has all either way',
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
function stands({ type }: ListedLayer, at: number, layers: readonly ListedLayer[]): boolean {
  return at === layers.length - 1 || !DETAILS.test(type);
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

function asJson({ model, input, size, layers, barrier }: LayerList): string {
  const rows = layers.map(({ obstacle, ...layer }) => ({
    ...layer,
    target: obstacle === undefined,
    ...(obstacle === undefined ? {} : { obstacle }),
  }));
  const end = barrier && { barrier: { ...barrier.details, code: barrier.code, message: barrier.message } };
  return jsonLine({ model, input, size, layers: rows, ...end });
}

function asTable({ model, input, size, layers }: LayerList, isWhole: boolean): string {
  const cell = (text: string, most: number): string => shortened(printable(text), most);
  const shown = isWhole ? layers : layers.filter(stands);
  const rows = shown.map(({ name, path, type, dims, parameters, obstacle }) => [
    cell(path ?? name, LONGEST),
    cell(type, LONGEST_TYPE),
    dims.join('×'),
    parameters === 0 ? '' : parameters.toLocaleString('en'),
    obstacle === undefined ? 'yes' : `no: ${cell(obstacle, LONGEST)}`,
  ]);
  const about = `${printable(model)}: input of ${inputInWords(input)}${input.from === 'assumed' ? `; ${REMEDY}` : ''}\n`;
  const rest = layers.length - shown.length;
  const more = rest === 0 ? '' : `, without ${rest} that only normalise, activate, pad or reshape (--all lists them)`;
  const head = `Layers at ${size.height}×${size.width}${more}:\n\n`;
  return about + head + table([['layer', 'type', 'output', 'parameters', 'target'], ...rows], [3]);
}

export default layersCommand(() => import('./core/layers.ts').then((m) => m.layers));

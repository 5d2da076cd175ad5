/**
 * @file What a page and a studio say to each other: plain data, the same between a page and its workers, and between a page and a
 * server. A page asks under a number of its own, and every answer bears that number.
 */
import type { ErrorData } from '../errors.ts';
import type { Input, Layer, Size } from '../import/network.ts';
import type { Strengths } from '../jobs/look.ts';
import type { Nearest, Portrait } from '../jobs/study.ts';
import type { Raster } from '../output/raster.ts';
import type { Failure } from '../render/diagnosis.ts';
import type { Recipe } from '../render/recipe.ts';
import type { Obstacle } from '../render/targets.ts';

/** Which network is meant, and what it expects of a picture, if that is to be another thing than what is known of it. */
export interface ModelRef {
  /** A name that the studio knows. */
  readonly name: string;
  /** The name of a preprocessing, or a `PreprocessRange` as JSON. */
  readonly preprocess?: string | undefined;
}

/** A picture that someone wants to see. */
export interface Wish {
  readonly model: ModelRef;
  readonly layer: string;
  readonly channel: number;
  /** What is raised in place of that channel, as a text (docs/objectives.md): `-conv1:3`. The first of its pictures is shown. */
  readonly objective?: string | undefined;
  /** Which of its pictures, from 0, if it ascends several together. */
  readonly picture?: number | undefined;
  /** The usual one unless given. */
  readonly preset?: string | undefined;
  /** Height and width in pixels; what the model fixes, else the preset's, unless given. */
  readonly size?: number | undefined;
  /** Settings of the picture by name, as texts: those of the command line, without its dashes. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** How many pictures of the way are wanted before the last one; none unless given. */
  readonly frames?: number | undefined;
  /** Whether a picture that is kept will do, though it comes without its way. True unless given; otherwise it is made anew after it. */
  readonly kept?: boolean | undefined;
  /** Whether the PNG file is wanted too, with its making inside. */
  readonly png?: boolean | undefined;
  /** Wishes of a higher number come first; among equals, the one that came first. 0 unless given. */
  readonly priority?: number | undefined;
}

/** What is told of a wish. */
export type News =
  /** Now and then. */
  | { readonly type: 'step'; readonly done: number; readonly steps: number; readonly loss: number }
  /** The picture after a step. */
  | { readonly type: 'frame'; readonly step: number; readonly raster: Raster }
  /** The end. */
  | { readonly type: 'picture'; readonly picture: Shown };

/** A finished picture, as a page shows it. */
export interface Shown {
  readonly raster: Raster;
  readonly recipe: Recipe;
  /** The objective before each step; null if it was not a finite number. */
  readonly losses: readonly (number | null)[];
  readonly diagnosis?: Failure;
  /** The diagnosis as a sentence for people. */
  readonly hint?: string;
  readonly png?: Uint8Array;
  /** Whether it was there already. */
  readonly kept: boolean;
}

/** A layer, as a page lists it. */
export interface LayerFacts extends Pick<Layer, 'name' | 'path' | 'type' | 'dims' | 'parameters'> {
  /** How many channels it has; absent if they cannot be told apart. */
  readonly channels?: number;
  /** Why it cannot be shown. */
  readonly obstacle?: Obstacle;
}

/** A network, as a page shows it. */
export interface ModelFacts {
  readonly ref: ModelRef;
  /** SHA-256 of what it was read from. */
  readonly digest: string;
  readonly input: Input;
  /** The size at which its layers are listed. */
  readonly size: Size;
  readonly layers: readonly LayerFacts[];
  /** Why the layers are not all that it has. */
  readonly barrier?: string;
  readonly defaultLayer: string;
  /** Names of its classes. */
  readonly labels?: readonly string[];
}

/** A setting, as a page offers it. */
export interface SettingFacts {
  readonly name: string;
  /** Where its value stands in `RecipeOptions`. */
  readonly path: readonly string[];
  readonly help: string;
  /** What it takes, in words. */
  readonly takes: string;
  /** The words that it takes, if it takes one of a few. */
  readonly of?: readonly string[];
}

/** A preset, as a page offers it. */
export interface PresetFacts {
  readonly name: string;
  readonly help: string;
  /** Its size in pixels. */
  readonly size: number;
  /** The values of its settings. What its kinds have not is not there. */
  readonly values: Readonly<Record<string, string>>;
}

/** What a studio has to offer. */
export interface Catalogue {
  /** Of phosphene. */
  readonly version: string;
  /** Names that it opens, the one that is shown first in front. */
  readonly models: readonly string[];
  /** The one that a page shows first stands first. */
  readonly presets: readonly PresetFacts[];
  readonly settings: readonly SettingFacts[];
  /** The engine in words: `onnxruntime-web wasm`. */
  readonly engine: string;
  /** How many pictures are made at once. */
  readonly workers: number;
}

/** What is asked of a photo. */
export interface Look {
  readonly model: ModelRef;
  /** RGB bytes. It is cut and scaled to what the network takes, and seen at its own size if any will do. */
  readonly photo: Pick<Raster, 'width' | 'height' | 'data'>;
  readonly ask:
    /** How strongly each channel of each layer fires. */
    | { readonly what: 'strengths' }
    /** The same of one layer, and where each channel fires most. */
    | { readonly what: 'peaks'; readonly layer: string }
    /** How strongly the channels of a layer fire at a place; x and y from 0 to 1, from left and top. */
    | { readonly what: 'place'; readonly layer: string; readonly x: number; readonly y: number }
    /** How strongly a channel fires at each place. */
    | { readonly what: 'heat'; readonly layer: string; readonly channel: number };
}

/** What came of a {@link Look}. */
export type Seen =
  | { readonly what: 'strengths'; readonly layers: readonly Strengths[] }
  | {
      readonly what: 'peaks';
      readonly peak: Float32Array;
      readonly mean: Float32Array;
      /** The place of each peak, row by row in a map of this size. */
      readonly place: Int32Array;
      readonly height: number;
      readonly width: number;
    }
  | { readonly what: 'place'; readonly values: Float32Array }
  | { readonly what: 'heat'; readonly values: Float32Array; readonly height: number; readonly width: number };

/** What is asked of a layer. */
export interface Study {
  readonly model: ModelRef;
  readonly layer: string;
  readonly ask:
    /** What its channels are like. */
    | { readonly what: 'portrait' }
    /** Which of them are most like one of them. */
    | { readonly what: 'nearest'; readonly channel: number };
}

/** What came of a {@link Study}. */
export type Studied = ({ readonly what: 'portrait' } & Portrait) | ({ readonly what: 'nearest' } & Nearest);

/** What a page asks. */
export type ToStudio =
  | { readonly type: 'catalogue'; readonly id: number }
  | { readonly type: 'open'; readonly id: number; readonly model: ModelRef }
  | { readonly type: 'watch'; readonly id: number; readonly wish: Wish }
  | { readonly type: 'look'; readonly id: number; readonly look: Look }
  | { readonly type: 'study'; readonly id: number; readonly study: Study }
  /** The answer is not wanted any more; nothing with this number comes after it was heard. */
  | { readonly type: 'leave'; readonly id: number };

/** What a studio answers. */
export type FromStudio =
  | { readonly type: 'catalogue'; readonly id: number; readonly catalogue: Catalogue }
  | { readonly type: 'facts'; readonly id: number; readonly facts: ModelFacts }
  | { readonly type: 'news'; readonly id: number; readonly news: News }
  | { readonly type: 'seen'; readonly id: number; readonly seen: Seen }
  | { readonly type: 'studied'; readonly id: number; readonly studied: Studied }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorData };

/** What a page of files has: pictures that were made beforehand. */
export interface Tiles {
  readonly catalogue: Catalogue;
  readonly models: readonly TilesOfModel[];
}

/** The pictures of a model, all of its layers at the same settings: those of the first preset. */
export interface TilesOfModel {
  readonly facts: ModelFacts;
  /** Where the page finds the file of the model, if it has it; then it can make other pictures too. */
  readonly file?: string;
  /** By layer: the folder of its pictures, named `CHANNEL.png`, as a relative address, and the channels that there are. */
  readonly layers: Readonly<Record<string, { readonly folder: string; readonly channels: readonly number[] }>>;
}

/** A studio's side of the line to a page. */
export interface Line {
  post(message: FromStudio): void;
}

/** @file What a network is to everything above it. */
import type { PhospheneError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';

/** Height and width of the picture in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** From the picture, RGB in [-1, 1], to what the network expects: channel i is scale[i] · picture[order[i]] + shift[i]. */
export interface Preprocess {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
  readonly order: 'rgb' | 'bgr';
}

export type Origin = 'known' | 'file' | 'given' | 'inferred' | 'assumed';

export interface Input {
  readonly channels: number;
  readonly size?: { readonly height?: number; readonly width?: number };
  readonly preprocess: Preprocess;
  readonly from: Origin;
}

export interface Layer {
  readonly name: string;
  readonly path?: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly channels: { readonly axis: number; readonly count: number } | undefined;
  readonly parameters: number;
}

export interface Listing {
  readonly layers: readonly Layer[];
  readonly graph: Graph;
  readonly barrier?: PhospheneError;
}

export interface Network {
  readonly name: string;
  digest(): Promise<string>;
  readonly input: Input;
  readonly labels?: readonly string[];
  readonly defaultLayer: string;
  layers(size: Size): Listing;
  cut(layers: readonly string[], size: Size): Promise<Graph>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

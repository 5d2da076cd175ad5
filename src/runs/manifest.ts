/** @file The manifest of a set: what the last run into its folder was asked for, and what came of it. */
import { type Failure, remedyOf } from '../render/diagnosis.ts';
import { ALGORITHM, type Recipe } from '../render/recipe.ts';
import { VERSION } from '../version.ts';
import { activationOf, type Finished, isFailure, isObject } from '../render/record.ts';
import { GRID, type Series } from './series.ts';

/** `manifest.json`. Documented in docs/results.md. */
export interface Manifest {
  readonly format: 'phosphene-manifest/2';
  readonly version: string;
  readonly algorithm: number;
  /** Digest of what all pictures of the set have in common: whose folder it is. */
  readonly series: string;
  readonly layer: string;
  readonly preset: string;
  /** The recipe of channel 0; those of the others differ in their channel only. */
  readonly recipe: Recipe;
  readonly grid: {
    readonly file: string;
    readonly columns: number | null;
    readonly margin: number;
    /** Whether the channels stand below their pictures. */
    readonly captions?: boolean;
  };
  /** In the order of the grid. */
  readonly filters: readonly ManifestFilter[];
}

/** A picture as the manifest knows it. */
export interface ManifestFilter {
  readonly channel: number;
  readonly status: 'done' | 'pending';
  /** In the folder of the manifest. */
  readonly file: string;
  readonly activation: number | null;
  readonly diagnosis?: Failure;
  readonly hint?: string;
}

/** What a run knows of a picture that is done. */
export interface Outcome {
  readonly activation: number | null;
  readonly diagnosis?: Failure;
}

/** What is recorded of a finished picture. */
export function outcomeOf({ losses, diagnosis }: Pick<Finished, 'losses' | 'diagnosis'>): Outcome {
  const { status = 'ok' } = diagnosis ?? {};
  return { activation: activationOf(losses), ...(status === 'ok' ? {} : { diagnosis: status }) };
}

/** Bytes of a manifest that is read: room for 100,000 filters. */
export const mostOfManifest: number = 1 << 25;

/** The name of a channel's picture in the folder of its set. */
export function pictureFile(channel: number): string {
  return `${channel}.png`;
}

/** The text of a manifest: what is not among the outcomes is pending. Nothing in it depends on time, order or machine. */
export function manifestText(
  { digest, layer, preset, recipe }: Series,
  channels: readonly number[],
  outcomes: ReadonlyMap<number, Outcome>,
  grid: { readonly columns: number | undefined; readonly margin: number; readonly captions: boolean },
): string {
  const manifest: Manifest = {
    format: 'phosphene-manifest/2',
    version: VERSION,
    algorithm: ALGORITHM,
    series: digest,
    layer,
    preset,
    recipe,
    grid: {
      file: GRID,
      columns: grid.columns ?? null,
      margin: grid.margin,
      ...(grid.captions ? { captions: true } : {}),
    },
    filters: channels.map((channel) => {
      const outcome = outcomes.get(channel);
      return {
        channel,
        status: outcome ? 'done' : 'pending',
        file: pictureFile(channel),
        activation: null,
        ...outcome,
        ...(outcome?.diagnosis ? { hint: remedyOf(outcome.diagnosis, recipe.gradient?.redirect)! } : {}),
      };
    }),
  };
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}

/** A manifest as far as it was checked: the rest of its recipe is a stranger's JSON. */
export type FoundManifest = Omit<Manifest, 'recipe'> & {
  readonly recipe: Readonly<Record<string, unknown>> & { readonly model: { readonly name: string } };
};

/** The manifest in the bytes of a file; undefined if they are not one. */
export function parseManifest(bytes: Uint8Array): FoundManifest | undefined {
  try {
    const found: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isManifest(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isManifest(found: unknown): found is FoundManifest {
  if (!isObject(found) || found['format'] !== 'phosphene-manifest/2') return false;
  const { version, algorithm, series, layer, preset, recipe, grid, filters } = found;
  const texts = [version, layer, preset].every((value) => typeof value === 'string');
  const own = typeof series === 'string' && /^[0-9a-f]{64}$/.test(series) && Number.isSafeInteger(algorithm);
  if (!texts || !own || !isObject(recipe) || !isObject(grid) || !Array.isArray(filters)) return false;
  if (!isObject(recipe['model']) || typeof recipe['model']['name'] !== 'string') return false;
  const { file, columns, margin, captions } = grid;
  const isSheet = file === GRID && (columns === null || isCount(columns)) && isCount(margin);
  return isSheet && (captions === undefined || captions === true) && filters.every(isFilter);
}

function isFilter(found: unknown): boolean {
  if (!isObject(found)) return false;
  const { channel, status, file, activation, diagnosis, hint } = found;
  return (
    isCount(channel) &&
    (status === 'done' || status === 'pending') &&
    // Nowhere else: a file is looked for under the name that it must have.
    file === pictureFile(channel) &&
    isActivation(activation) &&
    (diagnosis === undefined || isFailure(diagnosis)) &&
    (hint === undefined || typeof hint === 'string')
  );
}

/** Whether a value from a file is a whole number from 0. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether a value from a file is an activation. */
export function isActivation(value: unknown): value is number | null {
  return value === null || Number.isFinite(value);
}

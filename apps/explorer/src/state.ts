/** @file What the page knows: its backends, what they offer, and the networks that were opened. */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Catalogue, LayerFacts, ModelFacts, ModelRef, PresetFacts, Tiles } from 'phosphene/web';
import { type Backend, Failure } from './backend/backend.ts';
import { serverBackend } from './backend/server.ts';
import { tilesBackend } from './backend/tiles.ts';
import { workerBackend } from './backend/worker.ts';
import type { Route } from './route.ts';

/** Whoever served the page says where its pictures come from. */
const kind = document.querySelector<HTMLMetaElement>('meta[name="phosphene"]')?.content;
const base = new URL('./', document.baseURI);
/** The pictures of a page of files: from a script beside it, since pages of `file://` may not read files. */
const { phospheneTiles: tiles } = globalThis as { readonly phospheneTiles?: Tiles };
const models = (tiles?.models ?? []).flatMap(({ facts, file }) =>
  file === undefined ? [] : [[facts.ref.name, new URL(file, base).href] as const],
);
const worker = workerBackend(Object.fromEntries(models));
const main: Backend = kind === 'server' ? serverBackend(base) : tiles ? tilesBackend(tiles, base, worker) : worker;

/** What the backends say of themselves when something is wrong. */
export const trouble = signal<string | undefined>(undefined);
for (const backend of new Set([main, worker])) backend.onTrouble?.((what) => (trouble.value = what));

/** What can be had; undefined until the backend has answered. */
export const catalogue = signal<Catalogue | undefined>(undefined);
void main.catalogue().then(
  (found) => (catalogue.value = found),
  (error: unknown) => (trouble.value = failure(error).message),
);

/** Files of the visitor's stay in this browser, whatever served the page. */
const ownName = /@[0-9a-f]{12}$/;
export const isOwn = (name: string): boolean => ownName.test(name);

/** Who makes the pictures of a model. */
export function backendOf(model: string): Backend {
  return isOwn(model) ? worker : main;
}

/** Whether more pictures of a model can be made than are there. */
export const canMake = (model: string): boolean => backendOf(model).makes?.(model) ?? true;

/** Opens files that the visitor chose, and returns the name of the model. Throws {@link Failure}. */
export async function offer(files: readonly File[]): Promise<string> {
  const name = await worker.offer!(files);
  own.value = [...new Set([...own.value, name])];
  return name;
}
const own = signal<readonly string[]>([]);

/** Whatever was thrown, as something that can be said. */
export function failure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({ code: 'runtime', message: error instanceof Error ? error.message : String(error) });
}

/** A network on its way. */
export interface Opening {
  readonly facts?: ModelFacts;
  readonly failure?: Failure;
}
const openings = new Map<string, ReadonlySignal<Opening>>();

/** What is known of a network; asked for once, and again after the page was loaded anew. */
export function opening(ref: ModelRef): ReadonlySignal<Opening> {
  const key = JSON.stringify([ref.name, ref.preprocess]);
  const known = openings.get(key);
  if (known) return known;
  const now = signal<Opening>({});
  openings.set(key, now);
  backendOf(ref.name)
    .open(ref)
    .then(
      (facts) => (now.value = { facts }),
      (error: unknown) => (now.value = { failure: failure(error) }),
    );
  return now;
}

/** Models that can be seen: those of the catalogue, and those that the visitor has opened on this visit. */
export const knownModels = computed(() => [...new Set([...(catalogue.value?.models ?? []), ...own.value])]);

/** The model of a route: the first of the catalogue if it names none. */
export function modelOf(route: Route): ModelRef | undefined {
  const name = route.model ?? catalogue.value?.models[0];
  if (name === undefined) return undefined;
  return route.preprocess === undefined ? { name } : { name, preprocess: route.preprocess };
}

/** The preset of a route. */
export function presetOf(route: Route): PresetFacts | undefined {
  const presets = catalogue.value?.presets;
  return presets?.find((p) => p.name === route.preset) ?? presets?.[0];
}

/** A layer whose channels can be shown. */
export type Target = LayerFacts & { readonly channels: number };
export function isTarget(layer: LayerFacts): layer is Target {
  return layer.obstacle === undefined && layer.channels !== undefined;
}

/** Some channel of some layer, each as likely as the others. */
export function anyOf(layers: readonly Target[]): { readonly layer: string; readonly unit: number } {
  let unit = Math.floor(Math.random() * layers.reduce((sum, { channels }) => sum + channels, 0));
  for (const { name, channels } of layers) {
    if (unit < channels) return { layer: name, unit };
    unit -= channels;
  }
  return { layer: layers[0]!.name, unit: 0 };
}

/** Whether the visitor asked for little movement. */
const still = matchMedia('(prefers-reduced-motion: reduce)');
export const reducedMotion = signal(still.matches);
still.addEventListener('change', () => (reducedMotion.value = still.matches));

/** What is said to those who hear the page. */
export const announcement = signal('');

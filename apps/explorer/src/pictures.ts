/** @file Pictures that are on their way, and those that were seen lately. */
import type { ModelFacts, Recipe, Wish } from 'phosphene/web';
import type { Failure } from './backend/backend.ts';
import type { Route } from './route.ts';
import { backendOf, failure, presetOf, type Target } from './state.ts';

/** A picture as it can be painted. */
export type Paint = ImageData | { readonly url: string };

/** A picture after one of its steps. */
export interface Frame {
  readonly step: number;
  readonly paint: Paint;
}

/** A finished picture. */
export interface Still {
  readonly paint: Paint;
  readonly losses: readonly (number | null)[];
  readonly hint?: string;
  readonly recipe?: Recipe;
  readonly png?: Uint8Array;
  /** The pictures of its way, if they were asked for. */
  readonly way: readonly Frame[];
}

/** Who watches a picture. */
export interface Watcher {
  readonly step?: (done: number, steps: number, loss: number) => void;
  readonly frame?: (frame: Frame) => void;
  /** The finished picture, before its way is gone once more. */
  readonly preview?: (paint: Paint) => void;
  readonly picture: (still: Still) => void;
  readonly failed: (error: Failure) => void;
}

/** Frames of the way of a small picture: enough to see it sharpen. */
export const SMALL_WAY = 4;

const MOST = 3000;
const MOST_WAYS = 12;
/** Lately seen, the one seen longest ago first. */
const seen = new Map<string, Still>();

/** What decides a picture, and whether its way is wanted. */
function keyOf(wish: Wish): string {
  return JSON.stringify({ ...wish, priority: undefined });
}

/** The picture, if it was seen lately. */
export function lately(wish: Wish): Still | undefined {
  const key = keyOf(wish);
  const still = seen.get(key);
  if (still) {
    seen.delete(key);
    seen.set(key, still);
  }
  return still;
}

function remember(wish: Wish, still: Still): void {
  seen.set(keyOf(wish), wish.png === true ? still : { ...still, way: [] });
  if (seen.size > MOST) seen.delete(seen.keys().next().value!);
  // Whole ways are large.
  const ways = [...seen].filter(([, { way }]) => way.length > 0);
  for (const [key] of ways.slice(0, -MOST_WAYS)) seen.delete(key);
}

let turn = 0;
let last = -Infinity;
/** Wishes that are made together come in their order; later ones come before earlier ones. */
function newest(): number {
  const now = performance.now();
  if (now - last > 120) turn++;
  last = now;
  return turn;
}

/** A picture that is being made, and who watches it. */
interface Coming {
  readonly watchers: Set<Watcher>;
  readonly leaving: AbortController;
  readonly way: Frame[];
}
const coming = new Map<string, Coming>();

/** Watches a picture; returns how to leave. One that was seen lately is there at once, and one that is being made is made once. */
export function watch(wish: Wish, watcher: Watcher): () => void {
  const known = lately(wish);
  if (known) {
    watcher.picture(known);
    return () => {};
  }
  const key = keyOf(wish);
  const found = coming.get(key);
  const now = found ?? { watchers: new Set(), leaving: new AbortController(), way: [] };
  now.watchers.add(watcher);
  if (found) for (const frame of found.way) watcher.frame?.(frame);
  else {
    coming.set(key, now);
    void follow(wish, now).finally(() => {
      if (coming.get(key) === now) coming.delete(key);
    });
  }
  return () => {
    now.watchers.delete(watcher);
    if (now.watchers.size > 0) return;
    now.leaving.abort();
    if (coming.get(key) === now) coming.delete(key);
  };
}

async function follow(wish: Wish, { watchers, leaving: { signal }, way }: Coming): Promise<void> {
  const tell = (how: (watcher: Watcher) => void): void => {
    for (const watcher of watchers) how(watcher);
  };
  const finish = (still: Still): void => {
    remember(wish, still);
    tell((w) => w.picture(still));
  };
  try {
    const asked = { ...wish, priority: newest() + (wish.priority ?? 0) };
    for await (const news of backendOf(wish.model.name).watch(asked, signal)) {
      if (signal.aborted) return;
      if (news.type === 'step') tell((w) => w.step?.(news.done, news.steps, news.loss));
      else if (news.type === 'ready' && !news.last) tell((w) => w.preview?.({ url: news.url }));
      else if (wish.kept === false && news.type === 'picture' && news.picture.kept) {
        const preview = painted(news.picture.raster);
        tell((w) => w.preview?.(preview));
      } else if (news.type === 'frame') {
        const frame = { step: news.step, paint: painted(news.raster) };
        way.push(frame);
        tell((w) => w.frame?.(frame));
      } else if (news.type === 'ready') finish({ paint: { url: news.url }, losses: [], way });
      else {
        const { raster, losses, hint, recipe, png } = news.picture;
        finish({ paint: painted(raster), losses, way, recipe, ...(hint ? { hint } : {}), ...(png ? { png } : {}) });
      }
    }
  } catch (error) {
    if (!signal.aborted) tell((w) => w.failed(failure(error)));
  }
}

/** RGB bytes as a canvas takes them. */
function painted({
  width,
  height,
  data,
}: {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}): ImageData {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0, j = 0; i < pixels.length; i++, j += 3)
    pixels[i] = 0xff000000 | (data[j + 2]! << 16) | (data[j + 1]! << 8) | data[j]!;
  return image;
}

/** The side of a small picture in pixels: a browser computes it itself, and a phone slowly. */
function tileSize(facts: ModelFacts, route: Route): number | undefined {
  if (route.size !== undefined) return route.size;
  const { size } = facts.input;
  if (size?.height !== undefined || size?.width !== undefined || backendOf(facts.ref.name).kind !== 'worker')
    return undefined;
  return Math.min(presetOf(route)?.size ?? 128, innerWidth < 600 ? 96 : 128);
}

/** The wish for a channel as the address says it; small ones are for grids. */
export function wishFor(
  facts: ModelFacts,
  { name }: Pick<Target, 'name'>,
  channel: number,
  route: Route,
  { large = false }: { readonly large?: boolean } = {},
): Wish {
  const size = large ? route.size : tileSize(facts, route);
  return {
    model: facts.ref,
    layer: name,
    channel,
    ...(route.objective === undefined ? {} : { objective: route.objective, picture: route.picture }),
    preset: route.preset ?? presetOf(route)?.name,
    ...(size === undefined ? {} : { size }),
    settings: route.settings,
  };
}

/** Channels of a layer whose pictures were seen lately and show little, as the diagnosis says, with these settings. */
export function troubledOf(facts: ModelFacts, layer: Target, route: Route): readonly number[] {
  return Array.from({ length: layer.channels }, (_, channel) => channel).filter((channel) => {
    const wish = wishFor(facts, layer, channel, route);
    // As a grid, and as a unit's page asks for it.
    return [wish, { ...wish, frames: SMALL_WAY }].some((asked) => seen.get(keyOf(asked))?.hint !== undefined);
  });
}

/** @file Addresses: every state of the page is one, and can be sent to someone. `#/MODEL/LAYER/UNIT?preset&seed&size&step`. */
import { signal } from '@preact/signals';

/** Where a visitor is. */
export interface Route {
  readonly model?: string | undefined;
  readonly layer?: string | undefined;
  readonly unit?: number | undefined;
  /** What the network expects of a picture, if changed. */
  readonly preprocess?: string | undefined;
  readonly preset?: string | undefined;
  readonly size?: number | undefined;
  /** The step that is looked at; the last one unless given. */
  readonly step?: number | undefined;
  /** What is raised in place of the unit, as a text. */
  readonly objective?: string | undefined;
  /** Which of its pictures, if it has several. */
  readonly picture?: number | undefined;
  /** What is looked at in place of a network, a layer or a unit: photos of the visitor's, or what was pinned, side by side. */
  readonly view?: View | undefined;
  /** In which order the channels of a layer stand; by number unless given. */
  readonly order?: Order | undefined;
  /** What was pinned, to be compared. */
  readonly pins?: readonly Pin[] | undefined;
  /** Which of the photos, from 0. */
  readonly photo?: number | undefined;
  /** The place in the photo: x and y from 0 to 1. */
  readonly place?: Place | undefined;
  /** Settings that differ from the preset's, by name, as texts. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What can be seen besides networks, layers and units. */
export type View = (typeof views)[number];
const views = ['photo', 'compare'] as const;

/** How the channels of a layer are ordered besides by their numbers. */
export type Order = (typeof orders)[number];
export const orders = ['strongest', 'dead', 'odd'] as const;

/** A layer or a unit of a model. */
export interface Pin {
  readonly model: string;
  readonly layer: string;
  readonly unit?: number | undefined;
  readonly preprocess?: string | undefined;
}

/** More do not stand side by side. */
export const MOST_PINS = 4;

/** A place in a picture, from left and top, from 0 to 1. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

const number = (text: string | null): number | undefined =>
  text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;

const place = (text: string | null): Place | undefined => {
  const [x, y, ...rest] = (text ?? '').split(',').map((part) => (/^[01](\.\d{1,6})?$/.test(part) ? Number(part) : 2));
  return x === undefined || y === undefined || rest.length > 0 || x > 1 || y > 1 ? undefined : { x, y };
};

const pin = (text: string): readonly Pin[] => {
  const [model, layer, unit, preprocess] = text.split('/').map(decoded);
  if (!model || !layer) return [];
  return [{ model, layer, unit: number(unit ?? null), ...(preprocess ? { preprocess } : {}) }];
};

const pinText = ({ model, layer, unit, preprocess }: Pin): string => {
  const parts = [model, layer, unit ?? '', preprocess ?? ''];
  return parts
    .slice(0, parts.findLastIndex((part) => part !== '') + 1)
    .map((part) => encodeURIComponent(part))
    .join('/');
};

/** Whether two pins are of the same thing. */
export const samePin = (a: Pin, b: Pin): boolean => pinText(a) === pinText(b);

/** `%` may stand anywhere in an address that someone typed. */
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** The route of an address. Anything is one. */
export function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  const [model, layer, unit] = path.split('/').map(decoded);
  const params = new URLSearchParams(query);
  const pins = params.getAll('pin').flatMap(pin).slice(0, MOST_PINS);
  params.delete('pin');
  const [preset, preprocess, size, step, objective, picture, view, photo, where, order] = [
    'preset',
    'preprocess',
    'size',
    'step',
    'objective',
    'picture',
    'view',
    'photo',
    'place',
    'order',
  ].map((name) => {
    const text = params.get(name);
    params.delete(name);
    return text;
  });
  return {
    model: model || undefined,
    layer: layer || undefined,
    unit: number(unit ?? null),
    preprocess: preprocess ?? undefined,
    preset: preset ?? undefined,
    size: number(size ?? null),
    step: number(step ?? null),
    objective: objective ?? undefined,
    picture: number(picture ?? null),
    view: views.find((known) => known === view),
    order: orders.find((known) => known === order),
    ...(pins.length > 0 ? { pins } : {}),
    photo: number(photo ?? null),
    place: place(where ?? null),
    settings: Object.fromEntries(params),
  };
}

/** The address of a route. */
export function href(to: Route): string {
  const { model, layer, unit, preset, preprocess, size, step, objective, picture, view, photo, settings } = to;
  const where = to.place && [to.place.x, to.place.y].map((at) => Number(at.toFixed(3))).join(',');
  const parts = [model, model && layer, layer && unit].filter((part) => part !== undefined && part !== '');
  const query = new URLSearchParams();
  const given = {
    view,
    order: to.order,
    photo: photo || undefined,
    place: where,
    preprocess,
    objective,
    picture,
    preset,
    ...settings,
    size,
    step,
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, String(value));
  for (const pinned of to.pins ?? []) query.append('pin', pinText(pinned));
  const text = query.size > 0 ? `?${query.toString()}` : '';
  return `#/${parts.map((part) => encodeURIComponent(part!)).join('/')}${text}`;
}

/** Where the visitor is now. */
export const route = signal<Route>(parse(location.hash));
addEventListener('hashchange', () => (route.value = parse(location.hash)));

/** Goes somewhere; the back button leads back from there. */
export function go(to: Route): void {
  location.hash = href(to);
}

/** Changes the address of the place where the visitor is: no step for the back button. */
export function amend(to: Route): void {
  history.replaceState(null, '', href(to));
  route.value = to;
}

/** The same settings elsewhere; what belongs to one picture is left behind. */
export function at(from: Route, place: Pick<Route, 'layer' | 'unit'>): Route {
  const { model, preset, preprocess, size, settings, pins } = from;
  return { model, preset, preprocess, size, settings, pins, layer: place.layer, unit: place.unit };
}

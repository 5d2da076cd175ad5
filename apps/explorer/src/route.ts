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
  /** What is looked at in place of pictures alone: photos of the visitor's. */
  readonly view?: 'photo' | undefined;
  /** Which of the photos, from 0. */
  readonly photo?: number | undefined;
  /** The place in the photo: x and y from 0 to 1. */
  readonly place?: Place | undefined;
  /** Settings that differ from the preset's, by name, as texts. */
  readonly settings: Readonly<Record<string, string>>;
}

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
  const [preset, preprocess, size, step, objective, picture, view, photo, where] = [
    'preset',
    'preprocess',
    'size',
    'step',
    'objective',
    'picture',
    'view',
    'photo',
    'place',
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
    view: view === 'photo' ? view : undefined,
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
  const { model, preset, preprocess, size, settings } = from;
  return { model, preset, preprocess, size, settings, layer: place.layer, unit: place.unit };
}

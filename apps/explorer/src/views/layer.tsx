/** @file A layer: a grid of all its channels, of which those in view are made. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { LayerFacts, ModelFacts } from 'phosphene/web';
import { troubledOf, wishFor } from '../pictures.ts';
import { amend, at, go, href, type Order, orders, type Route } from '../route.ts';
import { announcement, canMake, isTarget, type Target } from '../state.ts';
import { sequenceOf, useStudy } from '../studies.ts';
import { activation, counted, mapOf } from '../words.ts';
import { Failed } from './failed.tsx';
import { Picture } from './picture.tsx';
import { PinButton } from './pins.tsx';
import { Toolbar } from './settings.tsx';

interface Props {
  readonly facts: ModelFacts;
  readonly route: Route;
  readonly layer: LayerFacts;
}

export function LayerView({ facts, layer, route }: Props) {
  useEffect(() => {
    announcement.value =
      layer.channels === undefined ? layer.name : `${layer.name}, ${counted(layer.channels, 'channel')}`;
  }, [layer]);
  if (!isTarget(layer)) {
    const why =
      layer.obstacle === 'no gradient'
        ? `Between the picture and ${layer.name} stands an operator that cannot be differentiated, so no picture can be raised for it.`
        : `${layer.name} has no channels that can be told apart.`;
    return (
      <Failed message={why}>
        <a href={href(at(route, {}))}>Other layers</a>
      </Failed>
    );
  }
  return (
    <>
      <div class="head">
        <Neighbours facts={facts} layer={layer} route={route} />
        <h1 tabIndex={-1}>{layer.name}</h1>
        <p class="facts">
          {layer.type} · {mapOf(layer) && `${mapOf(layer)} · `}
          {counted(layer.channels, 'channel')}
          {layer.path !== undefined && layer.path !== layer.name && ` · ${layer.path}`}
        </p>
        <PinButton facts={facts} route={route} layer={layer} />
      </div>
      {canMake(facts.ref.name) && (
        <Toolbar route={route}>
          <GoTo layer={layer} route={route} />
          <OrderChoice route={route} />
        </Toolbar>
      )}
      <Ordered facts={facts} layer={layer} route={route} />
    </>
  );
}

function Neighbours({ facts, layer, route }: Props) {
  const all = facts.layers.filter(isTarget);
  const i = all.findIndex((l) => l.name === layer.name);
  const [before, after] = [all[i - 1], all[i + 1]];
  return (
    <nav class="neighbours" aria-label="Neighbouring layers">
      {before && (
        <a href={href(at(route, { layer: before.name }))} rel="prev" title={before.name}>
          ← <span>{before.name}</span>
        </a>
      )}
      {after && (
        <a href={href(at(route, { layer: after.name }))} rel="next" title={after.name}>
          <span>{after.name}</span> →
        </a>
      )}
    </nav>
  );
}

function GoTo({ layer, route }: { readonly layer: Target; readonly route: Route }) {
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        const unit = Number(new FormData(event.currentTarget).get('unit'));
        if (Number.isInteger(unit) && unit >= 0 && unit < layer.channels) go(at(route, { layer: layer.name, unit }));
      }}
    >
      <label for="goto">Channel</label>
      <input id="goto" name="unit" type="number" min="0" max={layer.channels - 1} placeholder="0" required />
    </form>
  );
}

const orderNames: Readonly<Record<Order, string>> = {
  strongest: 'strongest first',
  dead: 'dead first',
  odd: 'odd ones out first',
};

function OrderChoice({ route }: { readonly route: Route }) {
  return (
    <div class="field">
      <label for="order">Order</label>
      <select
        id="order"
        value={route.order ?? ''}
        onChange={(e) => amend({ ...route, order: orders.find((order) => order === e.currentTarget.value) })}
      >
        <option value="">by number</option>
        {orders.map((order) => (
          <option key={order} value={order}>
            {orderNames[order]}
          </option>
        ))}
      </select>
    </div>
  );
}

/** The grid in the order of the address, which may need to be found out first. */
function Ordered(props: GridProps) {
  const { facts, layer, route } = props;
  const { order } = route;
  const { studied, failure } = useStudy(
    facts,
    order && ({ model: facts.ref, layer: layer.name, ask: { what: 'portrait' } } as const),
  ).value;
  if (order === undefined) return <Grid {...props} />;
  if (failure)
    return (
      <>
        <p class="note" role="alert">
          {failure.message}
        </p>
        <Grid {...props} />
      </>
    );
  if (studied?.what !== 'portrait') return <p class="facts">Showing noise to its channels…</p>;
  const { sequence, values, note } = sequenceOf(order, studied, troubledOf(facts, layer, route));
  return (
    <>
      <p class="facts ordered">{note}</p>
      <Grid key={order} {...props} sequence={sequence} values={values} />
    </>
  );
}

/** Rows beyond the window that are there already. */
const MORE = 2;
/** The least width of a tile, and what is between two. */
const TILE = 112;
const GAP = 10;
/** What stands under a picture. */
const LABEL = 22;

/** Where in the grid the visitor was, by layer, for the way back. */
const focused = new Map<string, number>();

interface GridProps {
  readonly facts: ModelFacts;
  readonly layer: Target;
  readonly route: Route;
  /** The channels in their order; by number unless given. */
  readonly sequence?: readonly number[];
  /** What they are ordered by, by channel. */
  readonly values?: Float32Array;
}

function Grid({ facts, layer, route, sequence, values }: GridProps) {
  const element = useRef<HTMLUListElement>(null);
  const width = useSignal(0);
  const view = useSignal({ top: 0, bottom: 0 });
  const here = `${facts.ref.name}/${layer.name}/${route.order}`;
  const channelAt = (place: number): number => sequence?.[place] ?? place;
  const focus = useSignal(focused.get(here) ?? 0);
  const { channels } = layer;
  const columns = Math.max(3, Math.floor((width.value + GAP) / (TILE + GAP)));
  const side = width.value === 0 ? TILE : (width.value - (columns - 1) * GAP) / columns;
  const row = side + LABEL + GAP;
  const rows = Math.ceil(channels / columns);

  useLayoutEffect(() => {
    const list = element.current!;
    const measure = (): void => {
      width.value = list.clientWidth;
      const { top } = list.getBoundingClientRect();
      view.value = { top: -top, bottom: innerHeight - top };
    };
    measure();
    const resized = new ResizeObserver(measure);
    resized.observe(list);
    addEventListener('scroll', measure, { passive: true });
    return () => {
      resized.disconnect();
      removeEventListener('scroll', measure);
    };
  }, []);
  useLayoutEffect(() => {
    // Coming back: to the tile that one went away from.
    const from = focused.get(here);
    if (from !== undefined && width.value > 0) reveal(from);
  }, [width.value > 0]);

  /** Scrolls so far that a place of the grid is in view. */
  const reveal = (place: number): void => {
    const top = element.current!.getBoundingClientRect().top + Math.floor(place / columns) * row;
    const bar = document.querySelector('.bar')?.clientHeight ?? 0;
    if (top < bar) scrollBy(0, top - bar - GAP);
    else if (top + row > innerHeight) scrollBy(0, top + row - innerHeight);
  };
  const move = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(innerHeight / row) - 1) * columns;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page }[
      event.key
    ];
    const to = { Home: 0, End: channels - 1 }[event.key] ?? (by === undefined ? undefined : focus.value + by);
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (to < 0 || to >= channels) return;
    focus.value = to;
    reveal(to);
    const { top } = element.current!.getBoundingClientRect();
    view.value = { top: -top, bottom: innerHeight - top };
    requestAnimationFrame(() =>
      element.current?.querySelector<HTMLElement>(`[data-channel="${channelAt(to)}"]`)?.focus({ preventScroll: true }),
    );
  };

  const first = Math.max(0, Math.floor(view.value.top / row) - MORE);
  const end = Math.min(rows, Math.ceil(view.value.bottom / row) + MORE);
  const from = first * columns;
  const to = Math.min(channels, Math.max(end, first) * columns);
  // The one that has the focus stays, wherever the window is.
  const inside = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
  const shown = inside.includes(focus.value) ? inside : [...inside, focus.value];
  return (
    <ul
      class="grid"
      ref={element}
      style={{ height: `${rows * row}px` }}
      onKeyDown={move}
      aria-label={`Channels of ${layer.name}`}
    >
      {width.value > 0 &&
        shown.map((place) => {
          const channel = channelAt(place);
          return (
            <li
              key={channel}
              aria-setsize={channels}
              aria-posinset={place + 1}
              style={{
                width: `${side}px`,
                transform: `translate(${(place % columns) * (side + GAP)}px, ${Math.floor(place / columns) * row}px)`,
              }}
            >
              <a
                href={href(at(route, { layer: layer.name, unit: channel }))}
                data-channel={channel}
                tabIndex={place === focus.value ? 0 : -1}
                aria-label={`Channel ${channel}${values ? ` ${activation(values[channel])}` : ''}`}
                onFocus={() => (focus.value = place)}
                onClick={() => focused.set(here, place)}
              >
                <Picture wish={wishFor(facts, layer, channel, route)} alt="" />
                <span class="number">
                  {facts.labels && channels === facts.labels.length ? facts.labels[channel] : channel}{' '}
                  {values && <b>{activation(values[channel])}</b>}
                </span>
              </a>
            </li>
          );
        })}
    </ul>
  );
}

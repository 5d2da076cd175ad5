/** @file What was pinned, side by side: units, layers, models or checkpoints, with the same seed and settings. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ModelFacts } from 'phosphene/web';
import { wishFor } from '../pictures.ts';
import { amend, at, href, MOST_PINS, type Pin, type Route } from '../route.ts';
import { announcement, catalogue, isTarget, knownModels, opening, type Target } from '../state.ts';
import { count, counted, expects, mapOf, plainName } from '../words.ts';
import { Choice } from './choice.tsx';
import { Missing } from './opening.tsx';
import { nameOfPin, unpinned } from './pins.tsx';
import { Toolbar } from './settings.tsx';
import { Large } from './unit.tsx';

/** Channels of a layer that are shown at first, and how many more at a time. */
const SHOWN = 24;

export function CompareView({ route }: { readonly route: Route }) {
  const { pins = [] } = route;
  const shown = useSignal(SHOWN);
  useEffect(() => {
    announcement.value = `${counted(pins.length, 'pin')} side by side`;
  }, [pins.length]);
  const layers = pins.some(({ unit }) => unit === undefined);
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Side by side</h1>
        <p class="facts">
          The same seed and the same settings for all. The address of this page shows the same to anyone.
        </p>
      </div>
      {pins.length === 0 ? (
        <p class="note">
          Nothing is pinned. Go to a unit or a layer and choose “Pin to compare”, then go to another one and do the
          same.
        </p>
      ) : (
        <>
          <Toolbar route={route}>
            <Beside route={route} />
          </Toolbar>
          <div class="sides" style={{ '--sides': pins.length }}>
            {pins.map((pin) => (
              <Side key={JSON.stringify(pin)} pin={pin} route={route} shown={shown.value} />
            ))}
          </div>
          {layers && (
            <p class="more">
              <button type="button" onClick={() => (shown.value += SHOWN)}>
                More channels
              </button>
            </p>
          )}
        </>
      )}
    </>
  );
}

/** The same place of another model, such as another checkpoint. */
function Beside({ route }: { readonly route: Route }) {
  const { pins = [] } = route;
  const last = pins.at(-1)!;
  const others = knownModels.value.filter(
    (model) => !pins.some((pin) => pin.model === model && pin.layer === last.layer && pin.unit === last.unit),
  );
  if (pins.length >= MOST_PINS) return null;
  return (
    <div class="field">
      <label for="beside">Beside it, the same of</label>
      <select
        id="beside"
        value=""
        onChange={(e) => {
          const { value: model } = e.currentTarget;
          if (model !== '') amend({ ...route, pins: [...pins, { ...last, preprocess: undefined, model }] });
        }}
      >
        <option value="">{others.length > 0 ? 'another model' : 'a model: open it'}</option>
        {others.map((model) => (
          <option key={model} value={model}>
            {plainName(model)}
          </option>
        ))}
      </select>
    </div>
  );
}

interface SideProps {
  readonly pin: Pin;
  readonly route: Route;
  readonly shown: number;
}

function Side({ pin, route, shown }: SideProps) {
  const { facts, failure } = opening({ name: pin.model, preprocess: pin.preprocess }).value;
  const own: Route = { ...at(route, pin), step: route.step, model: pin.model, preprocess: pin.preprocess };
  const name = nameOfPin(pin);
  return (
    <section class="side">
      <div class="side-head">
        <h2>
          <a href={href(at(own, pin))}>{name}</a>
        </h2>
        <p class="facts" title={facts && `takes ${expects(facts)}`}>
          {plainName(pin.model)}
        </p>
        <button
          type="button"
          aria-label={`Unpin ${name} of ${plainName(pin.model)}`}
          onClick={() => amend(unpinned(route, pin))}
        >
          Unpin
        </button>
      </div>
      <div>
        {failure ? (
          failure.details['missing'] === true ? (
            <Missing name={pin.model} />
          ) : (
            <Wrong message={failure.message} />
          )
        ) : facts && catalogue.value ? (
          <Place facts={facts} pin={pin} own={own} route={route} shown={shown} />
        ) : (
          <p class="facts">Opening…</p>
        )}
      </div>
    </section>
  );
}

function Wrong({ message }: { readonly message: string }) {
  return (
    <p class="hint" role="alert">
      {message}
    </p>
  );
}

function Place({ facts, pin, own, route, shown }: SideProps & { readonly facts: ModelFacts; readonly own: Route }) {
  const layer = facts.layers.find(({ name, path }) => name === pin.layer || path === pin.layer);
  if (!layer) return <Wrong message={`${plainName(pin.model)} has no layer “${pin.layer}”.`} />;
  if (!isTarget(layer)) return <Wrong message={`${layer.name} cannot be shown.`} />;
  if (pin.unit === undefined) return <Channels facts={facts} layer={layer} own={own} shown={shown} />;
  if (pin.unit >= layer.channels) return <Wrong message={`${layer.name} has no channel ${pin.unit}.`} />;
  return (
    <Large
      key={`${layer.name}/${pin.unit}`}
      facts={facts}
      layer={layer}
      route={own}
      unit={pin.unit}
      onStep={(step) => amend({ ...route, step })}
    />
  );
}

function Channels({
  facts,
  layer,
  own,
  shown,
}: {
  readonly facts: ModelFacts;
  readonly layer: Target;
  readonly own: Route;
  readonly shown: number;
}) {
  return (
    <>
      <p class="facts">
        {mapOf(layer) && `${mapOf(layer)} · `}
        {counted(layer.channels, 'channel')}
      </p>
      <ul class="strip all">
        {Array.from({ length: Math.min(shown, layer.channels) }, (_, channel) => (
          <Choice
            key={channel}
            to={href(at(own, { layer: layer.name, unit: channel }))}
            name={facts.labels?.length === layer.channels ? facts.labels[channel]! : count(channel)}
            wish={wishFor(facts, layer, channel, own)}
          />
        ))}
      </ul>
    </>
  );
}

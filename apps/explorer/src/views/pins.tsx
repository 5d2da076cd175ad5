/** @file What was pinned, to be compared. */
import type { ModelFacts } from 'phosphene/web';
import { wishFor } from '../pictures.ts';
import { amend, href, MOST_PINS, type Pin, type Route, samePin } from '../route.ts';
import { announcement, isTarget, opening, type Target } from '../state.ts';
import { plainName } from '../words.ts';
import { Picture } from './picture.tsx';

/** A pin in words. */
export const nameOfPin = ({ layer, unit }: Pin): string => (unit === undefined ? layer : `${layer} ${unit}`);

/** The route without a pin. */
export const unpinned = (route: Route, pin: Pin): Route => ({
  ...route,
  pins: route.pins?.filter((other) => !samePin(other, pin)),
});

interface PinButtonProps {
  readonly facts: ModelFacts;
  readonly route: Route;
  readonly layer: Target;
  readonly unit?: number;
}

/** Pins what the page shows, or takes the pin away. */
export function PinButton({ facts: { ref }, route, layer, unit }: PinButtonProps) {
  const { pins = [] } = route;
  const pin = { model: ref.name, layer: layer.name, unit, preprocess: route.preprocess };
  const pinned = pins.some((other) => samePin(other, pin));
  const toggle = (): void => {
    if (pinned) return amend(unpinned(route, pin));
    announcement.value = `${nameOfPin(pin)} is pinned.`;
    return amend({ ...route, pins: [...pins, pin] });
  };
  return (
    <p class="pin">
      <button type="button" aria-pressed={pinned} disabled={!pinned && pins.length >= MOST_PINS} onClick={toggle}>
        {pinned ? 'Pinned' : 'Pin to compare'}
      </button>
    </p>
  );
}

/** All pins, at the bottom of every page, with the way to see them side by side. */
export function Pins({ route }: { readonly route: Route }) {
  const { pins = [] } = route;
  if (pins.length === 0) return null;
  return (
    <aside class="pins" aria-label="Pinned">
      <ul>
        {pins.map((pin) => (
          <Pinned key={JSON.stringify(pin)} pin={pin} route={route} />
        ))}
      </ul>
      <a class="button" href={href({ ...route, view: 'compare' })}>
        Compare
      </a>
    </aside>
  );
}

function Pinned({ pin, route }: { readonly pin: Pin; readonly route: Route }) {
  const { facts } = opening({ name: pin.model, preprocess: pin.preprocess }).value;
  const layer = facts?.layers.find(({ name }) => name === pin.layer);
  const name = nameOfPin(pin);
  return (
    <li title={`${name} of ${plainName(pin.model)}`}>
      {facts && layer && isTarget(layer) && (
        // There are few of them, and they say what is pinned.
        <Picture wish={{ ...wishFor(facts, layer, pin.unit ?? 0, route), priority: 1 }} alt={name} />
      )}
      <button type="button" aria-label={`Unpin ${name}`} onClick={() => amend(unpinned(route, pin))}>
        ×
      </button>
    </li>
  );
}

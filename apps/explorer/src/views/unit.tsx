/** @file A unit: its picture large and how it came to be, other pictures of it, and how to make them elsewhere. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Alike, LayerFacts, ModelFacts } from 'phosphene/web';
import type { Failure } from '../backend/backend.ts';
import { type Frame, type Paint, type Still, watch, wishFor } from '../pictures.ts';
import { amend, at, go, href, type Route } from '../route.ts';
import { announcement, canMake, catalogue, isTarget, presetOf, reducedMotion, type Target } from '../state.ts';
import { useStudy } from '../studies.ts';
import { activation, commandOf, count, inObjective, percent, scriptOf } from '../words.ts';
import { Choice } from './choice.tsx';
import { Copy } from './copy.tsx';
import { Curve } from './curve.tsx';
import { Failed } from './failed.tsx';
import { observe, paint } from './picture.tsx';
import { PinButton } from './pins.tsx';
import { Settings, Toolbar } from './settings.tsx';

/** Pictures of the way that can be looked at. */
const WAY = 48;
/** Other seeds that are shown. */
const SEEDS = 6;

interface Props {
  readonly facts: ModelFacts;
  readonly route: Route;
  readonly layer: LayerFacts;
}

export function UnitView({ facts, layer, route }: Props) {
  const { unit = 0 } = route;
  if (!isTarget(layer) || unit >= layer.channels)
    return (
      <Failed message={`${layer.name} has no channel ${unit} that can be shown.`}>
        <a href={href(at(route, { layer: layer.name }))}>Its channels</a>
      </Failed>
    );
  return <Unit facts={facts} layer={layer} route={route} unit={unit} />;
}

type UnitProps = Props & { readonly layer: Target; readonly unit: number };

function Unit({ facts, layer, route, unit }: UnitProps) {
  useArrows(layer, route, unit);
  const label = facts.labels?.length === layer.channels ? facts.labels[unit] : undefined;
  const { value } = catalogue;
  return (
    <div class="unit">
      <div class="head">
        <nav class="neighbours" aria-label="Neighbouring channels">
          {unit > 0 && (
            <a
              href={href(at(route, { layer: layer.name, unit: unit - 1 }))}
              rel="prev"
              aria-label={`Channel ${unit - 1}`}
            >
              ← <span>{unit - 1}</span>
            </a>
          )}
          {unit + 1 < layer.channels && (
            <a
              href={href(at(route, { layer: layer.name, unit: unit + 1 }))}
              rel="next"
              aria-label={`Channel ${unit + 1}`}
            >
              <span>{unit + 1}</span> →
            </a>
          )}
        </nav>
        <h1 tabIndex={-1}>
          {label ?? `Channel ${unit}`}{' '}
          <small>
            of {count(layer.channels)} in {layer.name}
          </small>
        </h1>
        <PinButton facts={facts} route={route} layer={layer} unit={unit} />
      </div>
      <Large key={`${layer.name}/${unit}`} facts={facts} layer={layer} route={route} unit={unit} />
      <div class="aside">
        {canMake(facts.ref.name) && (
          <>
            <Toolbar route={route} />
            <Settings route={route} />
            <Others facts={facts} layer={layer} route={route} unit={unit} />
            <NearestChannels facts={facts} layer={layer} route={route} unit={unit} />
          </>
        )}
        <section class="make">
          <h2>Make it yourself</h2>
          <Copy what="command" text={commandOf(facts, route, presetOf(route)?.name)} />
          {value && <Copy what="TypeScript" text={scriptOf(facts, route, value.settings, presetOf(route)?.name)} />}
        </section>
      </div>
    </div>
  );
}

/** The arrow keys lead to the neighbours, unless they are needed where the focus is. */
function useArrows(layer: Target, route: Route, unit: number): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => {
      const { target } = event;
      if (target instanceof HTMLElement && target.closest('input, select, textarea, pre')) return;
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      const to = unit + by;
      if (to < 0 || to >= layer.channels) return;
      event.preventDefault();
      go(at(route, { layer: layer.name, unit: to }));
    };
    addEventListener('keydown', listener);
    return () => removeEventListener('keydown', listener);
  });
}

interface Progress {
  readonly losses: readonly (number | null)[];
  readonly way: readonly Frame[];
  readonly steps: number;
  readonly preview?: Paint;
  readonly still?: Still;
  readonly failure?: Failure;
}

interface LargeProps extends UnitProps {
  /** Shows the picture after a step, or the last one; the address says so unless given. */
  readonly onStep?: (step: number | undefined) => void;
}

/** The picture large, with the curve of its ascent to go back along. */
export function Large({ facts, layer, route, unit, onStep = (step) => amend({ ...route, step }) }: LargeProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const now = useSignal<Progress>({ losses: [], way: [], steps: 0 });
  const wish = {
    ...wishFor(facts, layer, unit, route, { large: true }),
    frames: reducedMotion.value ? 0 : WAY,
    // Its way is what one wants to see here.
    kept: reducedMotion.value,
    png: true,
    // Before the small ones that are wished for with it.
    priority: 1,
  };
  const key = JSON.stringify(wish);
  useEffect(() => {
    now.value = { losses: [], way: [], steps: 0 };
    const points: (number | null)[] = [];
    const leave = watch(wish, {
      step(done, steps, loss) {
        points[done - 1] = loss;
        now.value = { ...now.value, steps, losses: Array.from(points, (p) => p ?? null) };
      },
      frame(frame) {
        now.value = { ...now.value, way: [...now.value.way, frame] };
      },
      preview: (preview) => (now.value = { ...now.value, preview }),
      picture(still) {
        now.value = { losses: still.losses, steps: still.losses.length, way: still.way, still };
        announcement.value = `The picture of channel ${unit} is there. ${still.hint ?? ''}`;
      },
      failed: (failure) => (now.value = { ...now.value, failure }),
    });
    return leave;
  }, [key]);

  const { losses, way, steps, preview, still, failure } = now.value;
  const at = still ? route.step : undefined;
  const seen = at === undefined ? undefined : way.findLast((f) => f.step <= at);
  const shown = seen?.paint ?? still?.paint ?? preview ?? way.at(-1)?.paint;
  useEffect(() => {
    if (shown) paint(canvas.current!, shown);
  }, [shown]);
  const state = failure ? 'failed' : still ? 'done' : shown ? 'coming' : 'waiting';
  return (
    <figure class="large">
      <span class="picture" data-state={state}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`What channel ${unit} of ${layer.name} wants to see`}
          width="1"
          height="1"
        />
      </span>
      <figcaption>
        {failure ? (
          <p class="hint" role="alert">
            {failure.message}
          </p>
        ) : (
          <>
            <Curve
              losses={losses}
              steps={steps}
              step={at}
              way={way.map((f) => f.step)}
              live={!still}
              onStep={(step) => onStep(step === undefined || step >= steps ? undefined : step)}
            />
            {still?.hint && <p class="hint">This picture shows little: {still.hint}.</p>}
            <p class="actions">
              <span class="facts">
                {still && still.losses.length === 0 && steps === 0
                  ? 'Made beforehand'
                  : still
                    ? `${count(steps)} steps, activation ${activation(losses[0])} → ${activation(losses.at(-1))}`
                    : steps > 0
                      ? `Step ${count(losses.length)} of ${count(steps)}`
                      : 'Preparing the network…'}
              </span>
              {still?.png && <Download png={still.png} name={`${layer.name}-${unit}.png`} />}
            </p>
          </>
        )}
      </figcaption>
    </figure>
  );
}

function Download({ png, name }: { readonly png: Uint8Array; readonly name: string }) {
  const save = (): void => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([png as Uint8Array<ArrayBuffer>], { type: 'image/png' }));
    link.download = name.replaceAll(/[^\w.-]+/g, '_');
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  return (
    <button type="button" onClick={save} title="The file says how it was made">
      Download PNG
    </button>
  );
}

/** Channels of the layer that are like it. */
function NearestChannels({ facts, layer, route, unit }: UnitProps) {
  const place = useRef<HTMLDivElement>(null);
  const inView = useSignal(false);
  // What is below the picture does not keep it waiting.
  useEffect(() => observe(place.current!, (now) => (inView.value ||= now)), []);
  const study = { model: facts.ref, layer: layer.name, ask: { what: 'nearest', channel: unit } } as const;
  const { studied, failure } = useStudy(facts, inView.value ? study : undefined).value;
  const found = studied?.what === 'nearest' ? studied : undefined;
  const strip = (title: string, alike: readonly Alike[] | undefined) => (
    <section>
      <h2>{title}</h2>
      {alike ? (
        <ul class="strip">
          {alike.map(({ channel, likeness }) => (
            <Choice
              key={channel}
              to={href(at(route, { layer: layer.name, unit: channel }))}
              name={String(channel)}
              label={`Channel ${channel} ${percent(likeness)}`}
              wish={wishFor(facts, layer, channel, at(route, {}))}
            >
              <b>{percent(likeness)}</b>
            </Choice>
          ))}
        </ul>
      ) : (
        <p class="facts">{failure ? failure.message : 'Comparing channels…'}</p>
      )}
    </section>
  );
  return (
    <div class="nearest" ref={place}>
      {strip('Fires where it fires', found?.byActivation)}
      {found?.byWeights && strip('Has weights like its own', found.byWeights)}
    </div>
  );
}

/** The same unit otherwise: begun from other noise, and by every preset. */
function Others({ facts, layer, route, unit }: UnitProps) {
  const { value } = catalogue;
  const preset = presetOf(route);
  if (!value || !preset) return null;
  const seed = Number(route.settings['seed'] ?? preset.values['seed'] ?? 0);
  const here = { ...route, step: undefined };
  const channel = { ...here, objective: undefined, picture: undefined };
  const layerText = inObjective(layer.name);
  const own = `${layerText}:${unit}`;
  const others = [
    { name: 'the channel', objective: undefined },
    { name: 'its negative', objective: `-${own}` },
    ...(layer.dims.length > 2 ? [{ name: 'one unit', objective: `neuron(${own})` }] : []),
    ...(layer.dims.length > 2 ? [0, 1, 2] : []).map((picture) => ({
      name: `differing ${picture + 1}`,
      objective: `${own} + diversity(${layerText})`,
      picture,
    })),
  ];
  const seeds = Array.from({ length: SEEDS }, (_, i) => seed + 1 + i);
  return (
    <>
      <section>
        <h2>Other seeds</h2>
        <ul class="strip">
          {seeds.map((other) => {
            const to = { ...here, settings: { ...route.settings, seed: String(other) } };
            return (
              <Choice
                key={other}
                to={href(to)}
                name={String(other)}
                label={`Seed ${other}`}
                wish={wishFor(facts, layer, unit, to)}
              />
            );
          })}
        </ul>
      </section>
      <section>
        <h2>Raised otherwise</h2>
        <ul class="strip all">
          {others.map(
            ({ name, objective, picture }: { name: string; objective: string | undefined; picture?: number }) => {
              const to = { ...channel, objective, picture };
              const current = objective === route.objective && picture === route.picture;
              return (
                <Choice
                  key={name}
                  to={href(to)}
                  name={name}
                  title={objective}
                  current={current}
                  wish={wishFor(facts, layer, unit, to)}
                />
              );
            },
          )}
        </ul>
      </section>
      {value.presets.length > 1 && (
        <section>
          <h2>Every preset</h2>
          <ul class="strip all">
            {value.presets.map(({ name, help }) => {
              const to = {
                ...here,
                preset: name,
                settings: 'seed' in route.settings ? { seed: route.settings['seed'] } : {},
              };
              return (
                <Choice
                  key={name}
                  to={href(to)}
                  name={name}
                  title={help}
                  current={name === preset.name}
                  wish={wishFor(facts, layer, unit, to)}
                />
              );
            })}
          </ul>
        </section>
      )}
    </>
  );
}

/** @file What stands around every view: where one is, how to open a model, and what is wrong, if anything is. */
import { useEffect, useRef } from 'preact/hooks';
import type { ModelFacts } from 'phosphene/web';
import { at, href, type Route, route, type View as ViewName } from '../route.ts';
import { announcement, backendOf, catalogue, modelOf, opening, trouble } from '../state.ts';
import { counted, plainName } from '../words.ts';
import { CompareView } from './compare.tsx';
import { Failed } from './failed.tsx';
import { Find } from './find.tsx';
import { LayerView } from './layer.tsx';
import { NetworkView } from './network.tsx';
import { OpenButton, DropZone, Missing } from './opening.tsx';
import { PhotoView } from './photo.tsx';
import { Pins } from './pins.tsx';
import { UnitView } from './unit.tsx';

export function Shell() {
  const now = route.value;
  const ref = modelOf(now);
  const { facts, failure } = ref ? opening(ref).value : {};
  useTitle(now, facts);
  return (
    <>
      <header class="bar">
        <a class="brand" href={href({ settings: {} })}>
          <i aria-hidden="true" /> phosphene
        </a>
        <Crumbs route={now} model={ref?.name} />
        {facts && <Find facts={facts} route={now} />}
        {facts && (
          <a class="tool" href={href({ ...at(now, { layer: now.layer, unit: now.unit }), view: 'photo' })}>
            Photos
          </a>
        )}
        <OpenButton />
      </header>
      {trouble.value !== undefined && (
        <p class="trouble" role="alert">
          {trouble.value}
        </p>
      )}
      <main>
        {now.view === 'compare' ? (
          <CompareView route={now} />
        ) : failure ? (
          failure.details['missing'] === true ? (
            <Missing name={ref!.name} />
          ) : (
            <Failed message={failure.message} />
          )
        ) : facts ? (
          <View facts={facts} route={now} />
        ) : (
          <p class="waiting">Opening {ref ? plainName(ref.name) : ''}…</p>
        )}
      </main>
      {now.view !== 'compare' && <Pins route={now} />}
      <Foot model={ref?.name} />
      <DropZone />
      <p class="unseen" aria-live="polite">
        {announcement.value}
      </p>
    </>
  );
}

function View({ facts, route: now }: { readonly facts: ModelFacts; readonly route: Route }) {
  const { layer: name, unit, view } = now;
  if (name === undefined && view === 'photo') return <PhotoView facts={facts} route={now} />;
  if (name === undefined) return <NetworkView facts={facts} route={now} />;
  const layer = facts.layers.find((l) => l.name === name) ?? facts.layers.findLast((l) => l.path === name);
  if (!layer)
    return (
      <Failed message={`There is no layer “${name}” in ${plainName(facts.ref.name)}.`}>
        <a href={href(at(now, {}))}>All its layers</a>
      </Failed>
    );
  if (view === 'photo') return <PhotoView facts={facts} layer={layer} route={now} />;
  if (unit === undefined) return <LayerView key={layer.name} facts={facts} layer={layer} route={now} />;
  return <UnitView facts={facts} layer={layer} route={now} />;
}

const titles: Readonly<Record<ViewName, string>> = { photo: 'Photo', compare: 'Compare' };

function Crumbs({ route: now, model }: { readonly route: Route; readonly model: string | undefined }) {
  if (model === undefined) return <nav class="crumbs" aria-label="Where you are" />;
  const places = [
    { text: plainName(model), to: at(now, {}) },
    ...(now.layer === undefined ? [] : [{ text: now.layer, to: at(now, { layer: now.layer }) }]),
    ...(now.unit === undefined ? [] : [{ text: String(now.unit), to: at(now, { layer: now.layer, unit: now.unit }) }]),
    ...(now.view === undefined ? [] : [{ text: titles[now.view], to: now }]),
  ];
  return (
    <nav class="crumbs" aria-label="Where you are">
      <ol>
        {places.map(({ text, to }, i) => (
          <li key={i}>
            <a href={href(to)} aria-current={i === places.length - 1 ? 'page' : undefined}>
              {text}
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Foot({ model }: { readonly model: string | undefined }) {
  const { value } = catalogue;
  const own = model !== undefined && backendOf(model).kind === 'worker';
  return (
    <footer class="foot">
      <p>
        {own
          ? 'Computed in this browser. Nothing leaves this machine.'
          : 'Computed on this machine. Nothing leaves it.'}
      </p>
      {value && (
        <p>
          {own && value.engine.includes('node')
            ? 'onnxruntime-web, WebAssembly'
            : `${value.engine}, ${counted(value.workers, 'worker')}`}{' '}
          · phosphene {value.version} · <a href="./licenses.txt">Licenses</a>
        </p>
      )}
    </footer>
  );
}

/** The title of the window, and the place where those who use no mouse are: at the beginning of what has come. */
function useTitle(now: Route, facts: ModelFacts | undefined): void {
  const place = [now.view && titles[now.view], now.unit, now.layer, facts && plainName(facts.ref.name)].filter(
    (part) => part !== undefined,
  );
  const title = [...place, 'phosphene'].join(' · ');
  const last = useRef<string | undefined>(undefined);
  useEffect(() => {
    document.title = title;
    if (!facts) return;
    const here = `${now.model}/${now.layer}/${now.unit}/${now.view}`;
    const before = last.current;
    last.current = here;
    if (before === undefined || before === here) return;
    // Beside a photo one goes from channel to channel without losing it from view.
    if (now.view === 'photo' && before.endsWith('/photo')) return;
    // A grid that one comes back to keeps its place.
    if (now.unit !== undefined || now.layer === undefined) scrollTo(0, 0);
    document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
  });
}

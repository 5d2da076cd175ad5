/** @file Photos: what a network sees in them, at which places, and which of them a channel likes most. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { blocksOf, endOf, type LayerFacts, type ModelFacts } from 'phosphene/web';
import { look, type SeenAs, strongest, useLook } from '../looks.ts';
import {
  asSeen,
  camera,
  complaint,
  cutTo,
  openFrame,
  openPhotos,
  type Photo,
  photos,
  type Pixels,
  pixelsOf,
  seenSize,
  startCamera,
  stopCamera,
} from '../photos.ts';
import { wishFor } from '../pictures.ts';
import { amend, at, go, href, type Place, type Route, route as current } from '../route.ts';
import { announcement, canMake, failure, isTarget, reducedMotion, type Target } from '../state.ts';
import { activation, counted, plainName } from '../words.ts';
import { Choice } from './choice.tsx';
import { Failed } from './failed.tsx';
import { paint, Picture } from './picture.tsx';

/** Channels of one layer that are listed. */
const LISTED = 24;
/** Channels of a layer at a glance. */
const GLANCE = 6;

interface Props {
  readonly facts: ModelFacts;
  readonly route: Route;
  readonly layer?: LayerFacts;
}
type Facts = Pick<Props, 'facts' | 'route'>;

export function PhotoView({ facts, route, layer }: Props) {
  // Whoever goes elsewhere does not want to be filmed.
  useEffect(() => stopCamera, []);
  if (layer && !isTarget(layer))
    return (
      <Failed message={`${layer.name} has no channels that can be shown.`}>
        <a href={href({ ...route, layer: undefined, unit: undefined })}>Other layers</a>
      </Failed>
    );
  const many = photos.value;
  const photo = many[route.photo ?? 0] ?? many[0];
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>
          What {layer ? layer.name : plainName(facts.ref.name)} sees <small>in a photo of yours</small>
        </h1>
        <p class="facts">Photos are read by this page and stay on this machine.</p>
      </div>
      {canMake(facts.ref.name) ? (
        <>
          <Sources />
          {complaint.value !== undefined && (
            <p class="hint" role="alert">
              {complaint.value}
            </p>
          )}
          {(camera.value ?? photo) && (
            <Looked facts={facts} route={route} layer={layer} photo={camera.value ? undefined : photo} />
          )}
        </>
      ) : (
        <p class="note">
          {location.protocol === 'file:'
            ? 'To look at photos, the page must compute, and browsers let no page do so that was opened as a file. On any web server it can.'
            : 'This page has only pictures of this model that were made beforehand. To look at photos, open the file of the model.'}
        </p>
      )}
    </>
  );
}

/** Where photos come from. */
function Sources() {
  const open = (input: HTMLInputElement): void => {
    // A link says which place; with another photo, another one is meant.
    const { length: before } = photos.value;
    const opened = openPhotos([...(input.files ?? [])]);
    if (opened && before > 0) amend({ ...current.value, photo: undefined, place: undefined });
    input.value = '';
  };
  return (
    <div class="toolbar sources">
      <label class="button">
        Open photos
        <input type="file" multiple accept="image/*" onChange={(e) => open(e.currentTarget)} />
      </label>
      <label class="button">
        Open a folder
        <input
          type="file"
          multiple
          {...({ webkitdirectory: true } as object)}
          onChange={(e) => open(e.currentTarget)}
        />
      </label>
      {camera.value ? (
        <button type="button" onClick={stopCamera}>
          Stop the camera
        </button>
      ) : (
        <button type="button" onClick={() => void startCamera()}>
          Use the camera
        </button>
      )}
    </div>
  );
}

type LookedProps = Facts & { readonly layer: Target | undefined; readonly photo: Photo | undefined };

/** A photo, or what the camera shows, beside what is seen in it. */
function Looked({ facts, route, layer, photo }: LookedProps) {
  const image = useSignal<ImageData | undefined>(undefined);
  const fault = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (!photo) return undefined;
    let left = false;
    fault.value = undefined;
    asSeen(photo, facts).then(
      (seen) => {
        if (!left) image.value = seen;
      },
      (error: unknown) => {
        if (!left) fault.value = failure(error).message;
      },
    );
    return () => {
      left = true;
    };
  }, [photo, facts]);
  const seen = image.value;
  const pixels = seen && pixelsOf(seen);
  const unit = layer && route.unit !== undefined && route.unit < layer.channels ? route.unit : undefined;
  const heat = useLook(
    facts,
    pixels,
    layer && unit !== undefined ? ({ what: 'heat', layer: layer.name, channel: unit } as const) : undefined,
  ).value;
  return (
    <div class="unit photos">
      <figure class="large">
        {!photo && <Camera facts={facts} onFrame={(frame) => (image.value = frame)} />}
        {fault.value === undefined ? (
          seen && <Surface image={seen} heat={unit === undefined ? undefined : heat.seen} route={route} layer={layer} />
        ) : (
          <p class="hint" role="alert">
            {fault.value}
          </p>
        )}
        <figcaption>
          {layer && unit !== undefined && <Chosen facts={facts} route={route} layer={layer} unit={unit} heat={heat} />}
          {photo && photos.value.length > 1 && <Thumbs facts={facts} route={route} current={photo} />}
        </figcaption>
      </figure>
      <div class="aside">
        <LayerChoice facts={facts} route={route} layer={layer} />
        {pixels &&
          (layer ? (
            <Channels key={layer.name} facts={facts} route={route} layer={layer} pixels={pixels} />
          ) : (
            <Overview facts={facts} route={route} pixels={pixels} />
          ))}
        {layer && photos.value.length > 1 && photo && (
          <Folder key={layer.name} facts={facts} route={route} layer={layer} unit={unit} />
        )}
      </div>
    </div>
  );
}

/** What the camera shows, as fast as it is looked at. */
function Camera({ facts, onFrame }: { readonly facts: ModelFacts; readonly onFrame: (frame: ImageData) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current!;
    let left = false;
    element.srcObject = camera.value!;
    const watch = async (): Promise<void> => {
      await element.play();
      while (!left) {
        if (element.videoWidth > 0 && !document.hidden) {
          const frame = cutTo(element, { width: element.videoWidth, height: element.videoHeight }, seenSize(facts));
          onFrame(frame);
          const { layer, unit } = current.value;
          // The next one when this one was looked at.
          const ask =
            layer === undefined
              ? ({ what: 'strengths' } as const)
              : unit === undefined
                ? ({ what: 'peaks', layer } as const)
                : ({ what: 'heat', layer, channel: unit } as const);
          await look(facts, pixelsOf(frame), ask).catch(() => {});
        }
        await new Promise((resolve) => setTimeout(resolve, reducedMotion.value ? 3000 : 60));
      }
    };
    void watch().catch(() => {});
    return () => {
      left = true;
    };
  }, [facts, camera.value]);
  return (
    <>
      <video ref={video} muted playsInline hidden />
      <p class="actions">
        <button type="button" onClick={() => void createImageBitmap(video.current!).then(openFrame, () => {})}>
          Keep this moment
        </button>
      </p>
    </>
  );
}

/** How much a place is veiled that does not fire at all, from 0 to 255. */
const VEIL = 200;

/** The photo, on which a place can be chosen, under the heat of a channel. */
function Surface({
  image,
  heat,
  route,
  layer,
}: {
  readonly image: ImageData;
  readonly heat: SeenAs<'heat'> | undefined;
  readonly route: Route;
  readonly layer: Target | undefined;
}) {
  const photo = useRef<HTMLCanvasElement>(null);
  const veil = useRef<HTMLCanvasElement>(null);
  useEffect(() => paint(photo.current!, image), [image]);
  useEffect(() => paint(veil.current!, veilOf(heat)), [heat]);
  const { place } = route;
  const choose = (to: Place | undefined): void => {
    const { value: now } = current;
    amend({ ...now, place: to, unit: now.unit });
    announcement.value = to
      ? `${Math.round(100 * to.x)} % from the left, ${Math.round(100 * to.y)} % from the top`
      : 'The whole photo';
  };
  const pointed = (event: MouseEvent): void => {
    // A press of Enter is a click without a place.
    if (event.detail === 0) return choose(place ? undefined : { x: 0.5, y: 0.5 });
    const box = photo.current!.getBoundingClientRect();
    const within = (value: number): number => Math.min(1, Math.max(0, value));
    choose({ x: within((event.clientX - box.left) / box.width), y: within((event.clientY - box.top) / box.height) });
  };
  const keyed = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === 'Escape' && place) return choose(undefined);
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    event.preventDefault();
    const { x, y } = place ?? { x: 0.5, y: 0.5 };
    const moved = (from: number, by: number): number => Math.min(1, Math.max(0, Number((from + 0.05 * by).toFixed(3))));
    return choose({ x: moved(x, step[0]!), y: moved(y, step[1]!) });
  };
  return (
    <div class="surface">
      <canvas ref={photo} role="img" aria-label="The photo as the network sees it" width="1" height="1" />
      <canvas ref={veil} class="veil" aria-hidden="true" width="1" height="1" />
      {layer && (
        <button
          type="button"
          aria-label="Choose a place in the photo: arrow keys move it, Escape takes it away"
          aria-pressed={place !== undefined}
          onClick={pointed}
          onKeyDown={keyed}
        />
      )}
      {layer && place && <i class="ring" style={{ left: `${100 * place.x}%`, top: `${100 * place.y}%` }} />}
    </div>
  );
}

/** What a channel does not fire for is dark. */
function veilOf(heat: SeenAs<'heat'> | undefined): ImageData {
  if (!heat) return new ImageData(1, 1);
  const { values, width, height } = heat;
  const veil = new ImageData(width, height);
  const top = Math.max(...values, 1e-12);
  // A channel may be negative everywhere; what is least negative is seen then.
  const low = Math.max(...values) <= 0 ? Math.min(...values) : 0;
  const range = Math.max(...values) <= 0 ? -low || 1 : top;
  for (const [i, value] of values.entries())
    veil.data[4 * i + 3] = VEIL * (1 - Math.min(1, Math.max(0, (value - low) / range)));
  return veil;
}

/** The channel whose heat is seen. */
function Chosen({
  facts,
  route,
  layer,
  unit,
  heat,
}: Facts & {
  readonly layer: Target;
  readonly unit: number;
  readonly heat: { readonly seen?: SeenAs<'heat'>; readonly failure?: { readonly message: string } };
}) {
  const { seen, failure: fault } = heat;
  const name = nameOf(facts, layer, unit);
  return (
    <div class="chosen">
      <a href={href(at(route, { layer: layer.name, unit }))} aria-label={`Channel ${unit}: its own page`}>
        <Picture wish={wishFor(facts, layer, unit, at(route, {}))} alt="" />
      </a>
      <div>
        <h2>{name === String(unit) ? `Channel ${unit}` : name}</h2>
        <p class="facts">
          {fault
            ? fault.message
            : seen
              ? `Fires up to ${activation(Math.max(...seen.values))}; what it does not fire for is dark.`
              : 'Looking…'}
        </p>
        <p>
          <a href={href({ ...route, unit: undefined })}>The photo alone</a>
        </p>
      </div>
    </div>
  );
}

const nameOf = (facts: ModelFacts, layer: Target, channel: number): string =>
  facts.labels?.length === layer.channels ? facts.labels[channel]! : String(channel);

function LayerChoice({ facts, route, layer }: Facts & { readonly layer: Target | undefined }) {
  return (
    <div class="toolbar">
      <div class="field">
        <label for="layer">Layer</label>
        <select
          id="layer"
          value={layer?.name ?? ''}
          onChange={(e) => go({ ...route, layer: e.currentTarget.value || undefined, unit: undefined })}
        >
          <option value="">at a glance</option>
          {facts.layers.filter(isTarget).map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </div>
      {layer && route.place && (
        <button type="button" onClick={() => amend({ ...route, place: undefined })}>
          The whole photo
        </button>
      )}
    </div>
  );
}

/** The strongest channels of the layers that stand for their blocks. */
function Overview({ facts, route, pixels }: Facts & { readonly pixels: Pixels }) {
  const { seen, failure: fault } = useLook(facts, pixels, { what: 'strengths' } as const).value;
  if (fault) return <Fault message={fault.message} />;
  if (!seen) return <p class="facts">Looking…</p>;
  const found = new Map(seen.layers.map((l) => [l.layer, l.peak]));
  // What is deep says most of a photo.
  const ends = blocksOf(facts.layers)
    .map(endOf)
    .filter((l) => l !== undefined)
    .filter(isTarget)
    .toReversed();
  return (
    <>
      {ends.map((end) => {
        const peak = found.get(end.name);
        if (!peak) return null;
        return (
          <section key={end.name}>
            <h2>
              <a href={href({ ...route, layer: end.name, unit: undefined })}>{end.name}</a>
            </h2>
            <ul class="strip">
              {strongest(peak, GLANCE).map(({ channel, value }) => (
                <Fired key={channel} facts={facts} route={route} layer={end} channel={channel} value={value} />
              ))}
            </ul>
          </section>
        );
      })}
    </>
  );
}

function Fault({ message }: { readonly message: string }) {
  return (
    <p class="hint" role="alert">
      {message}
    </p>
  );
}

/** A channel that fires, with its picture; it leads to its heat. */
function Fired({
  facts,
  route,
  layer,
  channel,
  value,
}: Facts & { readonly layer: Target; readonly channel: number; readonly value: number }) {
  const name = nameOf(facts, layer, channel);
  return (
    <Choice
      to={href({ ...route, layer: layer.name, unit: channel })}
      name={name}
      label={`${name === String(channel) ? `Channel ${channel}` : name} ${activation(value)}`}
      current={route.layer === layer.name && route.unit === channel}
      wish={wishFor(facts, layer, channel, at(route, {}))}
    >
      <b>{activation(value)}</b>
    </Choice>
  );
}

/** The strongest channels of a layer, in the whole photo or at a place. */
function Channels({ facts, route, layer, pixels }: Facts & { readonly layer: Target; readonly pixels: Pixels }) {
  const { place } = route;
  const byMean = useSignal(false);
  const whole = useLook(facts, pixels, { what: 'peaks', layer: layer.name } as const).value;
  const there = useLook(
    facts,
    pixels,
    place && ({ what: 'place', layer: layer.name, x: place.x, y: place.y } as const),
  ).value;
  const fault = whole.failure ?? there.failure;
  if (fault) return <Fault message={fault.message} />;
  const values = place ? there.seen?.values : whole.seen?.[byMean.value ? 'mean' : 'peak'];
  const firing = values && strongest(values, LISTED);
  return (
    <section aria-busy={values === undefined}>
      <div class="section-head">
        <h2>{place ? 'Fires at that place' : 'Fires most'}</h2>
        {!place && (
          <div class="field">
            <label for="order">by</label>
            <select
              id="order"
              value={byMean.value ? 'mean' : 'peak'}
              onChange={(e) => (byMean.value = e.currentTarget.value === 'mean')}
            >
              <option value="peak">its greatest activation</option>
              <option value="mean">its mean</option>
            </select>
          </div>
        )}
      </div>
      {firing ? (
        <ul class="strip all">
          {firing.map(({ channel, value }) => (
            <Fired key={channel} facts={facts} route={route} layer={layer} channel={channel} value={value} />
          ))}
        </ul>
      ) : (
        <p class="facts">Looking…</p>
      )}
    </section>
  );
}

/** The photos, small, to choose from. */
function Thumbs({ facts, route, current: shown }: Facts & { readonly current: Photo }) {
  return (
    <ul class="thumbs" aria-label="Photos">
      {photos.value.map((photo, i) => (
        <li key={photo.id}>
          <a
            href={href({ ...route, photo: i, place: undefined })}
            aria-label={photo.name}
            title={photo.name}
            aria-current={photo === shown ? 'true' : undefined}
          >
            <Thumb facts={facts} photo={photo} />
          </a>
        </li>
      ))}
    </ul>
  );
}

/** A photo, or a part of it. */
function Thumb({ facts, photo, part }: { readonly facts: ModelFacts; readonly photo: Photo; readonly part?: Part }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let left = false;
    void asSeen(photo, facts).then(
      (image) => {
        const element = canvas.current;
        if (left || !element) return;
        if (!part) return paint(element, image);
        const side = Math.min(part.side, image.width, image.height);
        const within = (middle: number, most: number): number =>
          Math.round(Math.min(most - side, Math.max(0, middle - side / 2)));
        [element.width, element.height] = [side, side];
        const context = element.getContext('2d')!;
        context.putImageData(
          image,
          -within(part.x * image.width, image.width),
          -within(part.y * image.height, image.height),
        );
      },
      () => {},
    );
    return () => {
      left = true;
    };
  }, [photo, facts, part?.x, part?.y, part?.side]);
  return (
    <span class="picture">
      <canvas ref={canvas} role="presentation" width="1" height="1" />
    </span>
  );
}

/** A square of a photo: its middle from 0 to 1, its side in pixels. */
interface Part extends Place {
  readonly side: number;
}

/** Where a channel fired in a photo. */
interface Patch extends Part {
  readonly photo: number;
  readonly value: number;
}

/** Patches that are kept of a channel, and that are listed of it. */
const BEST = 12;
const FEW = 5;
/** How many units of a layer a patch is wide: what lies around a place says what was seen there. */
const UNITS = 5;
const LEAST_SIDE = 24;

/** What each channel of a layer likes most in all photos. */
function Folder({ facts, route, layer, unit }: Facts & { readonly layer: Target; readonly unit: number | undefined }) {
  const best = useSignal<readonly (readonly Patch[])[]>([]);
  const done = useSignal(0);
  const shown = useSignal(LISTED / 2);
  const all = photos.value;
  useEffect(() => {
    let left = false;
    const lists: Patch[][] = Array.from({ length: layer.channels }, () => []);
    const go = async (): Promise<void> => {
      for (const [i, photo] of all.entries()) {
        try {
          const image = await asSeen(photo, facts);
          if (left) return;
          const seen = await look(facts, pixelsOf(image), { what: 'peaks', layer: layer.name });
          if (left || seen.what !== 'peaks') return;
          const { peak, place, width, height } = seen;
          const side = Math.max(LEAST_SIDE, Math.round((UNITS * image.width) / width));
          for (const [channel, list] of lists.entries()) {
            const value = peak[channel]!;
            if (!(value > (list[BEST - 1]?.value ?? -Infinity))) continue;
            const where = place[channel]!;
            const [x, y] = [((where % width) + 0.5) / width, (Math.floor(where / width) + 0.5) / height];
            list.push({ photo: i, value, x, y, side });
            list.sort((a, b) => b.value - a.value);
            list.length = Math.min(list.length, BEST);
          }
        } catch {
          // What cannot be read is said where it is shown.
        }
        done.value = i + 1;
        best.value = lists.map((list) => [...list]);
      }
      announcement.value = `${counted(all.length, 'photo')} were looked at.`;
    };
    void go();
    return () => {
      left = true;
    };
  }, [all, facts, layer]);
  const order = best.value
    .map((patches, channel) => ({ channel, patches, value: patches[0]?.value ?? -Infinity }))
    .toSorted((a, b) => b.value - a.value);
  const own = unit === undefined ? undefined : best.value[unit];
  return (
    <section>
      <h2>Best patches of {counted(all.length, 'photo')}</h2>
      <p class="facts" role="status">
        {done.value < all.length
          ? `${done.value} of ${counted(all.length, 'photo')} looked at`
          : 'For each channel, the places at which it fires most.'}
      </p>
      {own && unit !== undefined && <Patches facts={facts} route={route} layer={layer} channel={unit} patches={own} />}
      <ul class="patches-of">
        {order.slice(0, shown.value).map(
          ({ channel, patches }) =>
            channel !== unit && (
              <li key={channel}>
                <Patches facts={facts} route={route} layer={layer} channel={channel} patches={patches.slice(0, FEW)} />
              </li>
            ),
        )}
      </ul>
      {shown.value < order.length && (
        <p>
          <button type="button" onClick={() => (shown.value += LISTED)}>
            More channels
          </button>
        </p>
      )}
    </section>
  );
}

/** A channel's picture beside what it likes in photos. */
function Patches({
  facts,
  route,
  layer,
  channel,
  patches,
}: Facts & { readonly layer: Target; readonly channel: number; readonly patches: readonly Patch[] }) {
  const name = nameOf(facts, layer, channel);
  return (
    <ul class="strip all patches" aria-label={`Channel ${channel}`}>
      <Choice
        to={href({ ...route, unit: channel })}
        name={name}
        label={`Channel ${name}`}
        current={route.unit === channel}
        wish={wishFor(facts, layer, channel, at(route, {}))}
      />
      {patches.map((patch) => {
        const photo = photos.value[patch.photo];
        return (
          photo && (
            <li key={photo.id}>
              <a
                href={href({ ...route, unit: channel, photo: patch.photo, place: undefined })}
                aria-label={`${photo.name}, ${activation(patch.value)}`}
                title={photo.name}
              >
                <Thumb facts={facts} photo={photo} part={patch} />
                <span class="number">{activation(patch.value)}</span>
              </a>
            </li>
          )
        );
      })}
    </ul>
  );
}

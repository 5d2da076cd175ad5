/** @file One picture, wherever it stands: it comes while it is in view, and its work stops when it is not. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Wish } from 'phosphene/web';
import type { Failure } from '../backend/backend.ts';
import { type Frame, lately, type Paint, SMALL_WAY, type Still, watch } from '../pictures.ts';
import { reducedMotion } from '../state.ts';

/** Paints on a canvas that takes the picture's own size; how large it is shown is a matter of style. */
export function paint(canvas: HTMLCanvasElement, picture: Paint): void {
  if (picture instanceof ImageData) {
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext('2d')!.putImageData(picture, 0, 0);
    return;
  }
  const image = new Image();
  image.addEventListener('load', () => {
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext('2d')!.drawImage(image, 0, 0);
  });
  image.src = picture.url;
}

const seen = new WeakMap<Element, (inView: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) seen.get(target)?.(isIntersecting);
  },
  { rootMargin: '80px' },
);

/** Calls `listener` when an element comes into view and when it leaves. */
export function observe(element: Element, listener: (inView: boolean) => void): () => void {
  seen.set(element, listener);
  observer.observe(element);
  return () => {
    observer.unobserve(element);
    seen.delete(element);
  };
}

export interface PictureProps {
  readonly wish: Wish;
  /** What it is, for those who do not see it; empty if the link around it says so. */
  readonly alt: string;
  readonly class?: string;
}

/** A small picture. `data-state` says how far it is: `waiting`, `coming`, `done`, `failed`. */
export function Picture({ wish, alt, class: name }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const state = useSignal<'waiting' | 'coming' | 'done' | 'failed'>('waiting');
  const note = useSignal<string | undefined>(undefined);
  const key = JSON.stringify(wish);
  useEffect(() => {
    const element = canvas.current!;
    let leave: (() => void) | undefined;
    let over = false;
    const finished = (still: Still): void => {
      over = true;
      paint(element, still.paint);
      state.value = 'done';
      note.value = still.hint;
    };
    // A small picture's way is not kept, so that a picture is one, whether or not someone saw it come.
    const asked = reducedMotion.value ? wish : { ...wish, frames: SMALL_WAY };
    const known = lately(asked);
    state.value = 'waiting';
    note.value = undefined;
    if (known) finished(known);
    const unobserve = observe(element, (inView) => {
      if (inView && !over && !leave) {
        leave = watch(asked, {
          step: () => (state.value = state.value === 'waiting' ? 'coming' : state.value),
          frame: ({ paint: frame }: Frame) => {
            state.value = 'coming';
            paint(element, frame);
          },
          picture: finished,
          failed(error: Failure) {
            over = true;
            state.value = 'failed';
            note.value = error.message;
          },
        });
      } else if (!inView) {
        leave?.();
        leave = undefined;
      }
    });
    return () => {
      unobserve();
      leave?.();
    };
  }, [key]);
  return (
    <span class={`picture ${name ?? ''}`} data-state={state.value} title={note.value}>
      <canvas
        ref={canvas}
        role={alt === '' ? 'presentation' : 'img'}
        aria-label={alt || undefined}
        width="1"
        height="1"
      />
    </span>
  );
}

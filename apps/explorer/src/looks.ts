/** @file What networks see in photos: asked one at a time, the newest first, and remembered for a while. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Look, ModelFacts, Seen } from 'phosphene/web';
import type { Failure } from './backend/backend.ts';
import type { Pixels } from './photos.ts';
import { backendOf, failure } from './state.ts';

type Ask = Look['ask'];
export type SeenAs<What extends Seen['what']> = Extract<Seen, { readonly what: What }>;

/** What is known of a question. */
export interface Looking<What extends Seen['what']> {
  readonly seen?: SeenAs<What>;
  readonly failure?: Failure;
  /** Whether another answer is on its way. */
  readonly waiting: boolean;
}

const MOST = 64;
/** By photo, since two photos are never the same object. */
const answers = new Map<Pixels, Map<string, Promise<Seen>>>();

/** Asks what a network sees in a photo, unless that is known. */
export function look(facts: ModelFacts, photo: Pixels, ask: Ask): Promise<Seen> {
  const known = answers.get(photo) ?? new Map<string, Promise<Seen>>();
  answers.delete(photo);
  answers.set(photo, known);
  if (answers.size > MOST) answers.delete(answers.keys().next().value!);
  const key = JSON.stringify([facts.ref, ask]);
  const answer = known.get(key) ?? backendOf(facts.ref.name).look({ model: facts.ref, photo, ask });
  known.set(key, answer);
  answer.catch(() => known.delete(key));
  return answer;
}

/** The answer to a question that changes: while one is under way, those in between are left out, and the last answer stays. */
export function useLook<A extends Ask>(
  facts: ModelFacts,
  photo: Pixels | undefined,
  ask: A | undefined,
): Signal<Looking<A['what']>> {
  const now = useSignal<Looking<A['what']>>({ waiting: true });
  const key = ask && JSON.stringify([facts.ref, ask]);
  const last = useRef(key);
  useEffect(() => {
    if (!photo || !ask) {
      now.value = { waiting: photo === undefined };
      return undefined;
    }
    let left = false;
    // The answer for the photo before is nearly right until there is a new one; that to another question is not.
    const { seen } = now.value;
    now.value = seen && last.current === key ? { seen, waiting: true } : { waiting: true };
    last.current = key;
    look(facts, photo, ask).then(
      (answer) => {
        if (!left) now.value = { seen: answer as SeenAs<A['what']>, waiting: false };
      },
      (error: unknown) => {
        if (!left) now.value = { failure: failure(error), waiting: false };
      },
    );
    return () => {
      left = true;
    };
  }, [photo, key]);
  return now;
}

/** The greatest of the values and where they are, in order. */
export function strongest(values: Float32Array, count: number): readonly { channel: number; value: number }[] {
  return Array.from(values, (value, channel) => ({ channel, value }))
    .filter(({ value }) => Number.isFinite(value))
    .toSorted((a, b) => b.value - a.value)
    .slice(0, count);
}

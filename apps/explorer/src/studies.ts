/** @file What is known of layers: which channels are strong, dead or odd, and which are alike. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ModelFacts, Portrait, Studied, Study } from 'phosphene/web';
import type { Failure } from './backend/backend.ts';
import type { Order } from './route.ts';
import { backendOf, failure } from './state.ts';
import { counted } from './words.ts';

/** What is known of a layer. */
export interface Studying {
  readonly studied?: Studied;
  readonly failure?: Failure;
}

const MOST = 64;
const answers = new Map<string, Promise<Studied>>();

function ask(study: Study): Promise<Studied> {
  const key = JSON.stringify(study);
  const answer = answers.get(key) ?? backendOf(study.model.name).study(study);
  answers.set(key, answer);
  if (answers.size > MOST) answers.delete(answers.keys().next().value!);
  answer.catch(() => answers.delete(key));
  return answer;
}

/** What is known of a layer, as soon as it is known; nothing is asked without a question. */
export function useStudy({ ref }: ModelFacts, study: Study | undefined): Signal<Studying> {
  const now = useSignal<Studying>({});
  const key = study && JSON.stringify([ref, study]);
  useEffect(() => {
    now.value = {};
    if (!study) return undefined;
    let left = false;
    ask(study).then(
      (studied) => {
        if (!left) now.value = { studied };
      },
      (error: unknown) => {
        if (!left) now.value = { failure: failure(error) };
      },
    );
    return () => {
      left = true;
    };
  }, [key]);
  return now;
}

/** Channels in an order, what they are ordered by, and what that means. `troubled` are those whose pictures are known to show little. */
export function sequenceOf(
  order: Order,
  { peak, spread, likeness }: Portrait,
  troubled: readonly number[],
): { readonly sequence: readonly number[]; readonly values: Float32Array; readonly note: string } {
  const channels = Array.from(peak.keys());
  const by = (values: Float32Array, sign: 1 | -1): readonly number[] =>
    channels.toSorted((a, b) => sign * (values[a]! - values[b]!));
  if (order === 'strongest')
    return {
      sequence: by(peak, -1),
      values: peak,
      note: 'By the greatest activation for noise like that of photographs.',
    };
  if (order === 'odd')
    return {
      sequence: by(likeness, 1),
      values: likeness,
      note: 'By how much the most similar channel is like it: the odd ones out first.',
    };
  const dead = spread.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
  const known = new Set(troubled);
  // What does not answer at all, then what has a picture that shows little, then what answers least.
  const rank = (channel: number): number => (spread[channel] === 0 ? 0 : known.has(channel) ? 1 : 2);
  return {
    sequence: by(spread, 1).toSorted((a, b) => rank(a) - rank(b)),
    values: spread,
    note: `${dead === 0 ? 'Every channel answers to noise' : `${counted(dead, 'channel')} ${dead === 1 ? 'does' : 'do'} not answer to noise`}${known.size > 0 ? `; ${counted(known.size, 'picture')} seen so far ${known.size === 1 ? 'shows' : 'show'} little` : ''}. By how far the activation ranges.`,
  };
}

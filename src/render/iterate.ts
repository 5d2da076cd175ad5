/** @file Which iterate of an ascent is kept, and when the ascent is over: settings, and a judge of its losses. */
import { choice, type Schema, type Values, whole } from '../settings.ts';

/** The settings. Their defaults are those of the Keras example: all steps, and the picture after the last one. */
export const iterateSettings = {
  keep: choice({
    help: 'The picture that is kept: the last, or the one whose objective was best',
    default: 'last',
    of: ['last', 'best'],
  }),
  patience: whole({
    help: 'Steps without a better objective after which an ascent ends before its time; 0 for none',
    default: 0,
    to: 1e6,
  }),
} satisfies Schema;

/** Which iterate is kept, and how long a better one is waited for. */
export type Iterates = Values<typeof iterateSettings>;

/** Losses whose mean is compared if chance decides what the network sees: single ones say more about the draw than about the picture. */
const SMOOTHED = 8;

/**
 * A judge that is told the loss of each step, and says whether the picture that entered it is the best so far, and whether the ascent is over.
 * What it compares is the loss itself; if an ascent is `shaken`, the mean of the last {@link SMOOTHED}. A loss that is not finite is never the best.
 *
 * @example
 * const judge = judgeOf(1, false);
 * [1, 3, 2].map(judge); // better, better, over
 */
export function judgeOf(
  patience: number,
  shaken: boolean,
): (loss: number) => { readonly isBest: boolean; readonly isOver: boolean } {
  const last: number[] = [];
  let [best, since] = [-Infinity, 0];
  return (loss) => {
    last.push(loss);
    if (last.length > (shaken ? SMOOTHED : 1)) last.shift();
    const now = last.reduce((sum, one) => sum + one, 0) / last.length;
    const isBest = Number.isFinite(now) && now > best;
    if (isBest) best = now;
    since = isBest ? 0 : since + 1;
    return { isBest, isOver: patience > 0 && since >= patience };
  };
}

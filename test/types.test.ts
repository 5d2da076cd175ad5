/** @file The types refuse what the checks would. Nothing here runs but one line: the compiler reads it, and each expected error must be one. */
import { expect, it } from 'vitest';
import type { RecipeOptions } from '../src/index.ts';
import type { Network, Pool } from '../src/index.ts';
import { bytesSource, objectives, openNetwork, params, settle } from '../src/index.ts';
import type { RenderOptions, RunningToFolder } from '../src/node.ts';

/** Calls that must not compile. */
export const refused: readonly (() => unknown)[] = [
  // @ts-expect-error -- A preset that is not there.
  () => settle({ preset: 'kears' }),
  // @ts-expect-error -- A setting that is not there.
  () => settle({ setps: 3 }),
  // @ts-expect-error -- A kind that is not there.
  () => settle({ optimiser: { kind: 'adamm' } }),
  // @ts-expect-error -- A setting of another kind.
  () => settle({ optimiser: { kind: 'normalised', beta1: 0.5 } }),
  // @ts-expect-error -- A text in place of a number.
  () => settle({ finish: { crop: '3' } }),
  // @ts-expect-error -- An objective of another name.
  () => objectives.make({ kind: 'chanel', layer: 'a', channel: 0 }),
  // @ts-expect-error -- A parameterisation of another name.
  () => params.make({ kind: 'pixels' }),
  // @ts-expect-error -- A convention that is not known by name.
  () => openNetwork(bytesSource('net.onnx', new Uint8Array()), { preprocess: 'imagenet' }),
];

// @ts-expect-error -- A class is one.
export const ofTwoClasses: RenderOptions = { class: [1, 2] };
// @ts-expect-error -- How a picture is made is no matter of the folder.
export const inTheWrongPlace: RunningToFolder = { out: 'out', steps: 3 };
// What a user reads from a configuration may be undefined.
export const undefinedIsLeftOut: RecipeOptions = { preset: undefined, steps: undefined, finish: { crop: undefined } };
// What holds resources can be left to `await using`.
export const disposable: readonly ((held: Network | Pool) => AsyncDisposable)[] = [(held) => held];

it('and whoever writes JavaScript is told the same', async () => {
  for (const call of refused) await expect((async () => call())()).rejects.toMatchObject({ name: 'PhospheneError' });
});

/** @file The transforms: what happens to a picture before the network sees it. One file each; a new one is a line of the table. */
import { type SpecOf, type Table, table } from '../noun.ts';
import { blur } from './blur.ts';
import { crop } from './crop.ts';
import { flip } from './flip.ts';
import { jitter } from './jitter.ts';
import { noise } from './noise.ts';
import { pad } from './pad.ts';
import { roll } from './roll.ts';
import { rotate } from './rotate.ts';
import { scale } from './scale.ts';
import type { Transform } from './transform.ts';
import { trim } from './trim.ts';

export { seen, sizeSeen } from './seen.ts';
export type { Alteration, Motion, Transform } from './transform.ts';
export type { Affine, Outside, View } from './view.ts';

const kinds = [roll, pad, jitter, scale, rotate, flip, trim, crop, blur, noise] as const;

/** All data of a transform. */
export type TransformSpec = SpecOf<(typeof kinds)[number]>;

/** The transforms by kind. */
export const transforms: Table<Transform, (typeof kinds)[number]> = table('transform', kinds);

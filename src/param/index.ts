/** @file The parameterisations: what a picture is made of while it is ascended. One file each; a new one is a line of the table. */
import { type SpecOf, type Table, table } from '../noun.ts';
import { decorrelate } from './decorrelate.ts';
import { fourier } from './fourier.ts';
import { alpha } from './alpha.ts';
import { cppn } from './cppn.ts';
import { maco } from './maco.ts';
import type { Param } from './param.ts';
import { pixel } from './pixel.ts';
import { pyramid } from './pyramid.ts';

export type { Colours } from './colour.ts';
export { measureColours, type Photos } from './measure.ts';
export type { Param, Parameters } from './param.ts';
export { measureSpectrum, type Spectrum } from './spectrum.ts';
export { canStart, startFrom } from './start.ts';

const kinds = [pixel, decorrelate, fourier, maco, pyramid, cppn, alpha] as const;

/** All data of a parameterisation. */
export type ParamSpec = SpecOf<(typeof kinds)[number]>;

/** The parameterisations by kind. */
export const params: Table<Param, (typeof kinds)[number]> = table('param', kinds);

/** @file The table of operators: what is in it can be in a graph. */
import { elementwise, foreignElementwise } from './elementwise.ts';
import { foreignLinear, linear } from './linear.ts';
import { movement } from './movement.ts';
import type { AttributesOf, Foreign, Operator } from './operator.ts';
import { foreignPool, pool } from './pool.ts';
import { foreignQuantised, quantised } from './quantised.ts';
import { foreignResize, resize } from './resize.ts';

const table = { ...elementwise, ...linear, ...pool, ...movement, ...resize, ...quantised };

/** One record an operator, one file a family. */
export const operators: Readonly<Record<string, Operator>> = table;

/** An operator that graphs can have. */
export type OperatorName = keyof typeof table;
/** The attributes of an operator, typed, with defaults. */
export type OperatorAttributes<K extends OperatorName> = AttributesOf<(typeof table)[K]['attributes']>;

/** What files spell by one operator and we by others. */
export const foreigners: Readonly<Record<string, Foreign>> = {
  ...foreignElementwise,
  ...foreignLinear,
  ...foreignPool,
  ...foreignResize,
  ...foreignQuantised,
};

const control = 'only networks without control flow are supported; export the network by tracing it';
/** What is not supported for a reason that its user should know. */
export const refused: Readonly<Record<string, string>> = {
  Loop: control,
  Scan: control,
};

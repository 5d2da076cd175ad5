/** @file Keras layers that move values and change none. */
import { type KerasLayer, type LayerContext, only, unsupported } from '../layer.ts';

/** `2`, `[1, 2]` or `[[top, bottom], [left, right]]` as four numbers. */
function sides(
  context: LayerContext,
  key: string,
): readonly [top: number, bottom: number, left: number, right: number] {
  const value = context.config[key] ?? 1;
  const [rows, columns] = Array.isArray(value) ? (value as unknown[]) : [value, value];
  const both = (v: unknown): unknown[] => (Array.isArray(v) ? (v as unknown[]) : [v, v]);
  const numbers = [...both(rows), ...both(columns)];
  if (numbers.length !== 4 || !numbers.every((n) => Number.isInteger(n) && (n as number) >= 0))
    throw unsupported(context, `its ${key} is ${JSON.stringify(value)}`);
  return numbers as unknown as readonly [number, number, number, number];
}

const ZeroPadding2D: KerasLayer = (context) => {
  const [top, bottom, left, right] = sides(context, 'padding');
  return context.b.pad(only(context), [0, 0, top, left, 0, 0, bottom, right], 0, context.name);
};

const Cropping2D: KerasLayer = (context) => {
  const [top, bottom, left, right] = sides(context, 'cropping');
  return context.b.pad(only(context), [0, 0, -top, -left, 0, 0, -bottom, -right], 0, context.name);
};

/** Dropout and the like: nothing, when the network is not trained. */
const same: KerasLayer = (context) => context.b.one('Identity', [only(context)], {}, context.name);

export const movements: Readonly<Record<string, KerasLayer>> = {
  ZeroPadding2D,
  Cropping2D,
  Dropout: same,
  SpatialDropout2D: same,
  GaussianNoise: same,
  GaussianDropout: same,
  ActivityRegularization: same,
};

/** @file A view: where each position that is seen lies in the picture, as an affine map whose entries may be drawn in each step. */
import type { Builder, Scalar } from '../ir/builder.ts';

/**
 * (x, y) ↦ (xx·x + xy·y + x0, yx·x + yy·y + y0), in pixels. Both sides are measured from the centre of their frame, so that scaling
 * and rotating need no centre. Entries that are plain numbers are known when the step is built.
 */
export interface Affine {
  readonly xx: Scalar;
  readonly xy: Scalar;
  readonly x0: Scalar;
  readonly yx: Scalar;
  readonly yy: Scalar;
  readonly y0: Scalar;
}

/** What continues a picture beyond its sides: grey (0), its mirror image about the outermost pixels, or the outermost pixels. */
export const outsides = ['grey', 'reflect', 'edge'] as const;
/** What lies outside the picture. */
export type Outside = (typeof outsides)[number];

/** What is seen of a picture. */
export interface View {
  /** Pixels that are seen. */
  readonly height: number;
  readonly width: number;
  /** From a position that is seen to the position in the picture. */
  readonly from: Affine;
  /** What the first padding says lies outside; grey if there is none. */
  readonly outside?: Outside | undefined;
}

/** The map that changes nothing. */
export const still: Affine = { xx: 1, xy: 0, x0: 0, yx: 0, yy: 1, y0: 0 };

/** The view after a motion: what is seen at a position of it was at `by` of that before. */
export function moved(b: Builder, view: View, by: Partial<Affine>): View {
  return { ...view, from: composed(b, view.from, { ...still, ...by }) };
}

/** a ∘ c: first `c`, then `a`. */
export function composed(b: Builder, a: Affine, c: Affine): Affine {
  const row = (x: Scalar, y: Scalar, p: Scalar, q: Scalar): Scalar => plus(b, times(b, x, p), times(b, y, q));
  return {
    xx: row(a.xx, a.xy, c.xx, c.yx),
    xy: row(a.xx, a.xy, c.xy, c.yy),
    x0: plus(b, row(a.xx, a.xy, c.x0, c.y0), a.x0),
    yx: row(a.yx, a.yy, c.xx, c.yx),
    yy: row(a.yx, a.yy, c.xy, c.yy),
    y0: plus(b, row(a.yx, a.yy, c.x0, c.y0), a.y0),
  };
}

/** Sums and products that are left out if a plain number makes them needless. */
export function plus(b: Builder, a: Scalar, c: Scalar): Scalar {
  if (typeof a === 'number' && typeof c === 'number') return a + c;
  if (a === 0) return c;
  return c === 0 ? a : b.add(a, c);
}

export function times(b: Builder, a: Scalar, c: Scalar): Scalar {
  if (typeof a === 'number' && typeof c === 'number') return a * c;
  if (a === 0 || c === 0) return 0;
  if (a === 1) return c;
  return c === 1 ? a : b.mul(a, c);
}

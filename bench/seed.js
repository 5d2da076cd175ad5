/** @file The seed: what every contender computes. `peers/seed.py` has the same numbers. */
export const layer = 'conv3_block4_out';
export const size = { height: 180, width: 180 };
export const steps = 30;
/** Filters of the example's sheet. */
export const filters = 64;

/** The real network where its weights are given, or the built-in one. */
export const nameOf = (weights) => (weights ? 'resnet50v2' : 'resnet50v2-mini');

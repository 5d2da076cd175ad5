/** @file The settings that decide a picture, for the options of `render`. They have their defaults and checks from the presets. */
import { presets } from '../render/presets.ts';
import { flag, number, type Schema, whole } from '../settings.ts';

const { steps, rate, noise, border, crop, contrast } = presets.keras;

/** Each setting by its name in the core. */
export const pictureSettings = {
  seed: whole({
    help: 'Seed of all random numbers; the same seed gives the same bytes',
    default: 0,
    from: Number.MIN_SAFE_INTEGER,
  }),
  steps: whole({ help: 'Steps of ascent', default: steps, to: 1e6 }),
  rate: number({ help: 'Learning rate: the length of a step', default: rate, above: 0, to: 1e6 }),
  noise: number({ help: 'Start noise is uniform in [-noise, noise)', default: noise, from: 0, to: 1000 }),
  border: whole({ help: 'Positions of the activation left out on each side', default: border, to: 1 << 16 }),
  crop: whole({ help: 'Pixels cut from each side of the finished picture', default: crop, to: 1 << 16 }),
  contrast: number({ help: 'Standard deviation of the finished picture', default: contrast, above: 0, to: 1 }),
  stretch: flag({ help: "Stretch each picture to full contrast once more, as Keras' save_img does", default: false }),
} satisfies Schema;

export const presetNames: readonly string[] = Object.keys(presets);

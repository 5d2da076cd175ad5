/** @file Presets: complete settings of an ascent under a name. */
import { didYouMean, PhospheneError } from '../errors.ts';

/** Everything that decides a picture besides model, layer, channel and seed. */
export interface Settings {
  /** Picture size in pixels before the crop. */
  readonly height: number;
  readonly width: number;
  readonly steps: number;
  /** Length of a step: the L2 norm of what is added to the picture, whose values lie about [-1, 1]. */
  readonly rate: number;
  /** Start noise is uniform in [-noise, noise). */
  readonly noise: number;
  /** Positions left out on each side of the activation. */
  readonly border: number;
  /** Pixels cut from each side of the finished picture. */
  readonly crop: number;
  /** Standard deviation that the finished picture is brought to, in units of the full range of grey. */
  readonly contrast: number;
}

export type PresetName = 'keras';

export const presets: Readonly<Record<PresetName, Settings>> = {
  /** The Keras example "Visualizing what convnets learn", to the digit. */
  keras: { height: 180, width: 180, steps: 30, rate: 10, noise: 0.125, border: 2, crop: 25, contrast: 0.15 },
};

/** Settings of a preset with some replaced. Throws `unknown-preset`, or `bad-option` for numbers that make no sense. */
export function settingsOf(preset: string, changes: Partial<Settings> = {}): Settings {
  if (!Object.hasOwn(presets, preset)) {
    throw new PhospheneError(
      'unknown-preset',
      `preset \`${preset}\` is not known${didYouMean(preset, Object.keys(presets)) || `; there is ${Object.keys(presets).join(', ')}`}`,
      { preset },
    );
  }
  const settings: Settings = { ...presets[preset as PresetName], ...changes };
  const whole = (name: keyof Settings, least: number, most: number): void => {
    const value = settings[name];
    if (!Number.isInteger(value) || value < least || value > most)
      throw new PhospheneError(
        'bad-option',
        `${name}: a whole number from ${least} to ${most} is needed, not ${value}`,
        { option: name },
      );
  };
  const positive = (name: keyof Settings, zero: boolean): void => {
    const value = settings[name];
    if (!Number.isFinite(value) || value < 0 || (!zero && value === 0))
      throw new PhospheneError(
        'bad-option',
        `${name}: a ${zero ? 'non-negative' : 'positive'} number is needed, not ${value}`,
        { option: name },
      );
  };
  whole('height', 1, 1 << 16);
  whole('width', 1, 1 << 16);
  whole('steps', 0, 1e6);
  whole('border', 0, 1 << 16);
  whole('crop', 0, 1 << 16);
  positive('rate', false);
  positive('noise', true);
  positive('contrast', false);
  if (2 * settings.crop >= Math.min(settings.height, settings.width)) {
    throw new PhospheneError(
      'bad-option',
      `crop: ${settings.crop} pixels from each side leave nothing of ${settings.height}×${settings.width}`,
      { option: 'crop', suggestion: { crop: 0 } },
    );
  }
  return settings;
}

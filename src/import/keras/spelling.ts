/** @file Keras configurations as TypeScript spells them: `className` and `channelsLast` for `class_name` and `channels_last`. */
import { PhospheneError } from '../../errors.ts';

/** Configurations of real models are some twenty levels deep, nested ones some more. */
const MOST_LEVELS = 200;

/** Settings whose values are words of Keras, and so are spelled otherwise too. Names of layers are never touched. */
const WORDS: ReadonlySet<string> = new Set([
  'activation',
  'data_format',
  'interpolation',
  'padding',
  'recurrent_activation',
]);

const snake = (word: string): string =>
  word.replaceAll(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a}_${b.toLowerCase()}`);

/**
 * A configuration under the keys that Python writes; one that has them already is the same afterwards. Throws `bad-file` if it is
 * nested too deeply.
 *
 * @example
 * pythonic('model.json', { className: 'Conv2D', config: { dataFormat: 'channelsLast' } });
 * // { class_name: 'Conv2D', config: { data_format: 'channels_last' } }
 */
export function pythonic(file: string, config: unknown): unknown {
  const walk = (value: unknown, key: string, level: number): unknown => {
    if (level > MOST_LEVELS)
      throw new PhospheneError('bad-file', `${file}: its configuration is more than ${MOST_LEVELS} levels deep`, {
        path: file,
      });
    if (typeof value === 'string') return WORDS.has(key) ? snake(value) : value;
    if (Array.isArray(value)) return value.map((v) => walk(v, '', level + 1));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, v]) => {
        // `L2` and `W_regularizer` are no camels.
        const spelled = /^[a-z]/.test(name) ? snake(name) : name;
        return [spelled, walk(v, spelled, level + 1)];
      }),
    );
  };
  return walk(config, '', 0);
}

/** @file Names of classes from a text: one a line, or JSON, as the field's files have them. */
import { PhospheneError } from '../errors.ts';

/**
 * The labels in a text, in the order of the classes: one a line; a JSON list of names; or a JSON object from numbers to names, or to
 * lists that end in the name, as Keras' `imagenet_class_index.json` is. `name` is the file's, for messages. Throws `bad-file`.
 *
 * @example
 * parseLabels('tench\ngoldfish\n', 'labels.txt'); // ['tench', 'goldfish']
 * parseLabels('{"0": ["n01440764", "tench"]}', 'imagenet_class_index.json'); // ['tench']
 */
export function parseLabels(text: string, name: string): readonly string[] {
  const wrong = (why: string): PhospheneError =>
    new PhospheneError(
      'bad-file',
      `${name}: ${why}; labels are a text with one a line, a JSON list of names, or a JSON object from numbers to names`,
      { path: name, option: 'labels' },
    );
  const labels = /^\s*[[{]/.test(text) ? fromJson(text, wrong) : fromLines(text);
  if (labels.length === 0) throw wrong('holds no labels');
  return labels;
}

function fromLines(text: string): string[] {
  const written = text.trimEnd();
  return written === '' ? [] : written.split(/\r?\n/).map((line) => line.trim());
}

function fromJson(text: string, wrong: (why: string) => PhospheneError): string[] {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw wrong('begins like JSON and is none, or is cut short');
  }
  const values = Array.isArray(found) ? (found as unknown[]) : inOrder(found as Readonly<Record<string, unknown>>);
  if (!values) throw wrong('its numbers do not go from 0 on without a gap');
  return values.map((value, i) => {
    const label: unknown = Array.isArray(value) ? value.at(-1) : value;
    if (typeof label !== 'string') throw wrong(`class ${i} has no name`);
    return label;
  });
}

/** The values of an object whose keys are the numbers from 0 on. */
function inOrder(object: Readonly<Record<string, unknown>>): unknown[] | undefined {
  const { length } = Object.keys(object);
  const values = Array.from({ length }, (_, i) => object[String(i)]);
  return values.includes(undefined) ? undefined : values;
}

/** @file The names of the classes that some exporters leave in an ONNX file's metadata. */

/** What exporters call them; `names` is what Ultralytics writes, as Python prints a dict. */
const KEYS = ['phosphene.labels', 'labels', 'classes', 'class_names', 'names'];

/** The labels of a file, by index, or undefined if it has none that can be read. */
export function labelsOf(metadata: Readonly<Record<string, string>>): readonly string[] | undefined {
  for (const key of KEYS) {
    const labels = metadata[key] === undefined ? undefined : parsed(metadata[key]);
    if (labels && labels.length > 0) return labels;
  }
  return undefined;
}

function parsed(text: string): readonly string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((l) => typeof l === 'string') ? list : undefined;
  } catch {
    // {0: 'person', 1: 'bicycle', …}
    const entries = [...text.matchAll(/(\d+)\s*:\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)];
    return entries.every(([, index], i) => Number(index) === i)
      ? entries.map(([, , single, double]) => single ?? double ?? '')
      : undefined;
  }
}

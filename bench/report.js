/** @file What the benchmark prints, and the same for machines. */

/** All figures so far, by key. */
export const figures = {};

export function median(values) {
  const list = [...values].sort((a, b) => a - b);
  return (list[(list.length - 1) >> 1] + list[list.length >> 1]) / 2;
}

export const heading = (text) => console.log(`\n${text}`);

/** Prints the median of `rows[…][key]`, with the least and the most if there are several, and keeps them. */
export function figure(rows, key, label, unit = '', digits = 2) {
  const values = rows.map((row) => row[key]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  figures[key] = { label, unit, median: median(values), least, most, values };
  const show = (value) => value.toFixed(digits);
  const spread = values.length > 1 ? `(${show(least)} – ${show(most)})` : '';
  console.log(`  ${label.padEnd(56)}${show(median(values)).padStart(8)} ${unit.padEnd(8)} ${spread}`.trimEnd());
}

/** @file How objectives are written: sums, products, names. What is written here is what the grammar reads. */

/** A sum as a person would write it. A text that is a sum itself stands in brackets. */
export function sumText(terms: readonly { readonly weight: number; readonly text: string }[]): string {
  return terms
    .map(({ weight, text }, i) => {
      const isNegative = weight < 0 || Object.is(weight, -0);
      const sign = isNegative ? (i === 0 ? '-' : ' - ') : i === 0 ? '' : ' + ';
      const size = Math.abs(weight);
      return `${sign}${size === 1 ? '' : `${size}*`}${isSum(text) ? `(${text})` : text}`;
    })
    .join('');
}

/** A product as a person would write it. */
export function productText(factors: readonly string[]): string {
  return factors.map((text) => (isSum(text) || outside(text).includes('*') ? `(${text})` : text)).join('*');
}

/** Whether a text is a sum: of several terms, or of one with a sign or a weight. */
function isSum(text: string): boolean {
  const open = outside(text);
  return / [+-] /.test(open) || /^(?:-|[\d.][\d.e+-]*\*)/.test(open);
}

/** What stands outside of quotes and brackets. */
function outside(text: string): string {
  let depth = 0;
  return [...text.matchAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^]/g)]
    .map(([part]) => {
      if (part === ')' || part === ']') depth--;
      const kept = depth === 0 && part.length === 1 ? part : '';
      if (part === '(' || part === '[') depth++;
      return kept;
    })
    .join('');
}

/** A name that is written without quotes. */
export const bareName: RegExp = /\/?[\p{L}_][\p{L}\p{N}_./]*/uy;
/** A name of digits, as exporters give: without quotes before a colon. */
export const numericName: RegExp = /\d+(?=\s*:)/y;

/**
 * A name as the grammar reads it: in quotes if it has anything but letters, digits, `_`, `.` and `/`.
 *
 * @example
 * quoted('features.12'); // features.12
 * quoted('block 1'); // 'block 1'
 */
export function quoted(name: string): string {
  bareName.lastIndex = 0;
  return bareName.exec(name)?.[0] === name ? name : `'${name.replaceAll(/['\\]/g, '\\$&')}'`;
}

/** The layer of a channel as it is written before the colon: digits need no quotes there. */
export function quotedLayer(name: string): string {
  return /^\d+$/.test(name) ? name : quoted(name);
}

/**
 * @file Writes src/param/photographs.ts, the spectrum of `maco`: `npm run build && node training/spectrum.js FOLDER`, the folder being
 * what `photographs.py` wrote.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode } from 'fast-png';
import { measureSpectrum } from '../dist/index.js';
import { float32 } from '../dist/ir/index.js';

const folder = process.argv[2];
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.png'))
  .sort();

function* photos() {
  for (const file of files) {
    const { width, height, data, channels } = decode(readFileSync(join(folder, file)));
    const plane = width * height;
    const values = Float32Array.from({ length: 3 * plane }, (_, i) => {
      const byte = data[(i % plane) * channels + Math.floor(i / plane)];
      return byte / 127.5 - 1;
    });
    yield float32(values, [1, 3, height, width]);
  }
}

const table = (await measureSpectrum(photos())).map((value) => Number(value.toFixed(2)));
const rows = Array.from({ length: table.length / 14 }, (_, i) => `  ${table.slice(14 * i, 14 * (i + 1)).join(', ')},`);
writeFileSync(
  fileURLToPath(new URL('../src/param/photographs.ts', import.meta.url)),
  `/**
 * @file The spectrum of ${files.length} photographs, as \`measureSpectrum\` has it. \`training/spectrum.js\` wrote it from pictures of Debian's main section
 * (training/photographs.py says which packages, and under which licences). It holds statistics of them all, and nothing of any one.
 */

// prettier-ignore
export const PHOTOGRAPHS: readonly number[] = [
${rows.join('\n')}
];
`,
);
console.log(`${files.length} photographs`);

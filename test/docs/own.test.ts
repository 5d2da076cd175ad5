/** @file The objective of a user's own in docs/adding.md, as a user has it: compiled against the package, and rendered by its workers. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tried } from './snippets.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/adding.md', import.meta.url)), 'utf8');

it('rises, in a folder of its name', { timeout: 120_000 }, () => {
  const [, code] = /```ts\n\/\/ own\.ts\n([^]*?)```/.exec(page)!;
  const out = mkdtempSync(join(tmpdir(), 'phosphene-own-'));
  try {
    const use = `const found = await losses(${JSON.stringify(out)});\nif (!(found[2]! > found[0]!)) throw new Error(\`\${found}\`);`;
    const [outcome] = tried('own', [{ place: 'own.ts', code: `${code!}\n${use}\n`, alone: true }]);
    expect(outcome).toEqual({ place: 'own.ts', complaints: [], ran: true });
    const folder = readdirSync(out).find((name) => name.startsWith('conv2_block1_out_7_without_3-'))!;
    const [set] = readdirSync(join(out, folder));
    expect(readdirSync(join(out, folder, set!)).sort()).toEqual(['0.png', 'manifest.json', 'stitched_filters.png']);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

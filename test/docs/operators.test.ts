/** @file The table of operators is what the code knows of them. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { operatorsPage } from './operators.ts';

it('is what docs/operators.md says (`npm run docs` writes it)', async () => {
  await expect(operatorsPage()).toMatchFileSnapshot(fileURLToPath(new URL('../../docs/operators.md', import.meta.url)));
});

it('marks each kind of operator', () => {
  const page = operatorsPage();
  for (const row of [
    '| `Conv` | 🟢 |  |',
    '| `AveragePool` | 🟡 | a gradient for two spatial axes; no dilations |',
    '| `Floor` | ⚪ |  |',
    '| `Shape` | ⚪ |  |',
    '| `ReduceProd` | 🔴 |  |',
    '| `Einsum` | 🟡 | no axis twice in one operand; spelled by others, from set 12 on |',
  ])
    expect(page).toContain(`${row}\n`);
  expect(page).toMatch(/\| `Loop` \| 🔴 \| refused: only networks without control flow/);
});

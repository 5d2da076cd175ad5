/** @file Seeded misbehaving servers: whatever they do, a download ends soon, in the right file or in an error of ours. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cases, check } from '../fuzz/servers.ts';

it('a download ends in the right file or in a clear error', async () => {
  const ends = new Map<string, number>();
  for (const server of cases('short', 40)) {
    const folder = mkdtempSync(join(tmpdir(), 'phosphene-servers-'));
    const started = performance.now();
    try {
      const end = await check(server, folder);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    expect(performance.now() - started, server.name).toBeLessThan(10_000);
  }
  expect(ends.get('fetched')).toBeGreaterThan(5);
  expect(ends.get('download')).toBeGreaterThan(5);
  const names = (seed: string): string[] => [...cases(seed, 3)].map((c) => c.name);
  expect(names('x')).toEqual(names('x'));
  expect(names('x')).not.toEqual(names('y'));
}, 120_000);

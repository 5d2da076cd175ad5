/** @file Folders' names: readable where they can be, safe on every file system, and never shared. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { folderName } from '../../src/runs/names.ts';

const longest = 'x'.repeat(100);

describe('folderName', () => {
  it('keeps plain names', () => {
    for (const name of ['conv3_block4_out', 'features.12', '7', '_a', 'a-b', 'conv', 'company', 'nullable', longest])
      expect(folderName(name)).toBe(name);
  });

  it.each([
    ['features.12.Conv', /^features\.12\.Conv-[0-9a-f]{8}$/],
    ['/features/conv:0', /^features_conv_0-[0-9a-f]{8}$/],
    ['слой 3', /^слой_3-[0-9a-f]{8}$/],
    ['層', /^層-[0-9a-f]{8}$/],
    ['', /^_-[0-9a-f]{8}$/],
    ['.', /^_-[0-9a-f]{8}$/],
    ['..', /^_-[0-9a-f]{8}$/],
    ['🔥', /^_-[0-9a-f]{8}$/],
    ['-rf', /^rf-[0-9a-f]{8}$/],
    ['.hidden', /^hidden-[0-9a-f]{8}$/],
    ['../../etc/passwd', /^etc_passwd-[0-9a-f]{8}$/],
    ['a\u202Egnp.exe', /^a_gnp\.exe-[0-9a-f]{8}$/],
    ['a\nb', /^a_b-[0-9a-f]{8}$/],
    ['a\0b', /^a_b-[0-9a-f]{8}$/],
    ['con', /^_con-[0-9a-f]{8}$/],
    ['nul.5', /^_nul\.5-[0-9a-f]{8}$/],
    ['COM1', /^_COM1-[0-9a-f]{8}$/],
    ['com¹', /^_com1-[0-9a-f]{8}$/],
    ['lpt9.x', /^_lpt9\.x-[0-9a-f]{8}$/],
    ['a.', /^a\.-[0-9a-f]{8}$/],
    ['a ', /^a_-[0-9a-f]{8}$/],
    ['a-0123abcd', /^a-0123abcd-[0-9a-f]{8}$/],
    [`${longest}x`, /^x{48}-[0-9a-f]{8}$/],
    ['層'.repeat(5000), /^層{48}-[0-9a-f]{8}$/],
  ])('gives %j a name of its own', (name, expected) => expect(folderName(name)).toMatch(expected));

  it('keeps clear of names that are taken', () => {
    expect(folderName('manifest.json', ['manifest.json'])).toMatch(/^manifest\.json-[0-9a-f]{8}$/);
    expect(folderName('Manifest.json', ['manifest.json'])).toMatch(/^Manifest\.json-[0-9a-f]{8}$/);
  });

  it('tells apart what looks alike, and halves of characters', () => {
    const alike = ['a/b', 'a_b', 'A_B', 'a:b', 'a b', '.', '..', '', '🔥', '🚀', '\ud83d', '\ud83e', 'é', 'e\u0301'];
    const names = alike.map((name) => folderName(name).toLowerCase().normalize('NFC'));
    expect(new Set(names).size).toBe(alike.length);
    expect(folderName(`${'x'.repeat(5000)}1`)).not.toBe(folderName(`${'x'.repeat(5000)}2`));
    // The name that another got is not free for the one that spells it.
    expect(folderName(folderName('A_B'))).not.toBe(folderName('A_B'));
  });

  it('is safe and one’s own for any name', () => {
    const seen = new Map<string, string>();
    const device = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string({ unit: fc.constantFrom('a', 'A', 'b', 'B', '/', '.', '_', '-', ' ', '1') }),
          fc.string(),
        ),
        (name) => {
          const folder = folderName(name);
          expect(folder).toMatch(/^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u);
          expect(folder).not.toMatch(/[. ]$/);
          expect(folder).not.toMatch(device);
          expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(255);
          const key = folder.normalize('NFC').toLowerCase();
          expect(seen.get(key) ?? name).toBe(name);
          seen.set(key, name);
        },
      ),
      { seed: 20261124, numRuns: 3000 },
    );
  });
});

/** @file What npm reads of this package: installing must be quiet, need no server but the registry, and bring what the README points at. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const json = <T>(name: string): T => JSON.parse(readFileSync(join(root, name), 'utf8')) as T;
const manifest = json<
  Partial<Record<'dependencies' | 'optionalDependencies' | 'allowScripts', Record<string, unknown>>> & {
    files: string[];
  }
>('package.json');

describe('the package', () => {
  it('runs no install script when it is checked out: docs/installing.md says why and what to remove', () => {
    const { packages } = json<{ packages: Record<string, { hasInstallScript?: boolean }> }>('package-lock.json');
    expect(Object.keys(packages).filter((name) => packages[name]!.hasInstallScript)).toEqual([]);
    expect(manifest.allowScripts).toEqual({ 'onnxruntime-node': false });
    // npm 11 warns about every line of it that it does not know.
    expect(existsSync(join(root, '.npmrc'))).toBe(false);
  });

  it('brings a license for every package that is part of its bundle, and installs none of them again', () => {
    const text = readFileSync(join(root, 'dist/bundle/LICENSES.txt'), 'utf8');
    const photos = ['@jsquash/jpeg', '@jsquash/webp'];
    for (const name of ['@bufbuild/protobuf', ...photos, '@noble/hashes', 'fast-png', 'fflate', 'gifenc', 'iobuffer'])
      expect(text).toMatch(new RegExp(`^${name} \\d.*\\n\\n( *\\S.*\\n)+`, 'm'));
    expect(text).toContain('libjpeg-turbo Licenses');
    expect(Object.keys(manifest.dependencies ?? {})).toEqual([]);
  });

  it('carries its documentation', () => {
    expect(manifest.files).toEqual(expect.arrayContaining(['docs/*.md', 'README.md', 'CHANGELOG.md', 'LICENSE']));
  });

  it('can be installed where the script of onnxruntime-node fails', () => {
    expect(manifest.optionalDependencies).toHaveProperty('onnxruntime-node');
    expect(manifest.dependencies ?? {}).not.toHaveProperty('onnxruntime-node');
  });
});

/** @file The license texts of packages that become part of what is published. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The texts of these packages, one after another. Throws if nothing says what the license of one is.
 *
 * @param {readonly string[]} names
 * @returns {string}
 */
export function licensesOf(names) {
  return names.map(licenseOf).join(`\n${'='.repeat(72)}\n\n`);
}

/** @param {string} name */
function licenseOf(name) {
  const folder = `${root}node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  // A package without its text has it here.
  const text = [`${folder}/LICENSE`, `${folder}/LICENSE.md`, `${root}licenses/${name.replace('/', '+')}.txt`].find(
    (file) => existsSync(file),
  );
  if (!text) throw new Error(`${name} is bundled, and nothing says its license; put it into licenses`);
  // A decoder was compiled from a library with a license of its own.
  const texts = [text, `${folder}/codec/LICENSE.codec.md`].filter((file) => existsSync(file));
  return `${name} ${version} (${license})\n\n${texts.map((file) => readFileSync(file, 'utf8').trim()).join('\n\n')}\n`;
}

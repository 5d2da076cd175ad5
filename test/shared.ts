/** @file Data that lies beside the checkout and is not part of the project: tests that need it skip where it is absent. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const folder = process.env['PHOSPHENE_SHARED'] ?? fileURLToPath(new URL('../../shared', import.meta.url));

/**
 * The path of a shared file (`../shared` beside the checkout, or `$PHOSPHENE_SHARED`), or undefined where it is absent.
 *
 * @example
 * const file = sharedPath('golden/keras/fixtures/toy.h5');
 * it.skipIf(file === undefined)('reads toy.h5 (needs shared/golden)', …)
 */
export function sharedPath(relative: string): string | undefined {
  const path = join(folder, relative);
  return existsSync(path) ? path : undefined;
}

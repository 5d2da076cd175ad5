/** @file `npm run fuzz`: compiles the fuzzer and the source beside it, and starts it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(root);
// Inside the checkout, so that packages are found; a folder for each run, so that two can run at once.
mkdirSync('.fuzz', { recursive: true });
const built = mkdtempSync(join(root, '.fuzz', 'run-'));
process.on('exit', () => rmSync(built, { recursive: true, force: true }));
const { status } = spawnSync('npx', ['--no-install', 'tsc', '-p', 'test/fuzz/tsconfig.json', '--outDir', built], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
const main = join(built, 'test/fuzz/main.js');
// A type error is for `npm run check` to tell; the fuzzer runs all the same if it was written.
if (status !== 0 && !existsSync(main)) process.exit(1);
await import(pathToFileURL(main).href);

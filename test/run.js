/** @file The test command: build, type check, lint, format check, tests. Closes with `N passed, N failed, N skipped`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Some tests run the built package, as users do; so it is built first.
/** @type {[string, string[]][]} */
const checks = [
  ['build', ['tsc', '-p', 'tsconfig.build.json']],
  ['bundle', ['node', 'bundle.js']],
  ['page', ['vite', 'build', 'apps/explorer', '--logLevel', 'warn']],
  ['types', ['tsc']],
  ['types of the page', ['tsc', '-p', 'apps/explorer']],
  ['lint', ['oxlint', '--type-aware', '--deny-warnings']],
  ['format', ['oxfmt', '--check']],
];
const npx = (args) =>
  spawnSync('npx', ['--no-install', ...args], { stdio: 'inherit', shell: process.platform === 'win32' }).status === 0;

let failed = 0;
let passed = 0;
for (const [name, args] of checks) {
  const ok = npx(args);
  console.log(`${ok ? 'ok' : 'FAILED'}: ${name}`);
  if (ok) passed++;
  else failed++;
}

const folder = mkdtempSync(join(tmpdir(), 'phosphene-test-'));
const report = join(folder, 'report.json');
const ran = npx([
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
]);
let skipped = 0;
try {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  skipped = result.numPendingTests + result.numTodoTests;
  // A file that cannot even be loaded counts as one failure.
  if (!ran && result.numFailedTests === 0) failed++;
} catch {
  failed++;
}
rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

/** @file Runs the built command as a user would. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `phosphene ...args`; `during` gets the child and what it has printed so far, whenever it prints. */
export function phosphene(
  args: readonly string[],
  during?: (kill: (signal: NodeJS.Signals) => void, stdout: string) => void,
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  return outcomeOf(spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } }), during);
}

/** Runs `phosphene ...args` with `after` behind it in a shell: `| head -1`, say. The code is that of phosphene. */
export function inShell(args: readonly string[], after: string): Promise<Outcome> {
  const script = `"$0" "$@" ${after}; exit \${PIPESTATUS[0]}`;
  return outcomeOf(spawn('bash', ['-c', script, process.execPath, main, ...args]));
}

function outcomeOf(
  child: ChildProcessWithoutNullStreams,
  during?: (kill: (signal: NodeJS.Signals) => void, stdout: string) => void,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      during?.((signal) => child.kill(signal), stdout);
    });
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

export const temporary = (): string => mkdtempSync(join(tmpdir(), 'phosphene-'));

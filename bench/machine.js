/** @file Where the figures are from, and whether they mean anything. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

export const cores = availableParallelism();

/** What to call this machine in a record. `load` is the average number of busy processes in the last minute; 0 on Windows. */
export const machine = () => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores,
  memory: totalmem(),
  platform: `${process.platform}-${process.arch}`,
  node: process.version,
  load: loadavg()[0],
});

/** Says so if something else computes: figures taken then are not worth reading. */
export function warnUnlessQuiet({ load }) {
  if (load > 0.5)
    console.error(
      `warning: this machine is not quiet (load average ${load.toFixed(1)}), so the figures below mean little; end what computes, wait a minute and run again\n`,
    );
}

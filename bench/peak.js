/**
 * @file Preloaded into a measured command (`node --import`): as it ends, it writes its peak of resident memory, in bytes, to file
 * descriptor 3. From inside, because only the process itself is there to be asked at its last moment.
 */
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** On Linux `maxRSS` will not do: a process inherits it from the one that started it. */
function peak() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

if (isMainThread) process.on('exit', () => writeSync(3, String(peak())));

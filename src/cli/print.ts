/** @file Standard output: written to the end, or a reason why not. */
import { explained, systemCode } from '../filesystem.ts';

/** Whoever read our standard output has gone, as `head` does when it has seen enough. */
export class ReaderGone extends Error {}

// A failed write is also an event, which ends the process with a stack trace unless someone listens; what cannot be said on
// standard error is not said.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

/** Text with control characters spelled out: names come from strangers' files, and a terminal obeys what it is sent. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Writes text to standard output. Throws `ReaderGone`, or `filesystem` where the disk is full, say. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error) resolve();
      else if (systemCode(error) === 'EPIPE') reject(new ReaderGone());
      else reject(explained(error, 'standard output', 'cannot be written'));
    });
  });
}

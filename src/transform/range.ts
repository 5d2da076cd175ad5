/** @file Ranges that are settings of transforms. */
import { PhospheneError } from '../errors.ts';

/** Refuses a range whose ends are exchanged. Throws `bad-option`. */
export function checkRange(transform: string, from: number, to: number): void {
  if (from > to)
    throw new PhospheneError(
      'bad-option',
      `transforms: ${transform} goes from ${from} to ${to}; choose a \`from\` of at most \`to\``,
      { option: 'transforms', from, to },
    );
}

/** @file The operators of TensorFlow that are known, by name, and why others are refused. */
import { convolutions } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { movements } from './movement.ts';
import type { TfOperator } from './operator.ts';
import { poolings } from './pooling.ts';

/** By `op`. An operator more is a row of its family's file. */
export const operators: Readonly<Record<string, TfOperator>> = {
  ...convolutions,
  ...elementwise,
  ...movements,
  ...poolings,
};

const CONTROL = new Set(
  // prettier-ignore
  ['Switch', 'Merge', 'Enter', 'Exit', 'NextIteration', 'LoopCond', 'RefSwitch', 'RefMerge', 'If', 'StatelessIf', 'While', 'StatelessWhile', 'Case', 'StatelessCase', 'PartitionedCall', 'StatefulPartitionedCall'],
);

/** Why an operator is not supported, in words that follow "it is", if there is more to say than that it is not known. */
export function reasonAgainst(op: string): string | undefined {
  if (CONTROL.has(op) || /^Tensor(Array|List)/.test(op))
    return 'control flow: what is computed depends on the picture, and only networks without it are supported';
  return undefined;
}

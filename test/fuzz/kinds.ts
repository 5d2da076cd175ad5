/** @file All kinds of input that are fuzzed. A new one is a file beside this one and a line here. */
import { hdf5 } from './hdf5-kind.ts';
import type { Kind } from './kind.ts';
import { onnx } from './onnx.ts';

export const kinds: Readonly<Record<string, Kind>> = { onnx, hdf5 };

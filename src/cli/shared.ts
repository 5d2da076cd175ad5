/** @file Options that several commands have. */
import type { ArgsDef } from 'citty';
import { BUILT_IN } from '../hub/models.ts';

export const modelArgs = {
  model: {
    type: 'positional',
    description: `Model: ${BUILT_IN} (built in), resnet50v2 and its family, or the path of an ONNX file`,
    default: BUILT_IN,
    required: false,
  },
  size: { type: 'string', description: 'Picture size in pixels: 180, or 180x240 (height x width); default 180' },
  json: { type: 'boolean', description: 'Machine-readable output: JSON on standard output' },
} as const satisfies ArgsDef;

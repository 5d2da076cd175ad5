/**
 * @file Reverse-mode differentiation from ONNX to ONNX. Mark the path from the targets to y, walk it backwards, and let each
 * operator's rule spell the chain rule in standard operators, in the same Builder.
 */
import type { Builder, Value } from '../ir/builder.ts';
import { cpuLowering } from './lowering-cpu.ts';
import { webgpuLowering } from './lowering-webgpu.ts';
import type { Lowering } from './lowering.ts';
import { differentiate, type GradientOptions, pathFrom } from './rules.ts';

export { inlineFused } from './fuse.ts';
export type { Lowering, Spelling } from './lowering.ts';

/** How gradients are spelled, by the name that a runtime gives its own. WebAssembly has the kernels of the CPU. */
export const lowerings: Readonly<Record<'cpu' | 'wasm' | 'webgpu', Lowering>> = {
  cpu: cpuLowering,
  wasm: cpuLowering,
  webgpu: webgpuLowering,
};

export type { Window } from '../ir/window.ts';
export { differentiable } from './reach.ts';
export { type Rule, type RuleContext, unbroadcast } from './rule.ts';
export { type GradientOptions, rules } from './rules.ts';

/**
 * Gradients of the scalar `y` for each of `xs`, as values in the same builder; zeros if y does not depend on an x.
 * Throws `unsupported-op` naming the operator and node on the path that has no rule.
 *
 * @example
 * const [dz] = gradient(b, loss, [z]);
 */
export function gradient(b: Builder, y: Value, xs: readonly Value[], options: GradientOptions = {}): Value[] {
  const nodes = [...b.nodes];
  const { lowering = cpuLowering, overrides, stop } = options;
  const spelling = lowering();
  const path = pathFrom(b, xs, stop);
  const flowing = new Map<string, Value>([[y.name, b.expand(b.float(1), y.dims)]]);
  for (const node of nodes.reverse()) {
    const gradients = node.outputs.map((o) => flowing.get(o));
    if (!node.outputs.some((o, k) => gradients[k] && path.has(o))) continue;
    differentiate(b, node, gradients, path, spelling, overrides).forEach((result, k) => {
      if (!result) return;
      const input = b.value(node.inputs[k]!);
      const earlier = flowing.get(input.name);
      flowing.set(input.name, earlier ? b.add(earlier, result) : result);
    });
  }
  return xs.map((x) => flowing.get(x.name) ?? b.expand(b.float(0), x.dims));
}

/** @file Which layers can be a target, and what to say where one cannot. */
import { PhospheneError } from '../errors.ts';
import { differentiable } from '../grad/index.ts';
import type { Layer } from '../import/layers.ts';
import { IMAGE, type Model, type Size } from '../import/model.ts';

/** The layers that can be ascended: those with channels and a gradient for the image. Nothing is differentiated for it. */
export function targets(model: Model, size: Size): Layer[] {
  const outline = model.outline(size);
  const reached = differentiable(outline, IMAGE);
  return model.layers(size).filter((l, i) => l.dims.length >= 2 && reached.has(outline.outputs[i]!.name));
}

/**
 * What `build` makes of the model at this size. Where an operator bars its way, the error also says which layers can be
 * rendered; they are looked for only then.
 */
export function reaching<T>(model: Model, size: Size, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof PhospheneError && isOfOperator(error))) throw error;
    const reachable = targets(model, size).map((l) => l.name);
    const last = reachable.at(-1);
    if (last === undefined) throw error;
    const inOrder = model.layers(size)[reachable.length - 1]?.name === last;
    const which = inOrder ? `layers up to \`${last}\`` : `${reachable.length} layers, the last of them \`${last}\`,`;
    throw new PhospheneError(
      error.code,
      `${error.message}; ${which} can still be rendered`,
      { ...error.details, reachable },
      error,
    );
  }
}

/** Whether an operator is at fault: it is not supported, has no gradient, or does not fit this size. */
function isOfOperator({ code, details }: PhospheneError): boolean {
  return code === 'unsupported-op' || (code === 'shape' && 'node' in details);
}

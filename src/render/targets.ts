/** @file Which layers can be a target, and what to say where one cannot. */
import { PhospheneError } from '../errors.ts';
import { differentiable } from '../grad/index.ts';
import { IMAGE, type Layer, type Network, type Size } from '../import/network.ts';

/** The layers that can be ascended: those with channels and a gradient for the image. Nothing is differentiated for it. */
export function targets(network: Network, size: Size): Layer[] {
  const { layers, graph } = network.layers(size);
  const reached = differentiable(graph, IMAGE);
  // The objective takes channels from axis 1.
  return layers.filter((l, i) => l.channels?.axis === 1 && reached.has(graph.outputs[i]!.name));
}

/**
 * What `build` makes of the network at this size. If an operator bars its way, the error also says which layers can be rendered;
 * they are looked for only then.
 */
export async function reaching<T>(network: Network, size: Size, build: () => Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    if (!(error instanceof PhospheneError && isOfOperator(error))) throw error;
    const reachable = targets(network, size).map((l) => l.name);
    const last = reachable.at(-1);
    if (last === undefined) throw error;
    const inOrder = network.layers(size).layers[reachable.length - 1]?.name === last;
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

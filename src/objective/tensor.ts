/** @file A direction for each position of a layer's map: a given tensor, or what the layer makes of a photo. */
import type { Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { text } from '../settings.ts';
import type { Need, Untitled, ObjectiveContext } from './objective.ts';
import { dotCosine, layer, misfit, power } from './parts.ts';

/**
 * mean over positions p of (x_p·t_p) max(0.1, cos(x_p, t_p))^power, t being a tensor of the activation's dims without the first.
 * Source: Lucid's `tensor_direction`.
 */
export const tensorDirection = kind({
  kind: 'tensor',
  help: 'Activation along a given tensor [c, h, w], position by position',
  settings: { layer, tensor: text({ help: 'Name of a given tensor of the dims of the activation' }), power },
  make: ({ layer, tensor, power: exponent }) => towards(layer, { tensor }, `the tensor \`${tensor}\``, exponent),
});

/**
 * The same with t being the layer's activation for a photo: what the layer saw in it is exaggerated. Source: Lucid's recipe
 * `caricature`.
 */
export const caricature = kind({
  kind: 'caricature',
  help: 'Activation along that of a photo, position by position: a caricature of the photo',
  settings: { layer, photo: text({ help: 'Name of a given photo' }), power },
  make: ({ layer, photo, power: exponent }) => towards(layer, { photo, layer }, `the photo \`${photo}\``, exponent),
});

function towards(layer: string, need: Need, what: string, power: number): Untitled {
  return {
    shape: `tensor(${JSON.stringify(layer)})`,
    layers: [layer],
    values: { power: float32(power) },
    needs: { tensor: need },
    build: (c) => dotCosine(c.b, c.activation(layer), fitting(c, layer, 'tensor', what), c.value('power')),
  };
}

/** A need of the dims of a layer's activation, with or without their first. Throws `shape` for another. */
export function fitting(c: ObjectiveContext, layer: string, name: string, what: string): Value {
  const given = c.value(name);
  const wanted = c.activation(layer).value.dims.slice(1);
  const own = given.dims.length === wanted.length + 1 && given.dims[0] === 1 ? given.dims.slice(1) : given.dims;
  if (own.length !== wanted.length || own.some((d, i) => d !== wanted[i])) throw misfit(what, own, wanted, layer);
  return c.b.reshape(given, [1, ...wanted]);
}

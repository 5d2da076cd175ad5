/** @file Staying near a photo: the distance from what a layer makes of it (feature accentuation). */
import { kind } from '../noun.ts';
import { text } from '../settings.ts';
import type { Untitled } from './objective.ts';
import { layer, penalty, total, weight, weightValue } from './parts.ts';
import { fitting } from './tensor.ts';

/**
 * −weight · ‖x − x₀‖² / ‖x₀‖², x₀ being the layer's activation for a photo: 0 for the photo itself, −weight for a picture that
 * leaves the layer silent. Added to a channel, it keeps the picture close to the photo while the channel's feature comes out of it. Source:
 * Hamblin et al. 2024, "Feature Accentuation", whose distance is ‖x − x₀‖: squared here, since a root has no gradient at the photo
 * itself, where such an ascent begins; and relative, so that one weight serves every layer.
 */
export const near = kind({
  kind: 'near',
  help: 'Nearness to a photo: the negative distance from the activation that the photo gives',
  settings: { layer, photo: text({ help: 'Name of a given photo' }), weight },
  make: ({ layer, photo, weight }): Untitled => ({
    shape: `near(${JSON.stringify(layer)})`,
    layers: [layer],
    values: weightValue(weight),
    needs: { photo: { photo, layer } },
    build(c) {
      const { b } = c;
      const to = fitting(c, layer, 'photo', `the activation of the photo \`${photo}\``);
      const apart = b.sub(b.cast(c.activation(layer).value, 'float32'), to);
      const length = b.max(total(b, b.mul(to, to)), 1e-12);
      return penalty(c, b.div(total(b, b.mul(apart, apart)), length));
    },
  }),
});

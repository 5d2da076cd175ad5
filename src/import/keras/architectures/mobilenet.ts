/**
 * @file The MobileNets of keras.applications, V1 to V3.
 * Papers: Howard et al. 2017 (arXiv:1704.04861), Sandler et al. 2018 (arXiv:1801.04381), Howard et al. 2019 (arXiv:1905.02244).
 */
import { PICTURE, type Topology, TopologyBuilder } from '../topology.ts';
import {
  act,
  add,
  CLASSES,
  conv,
  depthwise,
  divisible,
  globalPool,
  norm,
  pad,
  predictions,
  relu6,
  stridePad,
  type Top,
} from './blocks.ts';

/** `alpha` scales the width. */
export interface MobileNetOptions extends Top {
  readonly alpha: number;
}

export function mobilenet({ alpha, top }: MobileNetOptions): Topology {
  const t = new TopologyBuilder();
  const filters = (count: number): number => Math.floor(count * alpha);
  let x = conv(t, 'conv1', PICTURE, filters(32), 3, { stride: 2 });
  x = relu6(t, 'conv1_relu', norm(t, 'conv1_bn', x));
  [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024].forEach((count, i) => {
    const block = i + 1;
    const strided = [2, 4, 6, 12].includes(block);
    // prettier-ignore
    if (strided) x = pad(t, `conv_pad_${block}`, x, [[0, 1], [0, 1]]);
    x = depthwise(t, `conv_dw_${block}`, x, 3, strided ? { stride: 2, valid: true } : {});
    x = relu6(t, `conv_dw_${block}_relu`, norm(t, `conv_dw_${block}_bn`, x));
    x = conv(t, `conv_pw_${block}`, x, filters(count), 1);
    x = relu6(t, `conv_pw_${block}_relu`, norm(t, `conv_pw_${block}_bn`, x));
  });
  if (!top) return t.finish(x);
  x = t.add('Dropout', 'dropout', globalPool(t, undefined, x, true));
  x = conv(t, 'conv_preds', x, CLASSES, 1, { bias: true });
  x = t.add('Reshape', 'reshape_2', x, { target_shape: [CLASSES] });
  return t.finish(act(t, 'predictions', x, 'softmax'));
}

/** [filters, stride] of each block of V2. */
const BLOCKS_V2 = [
  [16, 1],
  [24, 2],
  [24, 1],
  [32, 2],
  [32, 1],
  [32, 1],
  [64, 2],
  [64, 1],
  [64, 1],
  [64, 1],
  [96, 1],
  [96, 1],
  [96, 1],
  [160, 2],
  [160, 1],
  [160, 1],
  [320, 1],
] as const;

export function mobilenetV2({ alpha, top }: MobileNetOptions): Topology {
  const t = new TopologyBuilder();
  let channels = divisible(32 * alpha);
  let x = conv(t, 'Conv1', PICTURE, channels, 3, { stride: 2 });
  x = relu6(t, 'Conv1_relu', norm(t, 'bn_Conv1', x));
  BLOCKS_V2.forEach(([count, stride], i) => {
    const name = i === 0 ? 'expanded_conv' : `block_${i}`;
    const filters = divisible(Math.floor(count * alpha));
    let y = x;
    if (i > 0) {
      y = conv(t, `${name}_expand`, y, 6 * channels, 1);
      y = relu6(t, `${name}_expand_relu`, norm(t, `${name}_expand_BN`, y));
    }
    if (stride === 2) y = stridePad(t, `${name}_pad`, y, 3);
    y = depthwise(t, `${name}_depthwise`, y, 3, stride === 2 ? { stride, valid: true } : {});
    y = relu6(t, `${name}_depthwise_relu`, norm(t, `${name}_depthwise_BN`, y));
    y = norm(t, `${name}_project_BN`, conv(t, `${name}_project`, y, filters, 1));
    x = stride === 1 && channels === filters ? add(t, `${name}_add`, x, y) : y;
    channels = filters;
  });
  x = conv(t, 'Conv_1', x, alpha > 1 ? divisible(1280 * alpha) : 1280, 1, { valid: true });
  x = relu6(t, 'out_relu', norm(t, 'Conv_1_bn', x));
  return t.finish(top ? predictions(t, globalPool(t, undefined, x)) : x);
}

/** [expansion, filters, kernel, stride, squeeze-excite, hard swish] of each block of V3; the minimalistic ones leave off the latter. */
const BLOCKS_V3 = {
  small: [
    [1, 16, 3, 2, true, false],
    [72 / 16, 24, 3, 2, false, false],
    [88 / 24, 24, 3, 1, false, false],
    [4, 40, 5, 2, true, true],
    [6, 40, 5, 1, true, true],
    [6, 40, 5, 1, true, true],
    [3, 48, 5, 1, true, true],
    [3, 48, 5, 1, true, true],
    [6, 96, 5, 2, true, true],
    [6, 96, 5, 1, true, true],
    [6, 96, 5, 1, true, true],
  ],
  large: [
    [1, 16, 3, 1, false, false],
    [4, 24, 3, 2, false, false],
    [3, 24, 3, 1, false, false],
    [3, 40, 5, 2, true, false],
    [3, 40, 5, 1, true, false],
    [3, 40, 5, 1, true, false],
    [6, 80, 3, 2, false, true],
    [2.5, 80, 3, 1, false, true],
    [2.3, 80, 3, 1, false, true],
    [2.3, 80, 3, 1, false, true],
    [6, 112, 3, 1, true, true],
    [6, 112, 3, 1, true, true],
    [6, 160, 5, 2, true, true],
    [6, 160, 5, 1, true, true],
    [6, 160, 5, 1, true, true],
  ],
} as const;

export interface MobileNetV3Options extends MobileNetOptions {
  readonly size: keyof typeof BLOCKS_V3;
  /** Without squeeze-excite, hard swish and kernels of 5×5. */
  readonly minimalistic?: boolean;
}

export function mobilenetV3({ size, alpha, minimalistic = false, top }: MobileNetV3Options): Topology {
  const t = new TopologyBuilder();
  const activate = (x: string, swish: boolean): string =>
    swish && !minimalistic ? act(t, undefined, x, 'hard_silu') : t.add('ReLU', undefined, x);
  /** relu6(x + 3) / 6, spelled in three layers. */
  const gate = (x: string): string => {
    const shifted = t.add('Add', undefined, [x, 3]);
    return t.add('Multiply', undefined, [relu6(t, undefined, shifted), 1 / 6]);
  };
  const bias = { bias: true } as const;
  let x = t.add('Rescaling', undefined, PICTURE, { scale: 1 / 127.5, offset: -1 });
  x = activate(norm(t, 'conv_bn', conv(t, 'conv', x, 16, 3, { stride: 2 })), true);
  let channels = 16;
  BLOCKS_V3[size].forEach(([expansion, count, wide, stride, squeezed, swish], i) => {
    const name = i === 0 ? 'expanded_conv' : `expanded_conv_${i}`;
    const kernel = minimalistic ? 3 : wide;
    const filters = divisible(count * alpha);
    const width = divisible(channels * expansion);
    let y = x;
    if (i > 0) y = activate(norm(t, `${name}_expand_bn`, conv(t, `${name}_expand`, y, width, 1)), swish);
    if (stride === 2) y = stridePad(t, `${name}_depthwise_pad`, y, kernel);
    y = depthwise(t, `${name}_depthwise`, y, kernel, stride === 2 ? { stride, valid: true } : {});
    y = activate(norm(t, `${name}_depthwise_bn`, y), swish);
    if (squeezed && !minimalistic) {
      let s = globalPool(t, `${name}_squeeze_excite_avg_pool`, y, true);
      s = conv(t, `${name}_squeeze_excite_conv`, s, divisible(width * 0.25), 1, bias);
      s = t.add('ReLU', `${name}_squeeze_excite_relu`, s);
      s = gate(conv(t, `${name}_squeeze_excite_conv_1`, s, width, 1, bias));
      y = t.add('Multiply', `${name}_squeeze_excite_mul`, [y, s]);
    }
    y = norm(t, `${name}_project_bn`, conv(t, `${name}_project`, y, filters, 1));
    x = stride === 1 && channels === filters ? add(t, `${name}_add`, x, y) : y;
    channels = filters;
  });
  x = activate(norm(t, 'conv_1_bn', conv(t, 'conv_1', x, divisible(channels * 6), 1)), true);
  if (!top) return t.finish(x);
  x = conv(t, 'conv_2', globalPool(t, undefined, x, true), size === 'small' ? 1024 : 1280, 1, bias);
  x = t.add('Dropout', undefined, activate(x, true));
  x = t.add('Flatten', undefined, conv(t, 'logits', x, CLASSES, 1, bias));
  return t.finish(act(t, 'predictions', x, 'softmax'));
}

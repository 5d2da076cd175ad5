/** @file Gradients of operators that only move elements. */
import { movement } from '../../src/grad/movement.ts';
import { int64 } from '../../src/ir/tensor.ts';
import { type Case, checkRules, combinations, titled } from '../check.ts';

const dims = [2, 3, 4, 6];
const inputs = [{ dims }];

const gather = (axis: number, indices: number[], shape: number[]): Case => ({
  title: titled({ axis, indices, shape }),
  build: (b, [x]) => b.gather(x!, b.constant(int64(indices, shape)), axis),
  inputs,
});
const slice = (starts: number[], ends: number[], axes?: number[], steps?: number[]): Case => ({
  title: titled({ starts, ends, axes, steps }),
  build: (b, [x]) => b.one('Slice', [x, b.ints(starts), b.ints(ends), axes && b.ints(axes), steps && b.ints(steps)]),
  inputs,
});
const floored = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
const far = Number.MAX_SAFE_INTEGER;

checkRules(movement, {
  Reshape: [[6, 24], [-1], [0, -1], [2, 3, 4, 6, 1]].map((to) => ({
    title: titled(to),
    build: (b, [x]) => b.one('Reshape', [x, b.ints(to)]),
    inputs,
  })),
  Flatten: [undefined, 0, 2, 4, -1].map((axis) => ({
    title: `axis ${axis}`,
    build: (b, [x]) => b.one('Flatten', [x], axis === undefined ? {} : { axis }),
    inputs,
  })),
  Squeeze: [undefined, [0], [2, -1]].map((axes) => ({
    title: titled(axes ?? 'all'),
    build: (b, [x]) => b.one('Squeeze', [x, axes && b.ints(axes)]),
    inputs: [{ dims: [1, 3, 1, 1] }],
  })),
  Unsqueeze: [[0], [1, 3], [-1], [0, -1, 2]].map((axes) => ({
    title: titled(axes),
    build: (b, [x]) => b.one('Unsqueeze', [x, b.ints(axes)]),
    inputs: [{ dims: [3, 4] }],
  })),
  Transpose: [undefined, [0, 2, 3, 1], [3, 0, 1, 2], [1, 0, 3, 2]].map((perm) => ({
    title: titled(perm ?? 'reverse'),
    build: (b, [x]) => b.one('Transpose', [x], perm ? { perm } : {}),
    inputs,
  })),
  Expand: [
    [
      [1, 3, 1],
      [2, 3, 4],
    ],
    [[], [2, 2]],
    [
      [3, 1],
      [5, 1, 4],
    ],
    [
      [2, 3],
      [1, 3],
    ],
  ].map(([from, to]) => ({
    title: titled([from, to]),
    build: (b, [x]) => b.one('Expand', [x, b.ints(to!)]),
    inputs: [{ dims: from! }],
  })),
  Concat: [
    ...[0, 1, 3, -1, -3].map((axis): Case => ({
      title: `axis ${axis}`,
      build: (b, [x, y]) => b.concat([x!, y!, x!], axis),
      inputs: [{ dims }, { dims: dims.map((d, i) => (i === (axis + 4) % 4 ? d + 1 : d)) }],
    })),
    {
      title: 'one of them constant',
      build: (b, [x]) => b.concat([b.float([1, 2, 3, 4], [2, 1, 1, 2]), x!], 1),
      inputs: [{ dims: [2, 2, 1, 2] }],
    },
  ],
  Split: [
    ...[0, 1, 2].map((part): Case => ({
      title: `part ${part} of uneven parts`,
      build: (b, [x]) => b.op('Split', [x, b.ints([1, 3, 2])], { axis: 3 }, { outputs: 3 })[part]!,
      inputs,
    })),
    {
      title: 'two of three even parts',
      build: (b, [x]) => {
        const [first, , third] = b.op('Split', [x], { axis: -1, num_outputs: 3 }, { outputs: 3 });
        return b.mul(first!, third!);
      },
      inputs,
    },
    {
      title: 'a smaller last part',
      build: (b, [x]) => b.concat(b.op('Split', [x], { axis: 2, num_outputs: 3 }, { outputs: 3 }).slice(1), 2),
      inputs: [{ dims: [1, 2, 7, 3] }],
    },
    { title: 'default axis', build: (b, [x]) => b.op('Split', [x], { num_outputs: 2 }, { outputs: 2 })[1]!, inputs },
  ],
  Pad: [
    [0, 0, 1, 2, 0, 0, 3, 0],
    [0, 0, -1, -2, 0, 0, -1, 0],
    [0, 1, -1, 2, 1, 0, 2, -3],
  ]
    .flatMap((pads): Case[] => [
      { title: titled(pads), build: (b, [x]) => b.pad(x!, pads), inputs },
      { title: `${titled(pads)} with −2`, build: (b, [x]) => b.pad(x!, pads, -2), inputs },
    ])
    .concat(
      ['reflect', 'edge'].flatMap((mode) =>
        [
          [0, 0, 1, 2, 0, 0, 3, 0],
          [0, 2, 0, 0, 0, 1, 0, 5],
          [1, 0, 3, 5, 1, 0, 3, 5],
        ].map((pads): Case => ({
          title: `${mode} ${titled(pads)}`,
          build: (b, [x]) => b.one('Pad', [x, b.ints(pads)], { mode }),
          inputs,
        })),
      ),
      {
        title: 'edge of named axes',
        build: (b, [x]) => b.one('Pad', [x, b.ints([3, 1, 2, 0]), undefined, b.ints([-1, 2])], { mode: 'edge' }),
        inputs,
      },
      {
        title: 'reflect on a single axis',
        build: (b, [x]) => b.one('Pad', [x, b.ints([2, 3])], { mode: 'reflect' }),
        inputs: [{ dims: [5] }],
      },
    )
    .concat({
      title: 'with axes',
      build: (b, [x]) => b.one('Pad', [x, b.ints([1, -1, 2, 0]), undefined, b.ints([-1, 2])]),
      inputs,
    }),
  Slice: [
    slice([1], [3], [2]),
    slice([1, 0], [2, 2]),
    slice([-3], [-1], [-1]),
    slice([0, 1], [far, far], [2, 3], [2, 3]),
    slice([1, 0, 1], [3, 4, 6], [1, 2, 3], [1, 3, 2]),
    slice([3], [4], [3], [2]),
    slice([0, 0, 0, 1], [2, 3, 4, 6], undefined, [1, 1, 2, 2]),
    slice([0], [far], [1], [2]),
    slice([-1], [-far], [3], [-1]),
    slice([-1, 2], [-far, 0], [2, 1], [-2, -1]),
    {
      title: 'steps on a list',
      build: (b, [x]) => b.slice(x!, [1], [8], [0], [3]),
      inputs: [{ dims: [9] }],
    },
  ],
  GatherElements: [1, -1].map((axis) => ({
    title: `axis ${axis}`,
    build: (b, [x]) => b.one('GatherElements', [x, b.constant(int64([0, 2, 1, 0, 0, 1], [2, 3]))], { axis }),
    inputs: [{ dims: [2, 3] }],
  })),
  ScatterElements: ['none', 'add'].map((reduction) => ({
    title: reduction,
    build: (b, [x, updates]) =>
      b.one('ScatterElements', [x, b.constant(int64([0, 2, 1, 0], [2, 2])), updates], { axis: 1, reduction }),
    inputs: [{ dims: [2, 3] }, { dims: [2, 2] }],
  })),
  CumSum: combinations({ exclusive: [0, 1], reverse: [0, 1], axis: [1, -1] }).map(({ axis, ...attributes }) => ({
    title: titled({ axis, ...attributes }),
    build: (b, [x]) => b.one('CumSum', [x, b.constant(int64(axis))], attributes),
    inputs: [{ dims: [2, 3, 4] }],
  })),
  Gather: [
    gather(1, [2], []),
    gather(1, [0, 2], [2]),
    gather(3, [0, 0, 5, -1], [4]),
    gather(-2, [1, 3, 3, 0], [2, 2]),
    gather(0, [1], [1]),
    gather(0, [1], []),
    gather(0, [1, 0, -1, 1], [2, 2]),
    {
      title: 'rows by int32 indices',
      build: (b, [x]) => b.gather(x!, b.constant({ dtype: 'int32', dims: [3], data: Int32Array.of(1, 0, 1) }), 0),
      inputs,
    },
    { title: 'of a vector', build: (b, [x]) => b.gather(x!, b.ints([2, 0, 2]), 0), inputs: [{ dims: [4] }] },
    {
      title: 'int32 indices',
      build: (b, [x]) => b.gather(x!, b.constant({ dtype: 'int32', dims: [2], data: Int32Array.of(2, 0) }), 1),
      inputs,
    },
    {
      title: 'an index that is an input',
      build: (b, [x]) => b.gather(x!, b.cast(b.tanh(b.float([100, 0, 100])), 'int64'), 1),
      inputs,
    },
  ],
  Tile: [
    [1, 1, 2, 3],
    [2, 1, 1, 1],
    [1, 1, 1, 1],
  ].map((repeats) => ({
    title: titled(repeats),
    build: (b, [x]) => b.one('Tile', [x, b.ints(repeats)]),
    inputs,
  })),
  SpaceToDepth: [2, 3].map((blocksize) => ({
    title: `${blocksize}`,
    build: (b, [x]) => b.one('SpaceToDepth', [x], { blocksize }),
    inputs: [{ dims: [2, 3, 2 * blocksize, 3 * blocksize] }],
  })),
  Resize: [
    ...combinations({
      mode: ['nearest', 'linear'],
      to: [
        [7, 11],
        [2, 4],
        [1, 1],
        [4, 9],
      ],
      coordinate_transformation_mode: ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'],
    }).map(({ to, ...attributes }): Case => ({
      title: titled({ to, ...attributes }),
      build: (b, [x]) => b.one('Resize', [x, undefined, undefined, b.ints([2, 3, ...to])], attributes),
      inputs,
    })),
    ...combinations({
      mode: ['nearest', 'linear'],
      scales: [
        [1, 1, 2, 2],
        [1, 1, 1.3, 0.6],
      ],
      coordinate_transformation_mode: ['half_pixel', 'half_pixel_symmetric', 'asymmetric'],
    }).map(({ scales, ...attributes }): Case => ({
      title: titled({ scales, ...attributes }),
      build: (b, [x]) => b.one('Resize', [x, undefined, b.float(scales)], attributes),
      inputs,
    })),
    ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].flatMap((nearest_mode) =>
      ['asymmetric', 'half_pixel'].map((coordinate_transformation_mode): Case => ({
        title: titled({ nearest_mode, coordinate_transformation_mode }),
        build: (b, [x]) =>
          b.one('Resize', [x, undefined, b.float([1, 1, 2, 0.5])], { nearest_mode, coordinate_transformation_mode }),
        inputs,
      })),
    ),
    {
      title: 'where float32 rounds up',
      build: (b, [x]) => b.one('Resize', [x, undefined, b.float([1, 1, 1.3, 0.6])], floored),
      inputs: [{ dims: [1, 1, 10, 20] }],
    },
    {
      title: 'named axes',
      build: (b, [x]) => b.one('Resize', [x, undefined, undefined, b.ints([8, 5])], { axes: [2, 3], mode: 'linear' }),
      inputs,
    },
    {
      title: 'channels and images too',
      build: (b, [x]) => b.one('Resize', [x, undefined, b.float([2, 2, 1, 1])]),
      inputs,
    },
  ],
  DepthToSpace: ['CRD', 'DCR', undefined].flatMap((mode) =>
    [2, 3].map((blocksize) => ({
      title: `${mode}, ${blocksize}`,
      build: (b, [x]) => b.one('DepthToSpace', [x], mode ? { mode, blocksize } : { blocksize }),
      inputs: [{ dims: [2, 2 * blocksize ** 2, 2, 3] }],
    })),
  ),
});

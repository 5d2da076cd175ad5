/**
 * @file What keras.applications publishes: for each architecture its weights on ImageNet, with and without the classifier, as the
 * source of Keras states them. `test/oracles/keras_models.py` writes the same facts down from an installed Keras, and a test
 * compares them.
 */
import type { Topology } from '../import/keras/topology.ts';
import type { PreprocessName } from '../import/preprocess.ts';

/** Weights as one file. */
export interface PublishedFile {
  readonly url: string;
  /** MD5 (32 digits) or SHA-256 (64) of the file, in hex; Keras lists none for MobileNet V1 and V2. */
  readonly hash?: string;
  /** How many numbers are in it: of 4 bytes each, which is nearly all of the file. */
  readonly parameters: number;
}

/** An architecture with its weights, as its publisher describes it. */
export interface Published {
  /** What users type: `resnet50v2`. */
  readonly name: string;
  /** Of the paper. */
  readonly year: number;
  /** Height and width of the pictures that it was trained on; it takes others too. */
  readonly size: number;
  /** What it expects of a picture. With `raw` the rest is done by its first layers. */
  readonly preprocess: PreprocessName;
  /** The layer shown when none is asked for. */
  readonly defaultLayer: string;
  readonly full: PublishedFile;
  /** Without the classifier. */
  readonly noTop: PublishedFile;
  /** Its layers, with the classifier or without; the code that writes them down is loaded now. */
  readonly topology: (top: boolean) => Promise<Topology>;
}

const KERAS = 'https://storage.googleapis.com/tensorflow/keras-applications/';
const KERNELS = '_weights_tf_dim_ordering_tf_kernels';

type Two<T> = readonly [full: T, noTop: T];
type About = Pick<Published, 'year' | 'size' | 'preprocess' | 'defaultLayer' | 'topology'>;

/** `urls` are of the file with the classifier and of that without. */
function published(
  name: string,
  urls: Two<string>,
  parameters: Two<number>,
  hashes: Two<string> | undefined,
  about: About,
): Published {
  const file = (i: 0 | 1): PublishedFile => ({
    url: urls[i],
    parameters: parameters[i],
    ...(hashes ? { hash: hashes[i] } : {}),
  });
  return { name, ...about, full: file(0), noTop: file(1) };
}

/** Addresses that differ in what stands before `.h5`. */
const ending = (base: string, ends: Two<string> = ['', '_notop']): Two<string> => [
  `${base}${ends[0]}.h5`,
  `${base}${ends[1]}.h5`,
];

function resnet(version: 1 | 2, depth: 50 | 101 | 152, parameters: Two<number>, hashes: Two<string>): Published {
  const name = `resnet${depth}${version === 2 ? 'v2' : ''}`;
  const blocks = { 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3] }[depth];
  return published(name, ending(`${KERAS}resnet/${name}${KERNELS}`), parameters, hashes, {
    year: version === 2 ? 2016 : 2015,
    size: 224,
    preprocess: version === 2 ? 'tf' : 'caffe',
    defaultLayer: 'conv3_block4_out',
    topology: async (top) => (await import('../import/keras/architectures/resnet.ts')).resnet({ version, blocks, top }),
  });
}

function vgg(depth: 16 | 19, blocks: readonly number[], parameters: Two<number>, hashes: Two<string>): Published {
  const name = `vgg${depth}`;
  return published(name, ending(`${KERAS}${name}/${name}${KERNELS}`), parameters, hashes, {
    year: 2014,
    size: 224,
    preprocess: 'caffe',
    defaultLayer: 'block5_conv1',
    topology: async (top) => (await import('../import/keras/architectures/vgg.ts')).vgg({ blocks, top }),
  });
}

function densenet(
  depth: 121 | 169 | 201,
  blocks: readonly number[],
  parameters: Two<number>,
  hashes: Two<string>,
): Published {
  const name = `densenet${depth}`;
  return published(name, ending(`${KERAS}densenet/${name}${KERNELS}`), parameters, hashes, {
    year: 2016,
    size: 224,
    preprocess: 'torch',
    defaultLayer: 'pool4_conv',
    topology: async (top) => (await import('../import/keras/architectures/densenet.ts')).densenet({ blocks, top }),
  });
}

function mobilenet(alpha: 1 | 0.75 | 0.5 | 0.25, parameters: Two<number>): Published {
  const width = { 1: '1_0', 0.75: '7_5', 0.5: '5_0', 0.25: '2_5' }[alpha];
  const urls = ending(`${KERAS}mobilenet/mobilenet_${width}_224_tf`, ['', '_no_top']);
  return published(alpha === 1 ? 'mobilenet' : `mobilenet-${alpha}`, urls, parameters, undefined, {
    year: 2017,
    size: 224,
    preprocess: 'tf',
    defaultLayer: 'conv_pw_11_relu',
    topology: async (top) => (await import('../import/keras/architectures/mobilenet.ts')).mobilenet({ alpha, top }),
  });
}

function mobilenetV2(alpha: number, parameters: Two<number>): Published {
  const width = Number.isInteger(alpha) ? alpha.toFixed(1) : alpha;
  const urls = ending(`${KERAS}mobilenet_v2/mobilenet_v2${KERNELS}_${width}_224`, ['', '_no_top']);
  return published(alpha === 1 ? 'mobilenetv2' : `mobilenetv2-${alpha}`, urls, parameters, undefined, {
    year: 2018,
    size: 224,
    preprocess: 'tf',
    defaultLayer: 'block_13_expand_relu',
    topology: async (top) => (await import('../import/keras/architectures/mobilenet.ts')).mobilenetV2({ alpha, top }),
  });
}

function mobilenetV3(
  size: 'small' | 'large',
  variant: 1 | 0.75 | 'minimalistic',
  parameters: Two<number>,
  hashes: Two<string>,
): Published {
  const minimalistic = variant === 'minimalistic';
  const alpha = minimalistic ? 1 : variant;
  const base = `${KERAS}mobilenet_v3/weights_mobilenet_v3_${size}${minimalistic ? '_minimalistic' : ''}_224_${alpha === 1 ? '1.0' : alpha}_float`;
  const name = `mobilenetv3${size}${variant === 1 ? '' : `-${variant}`}`;
  return published(name, ending(base, ['', '_no_top_v2']), parameters, hashes, {
    year: 2019,
    size: 224,
    preprocess: 'raw',
    defaultLayer: size === 'small' ? 'expanded_conv_8_expand_bn' : 'expanded_conv_12_expand_bn',
    topology: async (top) =>
      (await import('../import/keras/architectures/mobilenet.ts')).mobilenetV3({ size, alpha, minimalistic, top }),
  });
}

function efficientnet(
  index: number,
  [width, depth, size]: readonly [width: number, depth: number, size: number],
  parameters: Two<number>,
  hashes: Two<string>,
): Published {
  const name = `efficientnetb${index}`;
  return published(name, ending(`https://storage.googleapis.com/keras-applications/${name}`), parameters, hashes, {
    year: 2019,
    size,
    preprocess: 'raw',
    defaultLayer: 'block6a_expand_activation',
    topology: async (top) =>
      (await import('../import/keras/architectures/efficientnet.ts')).efficientnet({ width, depth, top }),
  });
}

function efficientnetV2(
  variant: string,
  [width, depth, size]: readonly [width: number, depth: number, size: number],
  parameters: Two<number>,
  hashes: Two<string>,
): Published {
  const urls = ending(`${KERAS}efficientnet_v2/efficientnetv2-${variant}`);
  const kind = variant[0] as 'b' | 's' | 'm' | 'l';
  return published(`efficientnetv2${variant}`, urls, parameters, hashes, {
    year: 2021,
    size,
    preprocess: 'raw',
    defaultLayer: 'block6a_expand_activation',
    topology: async (top) =>
      (await import('../import/keras/architectures/efficientnet.ts')).efficientnetV2({ size: kind, width, depth, top }),
  });
}

function nasnet(
  variant: 'mobile' | 'large',
  size: number,
  options: { penultimate: number; cells: number; stem: number; skipReduction: boolean },
  parameters: Two<number>,
  hashes: Two<string>,
): Published {
  const urls = ending(`${KERAS}nasnet/NASNet-${variant}`, ['', '-no-top']);
  return published(`nasnet${variant}`, urls, parameters, hashes, {
    year: 2017,
    size,
    preprocess: 'tf',
    defaultLayer: `normal_concat_${2 * options.cells}`,
    topology: async (top) => (await import('../import/keras/architectures/nasnet.ts')).nasnet({ ...options, top }),
  });
}

function convnext(
  variant: string,
  depths: readonly number[],
  widths: readonly number[],
  parameters: Two<number>,
  hashes: Two<string>,
): Published {
  const prefix = `convnext_${variant}`;
  return published(`convnext${variant}`, ending(`${KERAS}convnext/${prefix}`), parameters, hashes, {
    year: 2022,
    size: 224,
    preprocess: 'raw',
    defaultLayer: `${prefix}_stage_2_block_5_gelu`,
    topology: async (top) =>
      (await import('../import/keras/architectures/convnext.ts')).convnext({ prefix, depths, widths, top }),
  });
}

/** All of them, a family after the other. */
export const publishedModels: readonly Published[] = [
  resnet(2, 50, [25_613_800, 23_564_800], ['3ef43a0b657b3be2300d5770ece849e0', 'fac2f116257151a9d068a22e544a4917']),
  resnet(2, 101, [44_675_560, 42_626_560], ['6343647c601c52e1368623803854d971', 'c0ed64b8031c3730f411d2eb4eea35b5']),
  resnet(2, 152, [60_380_648, 58_331_648], ['a49b44d1979771252814e80f8ec446f9', 'ed17cf2e0169df9d443503ef94b23b33']),
  resnet(1, 50, [25_636_712, 23_587_712], ['2cb95161c43110f7111970584f804107', '4d473c1dd8becc155b73f8504c6f6626']),
  resnet(1, 101, [44_707_176, 42_658_176], ['f1aeb4b969a6efcfb50fad2f0c20cfc5', '88cf7a10940856eca736dc7b7e228a21']),
  resnet(1, 152, [60_419_944, 58_370_944], ['100835be76be38e30d865e96f2aaae62', 'ee4c566cf9a93f14d82f913c2dc6dd0c']),
  vgg(
    16,
    [2, 2, 3, 3, 3],
    [138_357_544, 14_714_688],
    ['64373286793e3c8b2b4e3219cbf3544b', '6d6bbae143d832006294945121d1f1fc'],
  ),
  vgg(
    19,
    [2, 2, 4, 4, 4],
    [143_667_240, 20_024_384],
    ['cbe5617147190e668d6c5d5026f83318', '253f8cb515780f3b799900260a226db6'],
  ),
  published(
    'inceptionv3',
    ending(`${KERAS}inception_v3/inception_v3${KERNELS}`),
    [23_851_784, 21_802_784],
    ['9a0d58056eeedaa3f26cb7ebd46da564', 'bcbd6486424b2319ff4ef7d526e38f63'],
    {
      year: 2015,
      size: 299,
      preprocess: 'tf',
      defaultLayer: 'mixed4',
      topology: async (top) => (await import('../import/keras/architectures/inception.ts')).inceptionV3({ top }),
    },
  ),
  published(
    'inceptionresnetv2',
    ending(`${KERAS}inception_resnet_v2/inception_resnet_v2${KERNELS}`),
    [55_873_736, 54_336_736],
    ['e693bd0210a403b3192acc6073ad2e96', 'd19885ff4a710c122648d3b5c3b684e4'],
    {
      year: 2016,
      size: 299,
      preprocess: 'tf',
      defaultLayer: 'mixed_6a',
      topology: async (top) => (await import('../import/keras/architectures/inception.ts')).inceptionResNetV2({ top }),
    },
  ),
  published(
    'xception',
    ending(`${KERAS}xception/xception${KERNELS}`),
    [22_910_480, 20_861_480],
    ['0a58e3b7378bc2990ea3b43d5981f1f6', 'b0042744bf5b25fce3cb969f33bebb97'],
    {
      year: 2016,
      size: 299,
      preprocess: 'tf',
      defaultLayer: 'block13_sepconv2_act',
      topology: async (top) => (await import('../import/keras/architectures/xception.ts')).xception({ top }),
    },
  ),
  mobilenet(1, [4_253_864, 3_228_864]),
  mobilenet(0.75, [2_601_976, 1_832_976]),
  mobilenet(0.5, [1_342_536, 829_536]),
  mobilenet(0.25, [475_544, 218_544]),
  mobilenetV2(1, [3_538_984, 2_257_984]),
  mobilenetV2(1.4, [6_156_712, 4_363_712]),
  mobilenetV2(1.3, [5_431_048, 3_766_048]),
  mobilenetV2(0.75, [2_663_064, 1_382_064]),
  mobilenetV2(0.5, [1_987_224, 706_224]),
  mobilenetV2(0.35, [1_691_208, 410_208]),
  mobilenetV3(
    'small',
    1,
    [2_554_968, 939_120],
    ['8768d4c2e7dee89b9d02b2d03d65d862', 'd3e8ec802a04aa4fc771ee12a9a9b836'],
  ),
  mobilenetV3(
    'small',
    0.75,
    [2_051_552, 583_160],
    ['cb65d4e5be93758266aa0a7f2c6708b7', 'ebdb5cc8e0b497cd13a7c275d475c819'],
  ),
  mobilenetV3(
    'small',
    'minimalistic',
    [2_056_848, 441_000],
    ['99cd97fb2fcdad2bf028eb838de69e37', 'cde8136e733e811080d9fcd8a252f7e4'],
  ),
  mobilenetV3(
    'large',
    1,
    [5_507_432, 2_996_352],
    ['59e551e166be033d707958cf9e29a6a7', '07fb09a5933dd0c8eaafa16978110389'],
  ),
  mobilenetV3(
    'large',
    0.75,
    [4_012_616, 1_808_736],
    ['765b44a33ad4005b3ac83185abf1d0eb', '40af19a13ebea4e2ee0c676887f69a2e'],
  ),
  mobilenetV3(
    'large',
    'minimalistic',
    [3_948_688, 1_437_608],
    ['675e7b876c45c57e9e63e6d90a36599c', 'ec5221f64a2f6d1ef965a614bdae7973'],
  ),
  densenet(
    121,
    [6, 12, 24, 16],
    [8_062_504, 7_037_504],
    ['9d60b8095a5708f2dcce2bca79d332c7', '30ee3e1110167f948a6b9946edeeb738'],
  ),
  densenet(
    169,
    [6, 12, 32, 32],
    [14_307_880, 12_642_880],
    ['d699b8f76981ab1b30698df4c175e90b', 'b8c4d4c20dd625c148057b9ff1c1176b'],
  ),
  densenet(
    201,
    [6, 12, 48, 32],
    [20_242_984, 18_321_984],
    ['1ceb130c1ea1b78c3bf6114dbdfd8807', 'c13680b51ded0fb44dff2d8f86ac8bb1'],
  ),
  efficientnet(
    0,
    [1, 1, 224],
    [5_330_571, 4_049_571],
    ['902e53a9f72be733fc0bcb005b3ebbac', '50bc09e76180e00e4465e1a485ddc09d'],
  ),
  efficientnet(
    1,
    [1, 1.1, 240],
    [7_856_239, 6_575_239],
    ['1d254153d4ab51201f1646940f018540', '74c4e6b3e1f6a1eea24c589628592432'],
  ),
  efficientnet(
    2,
    [1.1, 1.2, 260],
    [9_177_569, 7_768_569],
    ['b15cce36ff4dcbd00b6dd88e7857a6ad', '111f8e2ac8aa800a7a99e3239f7bfb39'],
  ),
  efficientnet(
    3,
    [1.2, 1.4, 300],
    [12_320_535, 10_783_535],
    ['ffd1fdc53d0ce67064dc6a9c7960ede0', 'af6d107764bb5b1abb91932881670226'],
  ),
  efficientnet(
    4,
    [1.4, 1.8, 380],
    [19_466_823, 17_673_823],
    ['18c95ad55216b8f92d7e70b3a046e2fc', 'ebc24e6d6c33eaebbd558eafbeedf1ba'],
  ),
  efficientnet(
    5,
    [1.6, 2.2, 456],
    [30_562_527, 28_513_527],
    ['ace28f2a6363774853a83a0b21b9421a', '38879255a25d3c92d5e44e04ae6cec6f'],
  ),
  efficientnet(
    6,
    [1.8, 2.6, 528],
    [43_265_143, 40_960_143],
    ['165f6e37dce68623721b423839de8be5', '9ecce42647a20130c1f39a5d4cb75743'],
  ),
  efficientnet(
    7,
    [2, 3.1, 600],
    [66_658_687, 64_097_687],
    ['8c03f828fec3ef71311cd463b6759d99', 'cbcfe4450ddf6f3ad90b1b398090fe4a'],
  ),
  efficientnetV2(
    'b0',
    [1, 1, 224],
    [7_200_312, 5_919_312],
    ['21ecbf6da12460d5c40bb2f29ceb2188', '893217f2bb855e2983157299931e43ff'],
  ),
  efficientnetV2(
    'b1',
    [1, 1.1, 240],
    [8_212_124, 6_931_124],
    ['069f0534ff22adf035c89e2d9547a9dc', '0e80663031ca32d657f9caa404b6ec37'],
  ),
  efficientnetV2(
    'b2',
    [1.1, 1.2, 260],
    [10_178_374, 8_769_374],
    ['424e49f28180edbde1e94797771950a7', '1dfe2e7a5d45b6632553a8961ea609eb'],
  ),
  efficientnetV2(
    'b3',
    [1.2, 1.4, 300],
    [14_467_622, 12_930_622],
    ['1f1fc43bd98a6e4fd8fdfd551e02c7a0', 'f6abf7b5849ac99a89b50dd3fd532856'],
  ),
  efficientnetV2(
    's',
    [1, 1, 384],
    [21_612_360, 20_331_360],
    ['e1d88a8495beba45748fedd0cecbe016', 'af0682fb74e8c54910f2d4393339c070'],
  ),
  efficientnetV2(
    'm',
    [1, 1, 480],
    [54_431_388, 53_150_388],
    ['a3bf6aa3276309f4fc6a34aa114c95cd', '1b8dc055df72dde80d614482840fe342'],
  ),
  efficientnetV2(
    'l',
    [1, 1, 480],
    [119_027_848, 117_746_848],
    ['27e6d408b53c7ebc868fefa357689935', 'b0b66b5c863aef5b46e8608fe1711615'],
  ),
  nasnet(
    'mobile',
    224,
    { penultimate: 1056, cells: 4, stem: 32, skipReduction: false },
    [5_326_716, 4_269_716],
    ['020fb642bf7360b370c678b08e0adf61', '1ed92395b5b598bdda52abe5c0dbfd63'],
  ),
  nasnet(
    'large',
    331,
    { penultimate: 4032, cells: 6, stem: 96, skipReduction: true },
    [88_949_818, 84_916_818],
    ['11577c9a518f0070763c2b964a382f17', 'd81d89dc07e6e56530c4e77faddd61b5'],
  ),
  convnext(
    'tiny',
    [3, 3, 9, 3],
    [96, 192, 384, 768],
    [28_589_128, 27_820_128],
    [
      '8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff',
      'd547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1',
    ],
  ),
  convnext(
    'small',
    [3, 3, 27, 3],
    [96, 192, 384, 768],
    [50_223_688, 49_454_688],
    [
      'ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c',
      '6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab',
    ],
  ),
  convnext(
    'base',
    [3, 3, 27, 3],
    [128, 256, 512, 1024],
    [88_591_464, 87_566_464],
    [
      '52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6',
      '40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45',
    ],
  ),
  convnext(
    'large',
    [3, 3, 27, 3],
    [192, 384, 768, 1536],
    [197_767_336, 196_230_336],
    [
      '070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6',
      '96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd',
    ],
  ),
  convnext(
    'xlarge',
    [3, 3, 27, 3],
    [256, 512, 1024, 2048],
    [350_196_968, 348_147_968],
    [
      'c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee',
      'de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05',
    ],
  ),
];

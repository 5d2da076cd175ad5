"""What Keras makes of single layers: keras-layers.json, which test/oracles/keras-layers.test.ts reads.

    python keras_layers.py [PART OF A NAME …]   # of some it only says what it found

Each case is a small model with weights that are made of a hash (keras_models.py), its configuration without what says nothing of
inference, its output for a picture that is made of the hash too, and the gradient of mean(channel of the output) for the picture.
"""
import base64
import json
import sys
from pathlib import Path

from keras_models import fill, rnd  # Sets the environment of TensorFlow: before it is loaded.

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

CASES = {}


def case(name, shape=(7, 6, 4), first=False):
    def add(build):
        CASES[name] = (build, shape, first)
        return build

    return add


def single(name, layer, shape=(7, 6, 4), first=False):
    case(name, shape, first)(lambda x: layer()(x))


for groups in (1, 2, 4, -1):
    single(f"group normalisation of {groups}", lambda g=groups: L.GroupNormalization(g))
single("group normalisation without scale", lambda: L.GroupNormalization(2, scale=False, epsilon=0.1))
single("group normalisation of a sequence", lambda: L.GroupNormalization(3, center=False), (5, 5, 6))
single("layer normalisation of two axes", lambda: L.LayerNormalization(axis=[1, 3]))
single("layer normalisation of rows", lambda: L.LayerNormalization(axis=1, scale=False))
single("root mean square normalisation", lambda: L.RMSNormalization())
single("unit normalisation", lambda: L.UnitNormalization(axis=-1))
single("unit normalisation of the picture", lambda: L.UnitNormalization(axis=[1, 2]))
single("batch normalisation of rows", lambda: L.BatchNormalization(axis=1))
for size in ((14, 12), (5, 9), (3, 4)):
    for kind in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        single(f"{kind} resizing to {size}", lambda s=size, k=kind: L.Resizing(*s, interpolation=k))
single("smooth resizing", lambda: L.Resizing(4, 3, antialias=True))
single("smooth bicubic resizing", lambda: L.Resizing(3, 9, interpolation="bicubic", antialias=True))
single("resizing of a part", lambda: L.Resizing(4, 8, crop_to_aspect_ratio=True))
single("resizing of more", lambda: L.Resizing(4, 9, pad_to_aspect_ratio=True, fill_value=0.5))
single("the middle", lambda: L.CenterCrop(4, 3))
single("the middle of a smaller one", lambda: L.CenterCrop(9, 5))
single("a random part", lambda: L.RandomCrop(4, 5))
for kind in ("nearest", "bilinear", "bicubic"):
    single(f"{kind} upsampling", lambda k=kind: L.UpSampling2D((2, 3), interpolation=k))
for padding in ("valid", "same"):
    for kernel, strides, more in ((3, 2, None), (2, 3, None), (4, 3, 1), ((3, 5), (2, 3), (1, 2)), (3, 1, None), (3, 2, 0)):
        single(
            f"transposed convolution of {kernel} by {strides}, {padding}, {more}",
            lambda k=kernel, s=strides, m=more, p=padding: L.Conv2DTranspose(
                5, k, strides=s, padding=p, output_padding=m, activation="relu"
            ),
        )
single("separable convolution", lambda: L.SeparableConv2D(5, 3, strides=2, padding="same", depth_multiplier=2))
single("dilated depthwise convolution", lambda: L.DepthwiseConv2D(3, dilation_rate=2, depth_multiplier=2))
single("cropping", lambda: L.Cropping2D(((1, 2), (0, 3))))
single("padding", lambda: L.ZeroPadding2D(((1, 2), (0, 3))))
single("rectifier from a threshold", lambda: L.ReLU(threshold=0.3, negative_slope=0.2, max_value=0.8))
single("parametric rectifier", lambda: L.PReLU(shared_axes=[1]))
for name in (
    "relu6 silu hard_silu gelu leaky_relu elu selu celu softplus softsign exponential tanh sigmoid hard_sigmoid hard_tanh "
    "log_sigmoid mish softmax log_softmax"
).split():
    single(f"activation {name}", lambda n=name: L.Activation(n))
single("softmax of rows", lambda: L.Softmax(axis=1))
single("normalisation and back", lambda: L.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 2.0, 3.0, 0.5], invert=True))


@case("reshaped and permuted")
def _(x):
    y = L.Permute((3, 1, 2))(x)
    return L.Conv2D(3, 2)(L.Reshape((-1, 4, 2))(y))


@case("a sequence, masked and normalised")
def _(x):
    y = L.Reshape((-1, 4))(L.ReLU()(x))
    return L.Dense(3)(L.BatchNormalization()(L.Masking()(y)))


@case("joined by columns")
def _(x):
    return L.Concatenate(axis=2)([x, L.Conv2D(4, 1)(x)])


@case("operators")
def _(x):
    y = (2.5 - x) * 0.5 + keras.ops.abs(x)
    return keras.ops.sigmoid(keras.ops.relu(y) / 1.5) - keras.ops.silu(x)


@case("least, greatest, mean and difference")
def _(x):
    y = L.Conv2D(4, 1)(x)
    return L.Average()([L.Minimum()([x, y]), L.Maximum()([x, y]), L.Subtract()([x, y])])


@case("products of vectors")
def _(x):
    a, b = L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D()(x)
    return L.Concatenate()([L.Dot(axes=1)([a, b]), L.Dot(axes=-1, normalize=True)([a, b])])


@case("products of sequences")
def _(x):
    a, b = L.Reshape((7, 24))(x), L.Reshape((7, 24))(L.Conv2D(4, 1)(x))
    return L.Dot(axes=(2, 2))([a, b])


@case("a model in a model in a model")
def _(x):
    inner = keras.Sequential([L.Input((7, 6, 4)), L.Conv2D(3, 1, name="innermost"), L.GroupNormalization(3)], name="inner")
    outer = keras.Sequential([L.Input((7, 6, 4)), inner, L.ReLU()], name="outer")
    return L.Add()([outer(x), outer(L.Conv2D(4, 1)(x))])


# No picture here is as wide as it has channels: Keras 3.15 on TensorFlow then adds a bias along the width.
@case("channels that come first", (4, 7, 5), True)
def _(x):
    y = L.Conv2D(6, 3, padding="same", data_format="channels_first")(x)
    y = L.BatchNormalization(axis=1)(y)
    y = L.GroupNormalization(3, axis=1)(y)
    y = L.Concatenate(axis=1)([y, x])
    y = L.ZeroPadding2D(1, data_format="channels_first")(y)
    y = L.MaxPooling2D(2, data_format="channels_first")(y)
    y = L.Softmax(axis=1)(y)
    return L.UpSampling2D(2, data_format="channels_first")(y)


@case("channels that come first, flattened", (4, 5, 6), True)
def _(x):
    y = L.Conv2D(5, 2, strides=2, data_format="channels_first")(x)
    return L.Concatenate()([L.Dense(4)(L.Flatten(data_format=f)(y)) for f in ("channels_first", "channels_last")])


@case("channels that come first, as axes", (4, 5, 7), True)
def _(x):
    y = L.Conv2D(3, 2, data_format="channels_first")(x)
    y = L.LayerNormalization(axis=-1)(y)
    y = L.Dense(7, activation="tanh")(L.Permute((1, 3, 2))(y))
    return L.GlobalAveragePooling2D(data_format="channels_first")(y)


SILENT = ("initializer", "regularizer", "constraint", "dtype", "build_config", "compile_config", "registered_name", "trainable",
          "axis_of", "autocast", "momentum", "synchronized", "seed", "data_format_of", "factor")  # fmt: skip


def stripped(value):
    if isinstance(value, list):
        return [stripped(v) for v in value]
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if not k.endswith(SILENT)}
    return value


def packed(y):
    return base64.b64encode(np.asarray(y, dtype="<f4").tobytes()).decode()


def computed(build, shape, first, dtype):
    keras.config.set_floatx(dtype)
    keras.backend.clear_session()
    x = keras.Input(shape)
    model = keras.Model(x, build(x))
    fill(model)
    image = tf.constant((2 * rnd(-1, int(np.prod(shape)))).astype(np.float32).astype(dtype).reshape(1, *shape))
    with tf.GradientTape() as tape:
        tape.watch(image)
        y = model(image, training=False)
        axis = 1 if first else -1
        mean = tf.reduce_mean(tf.gather(y, 1, axis=axis) if y.shape[axis] > 1 else y)
    return model, y, tape.gradient(mean, image)


def main():
    out = {}
    wanted = sys.argv[1:]
    for name, (build, shape, first) in CASES.items():
        if wanted and not any(w in name for w in wanted):
            continue
        try:
            model, y, gradient = computed(build, shape, first, "float64")
        except tf.errors.InvalidArgumentError:
            # Some ways of resizing TensorFlow has in float32 only.
            model, y, gradient = computed(build, shape, first, "float32")
        out[name] = {
            "config": stripped(json.loads(model.to_json())),
            "shape": shape,
            "first": first,
            "dims": list(y.shape),
            "output": packed(y),
            "gradient": packed(gradient),
        }
        print(name, tuple(y.shape), y.dtype.name, f"{np.linalg.norm(gradient):.3g}", flush=True)
    if not wanted:
        Path(__file__).with_name("keras-layers.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

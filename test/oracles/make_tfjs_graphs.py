"""Small graph models of TensorFlow.js for the tests, with what TensorFlow computes of them.

Writes test/import/tfjs/NAME/model.json with its shards, and test/import/tfjs/golden.json: for some layers of each model the activation,
and the gradient of the mean of one channel by the picture. Run it again after a change of a model:

    TF_ENABLE_ONEDNN_OPTS=0 python test/oracles/make_tfjs_graphs.py

The converter of TensorFlow.js is not needed: a graph in JSON is protobuf's own JSON, with the values of Const nodes moved to the shards.
What the converter fuses is fused here in the same way, after TensorFlow has computed the graph without it.
"""

import base64
import json
import os
import shutil

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
import numpy as np
import tensorflow as tf
from google.protobuf import json_format

v1 = tf.compat.v1
v1.disable_eager_execution()
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "import", "tfjs")


class Weights:
    """Weights drawn from a seed, rounded to what the shards can hold, so that TensorFlow sees what phosphene sees."""

    def __init__(self, seed, quantization=None):
        self.random = np.random.RandomState(seed)
        self.quantization = quantization
        self.entries = {}

    def __call__(self, name, *shape, scale=None, shift=0.0):
        fan = int(np.prod(shape[:-1])) or 1
        values = self.random.normal(shift, scale or fan**-0.5, shape).astype(np.float32)
        return self.add(name, values)

    def add(self, name, values):
        kind = self.quantization
        if kind == "float16":
            stored = values.astype(np.float16)
            self.entries[name] = (stored, {"dtype": "float16", "original_dtype": "float32"})
            values = stored.astype(np.float32)
        elif kind in ("uint8", "uint16") and values.size > 8:
            low, high = min(0.0, float(values.min())), float(values.max())
            step = (high - low) / (2 ** (8 if kind == "uint8" else 16) - 1)
            low = -round(-low / step) * step
            stored = np.clip(np.round((values - low) / step), 0, None).astype(kind)
            self.entries[name] = (stored, {"dtype": kind, "min": low, "scale": step, "original_dtype": "float32"})
            values = (stored.astype(np.float64) * step + low).astype(np.float32)
        return tf.constant(values, name=name)


def conv(x, w, name, stride=1, padding="SAME", bias=None, act=None, dilation=1, data_format="NHWC"):
    nhwc = data_format == "NHWC"
    four = (lambda v: [1, v, v, 1]) if nhwc else (lambda v: [1, 1, v, v])
    y = tf.raw_ops.Conv2D(input=x, filter=w, strides=four(stride), padding=padding, dilations=four(dilation), data_format=data_format, name=name)
    return finish(y, name, bias, act, data_format)


def depthwise(x, w, name, stride=1, padding="SAME", bias=None, act=None, dilation=1):
    y = tf.raw_ops.DepthwiseConv2dNative(input=x, filter=w, strides=[1, stride, stride, 1], padding=padding, dilations=[1, dilation, dilation, 1], name=name)
    return finish(y, name, bias, act, "NHWC")


def finish(y, name, bias, act, data_format):
    if bias is not None:
        y = tf.raw_ops.BiasAdd(value=y, bias=bias, data_format=data_format, name=name + "/bias")
    if act == "relu6":
        y = tf.nn.relu6(y, name=name + "/relu6")
    elif act == "relu":
        y = tf.nn.relu(y, name=name + "/relu")
    elif act == "leaky":
        y = tf.nn.leaky_relu(y, 0.1, name=name + "/leaky")
    return y


def batch_norm(x, w, name, channels):
    parameters = [w(f"{name}/{p}", channels, scale=0.2, shift=s) for p, s in [("gamma", 1.0), ("beta", 0.0), ("mean", 0.1), ("variance", 2.0)]]
    return tf.raw_ops.FusedBatchNormV3(x=x, scale=parameters[0], offset=parameters[1], mean=parameters[2], variance=parameters[3], epsilon=1e-3, is_training=False, name=name).y


def mobilenet(w):
    """MobileNet V1: a range of [0, 255] told by the first nodes, Pad before strides, ReLU6, all of it fused."""
    x = v1.placeholder(tf.float32, [None, 24, 24, 3], name="images")
    y = tf.subtract(tf.divide(x, tf.constant(127.5, name="half"), name="scaled"), tf.constant([1.0], name="one"), name="centred")
    y = tf.pad(y, tf.constant([[0, 0], [0, 1], [0, 1], [0, 0]], name="pads"), name="pad")
    y = conv(y, w("conv/w", 3, 3, 3, 8), "conv", 2, "VALID", w("conv/b", 8), "relu6")
    y = depthwise(y, w("dw/w", 3, 3, 8, 1, scale=0.3), "dw", 1, "SAME", w("dw/b", 8), "relu6")
    y = conv(y, w("pw/w", 1, 1, 8, 12), "pw", 1, "SAME", w("pw/b", 12, scale=0.1, shift=1.0), "relu6")
    y = depthwise(y, w("dw2/w", 3, 3, 12, 2, scale=0.3), "dw2", 2, "SAME", w("dw2/b", 24, scale=0.1, shift=1.0), "relu6")
    y = tf.reduce_mean(y, axis=[1, 2], keepdims=False, name="mean")
    y = tf.matmul(y, w("logits/w", 24, 5), name="logits")
    y = tf.nn.bias_add(y, w("logits/b", 5), name="logits/bias")
    y = tf.nn.softmax(y, name="probs")
    return x, ["conv/relu6", "dw/relu6", "pw/relu6", "dw2/relu6", "logits/bias"]


def resnet(w):
    """A residual block: batch normalisation left in the graph, MirrorPad, MaxPool, and a class as Reshape and Squeeze spell it."""
    x = v1.placeholder(tf.float32, [1, 21, 19, 3], name="x")
    y = tf.pad(x, [[0, 0], [2, 1], [1, 2], [0, 0]], mode="REFLECT", name="mirror")
    y = conv(y, w("stem/w", 5, 5, 3, 8), "stem", 2)
    y = tf.nn.relu(batch_norm(y, w, "stem_bn", 8), name="stem_relu")
    y = tf.nn.max_pool2d(y, 3, 2, "SAME", name="pool")
    z = tf.nn.relu(batch_norm(conv(y, w("a/w", 3, 3, 8, 8), "a"), w, "a_bn", 8), name="a_relu")
    z = conv(z, w("b/w", 1, 1, 8, 8), "b", bias=w("b/b", 8))
    y = tf.nn.elu(tf.add(z, y, name="sum"), name="out")
    y = tf.pad(y, [[0, 0], [1, 0], [0, 1], [0, 0]], mode="SYMMETRIC", name="symmetric")
    y = tf.reduce_max(y, axis=[1, 2], keepdims=True, name="max")
    y = tf.squeeze(conv(y, w("top/w", 1, 1, 8, 4), "top"), axis=[1, 2], name="squeezed")
    return x, ["mirror", "stem_relu", "pool", "sum", "out", "symmetric", "squeezed"]


def inception(w):
    """Branches: ConcatV2, AvgPool, Split, Unpack and Pack, StridedSlice, MaxPool; any size."""
    x = v1.placeholder(tf.float32, [None, None, None, 3], name="x")
    r, g, b = tf.unstack(x, 3, axis=-1, name="colours")
    bgr = tf.stack([b, g, r], axis=3, name="bgr")
    y = conv(bgr, w("stem/w", 3, 3, 3, 8), "stem", act="relu")
    one, two = tf.split(y, [3, 5], axis=3, name="split")
    three = tf.nn.avg_pool2d(y, 3, 1, "SAME", name="average")
    four = y[:, :, :, ::2]
    four = tf.identity(four, name="every_second")
    one = conv(one, w("one/w", 1, 7, 3, 4), "one", act="relu")
    two = tf.tanh(conv(two, w("two/w", 7, 1, 5, 4), "two"), name="two/tanh")
    three = tf.sigmoid(conv(three, w("three/w", 1, 1, 8, 4), "three"), name="three/sigmoid")
    y = tf.concat([one, two, three, four], -1, name="mixed")
    y = y[:, 1:-1, 2:, :]
    y = tf.nn.max_pool2d(y, 2, 2, "VALID", name="pool")
    y = tf.reduce_mean(tf.nn.selu(y, name="selu"), axis=[1, 2], name="mean")
    return x, ["stem/relu", "every_second", "mixed", "pool", "mean"]


def nchw(w, data_format="NCHW"):
    """Channels first: convolutions, biases, pooling and padding in the order of PyTorch."""
    first = data_format == "NCHW"
    x = v1.placeholder(tf.float32, [None, 3, 18, 16] if first else [None, 18, 16, 3], name="x")
    spatial = [2, 3] if first else [1, 2]
    y = conv(x, w("a/w", 3, 3, 3, 6), "a", 1, "SAME", w("a/b", 6), "relu", data_format=data_format)
    pads = [[0, 0], [0, 0], [1, 1], [1, 1]] if first else [[0, 0], [1, 1], [1, 1], [0, 0]]
    y = tf.pad(y, pads, name="pad")
    y = conv(y, w("b/w", 3, 3, 6, 8), "b", 2, "VALID", data_format=data_format)
    scale = w("scale", 8, 1, 1) if first else tf.reshape(w("scale", 8, 1, 1), [8])
    y = tf.multiply(y, scale, name="scaled")
    four = [1, 1, 2, 2] if first else [1, 2, 2, 1]
    y = tf.raw_ops.MaxPool(input=y, ksize=four, strides=four, padding="SAME", data_format=data_format, name="pool")
    gate = tf.sigmoid(tf.reduce_mean(y, axis=spatial, keepdims=True), name="gate")
    y = tf.multiply(y, gate, name="gated")
    y = tf.reduce_sum(y, axis=spatial, name="sum")
    return x, ["a/relu", "b", "pool", "gated", "sum"]


def mobilenet3(w):
    """Squeeze and excite and hard swish, spelled in parts."""
    x = v1.placeholder(tf.float32, [None, 20, 20, 1], name="grey")

    def hard_swish(y, name):
        gate = tf.nn.relu6(tf.add(y, 3.0, name=name + "/add"), name=name + "/relu6")
        return tf.multiply(y, tf.multiply(gate, 1 / 6, name=name + "/gate"), name=name)

    y = hard_swish(conv(x, w("stem/w", 3, 3, 1, 8), "stem", 2, bias=w("stem/b", 8)), "swish")
    y = depthwise(y, w("dw/w", 5, 5, 8, 1, scale=0.2), "dw", 1, "SAME", w("dw/b", 8))
    s = tf.reshape(tf.reduce_mean(y, axis=[1, 2], name="squeeze"), [-1, 1, 1, 8], name="reshape")
    s = conv(s, w("se1/w", 1, 1, 8, 4), "se1", bias=w("se1/b", 4), act="relu")
    s = conv(s, w("se2/w", 1, 1, 4, 8), "se2", bias=w("se2/b", 8))
    s = tf.multiply(tf.nn.relu6(tf.add(s, 3.0)), 0.16666667163372, name="excite")
    y = tf.multiply(s, y, name="excited")
    y = hard_swish(conv(y, w("pw/w", 1, 1, 8, 10), "pw"), "swish2")
    flat = tf.reshape(y, [-1, 10 * 10 * 10], name="flat")
    y = tf.matmul(flat, w("units/w", 1000, 3), name="units")
    return x, ["swish", "excited", "swish2", "units"]


def posenet(w, dilate=True):
    """Dilations, spelled by SpaceToBatchND and by the attribute, and slopes by channel, fused. TensorFlow's kernels need the first."""
    x = v1.placeholder(tf.float32, [None, 25, 23, 3], name="x")
    alpha = w("stem/alpha", 1, 1, 8, scale=0.2)
    y = conv(x, w("stem/w", 3, 3, 3, 8), "stem", 1, "SAME", w("stem/b", 8))
    y = tf.add(tf.nn.relu(y), tf.multiply(alpha, tf.negative(tf.nn.relu(tf.negative(y)))), name="stem/prelu")
    z = tf.space_to_batch_nd(y, [2, 2], [[2, 3], [2, 3]], name="apart")
    z = depthwise(z, w("dw/w", 3, 3, 8, 1, scale=0.3), "dw", 1, "VALID")
    z = tf.batch_to_space(z, [2, 2], [[0, 1], [0, 1]], name="again")
    y = tf.add(y, z, name="sum")
    w2, b2 = w("dw2/w", 3, 3, 8, 1, scale=0.3), w("dw2/b", 8)
    w3, b3 = w("head/w", 3, 3, 8, 6), w("head/b", 6)
    if dilate:
        y = depthwise(y, w2, "dw2", dilation=3, bias=b2, act="relu")
        y = conv(y, w3, "head", dilation=2, bias=b3)
    else:
        y = tf.space_to_batch_nd(y, [3, 3], [[3, 5], [3, 4]])
        y = tf.batch_to_space(depthwise(y, w2, "dw2", padding="VALID"), [3, 3], [[0, 2], [0, 1]])
        y = tf.nn.relu(tf.nn.bias_add(y, b2), name="dw2/relu")
        y = tf.space_to_batch_nd(y, [2, 2], [[2, 3], [2, 3]])
        y = tf.batch_to_space(conv(y, w3, "head", padding="VALID"), [2, 2], [[0, 1], [0, 1]])
        y = tf.nn.bias_add(y, b3, name="head/bias")
    heat = tf.sigmoid(y, name="heatmap")
    return x, ["stem/prelu", "again", "dw2/relu", "head/bias", "heatmap"]


def unet(w):
    """Down and up again: sizes from Shape, resizing of each kind, a transposed convolution, DepthToSpace."""
    x = v1.placeholder(tf.float32, [None, None, None, 3], name="x")
    a = conv(x, w("a/w", 3, 3, 3, 6), "a", act="leaky")
    b = conv(a, w("b/w", 3, 3, 6, 8), "b", 2, act="relu")
    c = conv(b, w("c/w", 3, 3, 8, 16), "c", 2, act="relu")
    up = tf.nn.depth_to_space(c, 2, name="shuffled")
    up = tf.image.resize(up, tf.shape(b)[1:3], method="bilinear")
    y = tf.concat([b, up], 3, name="first_skip")
    shape = tf.shape(a)
    size = tf.stack([shape[0], shape[1], shape[2], 5], name="size")
    y = tf.nn.conv2d_transpose(y, w("up/w", 3, 3, 5, 12), size, 2, "SAME", name="up")
    y = tf.nn.softplus(y, name="softplus")
    old = v1.image.resize_bilinear(y, [7, 9], align_corners=True, name="corners")
    near = v1.image.resize_nearest_neighbor(y, [7, 9], name="nearest")
    near2 = tf.raw_ops.ResizeNearestNeighbor(images=y, size=[7, 9], half_pixel_centers=True, name="nearest2")
    legacy = v1.image.resize_bilinear(y, [7, 9], name="legacy")
    y2 = tf.add_n([old, near, near2, legacy], name="all")
    y2 = tf.nn.space_to_depth(tf.pad(y2, [[0, 0], [0, 1], [0, 1], [0, 0]], constant_values=0.5), 2, name="deep")
    y = tf.concat([a, y], 3, name="second_skip")
    return x, ["shuffled", "first_skip", "up", "second_skip", "corners", "nearest", "nearest2", "legacy", "deep"]


def gelu(w):
    """A block of a transformer: patches, LayerNorm in parts, attention by Einsum and BatchMatMulV2, GELU by Erf."""
    x = v1.placeholder(tf.float32, [None, 16, 12, 3], name="x")
    y = conv(x, w("patch/w", 4, 4, 3, 8), "patch", 4, "VALID", w("patch/b", 8))
    mean = tf.reduce_mean(y, axis=-1, keepdims=True, name="mean")
    variance = tf.reduce_mean(tf.math.squared_difference(y, mean), axis=[3], keepdims=True)
    y = tf.multiply(tf.subtract(y, mean), tf.math.rsqrt(tf.add(variance, 1e-6)))
    y = tf.add(tf.multiply(y, w("gamma", 8, scale=0.2, shift=1.0)), w("beta", 8, scale=0.2), name="normal")
    tokens = tf.reshape(y, [-1, 12, 8], name="tokens")
    q = tf.reshape(tf.einsum("abc,cd->abd", tokens, w("q", 8, 8)), [-1, 12, 2, 4])
    k = tf.reshape(tf.einsum("abc,cd->abd", tokens, w("k", 8, 8)), [-1, 12, 2, 4])
    scores = tf.einsum("afnh,atnh->anft", q, k, name="scores")
    scores = tf.nn.softmax(tf.multiply(scores, 0.5), name="attention")
    v = tf.transpose(tf.reshape(tokens, [-1, 12, 2, 4]), [0, 2, 1, 3])
    z = tf.reshape(tf.transpose(tf.matmul(scores, v), [0, 2, 1, 3]), [-1, 12, 8])
    y = tf.add(tokens, z, name="attended")
    h = tf.matmul(tf.reshape(y, [-1, 8]), w("mlp/w", 8, 16))
    h = tf.reshape(tf.nn.bias_add(h, w("mlp/b", 16)), [-1, 12, 16], name="hidden")
    h = tf.multiply(tf.multiply(h, 0.5), tf.add(tf.math.erf(tf.multiply(h, 0.70710678)), 1.0), name="gelu")
    y = tf.reshape(h, [-1, 4, 3, 16], name="picture")
    y = conv(y, w("out/w", 3, 3, 16, 6), "out")
    return x, ["normal", "attended", "gelu", "out"]


def various(w):
    """One layer for each operator and attribute that the other models do not have."""
    x = v1.placeholder(tf.float32, [1, 6, 5, 4], name="x")
    raw = tf.raw_ops
    y = conv(x, w("stem/w", 3, 3, 4, 8), "stem", bias=w("stem/b", 8))
    layers = []

    def keep(value, name):
        # Names that differ in case alone are one to TensorFlow.
        layers.append("kept/" + name)
        return tf.identity(value, name="kept/" + name)

    positive = tf.add(tf.abs(y), 0.5)
    plain = tf.reshape(y, [-1, 5, 6, 8])
    vector = w("vector", 8, shift=1.0, scale=0.2)
    # By elements, with constants of each rank.
    keep(tf.pow(positive, 1.5), "pow")
    keep(tf.math.log(tf.sqrt(positive)), "log_sqrt")
    keep(tf.exp(tf.negative(positive)), "exp_neg")
    keep(tf.math.log1p(tf.square(y)), "log1p_square")
    keep(tf.math.expm1(tf.sin(y) * tf.cos(y)), "expm1")
    keep(tf.math.reciprocal(positive), "reciprocal")
    keep(tf.math.rsqrt(positive), "rsqrt")
    keep(tf.maximum(tf.minimum(y, vector), -0.2), "between")
    keep(raw.ClipByValue(t=y, clip_value_min=-0.3, clip_value_max=0.4), "clipped")
    keep(tf.math.squared_difference(y, w("matrix", 5, 8)), "squared_difference")
    keep(tf.divide(w("cube", 6, 5, 1), positive), "by_rows")
    keep(tf.add_n([y, y, positive]), "add_n")
    keep(tf.where(y > 0.1, y * 2.0, vector), "chosen")
    keep(tf.where(tf.logical_and(y < 0.5, tf.logical_not(tf.equal(y, 1.0))), y, -y), "chosen_too")
    keep(tf.multiply(y, tf.cast(tf.shape(y)[1] // 4 + tf.shape(y)[2] % 3, tf.float32)), "by_size")
    keep(tf.nn.softsign(tf.nn.softplus(y)), "softs")
    keep(raw.LRN(input=y, depth_radius=2, bias=1.5, alpha=0.3, beta=0.6), "lrn")
    keep(tf.nn.log_softmax(y), "log_softmax")
    keep(tf.math.floormod(y * 3.0 + 7.3, 20.0), "floormod")
    # Parts.
    keep(tf.slice(y, [0, 1, 0, 2], [-1, 4, -1, 3]), "slice")
    keep(y[:, ::2, 1::3, :], "strided")
    keep(y[..., ::-1], "backwards")
    keep(y[:, ::-1, 4:1:-2], "rows_backwards")
    keep(y[:, 2, tf.newaxis, -2], "one_pixel")
    keep(tf.multiply(y, y[:, 1:2, :, 3:4]), "broadcast_both")
    keep(tf.split(y, [1, 5, 2], axis=-1)[1], "split_v")
    keep(tf.split(plain, 5, axis=1)[3], "split_rows")
    keep(tf.reverse(y, [1, 3]), "reverse")
    keep(tf.gather(y, [7, 0, 0, 3], axis=3), "gather")
    keep(tf.gather(y, 2, axis=1), "gather_row")
    keep(tf.unstack(y, axis=1)[3], "unstacked")
    keep(tf.concat([y, tf.fill(tf.concat([tf.shape(y)[:3], [2]], 0), 0.25)], 3), "filled")
    keep(tf.concat([y, y[:, :2]], axis=1), "concat_rows")
    keep(tf.stack([y[:, 0], y[:, 1]], axis=2), "stack")
    keep(tf.tile(y, [1, 1, 2, 3]), "tile")
    keep(tf.broadcast_to(y[:, :1], [1, 3, 5, 8]), "broadcast")
    keep(tf.pad(y, [[0, 0], [1, 2], [0, 1], [2, 0]], constant_values=0.75), "pad_all")
    # Shapes.
    keep(tf.transpose(y, [0, 3, 1, 2]) * 2.0, "nchw")
    keep(tf.transpose(tf.transpose(y, [0, 3, 1, 2]) * 2.0, [0, 2, 3, 1]), "there_and_back")
    keep(tf.transpose(y, [0, 2, 1, 3]), "turned")
    shuffled = tf.transpose(tf.reshape(y, [-1, 6, 5, 2, 4]), [0, 1, 2, 4, 3])
    keep(tf.reshape(shuffled, [-1, 6, 5, 8]), "channel_shuffle")
    keep(tf.squeeze(tf.expand_dims(y[:, :1], 2)), "squeeze_all")
    keep(tf.expand_dims(tf.reduce_max(y, [1, 2]), 1), "expand")
    flat = tf.reshape(y, tf.stack([tf.shape(y)[0], tf.reduce_prod(tf.shape(y)[1:])]))
    keep(tf.matmul(flat, w("flat/w", 3, 240), transpose_b=True), "transposed_product")
    # Reductions.
    keep(tf.reduce_mean(y, axis=1), "mean_rows")
    keep(tf.reduce_sum(y, axis=[3]), "sum_channels")
    keep(tf.reduce_min(y, axis=[2], keepdims=True), "min_columns")
    keep(tf.reduce_max(y, axis=-1, keepdims=True), "max_channels")
    keep(tf.nn.softmax(tf.reduce_mean(y, [1, 2])), "softmax_vector")
    keep(tf.math.divide(y, tf.sqrt(tf.reduce_sum(tf.square(y), axis=[1, 2], keepdims=True) + 1e-3)), "normalised")
    # Products.
    keep(tf.einsum("abcd->adb", y), "einsum_one")
    keep(tf.einsum("abcd,de->abce", y, w("einsum/w", 8, 3)), "einsum_last")
    keep(tf.einsum("abcd,abed->abce", y, y), "einsum_both")
    keep(tf.matmul(y, y, transpose_b=True), "batch_matmul")
    # Windows.
    keep(raw.Conv2D(input=y, filter=w("explicit/w", 3, 2, 8, 4), strides=[1, 2, 1, 1], padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 1, 0, 0]), "explicit")
    keep(tf.nn.conv2d(y, w("groups/w", 3, 3, 4, 6), 1, "VALID"), "groups")
    keep(tf.nn.avg_pool2d(y, [1, 3, 2, 1], [1, 2, 1, 1], "VALID"), "avg_valid")
    keep(tf.nn.max_pool2d(y, [1, 2, 3, 1], [1, 1, 2, 1], "SAME"), "max_same")
    keep(tf.nn.conv2d_transpose(y, w("valid/w", 4, 3, 5, 8), [1, 20, 12, 5], [3, 2], "VALID"), "transposed_valid")
    keep(tf.nn.conv2d_transpose(y, w("same/w", 2, 5, 3, 8), [1, 11, 10, 3], [2, 2], "SAME"), "transposed_same")
    keep(tf.space_to_batch_nd(y, [2, 1], [[0, 0], [1, 0]])[1:], "batch_part")
    keep(v1.image.resize_bilinear(y, [9, 4], half_pixel_centers=True), "half_pixel")
    keep(v1.image.resize_nearest_neighbor(y, [9, 4], align_corners=True), "nearest_corners")
    return x, layers


def loop(w):
    """A loop behind a convolution, and another branch that can be seen all the same."""
    x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
    y = conv(x, w("a/w", 3, 3, 3, 4), "a", act="relu")
    tf.nn.relu(conv(y, w("b/w", 1, 1, 4, 4), "b"), name="other")
    branch = v1.placeholder_with_default(True, [], name="training")
    tf.raw_ops.Merge(inputs=list(tf.raw_ops.Switch(data=y, pred=branch)), name="merged")
    return x, ["a/relu", "other"]


FUSED = {"Conv2D": "_FusedConv2D", "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative", "MatMul": "_FusedMatMul"}


def fuse(nodes):
    """Conv, BiasAdd and an activation as one node under the name of the last, as TensorFlow.js' converter does."""
    by_name = {n["name"]: n for n in nodes}
    uses = {}
    for n in nodes:
        for i in n["input"]:
            uses.setdefault(i.split(":")[0], []).append(n)
    gone = set()
    for n in nodes:
        if n["op"] not in FUSED:
            continue
        chain, last = [], n
        while True:
            after = uses.get(last["name"], [])
            if len(after) != 1 or after[0]["op"] not in (["BiasAdd"] if not chain else ["Relu", "Relu6"]) or len(chain) == 2:
                break
            last = after[0]
            chain.append(last)
        if not chain or (n["op"] == "DepthwiseConv2dNative" and chain[0]["op"] != "BiasAdd"):
            continue
        gone.update(id(c) for c in [n, *chain[:-1]])
        last["input"] = n["input"] + chain[0]["input"][1:]
        words = [base64.b64encode(c["op"].encode()).decode() for c in chain]
        last["op"] = FUSED[n["op"]]
        last["attr"] = {**n["attr"], "fused_ops": {"list": {"s": words}}, "num_args": {"i": "1"}, "epsilon": {"f": 0.0}}
    kept = [n for n in nodes if id(n) not in gone]
    # TensorFlow.js' own operator for slopes.
    for n in kept:
        if n["name"].endswith("/prelu"):
            product = by_name[n["input"][1]]
            source = by_name[by_name[n["input"][0]]["name"]]["input"][0]
            n["op"], n["input"], n["attr"] = "Prelu", [source, product["input"][0]], {"T": {"type": "DT_FLOAT"}}
    return kept


def prune(nodes, wanted):
    by_name = {n["name"]: n for n in nodes}
    needed, todo = set(), list(wanted)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += [i.lstrip("^").split(":")[0] for i in by_name[name]["input"]]
    return [n for n in nodes if n["name"] in needed]


def write(name, make, seed, quantization=None, shard=None, groups=1, extension=".bin", ends=()):
    folder = os.path.join(OUT, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with tf.Graph().as_default() as graph:
        w = Weights(seed, quantization)
        x, layers = make(w)
        definition = graph.as_graph_def()
    values = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in definition.node if n.op == "Const"}
    nodes = json_format.MessageToDict(definition)["node"]
    for n in nodes:
        n.setdefault("input", [])
        n.get("attr", {}).pop("_output_shapes", None)
    used = {i.lstrip("^").split(":")[0] for n in nodes for i in n["input"]}
    outputs = [n["name"] for n in nodes if n["name"] not in used and n["op"] != "Const"]
    nodes = prune(fuse(nodes), outputs)
    parts = [[] for _ in range(groups)]
    consts = [n for n in nodes if n["op"] == "Const"]
    for i, n in enumerate(consts):
        n["attr"]["value"] = {"tensor": {"dtype": n["attr"]["dtype"]["type"], "tensorShape": n["attr"]["value"]["tensor"].get("tensorShape", {})}}
        stored, how = w.entries.get(n["name"], (None, None))
        value = values[n["name"]]
        if stored is None:
            stored = value.astype(np.int32) if value.dtype.kind == "i" else value
        entry = {"name": n["name"], "shape": list(value.shape), "dtype": {"f": "float32", "i": "int32", "b": "bool"}[value.dtype.kind]}
        if how:
            entry["quantization"] = how
        parts[i * groups // len(consts)].append((entry, stored.tobytes()))
    manifest = []
    for g, part in enumerate(parts):
        data = b"".join(b for _, b in part)
        size = shard or max(1, len(data))
        pieces = [data[i : i + size] for i in range(0, len(data), size)] or [b""]
        paths = [f"group{g + 1}-shard{i + 1}of{len(pieces)}{extension}" for i in range(len(pieces))]
        for path, piece in zip(paths, pieces):
            with open(os.path.join(folder, path), "wb") as f:
                f.write(piece)
        manifest.append({"paths": paths, "weights": [e for e, _ in part]})
    shape = [-1 if d is None else d for d in x.shape.as_list()]
    info = {"name": x.name, "dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": str(d)} for d in shape]}}
    model = {"format": "graph-model", "generatedBy": tf.__version__, "convertedBy": "make_tfjs_graphs.py", "signature": {"inputs": {"image": info}}, "modelTopology": {"node": nodes, "library": {}, "versions": {"producer": 1}}, "weightsManifest": manifest}
    with open(os.path.join(folder, "model.json"), "w") as f:
        json.dump(model, f, separators=(",", ":"))
    return layers


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def golden(make, seed, quantization, layers, size, scale=1.0, shift=0.0):
    """Activations and gradients, pictures as [h, w, c]."""
    with tf.Graph().as_default() as graph:
        x, _ = make(Weights(seed, quantization))
        channels = x.shape.as_list()[-1]
        image = np.random.RandomState(1).uniform(-1, 1, [1, *size, channels]).astype(np.float32) * np.float32(scale) + np.float32(shift)
        found = {}
        with v1.Session(graph=graph) as session:
            for layer in layers:
                y = graph.get_tensor_by_name(layer + ":0")
                value = session.run(y, {x: image})
                channel = value.shape[-1] // 2
                found[layer] = {"dims": list(value.shape), "value": packed(value), "channel": channel}
                g = v1.gradients(tf.reduce_mean(y[..., channel]), x)[0]
                try:
                    found[layer]["gradient"] = packed(session.run(g, {x: image}))
                except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
                    print("TensorFlow has no gradient of", layer)
    return {"size": size, "channels": channels, "image": packed(image), "layers": found}


MODELS = {
    "mobilenet": dict(make=mobilenet, size=[24, 24], seed=1, shard=700, groups=2, extension="", scale=127.5, shift=127.5),
    "resnet": dict(make=resnet, size=[21, 19], seed=2, quantization="uint8"),
    "inception": dict(make=inception, size=[17, 14], seed=3, quantization="uint16", shard=512),
    "nchw": dict(make=nchw, twin=lambda w: nchw(w, "NHWC"), size=[18, 16], seed=4),
    "mobilenet3": dict(make=mobilenet3, size=[20, 20], seed=5, quantization="float16"),
    "posenet": dict(make=posenet, twin=lambda w: posenet(w, False), size=[25, 23], seed=6),
    "unet": dict(make=unet, size=[18, 13], seed=7),
    "gelu": dict(make=gelu, size=[16, 12], seed=8),
    "various": dict(make=various, size=[6, 5], seed=10),
    "loop": dict(make=loop, size=[12, 12], seed=9),
}

if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    all_golden = {}
    for name, options in MODELS.items():
        make, seed, quantization = options["make"], options["seed"], options.get("quantization")
        layers = write(name, make, seed, quantization, options.get("shard"), options.get("groups", 1), options.get("extension", ".bin"))
        all_golden[name] = golden(options.get("twin", make), seed, quantization, layers, options["size"], options.get("scale", 1.0), options.get("shift", 0.0))
        print(name, len(layers))
    with open(os.path.join(OUT, "golden.json"), "w") as f:
        json.dump(all_golden, f, separators=(",", ":"))

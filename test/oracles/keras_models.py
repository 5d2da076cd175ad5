"""What Keras says of the architectures that it publishes.

    python keras_models.py facts             # test/oracles/keras-models/published.json: addresses, hashes, counts, sizes
    python keras_models.py record [NAME …]   # test/oracles/keras-models/NAME.json: activations and gradients in float64

Nothing is downloaded: Keras is told that the files are there, and its weights are made by a hash that test/import/hash-weights.ts
computes too. Recorded are, for pictures of an even and an odd size, the activation of each layer (at the even one) and of five targets,
and the gradient of mean(channel of a target) for the picture. Of an array y there is its norm, and p_j = sum_i s_j(i) y(i) for some
rows of signs s_j: of a difference D of two arrays E[(sum_i s_j(i) D(i))²] = |D|², so that a few numbers tell its relative size.

A ReLU whose input is as near to zero as float32 is wrong passes a gradient in one engine and none in the other, though both are
right. So pictures are small, and of some the one is taken whose activations keep the farthest from such corners.
"""
import os

os.environ.update(TF_ENABLE_ONEDNN_OPTS="0", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import base64
import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import applications
from keras.src.applications import imagenet_utils
from keras.src.backend.tensorflow import nn as backend_nn
from keras.src.utils import file_utils

HERE = Path(__file__).parent / "keras-models"
SIZES = (48, 41)
# Inception has no pixels left of smaller ones.
LARGER = (80, 75)
# Rows of signs for a target, and for every other layer.
MANY, FEW = 16, 2

asked = []


def no_file(name, origin, **options):
    asked.append({"url": origin, "hash": options.get("file_hash")})
    return name


file_utils.get_file = no_file
keras.Model.load_weights = lambda self, *args, **options: None
any_shape = imagenet_utils.obtain_input_shape
# With its published weights Keras takes a classifier for one size only.
imagenet_utils.obtain_input_shape = lambda shape, **options: shape or any_shape(shape, **options)

MODELS = {
    **{f"resnet{d}v2": (f"ResNet{d}V2", {}) for d in (50, 101, 152)},
    **{f"resnet{d}": (f"ResNet{d}", {}) for d in (50, 101, 152)},
    **{f"vgg{d}": (f"VGG{d}", {}) for d in (16, 19)},
    "inceptionv3": ("InceptionV3", {}),
    "inceptionresnetv2": ("InceptionResNetV2", {}),
    "xception": ("Xception", {}),
    **{f"mobilenet{'' if a == 1 else f'-{a}'}": ("MobileNet", {"alpha": a}) for a in (1.0, 0.75, 0.5, 0.25)},
    **{
        f"mobilenetv2{'' if a == 1 else f'-{a}'}": ("MobileNetV2", {"alpha": a})
        for a in (1.0, 1.4, 1.3, 0.75, 0.5, 0.35)
    },
    **{
        f"mobilenetv3{s.lower()}{name}": (f"MobileNetV3{s}", options)
        for s in ("Small", "Large")
        for name, options in (("", {}), ("-0.75", {"alpha": 0.75}), ("-minimalistic", {"minimalistic": True}))
    },
    **{f"densenet{d}": (f"DenseNet{d}", {}) for d in (121, 169, 201)},
    **{f"efficientnetb{i}": (f"EfficientNetB{i}", {}) for i in range(8)},
    **{f"efficientnetv2{v.lower()}": (f"EfficientNetV2{v}", {}) for v in ("B0", "B1", "B2", "B3", "S", "M", "L")},
    **{f"nasnet{v.lower()}": (f"NASNet{v}", {}) for v in ("Mobile", "Large")},
    **{f"convnext{v.lower()}": (f"ConvNeXt{v}", {}) for v in ("Tiny", "Small", "Base", "Large", "XLarge")},
}


def build(name, size=None, top=True):
    function, options = MODELS[name]
    keras.backend.clear_session()
    shape = {} if size is None else {"input_shape": (size, size, 3)}
    return getattr(applications, function)(include_top=top, **shape, **options)


def facts():
    found = {}
    for name in MODELS:
        model = build(name)
        # MobileNet V3 takes any size, and its files are named after this one.
        size = model.input_shape[1] or 224
        files = {"full": {**asked[-1], "parameters": model.count_params()}}
        # Of a size, since without one a NASNet is another network.
        model = build(name, size, top=False)
        files["noTop"] = {**asked[-1], "parameters": model.count_params()}
        found[name] = {"size": size, **files}
        print(name, size, flush=True)
    write(HERE / "published.json", found)


def rnd(t, n):
    """In [-0.5, 0.5): the n first numbers of row t."""
    with np.errstate(over="ignore"):
        u = np.arange(1, n + 1, dtype=np.uint32)
        u *= np.uint32(0x9E3779B1)
        u += np.uint32(((t + 1) * 0x85EBCA6B) & 0xFFFFFFFF)
        u ^= u >> np.uint32(15)
        u *= np.uint32(0x2C1B3C6D)
        u ^= u >> np.uint32(12)
        u *= np.uint32(0x297A2D39)
        u ^= u >> np.uint32(15)
    return u.astype(np.float64) / 2**32 - 0.5


def fill(model):
    t = 0
    for layer in model.layers:
        for w in layer.trainable_weights + layer.non_trainable_weights:
            r = rnd(t, int(np.prod(w.shape)) if w.shape else 1)
            t += 1
            if w.name == "count":
                continue
            if "kernel" in w.name:
                depthwise = w.name == "depthwise_kernel" or type(layer).__name__ == "DepthwiseConv2D"
                v = r * np.sqrt(12 / np.prod(w.shape[:2] if depthwise else w.shape[:-1]))
            elif w.name == "gamma" or w.name.startswith("variable"):
                v = 1 + 0.2 * r
            elif "variance" in w.name:
                v = 1 + 0.5 * r
            else:
                v = 0.2 * r
            # The numbers of the network are float32, only the arithmetic is not.
            w.assign(v.astype(np.float32).astype(np.float64).reshape(w.shape))
        if type(layer).__name__ == "Normalization":
            # Which otherwise goes on with what it was built with.
            layer.finalize_state()


# Pictures that are tried, and how far from a corner one must be, in units of the layer's root mean square, to be taken at once.
PICTURES, FAR = 8, 3e-6


def picture(k, size, raw):
    """The k-th picture; as a row of the hash it has a number that no weight has."""
    r = rnd(-1 - 1000 * k, size * size * 3)
    return (255 * (r + 0.5) if raw else 2 * r).astype(np.float32).astype(np.float64).reshape(1, size, size, 3)


def margin(layers, value_of):
    """How near the activations come to a corner of a ReLU, or to a tie in a maximum."""
    near = np.inf
    for op in layers:
        kind, config = type(op).__name__, op.get_config()
        name = config.get("activation", "relu" if kind == "ReLU" else None)
        corners = {"relu": [0], "hard_silu": [-3, 3]}.get(name, [])
        if kind == "ReLU" and config.get("max_value"):
            corners = [0, config["max_value"]]
        if kind in ("Activation", "ReLU") and corners:
            x = value_of(op.input)
            near = min(near, *(np.abs(x - c).min() / rms(x) for c in corners))
        elif kind == "MaxPooling2D" and op.pool_size[0] > 1:
            x = value_of(op.input)
            windows = tf.image.extract_patches(
                x, [1, *op.pool_size, 1], [1, *op.strides, 1], [1, 1, 1, 1], op.padding.upper()
            )
            two = np.sort(np.asarray(windows).reshape(-1, int(np.prod(op.pool_size)), x.shape[-1]), axis=1)[:, -2:]
            gaps = two[:, 1] - two[:, 0]
            near = min(near, gaps[gaps > 0].min() / rms(x))
        elif kind == "Conv2D" and corners:
            # Only what is past the corner is seen.
            y = value_of(op.output)
            near = min(near, y[y > 0].min() / rms(y))
    return near


def rms(x):
    return np.sqrt(np.mean(x * x))


def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Keras compiles a convolution in as many groups as channels anew at each call; TensorFlow has an operator for it."""
    if data_format == "channels_first":
        # Which TensorFlow has on other machines only.
        y = depthwise_conv(tf.transpose(inputs, [0, 2, 3, 1]), kernel, strides, padding, "channels_last", dilation_rate)
        return tf.transpose(y, [0, 3, 1, 2])
    if kernel.shape[-2] == 1 and inputs.shape[-1] == kernel.shape[-1] > 1:
        by = [strides] * 2 if isinstance(strides, int) else strides
        return tf.nn.depthwise_conv2d(inputs, tf.transpose(kernel, [0, 1, 3, 2]), [1, *by, 1], padding.upper())
    return any_conv(inputs, kernel, strides, padding, data_format, dilation_rate)


any_conv = backend_nn.conv
backend_nn.conv = depthwise_conv


def projected(y, rows):
    flat = np.asarray(y, dtype=np.float64).ravel()
    numbers = [np.linalg.norm(flat)] + [np.sum(np.where(rnd(-2 - j, flat.size) < 0, -flat, flat)) for j in range(rows)]
    return np.array(numbers, dtype="<f4")


def packed(arrays):
    return base64.b64encode(np.concatenate(arrays).tobytes()).decode()


# What a target may be: everything that a picture is made of.
TARGETS = {
    "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "BatchNormalization", "Activation", "ReLU", "Add", "Concatenate",
    "CustomScaleLayer", "LayerNormalization", "LayerScale", "MaxPooling2D", "AveragePooling2D", "Multiply", "Dense",
}  # fmt: skip


def record(name):
    # The classifier of a VGG takes pictures of one size.
    top = not name.startswith("vgg")
    sizes = LARGER if name.startswith("inception") else SIZES
    out = {"top": top, "sizes": sizes, "pictures": [], "targets": []}
    chosen = None
    for size in sizes:
        model = build(name, size, top)
        fill(model)
        nodes = {node.operation: node.outputs[0] for level in model._nodes_by_depth.values() for node in level}
        layers = [op for op in model.operations if type(op).__name__ != "InputLayer"]
        raw = any(type(op).__name__ in ("Rescaling", "Normalization") for op in layers[:2])
        if chosen is None:
            spatial = [op for op in layers if type(op).__name__ in TARGETS and len(nodes[op].shape) == 4
                       and nodes[op].shape[1] > 1]
            chosen = [spatial[round(f * (len(spatial) - 1))].name for f in (0.15, 0.4, 0.7, 1)]
            if top:
                chosen.append(layers[-1].name)
        names = [op.name for op in layers]
        tapped = keras.Model(model.input, [nodes[op] for op in layers])
        tried = []
        for k in range(PICTURES):
            outputs = tapped(tf.constant(picture(k, size, raw)), training=False)
            values = {id(nodes[op]): np.asarray(y) for op, y in zip(layers, outputs)}
            values[id(model.input)] = picture(k, size, raw)
            tried.append((margin(layers, lambda t: values[id(t)]), k))
            if tried[-1][0] > FAR:
                break
        far, k = max(tried)
        out["pictures"].append(k)
        image = tf.constant(picture(k, size, raw))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(image)
            outputs = dict(zip(names, tapped(image, training=False)))
            means = {}
            for layer in chosen:
                y = outputs[layer]
                # A channel that is zero everywhere has no gradient.
                channel = next(c for c in range(y.shape[-1] // 3, y.shape[-1]) if np.any(np.asarray(y[..., c]) > 0))
                means[layer] = (channel, tf.reduce_mean(y[..., channel]))
        if size == sizes[0]:
            out["raw"] = raw
            out["names"] = hashlib.sha256("\n".join(names).encode()).hexdigest()
            out["layers"] = packed([projected(outputs[n], FEW) for n in names])
        for layer, (channel, mean) in means.items():
            gradient = tape.gradient(mean, image)
            out["targets"].append({
                "size": size, "layer": layer, "channel": channel,
                "forward": packed([projected(outputs[layer], MANY)]),
                "gradient": packed([projected(gradient, MANY)]),
            })  # fmt: skip
            print(name, size, k, f"{far:.1e}", layer, tuple(outputs[layer].shape), f"{np.linalg.norm(gradient):.3g}", flush=True)
        del tape
    write(HERE / f"{name}.json", out)


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    command, *names = sys.argv[1:] or [""]
    if command == "facts":
        facts()
    elif command == "record":
        keras.config.set_floatx("float64")
        for name in names or MODELS:
            record(name)
    else:
        sys.exit(__doc__)

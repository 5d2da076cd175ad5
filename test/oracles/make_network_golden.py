"""Writes network-golden.json: gradients through whole networks, by other engines and in float64.

Keras speaks for its own architectures, so nothing here describes them a second time; PyTorch walks the ONNX file. A
case is a loss and a fingerprint of its gradient: enough to hold an engine to, small enough to commit. The weights of
the Keras cases are a hash of their position, so a test makes them anew instead of reading 60 MB.

Beside each gradient stands how far the same oracle is from it in float32. Where that is 1e-6, so should we be. Where it
is 1e-3, rounding has flipped a ReLU or the winner of a pool on the way, as in a deep network it will in any float32
engine, and not the same one in each.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # with it, TensorFlow's own float32 gradient can be several percent off
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import onnx
import tensorflow as tf
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[2] / "shared/models"
SAMPLES = 64

FORMULAS = {
    "loss": "mean over n, h, w of target[:, border:h-border, border:w-border, channel]; a logit: over n only",
    "gradient": "d loss / d input, all axes NHWC, also where the model is NCHW",
    "l2, mean": "of all values of the gradient",
    "float32Error": "relative L2 error of the same gradient by the same oracle in float32: a tolerance's scale",
    "samples": "[i, value]: the gradient at flat NHWC index i = floor(j * (size - 1) / 63), j = 0..63",
    "hash": (
        "r(t, i): u = (imul(i+1, 0x9E3779B1) + imul(t+1, 0x85EBCA6B)) >>> 0; u ^= u >>> 15; u = imul(u, 0x2C1B3C6D);"
        " u ^= u >>> 12; u = imul(u, 0x297A2D39); u ^= u >>> 15; r = (u >>> 0) / 2^32 - 0.5"
    ),
    "weights": (
        "t counts the tensors over the layers in Keras' order, in each gamma, beta, moving_mean, moving_variance or"
        " kernel, bias; i is the C-order index in Keras' layout (HWIO); kernel: r * sqrt(12 / fan_in) with"
        " fan_in = h * w * in; gamma: 1 + 0.2 r; moving_variance: 1 + 0.5 r; all else: 0.2 r; rounded to float32"
    ),
    "input": "hash: 2 r(-1, i), i the flat NHWC index, rounded to float32; else the name of a recorded file",
}


class Case(NamedTuple):
    """One gradient: of a channel's mean in a target tensor."""

    model: str
    target: str
    channel: int
    border: int


SIZE = 64
KERAS_CASES = [
    Case("ResNet50", "conv2_block3_out", 5, 2),
    Case("ResNet50", "conv3_block4_out", 7, 2),
    Case("ResNet50", "conv4_block6_out", 100, 1),
    Case("ResNet50", "conv5_block3_out", 100, 0),
    Case("VGG16", "block2_pool", 20, 2),
    Case("VGG16", "block4_conv3", 11, 2),
    Case("VGG16", "block5_pool", 200, 0),
]
SQUEEZENET = "squeezenet1.1"
SQUEEZENET_INPUT = "input_0.npy"
SQUEEZENET_CASES = [
    Case(SQUEEZENET, "squeezenet0_concat3", 136, 2),
    Case(SQUEEZENET, "squeezenet0_concat5", 39, 2),
    Case(SQUEEZENET, "squeezenet0_flatten0_reshape0", 490, 0),
]

Array = NDArray[np.floating]
Gradient = tuple[float, Array]  # the loss, and its gradient in NHWC


def hashed(t: int, count: int) -> NDArray[np.float64]:
    """The formula under "hash" for i = 0..count-1; uint32 arithmetic wraps as `Math.imul` does."""
    i = np.arange(1, count + 1, dtype=np.uint32)
    u = i * np.uint32(0x9E3779B1) + np.uint32((t + 1) * 0x85EBCA6B & 0xFFFFFFFF)
    u ^= u >> np.uint32(15)
    u *= np.uint32(0x2C1B3C6D)
    u ^= u >> np.uint32(12)
    u *= np.uint32(0x297A2D39)
    u ^= u >> np.uint32(15)
    return u / 2**32 - 0.5


def hashed_weight(t: int, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    r = hashed(t, int(np.prod(shape)))
    match name:
        case "kernel":
            value = r * np.sqrt(12 / np.prod(shape[:-1]))
        case "gamma":
            value = 1 + 0.2 * r
        case "moving_variance":
            value = 1 + 0.5 * r
        case _:
            value = 0.2 * r
    return value.reshape(shape).astype(np.float32)


def keras_network(name: str, dtype: str) -> Callable[[Case], Gradient]:
    keras.config.set_floatx(dtype)
    keras.backend.clear_session()
    network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    weights = [w for layer in network.layers for w in layer.trainable_weights + layer.non_trainable_weights]
    for t, weight in enumerate(weights):
        weight.assign(hashed_weight(t, weight.name, tuple(weight.shape)))
    image = tf.constant((2 * hashed(-1, SIZE * SIZE * 3)).astype(np.float32).reshape(1, SIZE, SIZE, 3), dtype)

    def gradient(case: Case) -> Gradient:
        trunk = keras.Model(network.input, network.get_layer(case.target).output)
        with tf.GradientTape() as tape:
            tape.watch(image)
            y = trunk(image, training=False)
            inside = slice(case.border, y.shape[1] - case.border)
            loss = tf.reduce_mean(y[:, inside, inside, case.channel])
        return float(loss), tape.gradient(loss, image).numpy()

    return gradient


def run_node(node: onnx.NodeProto, inputs: list[torch.Tensor]) -> torch.Tensor:
    """The operators of SqueezeNet, with the attributes that it uses and no others."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    kernel, stride = attributes.get("kernel_shape"), attributes.get("strides")
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        raise NotImplementedError(f"{node.name}: pads differ between the two sides")
    match node.op_type:
        case "Conv":
            return F.conv2d(*inputs, stride=stride, padding=(top, left))
        case "Relu":
            return F.relu(*inputs)
        case "MaxPool":
            return F.max_pool2d(*inputs, kernel, stride, (top, left))
        case "AveragePool":
            return F.avg_pool2d(*inputs, kernel, stride, (top, left))
        case "Concat":
            return torch.cat(inputs, attributes["axis"])
        case "Dropout":
            return inputs[0]
        case "Reshape":
            x, shape = inputs[0], inputs[1].int().tolist()
            return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])
    raise NotImplementedError(f"{node.op_type} ({node.name})")


def onnx_network(folder: Path, dtype: torch.dtype) -> Callable[[Case], Gradient]:
    graph = onnx.load(folder / "squeezenet1.1.onnx").graph
    weights = {w.name: torch.tensor(onnx.numpy_helper.to_array(w)).to(dtype) for w in graph.initializer}

    def run(image: torch.Tensor) -> dict[str, torch.Tensor]:
        values = {**weights, graph.input[0].name: image}
        for node in graph.node:
            values[node.output[0]] = run_node(node, [values[name] for name in node.input])
        return values

    def gradient(case: Case) -> Gradient:
        image = torch.tensor(np.load(folder / SQUEEZENET_INPUT)).to(dtype).requires_grad_(True)
        values = run(image)
        recorded = torch.tensor(np.load(folder / SQUEEZENET_INPUT.replace("input", "output")))
        # The walk is ours, so it shows first that it is the network: its recorded logits, which are float32.
        torch.testing.assert_close(values[graph.output[0].name].float(), recorded, rtol=1e-5, atol=1e-3)
        y = values[case.target][:, case.channel]
        for axis in range(1, y.dim()):
            y = y.narrow(axis, case.border, y.shape[axis] - 2 * case.border)
        loss = y.mean()
        (slope,) = torch.autograd.grad(loss, image)
        return loss.item(), slope.permute(0, 2, 3, 1).numpy()

    return gradient


def compact(value: float, digits: int = 10) -> float:
    """Ten digits: beyond what float32 can be held to, and the same from every machine."""
    return float(f"{value:.{digits}g}")


def record(case: Case, image: str, exact: Gradient, single: Gradient) -> dict[str, object]:
    loss, slope = exact
    norm = float(np.linalg.norm(slope))
    if norm == 0:
        raise ValueError(f"{case}: a dead channel holds nobody to anything")
    error = float(np.linalg.norm(single[1] - slope)) / norm
    print(f"{case}: loss {loss:.6g}, in float32 {abs(single[0] / loss - 1):.1e} off, its gradient {error:.1e}")
    flat = slope.ravel()
    sampled = [j * (flat.size - 1) // (SAMPLES - 1) for j in range(SAMPLES)]
    return {
        **case._asdict(),
        "input": image,
        "inputShape": list(slope.shape),
        "loss": compact(loss),
        "l2": compact(norm),
        "mean": compact(float(flat.mean())),
        "float32Error": compact(error, 2),
        "samples": [[i, compact(float(flat[i]))] for i in sampled],
    }


def records(squeezenet: Path) -> Iterator[dict[str, object]]:
    for model in dict.fromkeys(case.model for case in KERAS_CASES):
        cases = [case for case in KERAS_CASES if case.model == model]
        # One precision at a time: it is a global setting of Keras.
        exact, single = ([*map(keras_network(model, dtype), cases)] for dtype in ("float64", "float32"))
        for case, *pair in zip(cases, exact, single, strict=True):
            yield record(case, "hash", *pair)
    exact_network, single_network = (onnx_network(squeezenet, dtype) for dtype in (torch.float64, torch.float32))
    for case in SQUEEZENET_CASES:
        yield record(case, SQUEEZENET_INPUT, exact_network(case), single_network(case))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--squeezenet", type=Path, default=MODELS / SQUEEZENET, help="the model and its inputs")
    parser.add_argument("--out", type=Path, default=HERE / "network-golden.json")
    args = parser.parse_args()
    header = {
        "oracles": {"keras": keras.__version__, "tensorflow": tf.__version__, "torch": torch.__version__},
        "precision": "float64; weights and inputs are float32 values",
        "formulas": FORMULAS,
    }
    rows = ",\n".join(json.dumps(row) for row in records(args.squeezenet))
    args.out.write_text(f'{json.dumps(header, indent=2)[:-2]},\n  "cases": [\n{rows}\n  ]\n}}\n')

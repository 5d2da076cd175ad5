"""Writes the student as an ONNX file that the package reads like any other model, and reads it back.

    python -m training.export --student work/student.pt --out models/resnet50v2-mini.onnx

One node per Keras layer, node and value named like the layer. Kernels are int8 with one scale per output channel, dequantised by
the graph; what else there is stays float32. The same weights give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from .model import BLOCKS, BN_EPSILON, OUTS, Weights, kernel_scale, multiply_adds

OPSET, IR_VERSION = 13, 8
INPUT, OUTPUT = "input_layer", OUTS[-1]


class _Writer:
    """Collects nodes and initialisers in the order of the network."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.initialisers: list[TensorProto] = []

    def node(self, operator: str, layer: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [layer], name=layer, **attributes))
        return layer

    def constant(self, name: str, array: np.ndarray) -> str:
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def array(self, name: str) -> np.ndarray:
        return self.weights[name].float().numpy()

    def pad(self, layer: str, x: str, width: int) -> str:
        pads = self.constant(f"{layer}/pads", np.array([0, 0, width, width] * 2, np.int64))
        return self.node("Pad", layer, [x, pads], mode="constant")

    def conv(self, layer: str, x: str, stride: int = 1) -> str:
        kernel = self.weights[f"{layer}/kernel"].float()
        scale = kernel_scale(kernel)
        levels = torch.round(kernel / scale.view(-1, 1, 1, 1)).to(torch.int8)
        inputs = [
            self.constant(f"{layer}/kernel_quantized", levels.numpy()),
            self.constant(f"{layer}/kernel_scale", scale.numpy()),
        ]
        name = f"{layer}/kernel"
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [name], name=name, axis=0))
        bias = [self.constant(f"{layer}/bias", self.array(f"{layer}/bias"))] if f"{layer}/bias" in self.weights else []
        shape = list(kernel.shape[2:])
        return self.node("Conv", layer, [x, name, *bias], kernel_shape=shape, strides=[stride, stride])

    def norm(self, layer: str, x: str) -> str:
        beta = self.array(f"{layer}/beta")
        # where gamma was folded into the kernel, variance + epsilon = 1 makes the layer an exact addition of beta
        gamma = self.array(f"{layer}/gamma") if f"{layer}/gamma" in self.weights else np.ones_like(beta)
        parts = {"gamma": gamma, "beta": beta, "mean": np.zeros_like(beta), "variance": np.full_like(beta, 1 - BN_EPSILON)}
        names = [self.constant(f"{layer}/{part}", array) for part, array in parts.items()]
        return self.node("BatchNormalization", layer, [x, *names], epsilon=BN_EPSILON)

    def graph(self) -> GraphProto:
        x = self.pad("conv1_pad", INPUT, 3)
        x = self.conv("conv1_conv", x, 2)
        x = self.pad("pool1_pad", x, 1)
        # auto_pad VALID means what its absence means, but keeps ONNX Runtime (1.30) from fusing the zero padding into a pool
        # that pads with -inf, which would change the result
        x = self.node("MaxPool", "pool1_pool", [x], kernel_shape=[3, 3], strides=[2, 2], auto_pad="VALID")
        pools = 0
        for b in BLOCKS:
            activated = self.node("Relu", f"{b.name}_preact_relu", [self.norm(f"{b.name}_preact_bn", x)])
            y = self.conv(f"{b.name}_1_conv", activated)
            y = self.node("Relu", f"{b.name}_1_relu", [self.norm(f"{b.name}_1_bn", y)])
            y = self.conv(f"{b.name}_2_conv", self.pad(f"{b.name}_2_pad", y, 1), b.stride)
            y = self.node("Relu", f"{b.name}_2_relu", [self.norm(f"{b.name}_2_bn", y)])
            if b.projects:
                shortcut = self.conv(f"{b.name}_0_conv", activated)
            elif b.stride > 1:
                layer = "max_pooling2d" + (f"_{pools}" if pools else "")
                pools += 1
                shortcut = self.node("MaxPool", layer, [x], kernel_shape=[1, 1], strides=[b.stride] * 2)
            else:
                shortcut = x
            x = self.node("Add", b.out, [shortcut, self.conv(f"{b.name}_3_conv", y)])
        picture = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, "height", "width"])
        maps = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, BLOCKS[-1].channels, "map_height", "map_width"])
        return helper.make_graph(self.nodes, "resnet50v2-mini", [picture], [maps], self.initialisers)


def to_onnx(weights: Weights, training: str) -> onnx.ModelProto:
    model = helper.make_model(
        _Writer(weights).graph(),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="phosphene training",
        doc_string="ResNet50V2 up to conv3_block4_out with narrower bottlenecks, distilled: a stand-in to try feature visualisation with.",
    )
    notes = {
        "phosphene.preprocess": "tf",
        "phosphene.teacher": "ResNet50V2, ImageNet weights of Keras Applications, up to conv3_block4_out",
        "phosphene.license": "MIT; started from and trained against the weights of the teacher, which are under the Apache License 2.0",
        "phosphene.training": training,
    }
    helper.set_model_props(model, notes)
    onnx.checker.check_model(model, full_check=True)
    return model


def from_onnx(path: Path) -> Weights:
    """The weights of a file written by `to_onnx`, dequantised."""
    graph = onnx.load(path).graph
    arrays = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    weights: Weights = {}
    for name, array in arrays.items():
        layer, part = name.split("/")
        if part == "kernel_quantized":
            weights[f"{layer}/kernel"] = array.float() * arrays[f"{layer}/kernel_scale"].view(-1, 1, 1, 1)
        elif part == "bias" or (part == "beta" and "bn" in layer) or (part == "gamma" and "preact" in layer):
            weights[name] = array
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", type=Path, required=True, help="student.pt of training.distil")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    student = torch.load(args.student)
    model = to_onnx(student["weights"], f"seed {student['seed']}, {student['step']} of {student['steps']} steps")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(model.SerializeToString(deterministic=True))
    adds = multiply_adds(student["weights"]) / 1e6
    print(f"{args.out}: {args.out.stat().st_size} bytes, {adds:.0f} M multiply-adds at 180 x 180, step {student['step']}")


if __name__ == "__main__":
    main()

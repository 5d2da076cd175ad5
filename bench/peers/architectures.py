"""Ten architectures of torchvision, exported to ONNX, and stepped by PyTorch itself: forward to a layer, backward to the picture.

    python architectures.py FOLDER

exports `NAME.onnx` for each, says on a line of JSON what there is, and then answers each line `{"name": …, "steps": …}` with the seconds
of so many steps, on one thread, as each of our workers has one.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

try:
    import torchvision.models
except RuntimeError:
    # torchvision as PyPI has it, beside a torch for CPUs, lacks its own kernels, which none of these networks needs.
    kernels = torch.library.Library("torchvision", "DEF")
    for kernel in ("nms", "qnms"):
        kernels.define(f"{kernel}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision.models

SIZE = 224
BORDER = 2
LAYERS = {
    "squeezenet1_1": "features.9",
    "vgg16": "features.23",
    "googlenet": "inception4c",
    "inception_v3": "Mixed_6b",
    "resnet50": "layer3",
    "densenet121": "features.denseblock3",
    "mobilenet_v2": "features.13",
    "mobilenet_v3_large": "features.12",
    "efficientnet_b0": "features.5",
    "convnext_tiny": "features.5",
}
AUXILIARY = ("googlenet", "inception_v3")


class Reached(Exception):
    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


class UpTo(nn.Module):
    """A network up to one of its modules, which nothing is computed behind."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network = network

        def stop(_: nn.Module, __: object, value: Tensor) -> None:
            raise Reached(value)

        network.get_submodule(layer).register_forward_hook(stop)

    def forward(self, x: Tensor) -> Tensor:
        try:
            self.network(x)
        except Reached as reached:
            return reached.value
        raise AssertionError


def prepared(name: str) -> UpTo:
    torch.manual_seed(0)
    options = {"aux_logits": False, "init_weights": False} if name in AUXILIARY else {}
    network = torchvision.models.get_model(name, weights=None, **options).eval().requires_grad_(requires_grad=False)
    return UpTo(network, LAYERS[name]).eval()


def stepped(network: UpTo, steps: int) -> float:
    image = torch.rand(1, 3, SIZE, SIZE) * 0.25 - 0.125
    begun = time.perf_counter()
    for _ in range(steps):
        image.requires_grad_()
        out = network(image)
        loss = out[:, 0, BORDER:-BORDER, BORDER:-BORDER].mean()
        (g,) = torch.autograd.grad(loss, image)
        image = (image + 10 * g / (g.norm() + 1e-12)).detach()
    return time.perf_counter() - begun


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    networks = {name: prepared(name) for name in LAYERS}
    for name, network in networks.items():
        example = torch.rand(1, 3, SIZE, SIZE)
        file = folder / f"{name}.onnx"
        torch.onnx.export(network, (example,), file, dynamo=False, opset_version=17, input_names=["image"], output_names=["target"])
    print(json.dumps({"size": SIZE, "border": BORDER, "layers": LAYERS, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"seconds": stepped(networks[asked["name"]], asked["steps"])}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

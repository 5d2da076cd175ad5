"""The seed on PyTorch: the same trunk from the same file, eager, as a PyTorch user would write it."""

import protocol  # first: its clock covers the imports below

import argparse
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import seed

EPSILON = 1.001e-5  # of every batch norm in Keras' ResNets
UNITS = {2: 3, 3: 4, 4: 6}  # residual units of the stages that the weights hold
LAYOUTS = {"channels_last": torch.channels_last, "channels_first": torch.contiguous_format}


class Trunk:
    """Keras' ResNet50V2 from its image to a `*_out` layer, named as Keras names it."""

    def __init__(self, path: Path, layout: torch.memory_format) -> None:
        def read(dataset: h5py.Dataset) -> Tensor:
            value = torch.from_numpy(dataset[()])
            return value.permute(3, 2, 0, 1).contiguous(memory_format=layout) if value.dim() == 4 else value

        # The legacy layout: a group a layer, and in it a group of the same name with the layer's variables.
        with h5py.File(path) as file:
            self._weights = {
                layer: {name.removesuffix(":0"): read(dataset) for name, dataset in group[layer].items()}
                for layer, group in file.items()
                if layer in group
            }

    def _conv(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        weights = self._weights[name]
        return F.conv2d(x, weights["kernel"], weights.get("bias"), stride, padding)

    def _norm_relu(self, name: str, x: Tensor) -> Tensor:
        w = self._weights[name]
        x = F.batch_norm(x, w["moving_mean"], w["moving_variance"], w["gamma"], w["beta"], eps=EPSILON)
        return F.relu(x)

    def _unit(self, name: str, x: Tensor, stride: int, projects: bool) -> Tensor:
        y = self._norm_relu(f"{name}_preact_bn", x)
        # A 1×1 pool is a subsampling: how Keras shortens the shortcut where a unit strides without projecting.
        shortcut = self._conv(f"{name}_0_conv", y, stride) if projects else F.max_pool2d(x, 1, stride)
        y = self._norm_relu(f"{name}_1_bn", self._conv(f"{name}_1_conv", y))
        y = self._norm_relu(f"{name}_2_bn", self._conv(f"{name}_2_conv", y, stride, padding=1))
        return shortcut + self._conv(f"{name}_3_conv", y)

    def __call__(self, image: Tensor, target: str) -> Tensor:
        x = self._conv("conv1_conv", image, 2, padding=3)
        # Padded with zeros by hand: the pool's own padding is -inf, and these values are not yet activated.
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
        for stage, units in UNITS.items():
            for unit in range(1, units + 1):
                name = f"conv{stage}_block{unit}"
                x = self._unit(name, x, stride=2 if unit == units else 1, projects=unit == 1)
                if target == f"{name}_out":
                    return x
        raise ValueError(f"no layer {target} in the trunk")


class TorchPeer:
    name = "torch"
    versions = {"torch": torch.__version__, "numpy": np.__version__}

    def __init__(self, weights: Path, threads: int, layout: str) -> None:
        if not torch.backends.nnpack.is_available():
            torch.backends.nnpack.set_flags(False)  # or every convolution tries it again and complains
        if threads:
            torch.set_num_threads(threads)
        self.settings = {"threads": torch.get_num_threads(), "layout": layout}
        self._layout = LAYOUTS[layout]
        self._trunk = Trunk(weights, self._layout)

    def _enter(self, image: seed.Floats) -> Tensor:
        return torch.from_numpy(image)[None].permute(0, 3, 1, 2).contiguous(memory_format=self._layout)

    @staticmethod
    def _leave(x: Tensor) -> seed.Floats:
        return x[0].permute(1, 2, 0).contiguous().numpy()

    def _loss_and_gradient(self, image: Tensor, filter_index: int) -> tuple[Tensor, Tensor]:
        image.requires_grad_(True)
        inside = slice(seed.BORDER, -seed.BORDER)
        loss = self._trunk(image, seed.LAYER)[:, filter_index, inside, inside].mean()
        (gradient,) = torch.autograd.grad(loss, image)
        return loss.detach(), gradient

    def activation(self, image: seed.Floats) -> seed.Floats:
        with torch.no_grad():
            return self._leave(self._trunk(self._enter(image), seed.LAYER))

    def gradient(self, image: seed.Floats, filter_index: int) -> tuple[float, seed.Floats]:
        loss, gradient = self._loss_and_gradient(self._enter(image), filter_index)
        return loss.item(), self._leave(gradient)

    def ascend(
        self, filter_index: int, steps: int, start: seed.Floats | None = None
    ) -> tuple[seed.Floats, list[float]]:
        noise = (torch.rand(1, 3, seed.SIZE, seed.SIZE) - 0.5) * 0.25
        image = noise.contiguous(memory_format=self._layout) if start is None else self._enter(start)
        losses = []
        for _ in range(steps):
            loss, gradient = self._loss_and_gradient(image, filter_index)
            # TensorFlow's l2_normalize, floor included: a gradient of zeros stays zeros.
            normalised = gradient * torch.rsqrt(gradient.square().sum().clamp(min=1e-12))
            image = image.detach() + seed.LEARNING_RATE * normalised
            losses.append(loss)
        return self._leave(image), [loss.item() for loss in losses]

    def traces(self) -> int:
        return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layout", choices=LAYOUTS, default="channels_last")
    protocol.main(parser, lambda args: TorchPeer(args.weights, args.threads, args.layout))

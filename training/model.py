"""The trunk of ResNet50V2 up to `conv3_block4_out`, with free bottleneck widths.

Teacher and student are the same class: they differ in the shapes of their weights only. The residual stream keeps the teacher's
256 and 512 channels, so that channel k of any `*_out` of the student can be held against channel k of the teacher's.

Weights are a flat dictionary `{"layer/weight": tensor}` with Keras' layer names and PyTorch's kernel layout (out, in, h, w). A
batch norm is an affine map by then: `*_preact_bn` keeps a gamma and a beta; `*_1_bn` and `*_2_bn`, which follow a convolution,
keep a beta only, their gamma being folded into the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Weights = dict[str, Tensor]

BN_EPSILON = 1.001e-5
"""Keras' epsilon in every batch norm of ResNet50V2."""

LEVELS = 127
"""Largest magnitude of an 8-bit kernel value; -128 is not used, so that the range is symmetric."""


@dataclass(frozen=True)
class Block:
    """One bottleneck block: `{name}_1_conv` 1x1, `{name}_2_conv` 3x3, `{name}_3_conv` 1x1, and a shortcut."""

    name: str
    channels: int
    """Width of the residual stream behind it."""
    width: int
    """The teacher's bottleneck width."""
    projects: bool
    """Whether the shortcut is a convolution, `{name}_0_conv`."""
    stride: int

    @property
    def out(self) -> str:
        return f"{self.name}_out"


def _stage(stage: int, units: int, channels: int) -> list[Block]:
    return [
        Block(f"conv{stage}_block{u}", channels, channels // 4, projects=u == 1, stride=2 if u == units else 1)
        for u in range(1, units + 1)
    ]


BLOCKS: list[Block] = [*_stage(2, 3, 256), *_stage(3, 4, 512)]
OUTS: list[str] = [block.out for block in BLOCKS]


class _RoundThrough(torch.autograd.Function):
    """Rounds forwards, is the identity backwards (also when differentiated twice)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


def kernel_scale(kernel: Tensor) -> Tensor:
    """One scale per output channel, such that its largest weight becomes 127."""
    return kernel.detach().abs().amax((1, 2, 3)).clamp_min(1e-12) / LEVELS


def round_kernel(kernel: Tensor) -> Tensor:
    """The kernel as the 8-bit file will hold it, with a straight-through gradient."""
    scale = kernel_scale(kernel).view(-1, 1, 1, 1)
    return _RoundThrough.apply(kernel / scale) * scale


class Trunk(nn.Module):
    """The network. `rounded`: compute with 8-bit kernels, so that training sees the rounding of the file."""

    def __init__(self, weights: Weights, rounded: bool = False) -> None:
        super().__init__()
        self.rounded = rounded
        self.table = nn.ParameterDict({_key(name): nn.Parameter(_laid_out(w)) for name, w in weights.items()})

    def weights(self) -> Weights:
        """The weights, detached and by Keras name."""
        return self.named(dict(self.table.items()))

    @staticmethod
    def named(table: dict[str, Tensor]) -> Weights:
        """A table of parameters (or averages of them) by Keras name."""
        return {_name(key): w.detach() for key, w in table.items()}

    def forward(self, x: Tensor, last: str = OUTS[-1], taps: dict[str, tuple[Tensor, Tensor]] | None = None) -> list[Tensor]:
        """The block outputs up to `last`, in order. `taps` receives what enters `_2_conv` and `_3_conv` (the latter
        before its ReLU) of every block."""
        kernels = {k: round_kernel(w) if self.rounded and w.dim() == 4 else w for k, w in self.table.items()}

        def weight(name: str) -> Tensor:
            return kernels[_key(name)]

        x = F.conv2d(x, weight("conv1_conv/kernel"), weight("conv1_conv/bias"), stride=2, padding=3)
        # the teacher pads with zeros here, and the values are not yet activated: PyTorch's own padding would be -inf
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
        outs: list[Tensor] = []
        for b in BLOCKS:
            gamma = weight(f"{b.name}_preact_bn/gamma").to(x.dtype).view(1, -1, 1, 1)
            beta = weight(f"{b.name}_preact_bn/beta").to(x.dtype).view(1, -1, 1, 1)
            activated = F.relu(torch.addcmul(beta, x, gamma))
            if b.projects:
                shortcut = F.conv2d(activated, weight(f"{b.name}_0_conv/kernel"), weight(f"{b.name}_0_conv/bias"))
            else:
                shortcut = x[:, :, :: b.stride, :: b.stride] if b.stride > 1 else x
            narrow = F.relu(F.conv2d(activated, weight(f"{b.name}_1_conv/kernel"), weight(f"{b.name}_1_bn/beta")))
            spatial = F.conv2d(narrow, weight(f"{b.name}_2_conv/kernel"), weight(f"{b.name}_2_bn/beta"), b.stride, 1)
            if taps is not None:
                taps[b.name] = (narrow, spatial)
            x = shortcut + F.conv2d(F.relu(spatial), weight(f"{b.name}_3_conv/kernel"), weight(f"{b.name}_3_conv/bias"))
            outs.append(x)
            if b.out == last:
                break
        return outs


def _key(name: str) -> str:
    return name.replace("/", "__")  # a ParameterDict's keys are attribute names


def _name(key: str) -> str:
    return key.replace("__", "/")


def _laid_out(w: Tensor) -> Tensor:
    w = w.detach().clone()
    return w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w


def read_keras(path: str | Path) -> Weights:
    """Reads Keras' weights-only HDF5 file of the teacher and folds its batch norms."""
    raw: dict[str, Tensor] = {}
    with h5py.File(path, "r") as file:
        for layer in file:
            for name, array in file[layer].get(layer, {}).items():
                raw[f"{layer}/{name.split(':')[0]}"] = torch.tensor(np.array(array, np.float32))
    return fold(raw)


def fold(raw: dict[str, Tensor]) -> Weights:
    """Keras' tensors -> the weights of a Trunk."""
    weights: Weights = {}

    def conv(layer: str, gamma: Tensor | None = None) -> None:
        kernel = raw[f"{layer}/kernel"].permute(3, 2, 0, 1)
        weights[f"{layer}/kernel"] = kernel if gamma is None else kernel * gamma.view(-1, 1, 1, 1)
        if f"{layer}/bias" in raw:
            weights[f"{layer}/bias"] = raw[f"{layer}/bias"]

    def norm(layer: str) -> tuple[Tensor, Tensor]:
        gamma = raw[f"{layer}/gamma"] * torch.rsqrt(raw[f"{layer}/moving_variance"] + BN_EPSILON)
        return gamma, raw[f"{layer}/beta"] - raw[f"{layer}/moving_mean"] * gamma

    conv("conv1_conv")
    for b in BLOCKS:
        weights[f"{b.name}_preact_bn/gamma"], weights[f"{b.name}_preact_bn/beta"] = norm(f"{b.name}_preact_bn")
        for i in (1, 2):
            gamma, weights[f"{b.name}_{i}_bn/beta"] = norm(f"{b.name}_{i}_bn")
            conv(f"{b.name}_{i}_conv", gamma)
        if b.projects:
            conv(f"{b.name}_0_conv")
        conv(f"{b.name}_3_conv")
    return weights


def convolutions() -> Iterator[tuple[str, int]]:
    """Every convolution with the stride at which its output is taken, relative to the input picture."""
    stride = 2
    yield "conv1_conv", stride
    stride *= 2
    for b in BLOCKS:
        yield f"{b.name}_1_conv", stride
        stride *= b.stride
        yield f"{b.name}_2_conv", stride
        yield f"{b.name}_3_conv", stride
        if b.projects:
            yield f"{b.name}_0_conv", stride


def multiply_adds(weights: Weights, size: int = 180) -> int:
    """Multiply-adds of the convolutions for one picture of size x size."""
    return sum((-(-size // stride)) ** 2 * weights[f"{layer}/kernel"].numel() for layer, stride in convolutions())


def channels_last(x: Tensor) -> Tensor:
    """oneDNN's convolutions are fastest on this memory format."""
    return x.contiguous(memory_format=torch.channels_last)

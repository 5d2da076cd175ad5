"""The algorithm that the model is made for: gradient ascent on the input, as in Keras' "Visualizing what convnets learn".

The loss of filter k is the mean of channel k without a border of two; a step is 10 times the gradient divided by its norm;
30 steps from faint noise.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .model import Trunk, channels_last

SIZE, STEPS, RATE, BORDER = 180, 30, 10.0, 2
GRID_CROP = 25
"""Pixels cut from every side of a finished picture: the border is less defined."""


def noise(filter_index: int, size: int = SIZE, seed: int = 0) -> Tensor:
    """The start for one filter, uniform in [-0.125, 0.125): a function of the filter alone, so that any subset can be redone."""
    generator = torch.Generator().manual_seed(1_000_003 * seed + filter_index)
    return (torch.rand(1, 3, size, size, generator=generator) - 0.5) * 0.25


def filter_means(out: Tensor) -> Tensor:
    """Mean activation of every filter, border excluded: (pictures, filters)."""
    return out[:, :, BORDER:-BORDER, BORDER:-BORDER].mean((2, 3))


def ascend(net: Trunk, layer: str, filter_index: int, start: Tensor, steps: int = STEPS, rate: float = RATE) -> tuple[Tensor, float]:
    """The finished picture, and the mean activation that `net` had on the last picture but one (as Keras reports it)."""
    image, loss = channels_last(start), start.new_zeros(())
    for _ in range(steps):
        image = image.detach().requires_grad_(True)
        loss = filter_means(net(image, layer)[-1])[0, filter_index]
        (grad,) = torch.autograd.grad(loss, image)
        image = image.detach() + rate * grad * torch.rsqrt(grad.square().sum().clamp_min(1e-12))
    return image.detach(), float(loss.detach())


def picture(image: Tensor) -> np.ndarray:
    """A finished (1, 3, h, w) image as RGB bytes: standardised, spread 0.15 about mid-grey, cropped."""
    a = image[0].permute(1, 2, 0).numpy().astype(np.float32)
    a = (a - a.mean()) / (a.std() + 1e-5) * 0.15
    a = a[GRID_CROP:-GRID_CROP, GRID_CROP:-GRID_CROP] + 0.5
    return (np.clip(a, 0, 1) * 255).astype(np.uint8)

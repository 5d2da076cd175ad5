"""A pool of images that are being ascended while the student trains.

Activation maximisation takes images where no photograph goes, and follows the *gradient* of the network. So the student is
corrected where it will be used: every step takes a few images of the pool, compares outputs and input gradients there, and moves
them on by one step of ascent: even slots along the student's gradient, odd ones along the teacher's.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .ascent import BORDER, RATE, SIZE, STEPS
from .batches import Batches
from .model import OUTS

LAYER_SHARES = {"conv3_block4_out": 0.60, "conv3_block2_out": 0.13, "conv2_block3_out": 0.11}
"""How often a layer is ascended; the other outputs share the rest evenly."""


class Pool:
    def __init__(self, count: int, size: int, batches: Batches, channels: list[int]) -> None:
        self.batches, self.rng, self.size, self.channels = batches, batches.rng, size, channels
        rest = (1 - sum(LAYER_SHARES.values())) / (len(OUTS) - len(LAYER_SHARES))
        self.shares = np.array([LAYER_SHARES.get(out, rest) for out in OUTS])
        self.images = torch.zeros(count, 3, size, size)
        self.layer, self.filter, self.age, self.end = (np.zeros(count, np.int64) for _ in range(4))
        self.rate = np.zeros(count)
        for i in range(count):
            self._restart(i)
        self.end[:] = self.rng.integers(1, STEPS + 11, count)  # so that they do not all end together

    def _restart(self, i: int) -> None:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.75:
            start = torch.tensor(rng.uniform(-0.125, 0.125, (3, self.size, self.size)), dtype=torch.float32)
        elif kind < 0.9:
            start = self.batches.crops(1, self.size)[0] * float(rng.uniform(0.1, 1))
        else:
            start = self.batches.noise(1, self.size)[0] * float(rng.uniform(0.05, 0.4))
        self.images[i] = start
        self.layer[i] = rng.choice(len(OUTS), p=self.shares)
        self.filter[i] = rng.integers(0, self.channels[self.layer[i]])
        self.age[i], self.end[i] = 0, STEPS + 5
        # the same step per pixel as at full size, more or less
        self.rate[i] = RATE * self.size / SIZE * rng.uniform(0.6, 1.5)

    def take(self, count: int) -> np.ndarray:
        return self.rng.choice(len(self.images), count, replace=False)

    def advance(self, chosen: np.ndarray, student: Tensor, teacher: Tensor) -> None:
        """One step of ascent along unit gradients."""
        for j, i in enumerate(chosen):
            self.images[i] += float(self.rate[i]) * (student if i % 2 == 0 else teacher)[j]
            self.age[i] += 1
            if self.age[i] >= self.end[i]:
                self._restart(i)

    def objective(self, outs: list[Tensor], chosen: np.ndarray) -> Tensor:
        """The sum over the images of the mean activation of each one's filter, in each one's layer."""
        layers, filters = self.layer[chosen], self.filter[chosen]
        total = outs[0].new_zeros((), dtype=torch.float32)
        for layer in np.unique(layers):
            rows = np.flatnonzero(layers == layer)
            maps = outs[layer][rows, filters[rows], BORDER:-BORDER, BORDER:-BORDER]
            total = total + maps.float().mean((1, 2)).sum()
        return total

    def state(self) -> dict[str, object]:
        names = ("images", "layer", "filter", "age", "end", "rate")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

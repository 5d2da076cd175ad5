"""Random training inputs in [-1, 1]: crops of photographs and other pictures, and things that no camera sees.

The model is made for ascent, whose images leave the natural manifold at once. So a fifth of a batch are crops with their phases
scrambled and noise of various colours, and the rest is varied in colour, contrast and range more than usual.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .data import KINDS, SIZE
from .model import channels_last

SHARES = {"photo": 0.62, "texture": 0.14, "cutout": 0.16, "drawing": 0.08}
ODD_SHARE = 0.2


def load_crops(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The crops (mapped, not read) and their kinds."""
    pixels = np.memmap(folder / f"{split}.u8", np.uint8, "r").reshape(-1, SIZE, SIZE, 3)
    return pixels, np.fromfile(folder / f"{split}_kinds.u8", np.uint8)


def to_input(pixels: np.ndarray) -> Tensor:
    """RGB bytes (n, h, w, 3) as the network wants them."""
    return channels_last(torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float() / 127.5 - 1)


class Batches:
    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.rng = rng
        self.pixels, kinds = load_crops(folder, "train")
        # Smooth crops (skies, gradients) teach little: they are drawn less often.
        busy = np.array([np.abs(np.diff(c[::8].astype(np.int16), axis=1)).mean() for c in self.pixels])
        weight = 0.08 + np.minimum(1, busy / 8)
        for i, kind in enumerate(KINDS):
            weight[kinds == i] *= SHARES[kind] / weight[kinds == i].sum()
        self._cumulative = np.cumsum(weight)

    def __call__(self, count: int, size: int) -> Tensor:
        odd = round(count * ODD_SHARE)
        scrambled = odd // 2
        x = self.crops(count, size)
        if scrambled:
            x[:scrambled] = self._scramble_phases(x[:scrambled])
        if odd > scrambled:
            x[scrambled:odd] = self.noise(odd - scrambled, size) * self._uniform(0.05, 0.6, (odd - scrambled, 1, 1, 1))
        x = self._vary(x)
        return channels_last(x if self.rng.random() < 0.3 else x.clamp(-1, 1))

    def crops(self, count: int, size: int) -> Tensor:
        """Crops in the shares of SHARES, sometimes rescaled, flipped or transposed."""
        rng, out = self.rng, []
        draws = np.minimum(np.searchsorted(self._cumulative, rng.random(count)), len(self.pixels) - 1)
        for i in draws:
            side = size if rng.random() < 0.6 else int(rng.integers(72, SIZE + 1))
            y, x = rng.integers(0, SIZE - side + 1, 2)
            piece = torch.from_numpy(self.pixels[i, y : y + side, x : x + side].copy()).permute(2, 0, 1)[None].float()
            if side != size:
                piece = F.interpolate(piece, (size, size), mode="bilinear", antialias=side > size)
            if rng.random() < 0.5:
                piece = piece.flip(3)
            if rng.random() < 0.15:
                piece = piece.flip(2)
            if rng.random() < 0.15:
                piece = piece.transpose(2, 3)
            out.append(piece)
        return torch.cat(out) / 127.5 - 1

    def noise(self, count: int, size: int) -> Tensor:
        """Noise of unit deviation with a spectrum between white and 1/f^2, its colours more or less correlated."""
        frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
        frequency[0, 0] = 1 / size
        falloff = self.rng.uniform(0, 2, (count, 1, 1, 1))
        spectrum = np.fft.rfft2(self.rng.standard_normal((count, 3, size, size))) * frequency**-falloff
        plain = np.fft.irfft2(spectrum, s=(size, size))
        plain /= plain.std((1, 2, 3), keepdims=True)
        mixing = np.eye(3) + self.rng.uniform(0, 0.7, (count, 1, 1)) * self.rng.standard_normal((count, 3, 3))
        return torch.tensor(np.einsum("nij,njhw->nihw", mixing, plain), dtype=torch.float32)

    def _scramble_phases(self, x: Tensor) -> Tensor:
        """The same power spectrum with phases moved at random, alike in the three channels."""
        count, _, size, _ = x.shape
        mean = x.mean((2, 3), keepdim=True)
        angle = torch.fft.rfft2(torch.tensor(self.rng.standard_normal((count, 1, size, size)), dtype=torch.float32)).angle()
        strength = torch.tensor(self.rng.choice([0.3, 0.6, 1.0], (count, 1, 1, 1)), dtype=torch.float32)
        turn = torch.polar(torch.ones_like(angle), angle * strength)
        return torch.fft.irfft2(torch.fft.rfft2(x - mean) * turn, s=(size, size)) + mean

    def _vary(self, x: Tensor) -> Tensor:
        rng, n = self.rng, len(x)
        mean = x.mean((2, 3), keepdim=True)
        x = (x - mean) * self._mostly(0.6, 1, self._uniform(0.25, 1.6, (n, 1, 1, 1)))
        x = x * self._mostly(0.6, 1, self._uniform(0.6, 1.4, (n, 3, 1, 1)))
        x = x + mean + self._mostly(0.5, 0, self._uniform(-0.4, 0.4, (n, 3, 1, 1)))
        for i in range(n):
            if rng.random() < 0.08:
                x[i] = x[i].mean(0, keepdim=True)  # grey
            elif rng.random() < 0.08:
                x[i] = x[i][rng.permutation(3)]  # colours exchanged
            if rng.random() < 0.15:
                grain = torch.tensor(rng.standard_normal(tuple(x[i].shape)), dtype=torch.float32)
                x[i] += grain * float(rng.uniform(0.02, 0.25))
        return x

    def _uniform(self, low: float, high: float, shape: tuple[int, ...]) -> Tensor:
        return torch.tensor(self.rng.uniform(low, high, shape), dtype=torch.float32)

    def _mostly(self, share: float, usual: float, other: Tensor) -> Tensor:
        """`usual` for about `share` of the pictures, `other` for the rest."""
        chosen = torch.tensor(self.rng.random((len(other), 1, 1, 1)) < share)
        return torch.where(chosen, torch.full((), usual), other)

"""The student's start: the teacher with fewer bottleneck channels, refitted so that its activations change least.

In every block the channels that the others explain best are eliminated one at a time, in the manner of the optimal brain surgeon
on activation covariances, and the next convolution is refitted by least squares. How many channels each convolution keeps is
decided by measurement: every block is narrowed alone to a few widths, the error that this makes in the outputs that we
care for is recorded, and the cheapest combination under a budget of multiply-adds is taken.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import BLOCKS, OUTS, Block, Trunk, Weights, multiply_adds

Widths = dict[str, int]
"""Bottleneck width by block name."""

WATCHED = {"conv2_block3_out": 0.3, "conv3_block2_out": 0.3, "conv3_block4_out": 1.0}
"""The outputs whose errors decide the widths."""

LANES = 16
"""Widths are multiples of this: ONNX Runtime's blocked layout rounds up to it anyway (AVX-512)."""


def eliminate(covariance: Tensor, cross: Tensor, groups: int, keep: int, ridge: float = 1e-3) -> tuple[list[int], Tensor]:
    """Drops groups of features until `keep` are left, each time the one whose loss costs least in the regression of the targets.

    `covariance` (n, n) is that of the features, `cross` (n, m) that of features with targets. Returns the kept groups and the
    least-squares coefficients of their features.
    """
    damping = ridge * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
    inverse = torch.linalg.inv(covariance + damping)
    coefficients = inverse @ cross
    size = len(covariance) // groups
    left = list(range(groups))
    while len(left) > keep:
        n = len(left)
        own = torch.stack([inverse[i * size : (i + 1) * size, i * size : (i + 1) * size] for i in range(n)])
        own = torch.linalg.inv(own)
        grouped = coefficients.view(n, size, -1)
        worst = int((grouped * (own @ grouped)).sum((1, 2)).argmin())
        gone = torch.zeros(n * size, dtype=torch.bool)
        gone[worst * size : (worst + 1) * size] = True
        kept = ~gone
        update = inverse[kept][:, gone] @ own[worst]
        coefficients = coefficients[kept] - update @ coefficients[gone]
        inverse = inverse[kept][:, kept] - update @ inverse[gone][:, kept]
        del left[worst]
    return left, coefficients


@dataclass
class Activations:
    """What the pruning needs to know of the teacher on a sample of pictures."""

    taps: dict[str, tuple[Tensor, Tensor]]
    deviations: dict[str, Tensor]

    @classmethod
    def of(cls, teacher: Trunk, sample: Tensor) -> Activations:
        taps: dict[str, tuple[Tensor, Tensor]] = {}
        with torch.no_grad():
            outs = teacher(sample, taps=taps)
        return cls(taps, {name: out.std((0, 2, 3)).double() for name, out in zip(OUTS, outs)})


def narrow_block(weights: Weights, block: Block, width: int, seen: Activations, samples: int = 20_000) -> None:
    """Narrows one block of `weights`, in place."""
    if width >= block.width:
        return
    full = block.width
    kernel1, kernel2, kernel3 = (f"{block.name}_{i}_conv/kernel" for i in (1, 2, 3))
    narrow, spatial = seen.taps[block.name]
    deviation = seen.deviations[block.out]

    # what enters _3_conv: the targets are the block's additions to the stream, in units of the stream's deviation
    features = F.relu(spatial).permute(0, 2, 3, 1).reshape(-1, full).double()
    linear = weights[kernel3][:, :, 0, 0].double().T / deviation
    mean = features.mean(0)
    features = features - mean
    covariance = features.T @ features / len(features)
    kept2, coefficients = eliminate(covariance, covariance @ linear, full, width)
    shift = (mean @ linear - mean[kept2] @ coefficients) * deviation
    weights[f"{block.name}_3_conv/bias"] = (weights[f"{block.name}_3_conv/bias"].double() + shift).float()
    weights[kernel3] = (coefficients * deviation).T[:, :, None, None].float()
    importance = coefficients.norm(dim=1)

    # what enters _2_conv: a feature is a 3x3 patch; the targets are the kept pre-activations, by their importance
    patches = F.unfold(narrow, 3, padding=1, stride=block.stride).transpose(1, 2).reshape(-1, 9 * full)
    targets = spatial[:, kept2].permute(0, 2, 3, 1).reshape(-1, width)
    chosen = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))[:samples]
    patches, targets = patches[chosen].double(), targets[chosen].double() * importance
    patch_mean, target_mean = patches.mean(0), targets.mean(0)
    patches, targets = patches - patch_mean, targets - target_mean
    kept1, coefficients = eliminate(patches.T @ patches / len(patches), patches.T @ targets / len(patches), full, width)
    index = torch.tensor([9 * i + j for i in kept1 for j in range(9)])
    weights[kernel2] = (coefficients / importance).T.reshape(width, width, 3, 3).float()
    weights[f"{block.name}_2_bn/beta"] = ((target_mean - patch_mean[index] @ coefficients) / importance).float()
    weights[kernel1] = weights[kernel1][kept1]
    weights[f"{block.name}_1_bn/beta"] = weights[f"{block.name}_1_bn/beta"][kept1]


def pruned(teacher: Trunk, sample: Tensor, widths: Widths) -> Weights:
    """The teacher's weights with every block narrowed to its width."""
    seen, weights = Activations.of(teacher, sample), teacher.weights()
    for block in BLOCKS:
        narrow_block(weights, block, widths[block.name], seen)
    return weights


def choose_widths(teacher: Trunk, sample: Tensor, probe: Tensor, budget: int) -> Widths:
    """The widths with the least summed error whose network stays within `budget` multiply-adds.

    Errors of blocks are taken as additive, which holds well while they are small.
    """
    seen = Activations.of(teacher, sample)
    with torch.no_grad():
        reference = dict(zip(OUTS, teacher(probe)))
    full = multiply_adds(teacher.weights())
    options: list[list[tuple[int, int, float]]] = []
    for block in BLOCKS:
        found = [(block.width, 0, 0.0)]
        for width in range(block.width - LANES, block.width // 2 - 1, -LANES):
            weights = teacher.weights()
            narrow_block(weights, block, width, seen)
            with torch.no_grad():
                outs = dict(zip(OUTS, Trunk(weights)(probe)))
            error = sum(
                weight * float(((outs[o] - reference[o]).square().mean((0, 2, 3)) / reference[o].var((0, 2, 3))).mean())
                for o, weight in WATCHED.items()
            )
            found.append((width, full - multiply_adds(weights), error))
        options.append(found)
        print(block.name, *(f"{width}: -{saved / 1e6:.0f}M {error:.4f}" for width, saved, error in found), sep="  ", flush=True)
    best = min(
        (c for c in itertools.product(*options) if full - sum(saved for _, saved, _ in c) <= budget),
        key=lambda c: sum(error for _, _, error in c),
    )
    return {block.name: width for block, (width, _, _) in zip(BLOCKS, best)}

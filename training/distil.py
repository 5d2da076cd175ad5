"""Trains the student.

    python -m training.distil --teacher resnet50v2.h5 --work work [--steps 3200]

needs the crops of `training.data` in the work folder, and leaves `student.pt` there. A run that was stopped goes on where its last
checkpoint was. The loss has three parts:

1. on crops and odd inputs, the error of all seven block outputs;
2. on images under ascent (`pool.py`), the same;
3. there, also 1 - cosine between the input gradients of student and teacher: the ascent follows directions, not lengths.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .batches import Batches, load_crops, to_input
from .data import KINDS
from .model import OUTS, Trunk, Weights, channels_last, multiply_adds, read_keras, round_kernel
from .pool import Pool
from .prune import choose_widths, pruned

LAYER_WEIGHTS = {
    "conv2_block1_out": 0.10,
    "conv2_block2_out": 0.10,
    "conv2_block3_out": 0.25,
    "conv3_block1_out": 0.15,
    "conv3_block2_out": 0.25,
    "conv3_block3_out": 0.25,
    "conv3_block4_out": 1.00,
}
POOL_FEATURES, POOL_GRADIENTS = 0.5, 0.6
WARM_UP = 150
CHECKPOINT_EVERY = 250


class RelativeError(torch.autograd.Function):
    """Mean over images of the squared error per value, in units of the teacher's deviation, over the energy of the image's own
    target (so that ascended images, whose activations are huge, do not outweigh everything).

    Its derivative is written by hand to make few passes over memory; it is not differentiated twice.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
        error = (student - teacher).mul_(inverse)
        thinned = teacher[:, :, ::2, ::2]
        energy = _square_sum((thinned - mean).mul_(inverse)) / thinned[0].numel()
        coefficient = 1 / (0.3 + energy) / (student[0].numel() * len(student))
        loss = (_square_sum(error) * coefficient).sum()
        ctx.save_for_backward(error.mul_(inverse), 2 * coefficient)
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        error, coefficient = ctx.saved_tensors
        return error * (coefficient * grad).to(error.dtype).view(-1, 1, 1, 1), None, None, None


def _square_sum(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), dtype=torch.float32).square()


class Statistics:
    """The teacher's mean and deviation of every channel of every output, which make the channels count alike."""

    def __init__(self, teacher: Trunk, samples: list[Tensor]) -> None:
        with torch.no_grad():
            outs = [torch.cat(out) for out in zip(*(teacher(x) for x in samples))]
        self.means = [out.mean((0, 2, 3)).view(1, -1, 1, 1).bfloat16() for out in outs]
        deviations = [out.std((0, 2, 3)).view(1, -1, 1, 1) for out in outs]
        # a channel that is next to constant must not be blown up
        self.inverses = [(1 / d.clamp_min(float(d.median()) * 0.05)).bfloat16() for d in deviations]

    def loss(self, student: list[Tensor], teacher: list[Tensor]) -> tuple[Tensor, float]:
        """The weighted error of all outputs, and that of the last one alone."""
        errors = [RelativeError.apply(*four) for four in zip(student, teacher, self.means, self.inverses)]
        weights = [LAYER_WEIGHTS[out] for out in OUTS]
        return sum(w * e for w, e in zip(weights, errors)) / sum(weights), float(errors[-1].detach())


class Examination:
    """R^2 of the last output on held-out photographs."""

    def __init__(self, teacher: Trunk, folder: Path, count: int = 192) -> None:
        pixels, kinds = load_crops(folder, "test")
        photos = np.flatnonzero(kinds == KINDS.index("photo"))
        chosen = np.sort(np.random.default_rng(1).choice(photos, count, replace=False))
        self.inputs = to_input(pixels[chosen][:, 24:136, 24:136])
        with torch.no_grad():
            self.reference = torch.cat([teacher(x)[-1] for x in self.inputs.split(64)])

    def __call__(self, net: Trunk) -> str:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            out = torch.cat([net(x)[-1].float() for x in self.inputs.split(64)])
        r2 = 1 - (out - self.reference).square().mean((0, 2, 3)) / self.reference.var((0, 2, 3))
        return f"R2 mean {r2.mean():.4f} median {r2.median():.4f} p10 {r2.quantile(0.1):.4f}"


def unit(gradient: Tensor) -> Tensor:
    gradient = gradient.float()
    return gradient * torch.rsqrt(gradient.square().sum((1, 2, 3), keepdim=True).clamp_min(1e-20))


def learning_rate(step: int, steps: int, hold: int, peak: float) -> float:
    """A short warm-up, the peak until step `hold`, then a cosine down to a hundredth."""
    decay = min(1.0, max(0.0, (step - hold) / (steps - hold)))
    return peak * min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * decay)))


def initial_weights(args: argparse.Namespace, teacher: Trunk, batches: Batches) -> Weights:
    """The pruned start, kept in the work folder."""
    path = args.work / "start.pt"
    if path.exists():
        return torch.load(path)
    began = time.time()
    widths = choose_widths(teacher, batches(48, args.size), batches(48, args.size), args.budget)
    weights = pruned(teacher, batches(128, args.size), widths)
    print(f"widths {widths}, chosen and fitted in {time.time() - began:.0f} s", flush=True)
    torch.save(weights, path)
    return weights


def export_weights(average: dict[str, Tensor]) -> Weights:
    """The averaged weights, kernels rounded as the file holds them."""
    weights = Trunk.named(average)
    return {k: round_kernel(w) if w.dim() == 4 else w.clone() for k, w in weights.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, required=True, help="Keras' weights of ResNet50V2 (HDF5)")
    parser.add_argument("--work", type=Path, required=True, help="folder with the crops; checkpoints go there too")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--hold", type=int, default=2250, help="the step at which the learning rate begins to fall")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=int, default=709_000_000, help="multiply-adds at 180 x 180")
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--batch", type=int, default=28)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--pool", type=int, default=256)
    parser.add_argument("--pool-batch", type=int, default=12)
    parser.add_argument("--pool-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.backends.nnpack.set_flags(False)

    exact = Trunk(read_keras(args.teacher)).requires_grad_(False)
    teacher = Trunk(exact.weights()).bfloat16().requires_grad_(False)
    batches = Batches(args.work, np.random.default_rng(args.seed))
    statistics = Statistics(exact, [batches(32, args.size) for _ in range(6)])
    examine = Examination(exact, args.work)
    net = Trunk(initial_weights(args, exact, batches), rounded=True)
    batches.rng = np.random.default_rng((args.seed, 1))  # the same whether the start was made now or before
    adds, reference = multiply_adds(net.weights()), multiply_adds(exact.weights())
    print(f"{sum(p.numel() for p in net.parameters())} weights, {adds / 1e6:.0f} of {reference / 1e6:.0f} M multiply-adds")
    print("start:", examine(net), flush=True)

    average = {key: w.detach().clone() for key, w in net.table.items()}
    kernels = [p for p in net.parameters() if p.dim() == 4]
    others = [p for p in net.parameters() if p.dim() < 4]
    groups = [{"params": kernels, "weight_decay": 1e-3}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.99))
    pool = Pool(args.pool, args.pool_size, batches, [len(m[0]) for m in statistics.means])
    first, checkpoint = 0, args.work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        first, average = state["step"], state["average"]
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        pool.restore(state["pool"])
        batches.rng.bit_generator.state = state["rng"]
        print(f"goes on at step {first}", flush=True)

    log: list[tuple[float, ...]] = []
    mark = time.time()
    for step in range(first, args.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.hold, args.rate)
        optimiser.zero_grad(set_to_none=True)

        x = batches(args.batch, args.size)
        with torch.no_grad():
            wanted = teacher(channels_last(x.bfloat16()))
        with torch.autocast("cpu", torch.bfloat16):
            outs = net(x)
        loss, natural = statistics.loss(outs, wanted)
        loss.backward()

        chosen = pool.take(args.pool_batch)
        seen = channels_last(pool.images[chosen].bfloat16()).requires_grad_()
        wanted = teacher(seen)
        (gradient,) = torch.autograd.grad(pool.objective(wanted, chosen), seen)
        teacher_direction = unit(gradient)
        seen = channels_last(pool.images[chosen]).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            outs = net(seen)
        (gradient,) = torch.autograd.grad(pool.objective(outs, chosen), seen, create_graph=True)
        direction = unit(gradient)
        cosine = (direction * teacher_direction).sum((1, 2, 3)).mean()
        loss, ascended = statistics.loss(outs, [w.detach() for w in wanted])
        (POOL_FEATURES * loss + POOL_GRADIENTS * (1 - cosine)).backward()

        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        pool.advance(chosen, direction.detach(), teacher_direction)
        with torch.no_grad():
            keep = min(args.average, (step + 1) / (step + 21))
            for key, w in net.table.items():
                average[key].lerp_(w, 1 - keep)

        log.append((natural, ascended, float(cosine.detach()), float(norm)))
        if (step + 1) % 50 == 0:
            means = np.mean(log[-50:], 0)
            print(
                f"step {step + 1} {50 / (time.time() - mark):.2f}/s, error natural {means[0]:.4f} ascended {means[1]:.4f},"
                f" gradient cosine {means[2]:.3f}, |gradient| {means[3]:.2f}",
                flush=True,
            )
            mark = time.time()
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == args.steps:
            state = {
                "step": step + 1,
                "net": net.state_dict(),
                "average": average,
                "optimiser": optimiser.state_dict(),
                "pool": pool.state(),
                "rng": batches.rng.bit_generator.state,
            }
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").rename(checkpoint)
            weights = export_weights(average)
            torch.save({"weights": weights, "step": step + 1, "steps": args.steps, "seed": args.seed}, args.work / "student.pt")
            print(f"checkpoint {step + 1}:", examine(Trunk(weights)), flush=True)
            mark = time.time()


if __name__ == "__main__":
    main()

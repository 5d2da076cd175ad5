"""All figures of the model card, from the file as it is shipped.

    python -m training.evaluate --model models/resnet50v2-mini.onnx --teacher resnet50v2.h5 --work work

1. On held-out photographs: correlation and R^2 of every channel with the teacher's.
2. Under ascent: a picture is made for every filter with the student and with the teacher, from the same noise, and both are shown to
   the *teacher*. The share is its activation on the student's picture over that on its own; it says little where that stays
   below zero or near it, so the same is given after subtracting what the noise reached ("of the rise"). A filter counts as
   recognised if, of all filters under test, it is the one that rose most on its picture, relative to its rise on the teacher's own.

The teacher's ascents are kept in the work folder; they take as long as the student's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import Tensor

from .ascent import SIZE, ascend, filter_means, noise, picture
from .batches import load_crops, to_input
from .data import KINDS
from .export import INPUT, from_onnx
from .model import BLOCKS, OUTS, Trunk, Weights, multiply_adds, read_keras

LAYERS = ["conv3_block4_out", "conv3_block2_out", "conv2_block3_out"]
CHANNELS = {block.out: block.channels for block in BLOCKS}
FIRST = 64
OTHERS_SEED = 20_011
BELOW_ZERO = "below zero on the teacher's own picture"
OVERSTATED = "own activation over the teacher's, median"


def tested_filters(layer: str) -> list[int]:
    """Filters 0 to 63, and 64 others drawn once and for all."""
    others = np.random.default_rng(OTHERS_SEED).choice(np.arange(FIRST, CHANNELS[layer]), 64, replace=False)
    return [*range(FIRST), *sorted(int(k) for k in others)]


_net: Trunk


def _prepare(weights: Weights) -> None:
    global _net
    torch.set_num_threads(1)  # two processes of one thread are faster than one of two
    torch.backends.nnpack.set_flags(False)
    _net = Trunk(weights).requires_grad_(False)


def _ascend(job: tuple[str, int]) -> tuple[Tensor, float]:
    return ascend(_net, *job, noise(job[1]))


def ascents(weights: Weights, layers: list[str], processes: int) -> dict[str, dict[str, Tensor]]:
    """For every layer the finished pictures of the tested filters, and the activation that the net itself reached."""
    jobs = [(layer, k) for layer in layers for k in tested_filters(layer)]
    with multiprocessing.get_context("spawn").Pool(processes, _prepare, (weights,)) as pool:
        results = dict(zip(jobs, pool.imap(_ascend, jobs)))
    return {
        layer: {
            "images": torch.cat([results[layer, k][0] for k in tested_filters(layer)]),
            "reached": torch.tensor([results[layer, k][1] for k in tested_filters(layer)]),
        }
        for layer in layers
    }


def natural_figures(student: Trunk, teacher: Trunk, folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Agreement per channel over all places of `count` crops of held-out photographs."""
    pixels, kinds = load_crops(folder, "test")
    photos = np.flatnonzero(kinds == KINDS.index("photo"))
    chosen = np.sort(np.random.default_rng(5).choice(photos, min(count, len(photos)), replace=False))
    sums: dict[str, Tensor] = {}
    for part in np.array_split(chosen, max(1, len(chosen) // 16)):
        x = to_input(pixels[part])
        with torch.no_grad():
            ours, theirs = student(x), teacher(x)
        for layer, s, t in zip(OUTS, ours, theirs):
            s, t = (v.permute(1, 0, 2, 3).flatten(1).double() for v in (s, t))
            n = torch.full((len(s),), s.shape[1], dtype=torch.double)
            moments = torch.stack([n, s.sum(1), t.sum(1), (s * s).sum(1), (t * t).sum(1), (s * t).sum(1)])
            sums[layer] = sums.get(layer, 0) + moments
    figures = {}
    for layer in OUTS:
        n, s, t, ss, tt, st = sums[layer]
        correlation = (st - s * t / n) / ((ss - s * s / n) * (tt - t * t / n)).sqrt()
        r2 = 1 - (ss + tt - 2 * st) / (tt - t * t / n)
        figures[layer] = {"crops": float(len(chosen)), **spread("correlation", correlation), **spread("r2", r2)}
    return figures


def spread(name: str, values: Tensor) -> dict[str, float]:
    return {
        f"{name} mean": float(values.mean()),
        f"{name} median": float(values.quantile(0.5)),
        f"{name} p10": float(values.quantile(0.1)),
        f"{name} min": float(values.min()),
    }


def ascent_figures(teacher: Trunk, layer: str, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    """What the teacher makes of the student's pictures, for the first 64 filters, the others, and all."""
    filters = tested_filters(layer)

    def seen(images: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([filter_means(teacher(x, layer)[-1]) for x in images.split(8)])[:, filters]

    start = seen(torch.cat([noise(k) for k in filters]))
    on_ours, on_theirs = seen(ours["images"]), seen(theirs["images"])
    share = on_ours.diagonal() / on_theirs.diagonal()
    own_rise = on_theirs.diagonal() - start.diagonal()
    share_of_rise = (on_ours.diagonal() - start.diagonal()) / own_rise
    overstated = ours["reached"] / on_ours.diagonal()
    base = start.mean(0)
    relative = ((on_ours - base) / (on_theirs.diagonal() - base)).argmax(1) == torch.arange(len(filters))
    figures = {}
    for name, part in (("0-63", slice(0, FIRST)), ("64 others", slice(FIRST, None)), ("all 128", slice(None))):
        figures[name] = {
            **spread("share", share[part]),
            **spread("share of the rise", share_of_rise[part]),
            "most raised": float(relative[part].float().mean()),
            OVERSTATED: float(overstated[part].quantile(0.5)),
            "worst filter": filters[part][int(share[part].argmin())],
            "worst filter of the rise": filters[part][int(share_of_rise[part].argmin())],
            BELOW_ZERO: int((on_theirs.diagonal()[part] < 0).sum()),
            "the teacher on its own picture of the worst filter": float(on_theirs.diagonal()[part][share[part].argmin()]),
        }
    return figures


def grid(images: Tensor, path: Path, side: int = 8, margin: int = 5) -> None:
    """The first side x side pictures, stitched, with a palette (a true-colour PNG would be three times as large)."""
    cells = [picture(x[None]) for x in images[: side * side]]
    cell = cells[0].shape[0]
    canvas = np.zeros((side * (cell + margin) - margin,) * 2 + (3,), np.uint8)
    for i, c in enumerate(cells):
        y, x = (cell + margin) * (i // side), (cell + margin) * (i % side)
        canvas[y : y + cell, x : x + cell] = c
    Image.fromarray(canvas).quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def largest_difference(path: Path, student: Trunk) -> tuple[float, float]:
    """ONNX Runtime on the file against PyTorch on the weights read from it: largest difference, and largest value."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = scale = 0.0
    for height, width in ((SIZE, SIZE), (131, 224)):
        x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1
        (theirs,) = session.run(None, {INPUT: x.numpy()})
        with torch.no_grad():
            ours = student(x)[-1].numpy()
        worst, scale = max(worst, float(np.abs(theirs - ours).max())), max(scale, float(np.abs(ours).max()))
    return worst, scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="the shipped file")
    parser.add_argument("--teacher", type=Path, required=True, help="Keras' weights of ResNet50V2 (HDF5)")
    parser.add_argument("--work", type=Path, required=True, help="folder with the held-out crops, the cache and the results")
    parser.add_argument("--crops", type=int, default=1000)
    parser.add_argument("--layers", nargs="+", default=LAYERS, choices=OUTS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only-teacher", action="store_true", help="only make and keep the teacher's ascents")
    args = parser.parse_args()
    torch.backends.nnpack.set_flags(False)
    torch.set_num_threads(args.processes)
    teacher_weights = read_keras(args.teacher)

    cache = args.work / "teacher-ascents.pt"
    theirs: dict[str, dict[str, Tensor]] = torch.load(cache) if cache.exists() else {}
    for layer in args.layers:
        if layer not in theirs:
            began = time.time()
            theirs |= ascents(teacher_weights, [layer], args.processes)
            torch.save(theirs, cache)
            print(f"teacher's ascents of {layer}: {time.time() - began:.0f} s", flush=True)
    if args.only_teacher:
        return

    weights = from_onnx(args.model)
    student, teacher = Trunk(weights).requires_grad_(False), Trunk(teacher_weights).requires_grad_(False)
    adds, all_adds = multiply_adds(weights), multiply_adds(teacher_weights)
    difference, scale = largest_difference(args.model, student)
    natural = natural_figures(student, teacher, args.work, args.crops)
    size = args.model.stat().st_size
    print(f"{size} bytes; {adds / 1e6:.1f} M multiply-adds at 180 x 180, {adds / all_adds:.1%} of the teacher's")
    print(f"ONNX Runtime against PyTorch: {difference:.1e} at most, of values up to {scale:.0f}")
    print("\non crops of held-out photographs, per channel\n")
    print(f"{'layer':20}{'correlation mean':>18}{'median':>9}{'p10':>9}{'min':>9}{'R2 median':>12}")
    for layer, f in natural.items():
        values = [f[f"correlation {q}"] for q in ("mean", "median", "p10", "min")]
        print(f"{layer:20}{values[0]:18.4f}{values[1]:9.4f}{values[2]:9.4f}{values[3]:9.4f}{f['r2 median']:12.4f}")
    print("\nunder ascent: the teacher's activation on the student's picture, as a share of that on its own\n")
    print(
        f"{'layer':18}{'filters':>10}{'median':>8}{'p10':>7}{'min':>7}{'(filter)':>10}{'of the rise':>13}{'p10':>7}{'min':>7}"
        f"{'(filter)':>10}{'below 0':>9}{'most raised':>13}{'overstated':>12}"
    )
    ours: dict[str, dict[str, Tensor]] = {}
    ascent: dict[str, dict[str, dict[str, float]]] = {}
    for layer in args.layers:
        ours |= ascents(weights, [layer], args.processes)
        ascent[layer] = ascent_figures(teacher, layer, ours[layer], theirs[layer])
        for name, f in ascent[layer].items():
            print(
                f"{layer:18}{name:>10}{f['share median']:8.3f}{f['share p10']:7.3f}{f['share min']:7.3f}{f['worst filter']:10d}"
                f"{f['share of the rise median']:13.3f}{f['share of the rise p10']:7.3f}{f['share of the rise min']:7.3f}"
                f"{f['worst filter of the rise']:10d}{f[BELOW_ZERO]:9d}{f['most raised']:13.3f}{f[OVERSTATED]:12.3f}",
                flush=True,
            )
        grid(ours[layer]["images"], args.work / f"student-{layer}.png")
        grid(theirs[layer]["images"], args.work / f"teacher-{layer}.png")
    report = {
        "bytes": size,
        "multiply-adds": adds,
        "multiply-adds of the teacher": all_adds,
        "largest difference from ONNX Runtime": difference,
        "natural": natural,
        "ascent": ascent,
    }
    (args.work / "figures.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

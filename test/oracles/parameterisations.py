"""Writes parameterisations.json: pictures and gradients of Lucid's and MACO's formulas, by PyTorch in float64.

    python test/oracles/parameterisations.py

Lucid: `fft_image` of lucid/optvis/param/spatial.py with `to_valid_rgb(decorrelate=True, sigmoid=True)`, moved from [0, 1] to [-1, 1].
MACO: `maco_image_parametrization` of xplique/features_visualizations/maco.py in the range [-1, 1]. Inputs are waves, so that a test makes
them anew: parameter i is sin(1.7 i + 0.5) times 0.3, and the gradient is that of the sum of cos(0.9 i) times value i.
"""

import json
from pathlib import Path

import torch

COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], dtype=torch.float64)
COLOUR = COLOUR / COLOUR.norm(dim=0).max()
SIZES = [(6, 8), (7, 5), (5, 9), (1, 4)]


def wave(count: int) -> torch.Tensor:
    return 0.3 * torch.sin(1.7 * torch.arange(count, dtype=torch.float64) + 0.5)


def frequencies(h: int, w: int) -> torch.Tensor:
    fy, fx = torch.fft.fftfreq(h, dtype=torch.float64), torch.fft.rfftfreq(w, dtype=torch.float64)
    return torch.sqrt(fy[:, None] ** 2 + fx[None] ** 2)


def to_rgb(planes: torch.Tensor) -> torch.Tensor:
    return 2 * torch.sigmoid(torch.einsum("ij,jhw->ihw", COLOUR, planes)) - 1


def fourier(z: torch.Tensor, h: int, w: int) -> torch.Tensor:
    parts = z.view(3, 2, h, w // 2 + 1)
    scale = (w * h) ** 0.5 / torch.clamp(frequencies(h, w), min=1 / max(w, h))
    return to_rgb(torch.fft.irfft2(torch.complex(parts[:, 0], parts[:, 1]) * scale, s=(h, w)) / 4)


def maco(z: torch.Tensor, h: int, w: int) -> torch.Tensor:
    phase = z.view(3, h, w // 2 + 1)
    phase = (phase - phase.mean()) / (phase.std(unbiased=False) + 1e-5)
    f = frequencies(h, w)
    magnitude = torch.where(f > 0, f.clamp(min=1e-9) ** -1.2, 0.0) * torch.arange(1, 4)[:, None, None]
    image = torch.fft.irfft2(torch.polar(magnitude, phase), s=(h, w))
    return to_rgb((image - image.mean()) / (image.std(unbiased=False) + 1e-4))


def main() -> None:
    cases = []
    for kind, build, parts in (("fourier", fourier, 2), ("maco", maco, 1)):
        for h, w in SIZES:
            z = wave(3 * parts * h * (w // 2 + 1)).requires_grad_(True)
            image = build(z, h, w).flatten()
            weights = torch.cos(0.9 * torch.arange(len(image), dtype=torch.float64))
            (gradient,) = torch.autograd.grad((weights * image).sum(), z)
            digits = lambda t: [float(f"{v:.7g}") for v in t.tolist()]
            cases.append({"kind": kind, "size": [h, w], "image": digits(image), "gradient": digits(gradient)})
    path = Path(__file__).with_name("parameterisations.json")
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()

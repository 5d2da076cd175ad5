"""Writes random small networks as PyTorch exports them, and what PyTorch's own gradient through each of them is.

For each network `N.onnx` and a row of `networks.json`: an image in [-1, 1], a channel of the output, the mean of it with a
border left out, and the gradient of that mean for the image, in float64. `float32Error` is how far PyTorch itself is from
it in float32. The same seed gives the same networks.
"""

import argparse
import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OPSETS = (11, 13, 16, 18)
ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.Hardswish, nn.SiLU, nn.GELU)
POOLS: tuple[Callable[[], nn.Module], ...] = (
    lambda: nn.MaxPool2d(2),
    lambda: nn.MaxPool2d(3, 2, 1),
    lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
    lambda: nn.MaxPool2d(2, 1, dilation=2),
    lambda: nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(2)),
    lambda: nn.AvgPool2d(3, 2, 1),
    lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    lambda: nn.AvgPool2d((1, 3), 2, (0, 1), ceil_mode=True, count_include_pad=False),
)
MOVES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda x: x[:, :, 1:, ::2],
    lambda x: F.pad(x, (1, 2, 0, 1)),
    lambda x: F.pad(x, (-1, 1, 0, -1), value=0.5),
    lambda x: torch.cat([part.sigmoid() for part in x.chunk(2, 1)] + [x], 1),
    lambda x: F.pixel_shuffle(torch.cat([x] * 4, 1), 2),
    lambda x: F.normalize(x.relu(), dim=1),
    lambda x: x * x.softmax(1),
    lambda x: x * torch.sigmoid(x.mean(1, keepdim=True) + x.amax(1, keepdim=True)),
    lambda x: x - x.mean((2, 3), keepdim=True) * x.abs().sum(3, keepdim=True).sqrt(),
)


class Apply(nn.Module):
    """A function of the input and of modules, as a module."""

    def __init__(self, function: Callable[..., Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


def normalisation(channels: int) -> nn.Module:
    module = nn.BatchNorm2d(channels, eps=random.choice((1e-5, 1e-3)))
    module.running_mean.normal_(0, 0.3)
    module.running_var.uniform_(0.3, 2)
    nn.init.uniform_(module.weight, 0.5, 1.5)
    return module


def convolution(channels: int, out: int, *, same: bool = False) -> nn.Module:
    kernel = random.choice((1, 3) if same else (1, 2, 3, 5, 7, (1, 3), (4, 2)))
    stride = 1 if same else random.choice((1, 1, 2, 2, 3, (2, 1)))
    padding = kernel // 2 if same else random.choice((0, 1, 2))
    dilation = 1 if same else random.choice((1, 1, 1, 2))
    group = random.choice((1, 1, channels)) if out % channels == 0 else 1
    conv = nn.Conv2d(channels, out, kernel, stride, padding, dilation, group, bias=random.random() < 0.5)
    rest = [normalisation(out), random.choice(ACTIVATIONS)()]
    return nn.Sequential(conv, *rest[: random.randrange(3)])


def block(channels: int) -> nn.Module:
    """A part of a network as they are found, or an operation on its own."""
    match random.choice(("conv", "conv", "pool", "residual", "excite", "branches", "transposed", "move")):
        case "conv":
            return convolution(channels, random.choice((1, 3, 4, 2 * channels, 16)))
        case "pool":
            return random.choice(POOLS)()
        case "residual":
            before = nn.Sequential(normalisation(channels), nn.ReLU())
            return Apply(lambda x, f, g: g(f(x)) + x, before, convolution(channels, channels, same=True))
        case "excite":
            gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2, 1), nn.ReLU(), nn.Conv2d(2, channels, 1))
            return Apply(lambda x, f: x * f(x).sigmoid(), gate)
        case "branches":
            pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(channels, 2, 1))
            return Apply(lambda x, f, g: torch.cat([f(x), g(x), x], 1), convolution(channels, 3, same=True), pooled)
        case "transposed":
            return nn.ConvTranspose2d(channels, 3, random.choice((2, 3)), random.choice((1, 2)), random.choice((0, 1)))
        case _:
            return Apply(random.choice(MOVES))


def network(image: Tensor) -> nn.Module:
    """Blocks that fit one behind the other, with a classifier's head on some."""
    blocks: list[nn.Module] = []
    x = image
    while len(blocks) < 6:
        module = block(x.shape[1]).eval()
        try:
            y = module(x)
        except (RuntimeError, ValueError):
            continue  # a window larger than what is left
        if 0 < y.numel() < 20_000:
            blocks.append(module)
            x = y
        elif len(blocks) > 2:
            break
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(x.shape[1], 5)] if random.random() < 0.3 else []
    return nn.Sequential(*blocks, *head).eval()


def gradient(net: nn.Module, image: Tensor, channel: int, border: int) -> tuple[float, Tensor]:
    x = image.clone().requires_grad_()
    y = net(x)[:, channel]
    for axis in range(1, y.dim()):
        y = y.narrow(axis, border, y.shape[axis] - 2 * border)
    loss = y.mean()
    return loss.item(), torch.autograd.grad(loss, x)[0]


def write(folder: Path, seed: int) -> dict[str, object]:
    random.seed(seed)
    torch.manual_seed(seed)
    image = torch.rand(1, 3, random.randint(8, 20), random.randint(8, 20)) * 2 - 1
    with torch.no_grad():
        net = network(image)
        dims = net(image).shape
        file = f"{seed}.onnx"
        torch.onnx.export(net, image, folder / file, opset_version=random.choice(OPSETS), dynamo=False)
    channel, border = random.randrange(dims[1]), int(min(dims[2:], default=0) > 2)
    _, single = gradient(net, image, channel, border)
    loss, exact = gradient(net.double(), image.double(), channel, border)
    error = ((single - exact).norm() / exact.norm().clamp(min=1e-12)).item()
    case = {"file": file, "size": list(image.shape[2:]), "channel": channel, "border": border, "loss": loss}
    return {**case, "float32Error": error, "image": image.flatten().tolist(), "gradient": exact.flatten().tolist()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    cases = [write(args.folder, args.seed + i) for i in range(args.count)]
    (args.folder / "networks.json").write_text(json.dumps(cases))

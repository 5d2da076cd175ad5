"""Exports image networks of many families as PyTorch writes them, with what PyTorch itself says of each:

    python test/oracles/architectures.py FOLDER [--only WORD]

Some layers of each network are made its outputs. For each, `FOLDER/NAME.json` has the whole activation and the gradient of a
channel's mean for the picture, both in float64, and how far PyTorch's own float32 is from that. Weights are drawn anew from a
fixed seed, and the batch statistics are those of noise: what is held against us is arithmetic, for which no training is needed.
The exporter and the operator set change from network to network, so that all are met.
"""

import argparse
import copy
import json
import logging
import struct
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SEED = 20
# A unit whose input is nearer to zero than float32 can tell falls to either side of a ReLU, and then a gradient is off by all that
# flows through it. Another picture has other such units.
PICTURES = 3


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    make: Callable[[], nn.Module]
    size: tuple[int, int]
    opset: int
    dynamo: bool = False
    channels: int = 3
    dynamic: bool = False


try:
    import torchvision.models
except RuntimeError:
    # torchvision as PyPI has it, beside a torch for CPUs, lacks its own kernels. None of these networks needs them, but
    # they are asked for by name.
    kernels = torch.library.Library("torchvision", "DEF")
    for kernel in ("nms", "qnms"):
        kernels.define(f"{kernel}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision.models


def tv(name: str, **options: object) -> Callable[[], nn.Module]:
    return lambda: torchvision.models.get_model(name, weights=None, **options)


def timm(name: str, **options: object) -> Callable[[], nn.Module]:
    import timm as library

    return lambda: library.create_model(name, pretrained=False, **options)


def segmentation(name: str) -> Callable[[], nn.Module]:
    class Out(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = torchvision.models.get_model(name, weights=None, weights_backbone=None)

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)["out"]

    return Out


class Style(nn.Module):
    """A transfer network: reflected borders, instance normalisation, nearest and transposed upsampling."""

    def __init__(self) -> None:
        super().__init__()

        def conv(a: int, b: int, k: int, s: int = 1) -> nn.Sequential:
            return nn.Sequential(nn.ReflectionPad2d(k // 2), nn.Conv2d(a, b, k, s), nn.InstanceNorm2d(b, affine=True), nn.ReLU())

        self.down = nn.Sequential(conv(3, 16, 9), conv(16, 24, 3, 2), conv(24, 32, 3, 2))
        self.residual = conv(32, 32, 3)
        self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), conv(32, 24, 3))
        self.out = nn.Sequential(nn.ConvTranspose2d(24, 16, 3, 2, padding=1, output_padding=1), nn.Tanh(), nn.Conv2d(16, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return self.out(self.up(x + self.residual(x)))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()

        def block(a: int, b: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.SiLU())

        self.a, self.b, self.c = block(3, 16), block(16, 24), block(24, 32)
        self.up1 = nn.ConvTranspose2d(32, 24, 2, 2)
        self.d = block(48, 24)
        self.up2 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.e = block(40, 8)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = self.b(nn.functional.max_pool2d(a, 2))
        c = self.c(nn.functional.avg_pool2d(b, 2))
        d = self.d(torch.cat([self.up1(c), b], 1))
        return self.e(torch.cat([self.up2(d), a], 1))


class Lenet(nn.Module):
    """Grey, 28 pixels wide, with a size that is baked into its Reshape."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(8, 16, 5), nn.MaxPool2d(2), nn.PReLU(16))
        self.classifier = nn.Sequential(nn.Linear(256, 84), nn.Hardswish(), nn.Linear(84, 10))

    def forward(self, x: Tensor) -> Tensor:
        return torch.log_softmax(self.classifier(self.features(x).reshape(-1, 256)), 1)


def cases() -> list[Case]:
    return [
        Case("alexnet", "AlexNet", tv("alexnet"), (224, 224), 9),
        Case("vgg11_bn", "VGG", tv("vgg11_bn"), (224, 224), 10),
        Case("squeezenet1_1", "SqueezeNet", tv("squeezenet1_1"), (95, 95), 11, dynamic=True),
        Case("googlenet", "Inception V1", tv("googlenet", aux_logits=False, init_weights=False), (96, 96), 12),
        Case("inception_v3", "Inception V3", tv("inception_v3", aux_logits=False, init_weights=False), (107, 107), 18, True),
        Case("inception_resnet_v2", "Inception-ResNet", timm("inception_resnet_v2"), (107, 107), 13),
        Case("resnet18", "ResNet", tv("resnet18"), (96, 96), 9, dynamic=True),
        Case("resnext50", "ResNeXt", tv("resnext50_32x4d"), (80, 80), 20, True),
        Case("resnetv2_50d_gn", "ResNet V2, GroupNorm", timm("resnetv2_50d_gn"), (96, 96), 17),
        Case("resnest14d", "ResNeSt", timm("resnest14d"), (96, 96), 16),
        Case("res2net50_26w_4s", "Res2Net", timm("res2net50_26w_4s"), (95, 95), 15),
        Case("skresnet18", "SKNet", timm("skresnet18"), (96, 96), 14),
        Case("densenet121", "DenseNet", tv("densenet121"), (95, 95), 13),
        Case("dpn48b", "DPN", timm("dpn48b"), (96, 96), 14),
        Case("xception41", "Xception", timm("xception41"), (95, 95), 18, True),
        Case("mobilenet_v2", "MobileNet V2", tv("mobilenet_v2"), (96, 96), 10, dynamic=True),
        Case("mobilenet_v3_small", "MobileNet V3", tv("mobilenet_v3_small"), (96, 96), 11),
        Case("mnasnet0_5", "MnasNet", tv("mnasnet0_5"), (96, 96), 12),
        Case("shufflenet_v2_x0_5", "ShuffleNet", tv("shufflenet_v2_x0_5"), (96, 96), 13, dynamic=True),
        Case("ghostnet_100", "GhostNet", timm("ghostnet_100"), (96, 96), 19, True),
        Case("efficientnet_b0", "EfficientNet", tv("efficientnet_b0"), (96, 96), 18, True),
        Case("efficientnet_v2_s", "EfficientNet V2", tv("efficientnet_v2_s"), (96, 96), 17),
        Case("mixnet_s", "MixNet", timm("mixnet_s"), (96, 96), 14),
        Case("regnet_y_400mf", "RegNet", tv("regnet_y_400mf"), (96, 96), 15),
        Case("repvgg_a0", "RepVGG", timm("repvgg_a0"), (96, 96), 16),
        Case("hrnet_w18_small", "HRNet", timm("hrnet_w18_small"), (96, 96), 17),
        Case("eca_nfnet_l0", "NFNet", timm("eca_nfnet_l0"), (96, 96), 18),
        Case("ese_vovnet19b_dw", "VoVNet", timm("ese_vovnet19b_dw"), (96, 96), 20, True),
        Case("cspresnet50", "CSPNet", timm("cspresnet50"), (96, 96), 19),
        Case("convnext_tiny", "ConvNeXt", tv("convnext_tiny"), (96, 96), 13),
        Case("convnextv2_atto", "ConvNeXt V2", timm("convnextv2_atto"), (96, 96), 18, True),
        Case("poolformer_s12", "PoolFormer", timm("poolformer_s12"), (96, 96), 16),
        Case("mobilevit_xxs", "MobileViT", timm("mobilevit_xxs"), (128, 128), 17),
        Case("edgenext_xx_small", "EdgeNeXt", timm("edgenext_xx_small"), (96, 96), 18, True),
        Case("vit_tiny", "ViT", timm("vit_tiny_patch16_224", img_size=96, depth=4), (96, 96), 14),
        Case("swin_tiny", "Swin", timm("swin_tiny_patch4_window7_224"), (224, 224), 18, True),
        Case("mixer_s16", "MLP-Mixer", timm("mixer_s16_224", img_size=96), (96, 96), 20),
        Case("fcn_resnet50", "FCN", segmentation("fcn_resnet50"), (72, 72), 11),
        Case("deeplabv3_mobilenet", "DeepLab V3", segmentation("deeplabv3_mobilenet_v3_large"), (96, 96), 18, True),
        Case("style", "style transfer", Style, (48, 52), 11),
        Case("unet", "U-Net", UNet, (48, 64), 18, True),
        Case("lenet", "LeNet", Lenet, (28, 28), 9, channels=1),
    ]


class Tapped(nn.Module):
    """A network whose outputs are those of some of its modules."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network = network
        self.names = names
        self.found: dict[str, Tensor] = {}
        modules = dict(network.named_modules())
        for name in names:
            # A copy: what comes next may write into it.
            modules[name].register_forward_hook(lambda _, __, out, name=name: self.found.__setitem__(name, out.clone()))

    def forward(self, x: Tensor) -> list[Tensor]:
        self.found.clear()
        out = self.network(x)
        return [*(self.found[name] for name in self.names), out]


def prepared(case: Case) -> nn.Module:
    torch.manual_seed(SEED)
    network = case.make()
    with torch.no_grad():
        for name, p in network.named_parameters():
            # A head that begins as zeros would show nothing.
            if p.ndim == 2 and not p.any():
                p.normal_(0, 0.05)
            # Scales of residual branches begin so small that nothing of their branch would be seen.
            if p.ndim == 1 and name.endswith(("gamma", "scale", "skipinit_gain")) or "layer_scale" in name:
                p.uniform_(0.2, 1)
            elif name.endswith(("grn.weight", "grn.bias")) or (p.ndim == 1 and "norm" in name):
                p.add_(torch.randn_like(p) * 0.1)
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None
            m.train()
            if m.affine:
                m.weight.uniform_(0.7, 1.3)
                m.bias.normal_(0, 0.2)
        network.eval()
        for m in norms:
            m.train()
        network(torch.randn(4, case.channels, *case.size))
    return network.eval().requires_grad_(requires_grad=False)


def taps(network: nn.Module, case: Case) -> list[str]:
    """Up to five modules spread over the network, each run once, whose output is a picture of features or a list of tokens."""
    order: list[str] = []
    counts: dict[str, int] = {}
    hooks = []

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: object, out: object) -> None:
            counts[name] = counts.get(name, 0) + 1
            # What does not depend on the picture needs no gradient: weights need none here.
            if isinstance(out, Tensor) and out.requires_grad and out.ndim in (3, 4) and out.numel() > out.shape[1]:
                order.append(name)

        return hook

    for name, module in network.named_modules():
        if name:
            hooks.append(module.register_forward_hook(note(name)))
    network(torch.randn(1, case.channels, *case.size, requires_grad=True))
    for hook in hooks:
        hook.remove()
    once = [name for name in dict.fromkeys(order) if counts[name] == 1]
    return [once[round(i * (len(once) - 1) / 4)] for i in range(5)] if len(once) >= 5 else once


def axis_of(network: Tapped, out: Tensor) -> int:
    """The axis of the channels: the last of tokens, and of pictures in NHWC."""
    return 3 if network.last_dim and out.ndim == 4 else 1 if out.ndim in (2, 4) else 2


def told(network: Tapped, image: Tensor, channels: list[int] | None = None) -> list[tuple[Tensor, Tensor, int]]:
    """For each output its activation, and the gradient of the mean of one of its channels: the strongest unless given."""
    x = image.clone().requires_grad_()
    outs = network(x)
    told = []
    for i, out in enumerate(outs):
        axis = axis_of(network, out)
        means = out.detach().movedim(axis, 0).flatten(1).mean(1)
        channel = int(means.argmax()) if channels is None else channels[i]
        (g,) = torch.autograd.grad(out.select(axis, channel).mean(), x, retain_graph=True)
        told.append((out.detach(), g, channel))
    return told


def raw(folder: Path, name: str, t: Tensor) -> str:
    file = f"{name}.f64"
    (folder / file).write_bytes(t.double().numpy().astype("<f8").tobytes())
    return file


def error(found: Tensor, right: Tensor) -> float:
    return float((found.double() - right).norm() / right.norm().clamp_min(1e-300))


def export(case: Case, folder: Path) -> dict[str, object]:
    network = prepared(case)
    names = list(dict.fromkeys(taps(network, case)))
    # The exporter gives back the mode that it found.
    tapped = Tapped(network, names).eval()
    tapped.last_dim = case.name.startswith("swin")
    generator = torch.Generator().manual_seed(SEED)
    images = [torch.rand(1, case.channels, *case.size, generator=generator) * 2 - 1 for _ in range(PICTURES)]
    image = images[0]
    outputs = [f"tap/{name}" for name in names] + ["logits"]
    file = folder / f"{case.name}.onnx"
    options: dict[str, object] = {"input_names": ["image"], "output_names": outputs, "opset_version": case.opset}
    if case.dynamo:
        torch.onnx.export(tapped, (image,), file, dynamo=True, external_data=False, verbose=False, **options)
    else:
        if case.dynamic:
            options["dynamic_axes"] = {"image": {0: "n", 2: "h", 3: "w"}}
        torch.onnx.export(tapped, (image,), file, dynamo=False, **options)
    double = Tapped(copy.deepcopy(network).double(), names).eval()
    for module in double.network.modules():
        # The hooks of the first are copied with it.
        if len(module._forward_hooks) > 1:
            own = list(module._forward_hooks.items())[-1:]
            module._forward_hooks.clear()
            module._forward_hooks.update(own)
    double.last_dim = tapped.last_dim
    layers: list[dict[str, object]] = []
    channels: list[int] | None = None
    for k, picture in enumerate(images):
        exact = told(double, picture.double(), channels)
        channels = [channel for _, _, channel in exact]
        single = told(tapped, picture, channels)
        for i, (name, (a32, g32, _), (a, g, channel)) in enumerate(zip(outputs, single, exact)):
            if k == 0:
                layers.append({"layer": name, "axis": axis_of(tapped, a), "channel": channel, "dims": list(a.shape), "pictures": []})
            layers[i]["pictures"].append({
                "activation": raw(folder, f"{case.name}.{i}.{k}.activation", a),
                "gradient": raw(folder, f"{case.name}.{i}.{k}.gradient", g),
                "float32Activation": error(a32, a),
                "float32Gradient": error(g32, g),
            })
    return {
        "name": case.name,
        "family": case.family,
        "exporter": "dynamo" if case.dynamo else "TorchScript",
        "opset": case.opset,
        "file": file.name,
        "size": list(case.size),
        "channels": case.channels,
        "images": [raw(folder, f"{case.name}.{k}.image", picture) for k, picture in enumerate(images)],
        "layers": layers,
    }


def main(folder: Path, only: str) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    failed = []
    for case in cases():
        if only not in case.name:
            continue
        try:
            told_of = export(case, folder)
        except Exception:  # noqa: BLE001: one network that cannot be exported is no reason to leave the others out
            failed.append(case.name)
            traceback.print_exc(limit=-2)
            continue
        (folder / f"{case.name}.json").write_text(json.dumps(told_of))
        print(case.name, flush=True)
    if failed:
        raise SystemExit(f"not exported: {', '.join(failed)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of those that are wanted")
    given = parser.parse_args()
    main(given.folder, given.only)

"""Writes test/import/kinds: small ONNX files as other people's tools write them, and what is right for them.

One file for each kind of trouble that files from elsewhere brought. PyTorch exports the networks; ONNX Runtime's own
tools halve and quantise them. Then PyTorch walks each finished file in float64 and says what its layers give and how
they change with the picture. Quantisers pass their gradient within their range and stop it outside.
"""

import copy
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16
from torch import nn

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "import/kinds"
SAMPLES = 64
TARGETS = 7
MOST_CHANNELS = 16
Attributes = dict[str, object]


def hashed(count: int) -> np.ndarray:
    """The formula under "hash" of network-golden.json, for t = -1."""
    u = np.arange(1, count + 1, dtype=np.uint32) * np.uint32(0x9E3779B1)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        u ^= u >> np.uint32(shift)
        u *= np.uint32(factor)
    u ^= u >> np.uint32(15)
    return u / 2**32 - 0.5


class Residual(nn.Module):
    """Convolutions with and without ReLU, a branch, pooling, classes: what quantisers and converters meet most."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, 2, 1)
        self.one, self.two = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.deep, self.wide = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 12, 1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)
        x = F.relu(x + self.two(F.relu(self.one(x))))
        x = F.relu6(self.wide(F.relu6(self.deep(x))))
        return self.head(x.mean((2, 3)))


class Parts(nn.Module):
    """Layers spelled in parts: what exporters make of what their operator set does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.squeeze, self.excite = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.instance, self.wide = nn.InstanceNorm2d(8, affine=True), nn.Conv2d(8, 8, 3, groups=4)
        self.mixed = nn.Linear(8, 16)
        self.back, self.up = nn.ConvTranspose2d(16, 6, 3, 2, 1, output_padding=1), nn.Conv2d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(F.pad(x, (1, 1, 1, 1), mode="reflect"))
        x = x * F.relu6(x + 3) / 6  # hard swish
        x = x * F.relu6(self.excite(F.relu(self.squeeze(x.mean((2, 3), True)))) + 3) / 6  # squeeze and excite
        x = F.relu(self.instance(x))
        n, c, h, w = x.shape
        x = x.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)  # channel shuffle, its sizes baked in
        x = self.wide(x).permute(0, 2, 3, 1)
        mean = x.mean(-1, True)
        x = (x - mean) / ((x - mean).pow(2).mean(-1, True) + 1e-6).sqrt()  # layer normalisation
        x = self.mixed(x)
        x = 0.5 * x * (1 + torch.erf(x / 2**0.5))  # GELU
        x = 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))  # and its cousin
        x = self.back(x.permute(0, 3, 1, 2))
        x = F.interpolate(self.up(x), scale_factor=2, mode="bilinear", align_corners=False)
        return F.interpolate(x, scale_factor=0.5, mode="nearest")


def exported(model: nn.Module, dims: tuple[int, ...]) -> onnx.ModelProto:
    torch.manual_seed(1)
    for p in model.parameters():
        nn.init.normal_(p, 0.02, (2 / max(1, p[0].numel())) ** 0.5) if p.dim() > 1 else nn.init.normal_(p, 0.1, 0.3)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = f"{folder}/model.onnx"
        torch.onnx.export(
            model.eval(), (torch.zeros(dims),), path, input_names=["data"], opset_version=17, dynamo=False
        )
        proto = onnx.load(path)
    return onnx.shape_inference.infer_shapes(proto)


class Calibration(CalibrationDataReader):
    """Pictures of the range that the ReLUs need, so that a quantiser's range stands for each of them."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        self.left = [np.random.default_rng(i).uniform(-1, 1, dims).astype(np.float32) for i in range(8)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return {"data": self.left.pop()} if self.left else None


def quantised(model: onnx.ModelProto, dims: tuple[int, ...]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, f"{folder}/float.onnx")
        quantize_static(
            f"{folder}/float.onnx",
            f"{folder}/whole.onnx",
            Calibration(dims),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        found = onnx.load(f"{folder}/whole.onnx")
    if any(n.op_type == "Relu" for n in found.graph.node):
        raise ValueError("no ReLU was removed: that is the kind that is wanted")
    return found


def turned(model: onnx.ModelProto) -> onnx.ModelProto:
    """A network in NHWC: a Transpose before and behind every Conv and pooling, as converters from TensorFlow leave them."""
    found = copy.deepcopy(model)
    graph = found.graph
    nodes = []
    for node in graph.node:
        if node.op_type not in ("Conv", "MaxPool", "ReduceMean"):
            nodes.append(node)
            continue
        if node.op_type == "ReduceMean":
            axes = next(a for a in node.attribute if a.name == "axes")
            axes.ints[:] = [1, 2]
            nodes.append(node)
            continue
        inside, outside = f"{node.output[0]}_nchw", node.output[0]
        nodes.append(
            helper.make_node("Transpose", [node.input[0]], [f"{inside}_in"], f"{inside}_before", perm=[0, 3, 1, 2])
        )
        node.input[0], node.output[0] = f"{inside}_in", inside
        nodes.append(node)
        nodes.append(helper.make_node("Transpose", [inside], [outside], f"{inside}_behind", perm=[0, 2, 3, 1]))
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    dims = graph.input[0].type.tensor_type.shape.dim
    sizes = [d.dim_value for d in dims]
    for d, at in zip(dims, (0, 2, 3, 1), strict=True):
        d.dim_value = sizes[at]
    return onnx.shape_inference.infer_shapes(found)


def old(model: onnx.ModelProto) -> onnx.ModelProto:
    """A file of the first years: initializers that are also inputs, and an input that only one layer needs."""
    found = copy.deepcopy(model)
    graph = found.graph
    found.ir_version = 3
    for w in graph.initializer:
        graph.input.append(helper.make_tensor_value_info(w.name, w.data_type, list(w.dims)))
    graph.input.append(helper.make_tensor_value_info("temperature", onnx.TensorProto.FLOAT, [1]))
    graph.node.append(helper.make_node("Div", [graph.output[0].name, "temperature"], ["tempered"], "tempered"))
    graph.output[0].name = "tempered"
    return found


def padded(x: torch.Tensor, pads: list[int], mode: str = "constant", value: float = 0) -> torch.Tensor:
    half = len(pads) // 2
    flat = [p for axis in reversed(range(half)) for p in (pads[axis], pads[axis + half])]
    # PyTorch reflects two axes of an image, and no batch.
    return F.pad(x, flat[:4], mode=mode) if mode != "constant" else F.pad(x, flat, value=value)


class Rounded(torch.autograd.Function):
    """Rounds to multiples of the scale within a range; the gradient passes where the number itself is within it."""

    @staticmethod
    def forward(ctx, x, scale, zero, least, most):  # noqa: ANN001, ANN205
        q = torch.round(x / scale) + zero
        # Its range is in the numbers before rounding, as a ReLU's is, and as TensorFlow has it.
        ctx.save_for_backward((x / scale >= least - zero) & (x / scale <= most - zero))
        return (q.clamp(least, most) - zero) * scale

    @staticmethod
    def backward(ctx, g):  # noqa: ANN001, ANN205
        return g * ctx.saved_tensors[0], None, None, None, None


def run_node(node: onnx.NodeProto, x: list, attributes: Attributes) -> torch.Tensor:  # noqa: C901, PLR0911, PLR0912
    """The operators of these files, with the attributes that they use."""
    get = attributes.get
    match node.op_type:
        case "Conv":
            pads = get("pads", [0] * 4)
            return F.conv2d(
                padded(x[0], [0, 0, *pads[:2], 0, 0, *pads[2:]]), *x[1:], stride=get("strides", [1, 1]), groups=get("group", 1)
            )
        case "ConvTranspose":
            return F.conv_transpose2d(
                *x, stride=get("strides"), padding=get("pads")[:2], output_padding=get("output_padding")
            )
        case "MaxPool":
            return F.max_pool2d(x[0], get("kernel_shape"), get("strides"), get("pads")[:2])
        case "Relu":
            return F.relu(x[0])
        case "Clip":
            low, high = (v if v is None else v.item() for v in (x + [None, None])[1:3])
            return x[0].clamp(low, high)
        case "Add" | "Sub" | "Mul" | "Div":
            name = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}[node.op_type]
            return getattr(torch, name)(x[0], x[1])
        case "Pow":
            return x[0] ** x[1]
        case "Sqrt" | "Erf" | "Tanh":
            return getattr(torch, node.op_type.lower())(x[0])
        case "ReduceMean":
            return x[0].mean(get("axes"), get("keepdims", 1) == 1)
        case "InstanceNormalization":
            return F.instance_norm(x[0], weight=x[1], bias=x[2], eps=get("epsilon"))
        case "Transpose":
            return x[0].permute(get("perm"))
        case "Reshape":
            return x[0].reshape([x[0].shape[i] if s == 0 else s for i, s in enumerate(x[1].long().tolist())])
        case "MatMul":
            return x[0] @ x[1]
        case "Gemm":
            return x[0] @ (x[1].T if get("transB") else x[1]) + x[2]
        case "Pad":
            return padded(x[0], x[1].long().tolist(), get("mode", b"constant").decode())
        case "Resize":
            mode, (down, across) = get("mode").decode(), x[2][2:].tolist()
            corners = {"align_corners": False} if mode == "linear" else {}
            name = {"linear": "bilinear", "nearest": "nearest"}[mode]
            return F.interpolate(x[0], scale_factor=(down, across), mode=name, **corners)
        case "Cast" | "Identity" | "DequantizeLinear" | "QuantizeLinear":
            return x[0]
    raise NotImplementedError(f"{node.op_type} ({node.name})")


KEPT = {"QuantizeLinear", "DequantizeLinear"}


def computed(node: onnx.NodeProto, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """What onnx's reference makes of constants."""
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in dict(zip(node.input, inputs, strict=True)).items()
    ]
    outputs = [helper.make_tensor_value_info(node.output[0], 0, None)]
    model = helper.make_model(
        helper.make_graph([node], "one", infos, outputs), opset_imports=[helper.make_opsetid("", 17)]
    )
    return ReferenceEvaluator(model).run(None, dict(zip(node.input, inputs, strict=True)))


def values_of(model: onnx.ModelProto, image: torch.Tensor) -> dict[str, torch.Tensor]:
    graph, dtype = model.graph, image.dtype
    arrays = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    values = {name: torch.tensor(a.copy()).to(dtype) for name, a in arrays.items()}
    values[graph.input[0].name] = image
    ranges = {np.uint8: (0, 255), np.int8: (-128, 127), np.int32: (-(2**31), 2**31 - 1)}

    def along(name: str, rank: int, attributes: Attributes) -> torch.Tensor:
        v = values[name]
        return v if v.numel() == 1 else v.reshape([-1 if i == attributes.get("axis", 1) % rank else 1 for i in range(rank)])

    waiting = list(graph.node)
    while waiting:
        # Converters leave nodes out of order.
        node = next((n for n in waiting if all(i in values for i in n.input if i)), None)
        if node is None:
            break
        waiting.remove(node)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            arrays[node.output[0]] = numpy_helper.to_array(attributes["value"])
        elif node.op_type == "Shape":
            arrays[node.output[0]] = np.array(values[node.input[0]].shape)
        elif node.op_type not in KEPT and all(i in arrays for i in node.input if i):
            # Arithmetic of sizes, which no picture is in.
            [arrays[node.output[0]]] = computed(node, [arrays[i] for i in node.input])
        if node.output[0] in arrays:
            values[node.output[0]] = torch.tensor(np.array(arrays[node.output[0]])).to(dtype)
            continue
        inputs = [values[i] if i else None for i in node.input]
        if node.op_type == "QuantizeLinear":
            scale, zero = (along(i, inputs[0].dim(), attributes) for i in node.input[1:3])
            found = Rounded.apply(inputs[0], scale, zero, *ranges[arrays[node.input[2]].dtype.type])
        elif node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            scale, zero = (along(i, inputs[0].dim(), attributes) for i in node.input[1:3])
            found = (inputs[0] - zero) * scale
        else:
            found = run_node(node, inputs, attributes)
        values[node.output[0]] = found
    return values


def held_to_onnxruntime(name: str, model: onnx.ModelProto, image: np.ndarray, values: dict[str, torch.Tensor]) -> None:
    """The walk is ours, so ONNX Runtime says first that it is the network."""
    if name == "old":
        return
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    [info] = session.get_inputs()
    [found] = session.run(None, {info.name: image.astype(np.float16 if "16" in info.type else np.float32)})
    wanted = values[model.graph.output[0].name].detach().numpy()
    worst = float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    print(f"{name}: {len(model.graph.node)} nodes, {worst:.1e} from ONNX Runtime")
    if worst > (1e-2 if name.startswith("half") else 5e-2 if name == "quantised" else 1e-5):
        raise ValueError(f"{name}: the walk is not the network")


def compact(value: float, digits: int = 10) -> float:
    return float(f"{value:.{digits}g}")


def rows(name: str, model: onnx.ModelProto, last: bool, ops: set[str]) -> list[dict[str, object]]:
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    nhwc = tuple(dims) if last else tuple(dims[i] for i in (0, 2, 3, 1))
    flat = (2 * hashed(int(np.prod(nhwc)))).astype(np.float32).reshape(nhwc)
    image = flat if last else flat.transpose(0, 3, 1, 2).copy()
    found = []
    exact = {d: torch.tensor(image).to(d).requires_grad_(True) for d in (torch.float64, torch.float32)}
    values = {d: values_of(model, x) for d, x in exact.items()}
    held_to_onnxruntime(name, model, image, values[torch.float64])
    for target in targets_of(model, ops, values[torch.float64]):
        full = values[torch.float64][target]
        # What is spelled in parts lies with its channels last in between.
        axis = full.dim() - 1 if last or full.shape[1] > MOST_CHANNELS else 1

        def slope(d: torch.dtype, channel: int) -> tuple[float, np.ndarray]:
            loss = values[d][target].select(axis, channel).mean()
            (g,) = torch.autograd.grad(loss, exact[d], retain_graph=True)
            return loss.item(), (g if last else g.permute(0, 2, 3, 1)).double().numpy()

        slopes = {c: slope(torch.float64, c) for c in range(full.shape[axis])}
        channel = max(slopes, key=lambda c: float(np.linalg.norm(slopes[c][1])))
        loss, g = slopes[channel]
        norm = float(np.linalg.norm(g))
        if norm == 0:
            raise ValueError(f"{name} {target}: a dead layer holds nobody to anything")
        error = float(np.linalg.norm(slope(torch.float32, channel)[1] - g)) / norm
        print(f"  {target}:{channel} {list(full.shape)} loss {loss:.5g} gradient {norm:.3g}, in float32 {error:.1e} off")
        ravelled = g.ravel()
        picked = [j * (ravelled.size - 1) // (SAMPLES - 1) for j in range(SAMPLES)]
        found.append(
            {
                "model": name,
                "target": target,
                "channel": channel,
                "border": 0,
                "inputShape": list(g.shape),
                "loss": compact(loss),
                "l2": compact(norm),
                "float32Error": compact(error, 2),
                "samples": [[i, compact(float(ravelled[i]))] for i in picked],
            }
        )
    return found


def targets_of(model: onnx.ModelProto, ops: set[str], values: dict[str, torch.Tensor]) -> list[str]:
    """Some layers of these operators, the last among them, that depend on the picture."""
    of_ops = [n.output[0] for n in model.graph.node if n.op_type in ops and n.output[0] in values]
    names = [n for n in of_ops if values[n].requires_grad and values[n].dim() in (2, 4)]
    return sorted({names[round(i * (len(names) - 1) / (TARGETS - 1))] for i in range(TARGETS)}, key=names.index)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    dims, grey = (1, 3, 26, 22), (1, 1, 28, 28)
    residual, parts = exported(Residual(), dims), exported(Parts(), dims)
    ops = {"Conv", "Add", "Gemm", "MaxPool"}
    files: list[tuple[str, onnx.ModelProto, bool, set[str]]] = [
        ("parts", parts, False, {"Mul", "Div", "Reshape", "ConvTranspose", "Resize", "InstanceNormalization"}),
        ("half", convert_float_to_float16(copy.deepcopy(residual)), False, ops),
        ("half-inside", convert_float_to_float16(copy.deepcopy(residual), keep_io_types=True), False, ops),
        ("quantised", quantised(residual, dims), False, {"DequantizeLinear"}),
        ("turned", turned(residual), True, {"Relu", "Add", "Clip", "Gemm"}),
        ("old", old(residual), False, ops),
        ("grey", exported(Residual(1), grey), False, ops),
    ]
    cases = []
    for name, model, last, kinds in files:
        del model.graph.value_info[:]
        onnx.save(model, OUT / f"{name}.onnx")
        cases += rows(name, model, last, kinds)
    header = {
        "oracles": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
        "precision": "float64; weights as the file has them; formulas as in network-golden.json",
    }
    lines = ",\n".join(json.dumps(row) for row in cases)
    (OUT / "golden.json").write_text(f'{json.dumps(header, indent=2)[:-2]},\n  "cases": [\n{lines}\n  ]\n}}\n')

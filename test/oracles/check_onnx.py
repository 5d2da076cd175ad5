"""Holds ONNX files against onnx itself: its checker with every test, then its own inference of every output's type.

Prints a JSON object: for each faulty file of the folder what is wrong, and how many files and outputs were looked at. The
outputs' types are taken out before they are inferred, so that inference cannot take them on trust.
"""

import argparse
import json
from pathlib import Path

import onnx
from onnx import ModelProto, TypeProto


def described(kind: TypeProto) -> str:
    """`FLOAT[1, 3, 8, 8]`; `?` for what inference leaves open."""
    tensor = kind.tensor_type
    dims = [str(d.dim_value) if d.HasField("dim_value") else "?" for d in tensor.shape.dim]
    rank = ", ".join(dims) if tensor.HasField("shape") else "…"
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type)}[{rank}]"


def faults(model: ModelProto) -> list[str]:
    try:
        onnx.checker.check_model(model, full_check=True)
        declared = {output.name: described(output.type) for output in model.graph.output}
        for output in model.graph.output:
            output.ClearField("type")
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        return [str(error)]
    found = {output.name: described(output.type) for output in inferred.graph.output}
    differ = [name for name in declared if found[name] != declared[name]]
    return [f"{name}: onnx infers {found[name]}, the file says {declared[name]}" for name in differ]


def main(folder: Path) -> dict[str, object]:
    files = sorted(folder.glob("*.onnx"))
    models = {file.name: onnx.load(file) for file in files}
    outputs = sum(len(model.graph.output) for model in models.values())
    wrong = {name: found for name, model in models.items() if (found := faults(model))}
    return {"files": len(files), "outputs": outputs, "faults": wrong}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print(json.dumps(main(parser.parse_args().folder)))

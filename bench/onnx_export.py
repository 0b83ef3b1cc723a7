# SPDX-License-Identifier: MIT
"""ONNX files for ONNX Runtime's side of compare.py: MODEL_bBATCH.onnx, and MODEL_bBATCH_int8.onnx whose linear layers are
quantised as ONNX Runtime's own dynamic quantisation does it (8-bit weights per output channel, 8-bit activations with one scale
per tensor, found at run time). Needs torch and onnx. Usage: onnx_export.py FOLDER MODEL BATCH"""
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from torch_model import SIZES, DeiT


def quantised(name, x, weight):
    """Nodes and tensors of y = x W with W [In, Out] in 8 bits; the last node writes `name`."""
    scale = np.maximum(np.abs(weight).max(axis=0) / 127, 1e-12).astype(np.float32)
    codes = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
    tensors = [numpy_helper.from_array(codes, name + ".codes"), numpy_helper.from_array(scale, name + ".scale")]
    x8, x_scale, x_zero, sums, wide, factor = (name + suffix for suffix in (".x", ".x_scale", ".x_zero", ".sums", ".wide", ".factor"))
    nodes = [helper.make_node("DynamicQuantizeLinear", [x], [x8, x_scale, x_zero]),
             helper.make_node("MatMulInteger", [x8, name + ".codes", x_zero], [sums]),
             helper.make_node("Cast", [sums], [wide], to=TensorProto.FLOAT),
             helper.make_node("Mul", [x_scale, name + ".scale"], [factor]),
             helper.make_node("Mul", [wide, factor], [name])]
    return nodes, tensors


def main():
    folder, model_name, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    size = SIZES[model_name]
    plain = folder / f"{model_name}_b{batch}.onnx"
    torch.onnx.export(DeiT(*size).eval(), torch.randn(batch, 3, size[0], size[0]), plain, opset_version=17, input_names=["images"],
                      output_names=["logits"], do_constant_folding=True)
    model = onnx.load(plain)
    weights = {t.name: t for t in model.graph.initializer}
    nodes, tensors = [], []
    for node in model.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None:
            nodes.append(node)
            continue
        new_nodes, new_tensors = quantised(node.output[0], node.input[0], numpy_helper.to_array(weight))
        nodes += new_nodes
        tensors += new_tensors
    used = {name for node in nodes for name in node.input}
    tensors += [t for t in model.graph.initializer if t.name in used]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensors)
    onnx.checker.check_model(model)
    onnx.save(model, folder / f"{model_name}_b{batch}_int8.onnx")


if __name__ == "__main__":
    main()

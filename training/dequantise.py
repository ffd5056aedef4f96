"""Read the weights of int8 networks back as floats: the way back from what `export.quantise` wrote.

A QDQ network stores a weight as int8 (or, of a bias, int32) steps and the size of a step, for the whole tensor or for
each output channel; DequantizeLinear multiplies the two (ONNX operator specification). What rounding took is gone.
Activations stay floats here, so a network with these weights answers nearly, not exactly, as the int8 one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from narrow_weights import Tensors

SUFFIX = "_quantized"  # what ONNX Runtime's quantiser adds to the name of an initialiser
QDQ = ("QuantizeLinear", "DequantizeLinear")


def float_weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the weights of a QDQ network by the names they had before; what was not quantised is as it is."""
    tensors = Tensors(model.graph)
    dequantisers = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    weights = [node for node in dequantisers if node.input[0] in tensors.by_name]
    values = {node.input[0].removesuffix(SUFFIX): dequantised(node, tensors) for node in weights}
    steps = {name for node in weights for name in node.input[:1]}
    # Scales and zero points, of activations too.
    sizes = {name for node in model.graph.node if node.op_type in QDQ for name in node.input[1:]}
    return values | {name: tensors.get(name) for name in tensors.by_name.keys() - steps - sizes}


def dequantised(node: onnx.NodeProto, tensors: Tensors) -> np.ndarray:
    """Return what a DequantizeLinear node makes of an initialiser: float32 of the same shape."""
    steps, scale = tensors.get(node.input[0]), tensors.get(node.input[1])
    zero = tensors.get(node.input[2]) if len(node.input) > 2 else np.zeros((), steps.dtype)
    if scale.ndim == 1 and scale.size > 1:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        shape = [1] * steps.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), np.reshape(zero, shape) if zero.size > 1 else zero
    return ((steps.astype(np.int64) - zero.astype(np.int64)) * scale.astype(np.float64)).astype(np.float32)


def bundle_weights(folder: Path) -> dict[str, np.ndarray]:
    """Return the weights of the whole network that `make_bundle.py` split into the networks of a bundle folder."""
    values: dict[str, np.ndarray] = {}
    for name in ("gate", "segmenter"):
        values |= float_weights(onnx.load(folder / f"{name}.onnx"))
    return values

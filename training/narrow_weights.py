"""Give an int8 network 7-bit weights, so that it computes the same numbers on every CPU.

ONNX Runtime multiplies u8 activations with s8 weights. A CPU with VNNI instructions adds the products in 32
bits; an older x86 CPU (AVX2 only) adds them in pairs in 16 bits, which saturate: 255 * 127 * 2 > 32767. On
the network as first quantised this changed masks (IoU 0.84 between the two kinds of CPU, under QEMU).
With weights of at most 63 nothing can saturate. The activation scales, calibrated on training photos, stay.

ONNX Runtime's own option for this, `reduce_range`, takes a bit from the activations too: it cost 0.008 of the
any-damage IoU where this costs nothing. `export.py` narrows what it quantises; this script is for a network
that was quantised elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from arguments import parser as make_parser

WEIGHT_MAX = 63
INT8_MAX = 127


class Tensors:
    """The initialisers of a graph by name, readable and replaceable."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.by_name = {tensor.name: tensor for tensor in graph.initializer}

    def get(self, name: str) -> np.ndarray:
        """Return one initialiser."""
        return numpy_helper.to_array(self.by_name[name])

    def set(self, name: str, value: np.ndarray) -> None:
        """Replace one initialiser by an array."""
        self.by_name[name].CopyFrom(numpy_helper.from_array(value, name))


def narrow(quantised: Tensors, whole: Tensors, weight: onnx.NodeProto, bias: onnx.NodeProto) -> None:
    """Round one layer's float weights anew, with a coarser step, and scale its int32 bias to match.

    `weight` and `bias` are the DequantizeLinear nodes that feed the layer; the channel axis is the first.
    """
    coarser = np.float32(INT8_MAX / WEIGHT_MAX)
    name, scale_name = weight.input[:2]
    values = whole.get(name.removesuffix("_quantized"))
    scale = (quantised.get(scale_name) * coarser).astype(np.float32)
    steps = values / scale.reshape(-1, *[1] * (values.ndim - 1))
    quantised.set(name, np.clip(np.round(steps), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8))
    quantised.set(scale_name, scale)

    name, scale_name = bias.input[:2]
    scale = quantised.get(scale_name)
    coarse = (scale * coarser).astype(np.float32)
    quantised.set(name, np.round(quantised.get(name) * scale.astype(np.float64) / coarse).astype(np.int32))
    quantised.set(scale_name, coarse)


def narrow_network(model: onnx.ModelProto, whole: onnx.ModelProto) -> int:
    """Narrow all layers of a quantised network in place, from its fp32 form; return how many there were."""
    quantised, floats = Tensors(model.graph), Tensors(whole.graph)
    source = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    layers = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    for layer in layers:
        narrow(quantised, floats, source[layer.input[1]], source[layer.input[2]])
    return len(layers)


def main() -> None:
    """Read both forms of the network and write the narrowed one."""
    parser = make_parser(__doc__)
    parser.add_argument("whole", type=Path, help="the fp32 ONNX network")
    parser.add_argument("quantised", type=Path, help="the same network as static QDQ int8, with one scale per channel")
    parser.add_argument("out", type=Path, help="ONNX network to write")
    given = parser.parse_args()
    model = onnx.load(given.quantised)
    layers = narrow_network(model, onnx.load(given.whole))
    onnx.save(model, given.out)
    print(f"narrowed {layers} layers")


if __name__ == "__main__":
    main()

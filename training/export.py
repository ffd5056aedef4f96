"""Write trained weights as ONNX: fp32, and static QDQ int8 calibrated on photos.

Weights get 7 bits: see `narrow_weights.py` for why. `load_weights` is the way back, from the fp32 ONNX network
into the torch one; `set_weights` the same from weights by name.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from arguments import parser as make_parser
from model import Net
from narrow_weights import narrow_network
from prepare import load, select

SIDE = 256
CALIBRATION_PHOTOS = 96


class Calibration(CalibrationDataReader):
    """Hands photos (uint8 [side, side, 3]) to the quantiser one by one."""

    def __init__(self, photos: Iterable[np.ndarray]) -> None:
        self.photos = iter(photos)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input, or nothing at the end."""
        photo = next(self.photos, None)
        return None if photo is None else {"image": tensor(photo)[None]}


def tensor(photo: np.ndarray) -> np.ndarray:
    """Stretch a photo to the network's size with the area filter: float32 [3, 256, 256]."""
    small = cv2.resize(np.asarray(photo), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).transpose(2, 0, 1)


def export(net: Net, path: Path) -> None:
    """Write the network as fp32 ONNX with sigmoid outputs and a free batch axis `n`."""
    net = net.eval()
    net.logits = False
    torch.onnx.export(
        net,
        (torch.rand(1, 3, SIDE, SIDE) * 255,),
        str(path),
        input_names=["image"],
        output_names=["masks", "gate"],
        opset_version=17,
        dynamic_axes={name: {0: "n"} for name in ("image", "masks", "gate")},
        dynamo=False,
    )


def quantise(source: Path, photos: Iterable[np.ndarray], out: Path) -> None:
    """Write the int8 form of an fp32 network; activations calibrated (min/max) on `photos`."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(out),
            Calibration(photos),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantised = onnx.load(out)
        narrow_network(quantised, onnx.load(source))
        onnx.save(quantised, out)


def load_weights(net: Net, source: Path) -> None:
    """Load the weights of an fp32 ONNX network that `export` wrote. Keep `net` in `eval` mode."""
    set_weights(net, {t.name: numpy_helper.to_array(t) for t in onnx.load(source).graph.initializer})


def set_weights(net: Net, values: dict[str, np.ndarray]) -> None:
    """Set the weights to those of a network that `export` wrote, by the names of its initialisers.

    There the decoder's batch norms are folded into its convolutions, which lost their names but not their
    order; the batch norms of `net` are set to do nothing but add the folded bias. Keep `net` in `eval` mode.
    """
    state = net.state_dict()
    for name in state.keys() & values.keys():
        state[name] = torch.from_numpy(values[name].copy())
    nameless = [name for name in values if re.fullmatch(r"onnx::Conv_\d+", name)]
    convolutions = [f"u{up}.c{step}" for up in (1, 2, 3) for step in (1, 2)]
    if len(nameless) != 2 * len(convolutions):
        raise ValueError(f"{len(nameless)} nameless weights, expected {len(convolutions)} folded convolutions")
    nameless.sort(key=lambda name: int(name.rsplit("_", 1)[1]))
    for number, layer in enumerate(convolutions):
        state[f"{layer}.0.weight"] = torch.from_numpy(values[nameless[2 * number]].copy())
        norm = net.get_submodule(f"{layer}.1")
        state[f"{layer}.1.weight"] = torch.full_like(norm.weight, (1 + norm.eps) ** 0.5)
        state[f"{layer}.1.bias"] = torch.from_numpy(values[nameless[2 * number + 1]].copy())
        state[f"{layer}.1.running_mean"] = torch.zeros_like(norm.running_mean)
        state[f"{layer}.1.running_var"] = torch.ones_like(norm.running_var)
    net.load_state_dict(state)


def main() -> None:
    """Export a checkpoint and quantise it."""
    parser = make_parser(__doc__)
    parser.add_argument("weights", type=Path, help="checkpoint of refit_gate.py (or train.py)")
    parser.add_argument("--work", type=Path, required=True, help="folder of prepare.py, for calibration")
    parser.add_argument("--fp32", type=Path, required=True, help="fp32 ONNX network to write")
    parser.add_argument("--int8", type=Path, required=True, help="int8 ONNX network to write")
    given = parser.parse_args()
    net = Net(pretrained=False)
    net.load_state_dict(torch.load(given.weights, map_location="cpu", weights_only=True))
    export(net, given.fp32)
    photos, _, index = load(given.work)
    chosen = select(index, "train")
    random.Random(0).shuffle(chosen)
    quantise(given.fp32, (photos[number] for number in chosen[:CALIBRATION_PHOTOS]), given.int8)


if __name__ == "__main__":
    main()

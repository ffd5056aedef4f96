"""Make a bundle folder out of the trained network: split, check, measure, write `bundle.toml`.

The trained network has two outputs. Walkaround runs a gate on every photo and a segmenter only on suspect
ones, so the network is split in two: `gate.onnx` (encoder and gate head) and `segmenter.onnx` (encoder,
decoder and mask head). Splitting removes nodes and changes no number: the outputs are compared bit for bit
with the whole network before anything is written.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx.utils import Extractor

from arguments import parser as make_parser
from self_test_picture import picture

SIZE_MAX = 12 * 1024 * 1024
OUTPUTS = {"gate": "gate", "segmenter": "masks"}


@dataclass(frozen=True)
class MaskPolicy:
    """How one class becomes findings. `closing`: share of the long side; `area_min`: share of the photo."""

    name: str
    colour: str
    threshold: float
    hysteresis: float | None
    closing: float
    area_min: float
    report: str = "always"


# In the order of the channels of `masks`. Thresholds were chosen on validation photos (README, step 6);
# closing, hysteresis and area_min so that they cost no IoU there (README). Colours: after Okabe and Ito.
POLICIES = (
    MaskPolicy("scratch", "#e69f00", 0.65, None, 0.004, 0.0005),
    MaskPolicy("dent", "#56b4e9", 0.5, 0.4, 0.004, 0.0005),
    MaskPolicy("broken_part", "#d55e00", 0.35, None, 0.004, 0.0005),
    MaskPolicy("glass_crack", "#f0e442", 0.2, 0.1, 0.004, 0.0005),
    MaskPolicy("lamp_broken", "#009e73", 0.3, None, 0.004, 0.0005),
    MaskPolicy("any_damage", "#cc79a7", 0.45, None, 0.004, 0.0005, report="uncovered"),
)
GATE_THRESHOLD = 0.5
TOLERANCE = 0.06  # of the self-test: room for other devices (MODEL_CARD.md)

HEAD = """\
# The demonstration bundle. Made by training/make_bundle.py: change that, not this. See MODEL_CARD.md.
format = 1
name = "demo"
version = "{version}"
description = "Demonstration only, not for decisions: EfficientNet-Lite0 U-Net for car damage, int8"
license = "Apache-2.0"
"""

NETWORK = """
[[networks]]
name = "{name}"
role = "{name}"
file = "{name}.onnx"
sha256 = "{sha256}"
region = "photo"
[networks.input]
tensor = "image"
width = 256
height = 256
resize = "stretch"
filter = "area"
channels = "rgb"
layout = "nchw"
element = "f32"
scale = 1.0  # the network takes pixels 0..255 and normalises them itself
[networks.output]
tensor = "{tensor}"
activation = "none"  # the sigmoid is in the network
"""


def session(path: Path) -> ort.InferenceSession:
    """Open a network on the CPU with one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def split(source: Path, folder: Path) -> None:
    """Write `gate.onnx` and `segmenter.onnx` into `folder`; the batch axis `n` stays free."""
    for name, tensor in OUTPUTS.items():
        part = Extractor(onnx.load(source)).extract_model(["image"], [tensor])
        part.graph.name = name
        used = {node.domain for node in part.graph.node}
        keep = [entry for entry in part.opset_import if entry.domain in used]
        del part.opset_import[:]
        part.opset_import.extend(keep)
        onnx.checker.check_model(part, full_check=True)
        onnx.save(part, folder / f"{name}.onnx")
    total = sum((folder / f"{name}.onnx").stat().st_size for name in OUTPUTS)
    if total > SIZE_MAX:
        sys.exit(f"the two networks are {total} bytes, more than {SIZE_MAX}")


def check_equal(source: Path, folder: Path) -> None:
    """Exit unless each part gives exactly what the whole network gives, for one and for several photos."""
    rng = np.random.default_rng(0)
    whole = session(source)
    parts = {name: session(folder / f"{name}.onnx") for name in OUTPUTS}
    for count in (1, 3):
        image = rng.integers(0, 256, (count, 3, 256, 256)).astype(np.float32)
        for name, tensor in OUTPUTS.items():
            (expected,) = whole.run([tensor], {"image": image})
            (got,) = parts[name].run([tensor], {"image": image})
            if not np.array_equal(expected, got):
                sys.exit(f"{name}: the extracted network differs from the whole one")


def measure(folder: Path) -> tuple[float, list[float]]:
    """Return P(damage) and the mean probability of each channel on the self-test picture."""
    image = np.asarray(picture(), np.float32).transpose(2, 0, 1)[None]
    (gate,) = session(folder / "gate.onnx").run(["gate"], {"image": image})
    (masks,) = session(folder / "segmenter.onnx").run(["masks"], {"image": image})
    return float(gate[0, 0]), masks[0].mean((1, 2)).tolist()


def class_text(policy: MaskPolicy) -> str:
    """Return the `[[classes]]` table of one class."""
    lines = [
        "\n[[classes]]",
        f'name = "{policy.name}"',
        f'colour = "{policy.colour}"',
        f'report = "{policy.report}"',
        "[classes.mask]",
        f"threshold = {policy.threshold}",
    ]
    if policy.hysteresis is not None:
        lines.append(f"hysteresis = {policy.hysteresis}")
    lines += [f"closing = {policy.closing}", f"area_min = {policy.area_min}"]
    return "\n".join(lines) + "\n"


def manifest(folder: Path, version: str, tolerance: float) -> str:
    """Return the text of `bundle.toml` for the networks in `folder`."""
    text = HEAD.format(version=version)
    text += "".join(class_text(policy) for policy in POLICIES)
    for name, tensor in OUTPUTS.items():
        digest = hashlib.sha256((folder / f"{name}.onnx").read_bytes()).hexdigest()
        text += NETWORK.format(name=name, sha256=digest, tensor=tensor)
        if name == "gate":
            text += f"positive = [0]\nthreshold = {GATE_THRESHOLD}\n"
        else:
            channels = ", ".join(f'"{policy.name}"' for policy in POLICIES)
            text += f'channels = [{channels}]\nlayout = "nchw"\n'
    gate, means = measure(folder)
    text += f'\n[self_test]\npicture = "self_test.png"\ntolerance = {tolerance}\ngate = {gate:.4f}\n'
    text += "[self_test.classes]\n"
    text += "".join(f"{p.name} = {m:.4f}\n" for p, m in zip(POLICIES, means, strict=True))
    return text


def write_bundle(network: Path, folder: Path, version: str, tolerance: float = TOLERANCE) -> None:
    """Write the bundle folder of a whole network, with the self-test that this network gives."""
    folder.mkdir(parents=True, exist_ok=True)
    split(network, folder)
    check_equal(network, folder)
    picture().save(folder / "self_test.png", optimize=True)
    (folder / "bundle.toml").write_text(manifest(folder, version, tolerance), encoding="utf-8")


def main() -> None:
    """Split the network given and write the bundle folder."""
    parser = make_parser(__doc__)
    parser.add_argument("network", type=Path, help="ONNX network with the outputs `masks` and `gate`")
    parser.add_argument("out", type=Path, help="bundle folder to write, such as bundles/demo")
    parser.add_argument("--version", default="2026.11.0", help="version of the bundle")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="tolerance of the self-test, absolute")
    arguments = parser.parse_args()
    write_bundle(arguments.network, arguments.out, arguments.version, arguments.tolerance)


if __name__ == "__main__":
    main()

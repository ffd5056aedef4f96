"""Small helpers to write ONNX networks whose meaning is exact, and the bundle folders around them.

Colours are judged by their margin: how far one channel is above the others, 0 (grey, white, black) to 1. Everything
written here is deterministic: the same versions of `onnx` and this script give the same bytes.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training" / "reference"))

OPSET, IR_VERSION = 17, 8
FLOAT, HALF, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


class Graph:
    """Collects nodes; every method returns the name of the tensor it makes."""

    def __init__(self, name):
        self.name, self.nodes, self.constants = name, [], {}

    def op(self, kind, *inputs, output=None, **attributes):
        """Adds one node."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"n{len(self.nodes)}", **attributes))
        return output

    def constant(self, values, element=np.float32):
        """A shared initialiser."""
        array = np.asarray(values, element)
        key = f"c_{array.dtype}_{'x'.join(map(str, array.shape))}_{hashlib.sha256(array.tobytes()).hexdigest()[:8]}"
        self.constants[key] = numpy_helper.from_array(array, key)
        return key

    def channels(self, picture, axis=1):
        """The three channels of a picture, each keeping its axis."""
        names = [f"channel_{len(self.nodes)}_{index}" for index in range(3)]
        self.nodes.append(helper.make_node("Split", [picture], names, name=f"n{len(self.nodes)}", axis=axis))
        return names

    def affine(self, value, scale, offset):
        """value * scale + offset."""
        return self.op("Add", self.op("Mul", value, self.constant(scale)), self.constant(offset))

    def above(self, channel, *others):
        """The margin: channel - max(others)."""
        return self.op("Sub", channel, self.op("Max", *others))

    def both(self, one, two, other):
        """The margin of a mixed colour: min(one, two) - other."""
        return self.op("Sub", self.op("Min", one, two), other)

    def logit(self, margin, at, slope=20.0):
        """A raw logit: 0 where the margin is `at`."""
        return self.affine(margin, slope, -slope * at)

    def save(self, path, source, target):
        """Writes the network; `source` and `target` are (tensor name, element type, shape)."""
        inputs, outputs = [helper.make_tensor_value_info(*source)], [helper.make_tensor_value_info(*target)]
        graph = helper.make_graph(self.nodes, self.name, inputs, outputs, list(self.constants.values()))
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="walkaround-tests")
        checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


def digest(path):
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fill_digests(folder, manifest):
    """Replaces every `sha256 = "FILE.onnx"` by that file's digest."""
    for path in sorted(folder.glob("*.onnx")):
        manifest = manifest.replace(f'sha256 = "{path.name}"', f'sha256 = "{digest(path)}"')
    return manifest


def measure(folder):
    """The self-test values of a bundle by the Python reference: (P(damage), {class: mean probability}).

    A class's value is the mean of its maps' means: every network and every tile counts the same.
    """
    from networks import Bundle
    from preprocess import load_photo

    bundle, photo = Bundle(folder), load_photo(folder / "self_test.png")
    vehicle, _ = bundle.locate(photo)
    values = {}
    for class_map in bundle.segment(photo, vehicle):
        values.setdefault(class_map.name, []).append(float(class_map.values.mean()))
    means = {name: float(np.mean(parts)) for name, parts in values.items()}
    return bundle.gate(photo, vehicle)[0], means


def write_bundle(folder, manifest, tolerance=0.004):
    """Writes bundle.toml with digests and measured self-test values; the networks and the picture are there."""
    manifest = fill_digests(folder, manifest)
    path = folder / "bundle.toml"
    path.write_text(manifest, encoding="utf-8")
    gate, means = measure(folder)
    lines = ["", "[self_test]", 'picture = "self_test.png"', f"tolerance = {tolerance}"]
    if gate is not None:
        lines.append(f"gate = {gate:.4f}")
    lines += ["[self_test.classes]", *(f"{name} = {mean:.4f}" for name, mean in means.items()), ""]
    path.write_text(manifest + "\n".join(lines), encoding="utf-8")

"""A bundle on ONNX Runtime: locator, gates, segmenters, as the manifest describes them."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

from postprocess import ClassMap
from preprocess import WHOLE, prepare


class Bundle:
    """A folder with `bundle.toml` and its networks, one session each (one thread)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.manifest = tomllib.loads((self.folder / "bundle.toml").read_text(encoding="utf-8"))
        self.classes = self.manifest["classes"]
        self.networks = self.manifest["networks"]
        self.sessions = {spec["name"]: self._open(spec) for spec in self.networks}
        self.given = {}

    def _open(self, spec):
        data = (self.folder / spec["file"]).read_bytes()
        if "sha256" in spec and hashlib.sha256(data).hexdigest() != spec["sha256"]:
            raise ValueError(f"{spec['file']}: SHA-256 differs from the manifest")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def role(self, role):
        """The networks of one role, in the manifest's order."""
        return [spec for spec in self.networks if spec["role"] == role]

    def inputs(self, photo, spec, vehicle):
        """The prepared inputs of one network; `vehicle` is the locator's box or None. Tensors in `given`, by network,
        take the place of its own."""
        at_vehicle = spec.get("region", "photo") == "vehicle" and vehicle is not None
        prepared = prepare(photo, spec, vehicle if at_vehicle else WHOLE)
        if spec["name"] in self.given:
            tensors = self.given[spec["name"]]
            for item, tensor in zip(prepared, tensors, strict=True):
                item.tensor = tensor.astype(item.tensor.dtype)
        return prepared

    def run(self, spec, inputs):
        """The raw output as float64 [n, ...], all inputs in one batch, with the activation applied."""
        batch = np.stack([item.tensor for item in inputs])
        output = spec["output"]
        feeds = {spec["input"]["tensor"]: batch}
        raw = self.sessions[spec["name"]].run([output["tensor"]], feeds)[0].astype(np.float64)
        axis = -1 if output.get("layout", "nchw") == "nhwc" or raw.ndim < 4 else 1
        return activate(raw, output.get("activation", "none"), axis)

    def locate(self, photo):
        """(vehicle box in fractions, found): without a locator the box is None and `found` is true."""
        for spec in self.role("locator"):
            inputs = self.inputs(photo, spec, None)
            box = self._best_box(spec, self.run(spec, inputs)[0])
            if box is None:
                return None, False
            return from_input(box, inputs[0].covers, spec["input"]), True
        return None, True

    def _best_box(self, spec, output):
        threshold = spec["output"].get("threshold", 0.5)
        if spec["output"]["form"] == "boxes":
            best = output[np.argmax(output[:, 4])]
            return tuple(best[:4]) if best[4] >= threshold else None
        rows, columns = np.nonzero(output.reshape(output.shape[-2:]) > threshold)
        if not rows.size:
            return None
        step_x = spec["input"]["width"] / output.shape[-1]
        step_y = spec["input"]["height"] / output.shape[-2]
        box = (columns.min() * step_x, rows.min() * step_y)
        return (*box, (columns.max() + 1) * step_x, (rows.max() + 1) * step_y)

    def gate(self, photo, vehicle):
        """(highest P(damage), damaged) over the gates; (None, True) without one."""
        scores = []
        for spec in self.role("gate"):
            output = self.run(spec, self.inputs(photo, spec, vehicle)).reshape(-1)
            score = float(sum(output[channel] for channel in spec["output"].get("positive", [0])))
            scores.append((score, score >= spec["output"].get("threshold", 0.5)))
        if not scores:
            return None, True
        return max(score for score, _ in scores), any(damaged for _, damaged in scores)

    def segment(self, photo, vehicle):
        """The `ClassMap`s of all segmenters, one for each tile and named channel."""
        maps = []
        for spec in self.role("segmenter"):
            inputs = self.inputs(photo, spec, vehicle)
            for item, output in zip(inputs, self.run(spec, inputs)):
                maps.extend(to_maps(spec["output"], output, item.covers))
        return maps


def activate(values, name, axis):
    """What the manifest wants applied to the raw output."""
    if name == "sigmoid":
        return 1 / (1 + np.exp(-values))
    if name == "softmax":
        powers = np.exp(values - values.max(axis=axis, keepdims=True))
        return powers / powers.sum(axis=axis, keepdims=True)
    return values


def to_maps(output, values, covers):
    """Splits one output into its classes; [h, w] stands for one channel."""
    if values.ndim == 2:
        values = values[None]
    elif output.get("layout", "nchw") == "nhwc":
        values = values.transpose(2, 0, 1)
    named = zip(output["channels"], values, strict=True)
    return [ClassMap(name, channel, covers) for name, channel in named if name]


def from_input(box, covers, settings):
    """A box in input pixels to fractions of the photo, held inside it."""
    x0, y0, x1, y1 = covers
    x = [x0 + value / settings["width"] * (x1 - x0) for value in (box[0], box[2])]
    y = [y0 + value / settings["height"] * (y1 - y0) for value in (box[1], box[3])]
    return tuple(float(min(1.0, max(0.0, value))) for value in (x[0], y[0], x[1], y[1]))

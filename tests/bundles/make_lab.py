"""Writes a bundle for each family of real exports that is at hand: its networks with a manifest.

    python tests/bundles/make_lab.py LAB FOLDER

LAB has a folder for each family: `reference.json`, `proposal.toml` with the `[[networks]]` of its manifest, and
`model.onnx`, or `runs.npz` where the graph is too large: the inputs and outputs of its runs. Of such runs a graph of a
few kilobytes is made for each photo that returns those outputs. Nothing of LAB is part of this project.

FOLDER gets a bundle folder `FAMILY` or, of runs, `FAMILY.PHOTO` for each, and `FAMILY.json`: the reference.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = ["scratch", "dent", "broken_part", "lamp_broken", "glass_crack"]

HEAD = """\
format = 1
name = "{name}"
version = "1"
[quality]
sharpness_min = 0.0
luma_min = 0.0
luma_max = 255.0
clipped_max = 1.0
"""
CLASS = """\
[[classes]]
name = "{name}"
colour = "#e69f00"
mask = {{ threshold = 0.5, grid = 2048 }}
"""
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def manifest(name, networks):
    """The text of a manifest."""
    return HEAD.format(name=name) + "".join(CLASS.format(name=one) for one in CLASSES) + networks


# Photos in the batch that a replay of several gives.
BATCH = 4


def outputs_of(runs, photo):
    """The output tensors of one run, by name."""
    prefix = f"{photo}.out."
    return {key.removeprefix(prefix): runs[key] for key in runs.files if key.startswith(prefix)}


def replay(runs, photos, inputs):
    """A graph that returns the outputs of one run, or of several as a batch, whatever the pictures are."""
    several = [outputs_of(runs, photo) for photo in photos]
    outputs = {name: np.concatenate([one[name] for one in several]) for name in several[0]}
    photo, batch = photos[0], len(photos)
    nodes, constants, values = [], [], []
    sizes = "orig_target_sizes"
    for name, array in outputs.items():
        if name == "boxes" and f"{photo}.in.{sizes}" in runs.files:
            # The graph scales its boxes to the size it is given: here as shares, times that size.
            given = np.concatenate([runs[f"{one}.in.{sizes}"] for one in photos])
            array = array / np.tile(given, 2)[:, None].astype(np.float32)
            nodes += [
                helper.make_node("Cast", [sizes], ["float_sizes"], to=TensorProto.FLOAT),
                helper.make_node("Concat", ["float_sizes", "float_sizes"], ["corners"], axis=1),
                helper.make_node("Unsqueeze", ["corners", "axis"], ["factors"]),
                helper.make_node("Mul", ["kept_boxes", "factors"], ["boxes"]),
            ]
            constants.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
        elif array.shape[0] == batch:
            nodes.append(helper.make_node("Identity", [f"kept_{name}"], [name]))
        else:
            # The number of objects depends on the picture, as far as the runtime can see.
            nodes.append(helper.make_node("Compress", [f"kept_{name}", "all_objects"], [name], axis=0))
        constants.append(numpy_helper.from_array(array, f"kept_{name}"))
        # Where there is no batch, the first axis is as long as there are objects; exports declare it so, too.
        shape = list(array.shape) if array.shape[0] == batch else ["k", *array.shape[1:]]
        values.append(helper.make_tensor_value_info(name, TYPES[str(array.dtype)], shape))
    picture = next(name for name in inputs if name != sizes)
    objects = next(iter(outputs.values())).shape[0]
    nodes = [
        helper.make_node("ReduceMin", [picture], ["darkest"], keepdims=0),
        helper.make_node("Greater", ["darkest", "bottom"], ["above"]),
        helper.make_node("Expand", ["above", "objects"], ["all_objects"]),
        *nodes,
    ]
    constants.append(numpy_helper.from_array(np.array(-1e9, np.float32), "bottom"))
    constants.append(numpy_helper.from_array(np.array([objects], np.int64), "objects"))
    graph_inputs = [
        helper.make_tensor_value_info(name, TYPES[str(runs[f"{photo}.in.{name}"].dtype)], [batch, *shape[1:]])
        for name, shape in inputs.items()
    ]
    graph = helper.make_graph(nodes, "replay", graph_inputs, values, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def bundle(folder, networks, old_digest, graph):
    """Writes one bundle."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(graph)
    networks = networks.replace(old_digest, hashlib.sha256(graph).hexdigest())
    (folder / "bundle.toml").write_text(manifest(folder.name, networks), "utf-8")


MAPS = """\
[[networks]]
name = "{name}"
role = "segmenter"
file = "model.onnx"
sha256 = "{graph}"
data = [{{ file = "model.onnx.data", sha256 = "{data}" }}]
[networks.input]
tensor = "pixel_values"
width = 256
height = 256
filter = "pillow"
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[networks.output]
channels = ["", "scratch", "dent", "broken_part", "lamp_broken", "glass_crack"]
"""


def maps(lab, out):
    """A graph whose weights are in a file of their own, as exported and with the end that others have: `argmax`."""
    family = lab / "segformer_dynamo"
    if not family.is_dir():
        return
    weights = (family / "model.onnx.data").read_bytes()
    for end in ["logits", "argmax", "int64", "int32", "uint8"]:
        model = onnx.load(family / "model.onnx", load_external_data=False)
        output = 'tensor = "logits"\nactivation = "softmax"\n'
        if end == "argmax":
            output += 'decide = "argmax"\n'
        elif end != "logits":
            output = 'tensor = "numbers"\nform = "classes"\n'
            factors = numpy_helper.from_array(np.array([1, 1, 16, 16], np.float32), "factors")
            model.graph.initializer.append(factors)
            kind = {"int64": TensorProto.INT64, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8}[end]
            model.graph.node.extend(
                [
                    helper.make_node("Resize", ["logits", "", "factors"], ["fine"], mode="linear"),
                    helper.make_node("ArgMax", ["fine"], ["long"], axis=1, keepdims=int(end != "int32")),
                    helper.make_node("Cast", ["long"], ["numbers"], to=kind),
                ]
            )
            del model.graph.output[:]
            shape = ["n", 1024, 1024] if end == "int32" else ["n", 1, 1024, 1024]
            model.graph.output.append(helper.make_tensor_value_info("numbers", kind, shape))
        graph = model.SerializeToString()
        folder = out / f"maps.{end}"
        digests = [hashlib.sha256(file).hexdigest() for file in (graph, weights)]
        networks = MAPS.format(name=end, graph=digests[0], data=digests[1]) + output
        bundle(folder, networks, digests[0], graph)
        (folder / "model.onnx.data").write_bytes(weights)
    shutil.copy(family / "reference.json", out / "maps.reference")


def gate(lab, out):
    """A classifier as a gate, with a detector as the segmenter that a bundle has to have."""
    family, detector = lab / "gate_sigmoid", lab / "yolo11n_detect"
    if not (family.is_dir() and detector.is_dir()):
        return
    text = (family / "bundle.toml").read_text("utf-8")
    own = "[[networks]]" + text.split("[[networks]]")[1]
    segmenter = (detector / "proposal.toml").read_text("utf-8").replace('"model.onnx"', '"segmenter.onnx"')
    bundle(out / "gate.bundle", own + segmenter, "0" * 64, (family / "model.onnx").read_bytes())
    shutil.copy(detector / "model.onnx", out / "gate.bundle" / "segmenter.onnx")
    shutil.copy(family / "reference.json", out / "gate.reference")


def screening(lab, out):
    """One detector three times: as the locator of any of its classes, as the gate of one, as the segmenter."""
    family = lab / "yolo11n_detect"
    if not family.is_dir():
        return
    graph = (family / "model.onnx").read_bytes()
    segmenter = (family / "proposal.toml").read_text("utf-8")
    head, output = segmenter.split("[networks.output]\n")
    channels = next(line for line in output.splitlines() if line.startswith("channels"))
    networks = [segmenter]
    for role, positive, threshold in [("locator", [0, 1, 2, 3, 4], 0.25), ("gate", [4], 0.5)]:
        own = output.replace(channels, f"positive = {positive}\nclass_count = 5").replace("overlap = 0.7\n", "")
        own = own.replace("threshold = 0.25", f"threshold = {threshold}")
        named = head.replace('"yolo11n_detect"', f'"{role}"').replace('"segmenter"', f'"{role}"')
        networks.append(f"{named}[networks.output]\n{own}")
    digest = hashlib.sha256(graph).hexdigest()
    bundle(out / "screening.bundle", "".join(networks), digest, graph)
    shutil.copy(family / "reference.json", out / "screening.reference")


def main():
    """Writes the bundles of all families."""
    lab, out = Path(sys.argv[1]), Path(sys.argv[2])
    screening(lab, out)
    gate(lab, out)
    maps(lab, out)
    for family in sorted(path.parent for path in lab.glob("*/proposal.toml")):
        networks = (family / "proposal.toml").read_text("utf-8")
        digest = next(line.split('"')[1] for line in networks.splitlines() if line.startswith("sha256"))
        reference = json.loads((family / "reference.json").read_text("utf-8"))
        if (family / "model.onnx").is_file():
            bundle(out / family.name, networks, digest, (family / "model.onnx").read_bytes())
            for beside in ("config.json", "preprocessor_config.json"):
                if (family / beside).is_file():
                    shutil.copy(family / beside, out / family.name)
        else:
            runs = np.load(family / "runs.npz")
            inputs = {name: shape for name, shape, _ in json.loads((family / "tensors.json").read_text())["inputs"]}
            if "F.interpolate" in reference["how"]:
                networks = networks.replace('filter = "linear"', 'filter = "interpolate"')
            if "paste_masks_in_image" in reference["how"]:
                networks = networks.replace('over = "box"', 'over = "pixel_box"')
            for photo in range(len(reference["photos"])):
                bundle(out / f"{family.name}.{photo}", networks, digest, replay(runs, [photo], inputs))
            # Families that take several photos at once have the batch first in each output.
            if all(array.shape[0] == 1 and array.ndim > 1 for array in outputs_of(runs, 0).values()):
                graph = replay(runs, list(range(BATCH)), inputs)
                bundle(out / f"{family.name}.batch", networks, digest, graph)
        shutil.copy(family / "reference.json", out / f"{family.name}.json")


if __name__ == "__main__":
    main()

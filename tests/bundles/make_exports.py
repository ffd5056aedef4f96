"""Writes graphs of a few kilobytes with the tensors and the metadata of the exports of many families.

    python tests/bundles/make_exports.py FOLDER

Their outputs are constant: `walkaround bundle init` is tried on what an export looks like, not on what it finds.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}
# Cells of a YOLO's three grids on a picture of 64 x 64 pixels.
CELLS = 8 * 8 + 4 * 4 + 2 * 2
DAMAGE = "{0: 'scratch', 1: \"broken part\"}"


def like(value, *shape, dtype=np.float32):
    """A tensor of one value."""
    return np.full(shape, value, dtype)


def slope(low, high, *shape):
    """A tensor whose values go from `low` to `high`."""
    return np.linspace(low, high, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def write(path, inputs, outputs, metadata=None, end=None, outside=False):
    """One graph: inputs (name: shape, type), constant outputs (name: tensor), and the operator that they end in."""
    nodes, kept = [], []
    for name, array in outputs.items():
        kept.append(numpy_helper.from_array(array, f"kept_{name}"))
        if end is None:
            nodes.append(helper.make_node("Identity", [f"kept_{name}"], [name]))
        else:
            kind, attributes = end
            nodes.append(helper.make_node(kind, [f"kept_{name}"], [name], **attributes))
    graph = helper.make_graph(
        nodes,
        "export",
        [helper.make_tensor_value_info(name, TYPES[kind], shape) for name, (shape, kind) in inputs.items()],
        [helper.make_tensor_value_info(name, TYPES[str(a.dtype)], list(a.shape)) for name, a in outputs.items()],
        kept,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    if outside:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=0)
    else:
        onnx.save(model, path)


def ultralytics(task, names=DAMAGE, **more):
    """The metadata of an Ultralytics export."""
    return {"names": names, "stride": "32", "task": task, "imgsz": "[64, 64]", "license": "AGPL-3.0"} | more


def yolos(out):
    """YOLO in its heads."""
    images = {"images": ([1, 3, 64, 64], "float32")}
    raw = {"output0": like(0.1, 1, 4 + 2 + 32, CELLS), "output1": like(0.1, 1, 32, 16, 16)}
    write(out / "yolo_segment.onnx", images, raw, ultralytics("segment"))
    listed = {"output0": like(0.1, 1, 300, 38), "output1": like(0.1, 1, 32, 16, 16)}
    write(out / "yolo_segment_nms.onnx", images, listed, ultralytics("segment", end2end="True"))
    write(out / "yolo_detect.onnx", images, {"output0": like(0.1, 1, 4 + 2, CELLS)}, ultralytics("detect"))
    korean = ultralytics("detect", "{0: '\uae01\ud798', 1: 'dent'}")
    write(out / "my model (1) \uac00.onnx", images, {"output0": like(0.1, 1, 4 + 2, CELLS)}, korean)
    # One more grid for small objects, and one more for large ones.
    for name, more in (("p2", 16 * 16), ("p6", 1)):
        cells = like(0.1, 1, 4 + 2, CELLS + more)
        write(out / f"yolo_{name}.onnx", images, {"output0": cells}, ultralytics("detect"))
    free = {"images": (["batch", 3, "height", "width"], "float32")}
    write(out / "yolo_dynamic.onnx", free, {"output0": like(0.1, 1, 4 + 2, CELLS)}, ultralytics("detect"))
    cars = "{0: 'person', 1: 'bicycle', 2: 'car', 3: 'truck'}"
    write(out / "yolo_cars.onnx", images, {"output0": like(0.1, 1, 300, 6)}, ultralytics("detect", cars))
    write(out / "yolo_pose.onnx", images, {"output0": like(0.1, 1, 56, CELLS)}, ultralytics("pose"))
    write(out / "yolo_other.onnx", images, {"output0": like(0.1, 1, 11, CELLS + 2)}, ultralytics("detect"))
    write(out / "yolo_bare.onnx", images, {"output0": like(0.1, 1, 4 + 3, CELLS)})
    v5 = {"names": DAMAGE, "stride": "32"}
    write(out / "yolov5.onnx", images, {"output": like(0.1, 1, 3 * CELLS, 5 + 2)}, v5)
    names = "{0: 'no_damage', 1: 'dent', 2: 'scratch'}"
    end = ("Softmax", {"axis": 1})
    write(out / "yolo_classify.onnx", images, {"output0": slope(-1, 1, 1, 3)}, ultralytics("classify", names), end)


def detectors(out):
    """Lists of objects, and queries."""
    image = {"image": ([3, 48, 48], "float32")}
    lists = {"boxes": like(9, 5, 4), "labels": like(1, 5, dtype=np.int64), "scores": like(0.9, 5)}
    write(out / "torchvision.onnx", image, lists | {"masks": like(0.7, 5, 1, 48, 48)})
    write(out / "detectron2.onnx", image, lists | {"masks": like(0.7, 5, 1, 28, 28)})
    write(out / "bool_masks.onnx", image, lists | {"masks": like(True, 5, 1, 48, 48, dtype=np.bool_)})
    one = {"input": ([1, 3, 48, 48], "float32")}
    labels = {"labels": like(1, 1, 6, dtype=np.int64)}
    write(out / "mmdeploy.onnx", one, {"dets": like(0.9, 1, 6, 5)} | labels | {"masks": like(0.7, 1, 6, 48, 48)})
    sized = {"images": ([1, 3, 48, 48], "float32"), "orig_target_sizes": ([1, 2], "int64")}
    ready = labels | {"boxes": like(9, 1, 6, 4), "scores": like(0.9, 1, 6)}
    write(out / "rtdetr.onnx", sized, ready)
    queries = {"dets": like(0.5, 1, 10, 4), "labels": slope(-4, 4, 1, 10, 3), "masks": slope(-4, 4, 1, 10, 12, 12)}
    write(out / "rfdetr.onnx", one, queries)
    values = {"pixel_values": ([1, 3, 48, 48], "float32")}
    masked = {"class_queries_logits": slope(-4, 4, 1, 10, 3), "masks_queries_logits": slope(-4, 4, 1, 10, 12, 12)}
    write(out / "mask2former.onnx", values, masked)
    write(out / "hf_rtdetr.onnx", values, {"logits": slope(-4, 4, 1, 10, 2), "pred_boxes": like(0.5, 1, 10, 4)})


def maps(out):
    """Maps, class numbers, classifiers."""
    values = {"pixel_values": (["n", 3, 64, 64], "float32")}
    write(out / "segformer.onnx", values, {"logits": slope(-4, 4, 1, 3, 16, 16)}, outside=True)
    saved = out / "saved"
    saved.mkdir()
    write(saved / "model.onnx", values, {"logits": slope(-4, 4, 1, 3, 16, 16)})
    labels = {"0": "background", "1": "scratch", "2": "broken part"}
    (saved / "config.json").write_text(json.dumps({"model_type": "segformer", "id2label": labels}), "utf-8")
    steps = {"do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "resample": 2}
    (saved / "preprocessor_config.json").write_text(json.dumps(steps), "utf-8")
    image = {"input": ([1, 3, 32, 32], "float32")}
    write(out / "unet.onnx", image, {"masks": slope(-4, 4, 1, 2, 32, 32)}, end=("Sigmoid", {}))
    write(out / "unet_one.onnx", image, {"mask": slope(-4, 4, 1, 1, 32, 32)})
    last = {"input_1": ([1, 32, 32, 3], "float16")}
    shares = {"softmax": slope(-2, 2, 1, 32, 32, 4).astype(np.float16)}
    write(out / "keras.onnx", last, shares, end=("Softmax", {"axis": 3}))
    write(out / "bytes.onnx", {"input": ([1, 32, 32, 3], "uint8")}, {"mask": like(0.25, 1, 32, 32)})
    write(out / "mmseg.onnx", image, {"output": like(1, 1, 1, 32, 32, dtype=np.int64)})
    write(out / "gate.onnx", image, {"logit": slope(-3, 3, 1, 1)})
    write(out / "gate_two.onnx", image, {"logits": slope(-3, 3, 1, 2)})


def refused(out):
    """Graphs that cannot be used as they are."""
    mask = {"mask": like(0.25, 1, 1, 32, 32)}
    write(out / "free.onnx", {"input": (["n", 3, "h", "w"], "float32")}, mask)
    write(out / "grey.onnx", {"input": ([1, 1, 32, 32], "float32")}, mask)
    write(out / "nan.onnx", {"input": ([1, 3, 32, 32], "float32")}, {"mask": like(np.nan, 1, 1, 32, 32)})
    two = {"input": ([1, 3, 32, 32], "float32"), "pixel_mask": ([1, 32, 32], "int64")}
    write(out / "infinite.onnx", {"input": ([1, 3, 32, 32], "float32")}, {"mask": like(np.inf, 1, 1, 32, 32)})
    write(out / "huge.onnx", {"input": ([1, 3, 100000, 100000], "float32")}, mask)
    write(out / "two_inputs.onnx", two, mask)
    write(out / "unknown.onnx", {"input": ([1, 3, 32, 32], "float32")}, {"x": like(0.1, 1, 2, 3, 4, 5)})
    write(out / "lost.onnx", {"input": ([1, 3, 32, 32], "float32")}, mask, outside=True)
    (out / "lost.onnx.data").unlink()
    (out / "best.pt").write_bytes(b"PK\x03\x04 archive")
    (out / "notes.onnx").write_text("not a graph", "utf-8")


def baked(out):
    """A graph that declares any batch, and fails with more than one photo: a size was baked into a Reshape.

    The size is a result, so that the runtime does not see it before the first run.
    """
    constants = {
        "bottom": np.array(-1e9, np.float32),
        "size": np.array([1, 1, 32, 32], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("ReduceMin", ["input"], ["darkest"], keepdims=0),
        helper.make_node("Greater", ["darkest", "bottom"], ["above"]),
        helper.make_node("Cast", ["above"], ["one"], to=TensorProto.INT64),
        helper.make_node("Mul", ["size", "one"], ["baked"]),
        helper.make_node("Reshape", ["mean", "baked"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["mask"]),
    ]
    graph = helper.make_graph(
        nodes,
        "export",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 1, 32, 32])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), out / "baked.onnx")


def main():
    """Writes all graphs."""
    out = Path(sys.argv[1])
    for make in (yolos, detectors, maps, refused, baked):
        make(out)


if __name__ == "__main__":
    main()

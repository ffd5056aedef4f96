"""Makes `trivial/` and `slow/`: one gate and one segmenter on 64x64 pixels, for tests of throughput and of stages.

    python tests/bundles/make_trivial.py [FOLDER]    (writes FOLDER/trivial and FOLDER/slow)

The gate's P(damage) is sigmoid((mean - 100) / 4), mean over all bytes of the shrunk photo: a photo whose mean is
above 100 is damaged, a darker one is clean. The segmenter says `mark` where red is above green and blue by over 0.3
of full scale. `slow` is the same with a segmenter that burns about 50 ms a photo on one core: dense convolutions
(they share one weight) whose outcome is added to the answer with a weight too small to be seen.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from builder import FLOAT, Graph, write_bundle

SIZE = 64
SLOW_LAYERS, SLOW_CHANNELS = 12, 64

MANIFEST = """\
# Made by tests/bundles/make_trivial.py, which tells what each network sees. Do not edit.
format = 1
name = "{name}"
version = "1.0.0"
description = "a gate on mean brightness and a segmenter of red pixels, for tests"
license = "MIT OR Apache-2.0"

[[classes]]
name = "mark"
colour = "#e4572e"
report = "always"
[classes.mask]
threshold = 0.5

[quality]
sharpness_min = 0.0
luma_min = 0.0
luma_max = 255.0
clipped_max = 1.0

[[networks]]
name = "gate"
role = "gate"
file = "gate.onnx"
sha256 = "gate.onnx"
[networks.input]
tensor = "image"
width = 64
height = 64
filter = "area"
[networks.output]
tensor = "probability"
activation = "none"
positive = [0]
threshold = 0.5

[[networks]]
name = "marks"
role = "segmenter"
file = "marks.onnx"
sha256 = "marks.onnx"
[networks.input]
tensor = "image"
width = 64
height = 64
filter = "area"
scale = 0.00392156862745098
[networks.output]
tensor = "logits"
activation = "sigmoid"
channels = ["mark"]
"""


def gate(path):
    """[n, 1] probability from the mean over all pixels and channels."""
    g = Graph("gate")
    mean = g.op("ReduceMean", "image", axes=[1, 2, 3], keepdims=0)
    score = g.op("Sigmoid", g.logit(mean, 100.0, slope=0.25))
    g.op("Unsqueeze", score, g.constant([1], np.int64), output="probability")
    g.save(path, ("image", FLOAT, ["n", 3, SIZE, SIZE]), ("probability", FLOAT, ["n", 1]))


def marks(path, slow=False):
    """[n, 1, h, w] raw logits of red pixels, with or without the burden."""
    g = Graph("marks")
    r, green, b = g.channels("image")
    logit = g.logit(g.above(r, green, b), 0.3)
    if slow:
        logit = g.op("Add", logit, g.op("Mul", burden(g, "image"), g.constant(1e-6)))
    g.op("Identity", logit, output="logits")
    g.save(path, ("image", FLOAT, ["n", 3, SIZE, SIZE]), ("logits", FLOAT, ["n", 1, SIZE, SIZE]))


def burden(g, picture):
    """[n, 1, h, w] between 0 and 1 from dense 3x3 convolutions that all share one averaging weight."""
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    spread = g.constant(np.full((SLOW_CHANNELS, 3, 1, 1), 1 / 3))
    shared = g.constant(np.full((SLOW_CHANNELS, SLOW_CHANNELS, 3, 3), 1 / (9 * SLOW_CHANNELS)))
    value = g.op("Conv", picture, spread, kernel_shape=[1, 1])
    for _ in range(SLOW_LAYERS):
        value = g.op("Relu", g.op("Conv", value, shared, **same))
    return g.op("ReduceMean", value, axes=[1], keepdims=1)


def draw():
    """A bright 256x192 picture with one red mark at x 64..128, y 48..96: damaged."""
    picture = Image.new("RGB", (256, 192), (150, 150, 150))
    ImageDraw.Draw(picture).rectangle((64, 48, 127, 95), fill=(220, 30, 30))
    return picture


def main(root):
    """Writes both bundles."""
    for name in ("trivial", "slow"):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        gate(folder / "gate.onnx")
        marks(folder / "marks.onnx", slow=name == "slow")
        draw().save(folder / "self_test.png", optimize=True)
        write_bundle(folder, MANIFEST.format(name=name))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

"""Makes `seven/`: a bundle of seven tiny networks with exact meaning, for tests on drawn pictures.

    python tests/bundles/make_seven.py [FOLDER]      (needs onnx, onnxruntime, numpy, pillow, scipy)

The world it sees: a bright background, a vehicle of dark colour (every channel under 160), marks on it.

| network | sees | says |
| --- | --- | --- |
| locator | photo, 128x128 letterbox | box around pixels whose highest channel is under 160 |
| gate | vehicle, 128x128 | damaged when any pixel is red, green or blue by a margin over 0.25 |
| scratch_unet | vehicle, 128x128 | scratch: red, 5x5 mean of the margin over 0.3 (blind to thin lines) |
| deeplab | photo, 192x128 letterbox, output 48x32 | dent: green, spacing: blue, by a margin over 0.3 |
| dent_bgr | photo, 112x80, u8 NHWC BGR | dent: green, wear: cyan, by a margin over 0.3 |
| glass_f16 | centre square of the photo, 96x96, f16 | glass: yellow by a margin over 0.3 |
| scratch_tiled | vehicle, 160x160 tiles | scratch: red lines thinner than 7 tensor pixels, margin over 0.15 |

Margins are in 0..1 of full scale: red = R - max(G, B), yellow = min(R, G) - B, cyan = min(G, B) - R.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from builder import BYTE, FLOAT, HALF, Graph, write_bundle

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

MANIFEST = """\
# Made by tests/bundles/make_seven.py, which tells what each network sees. Do not edit.
format = 1
name = "seven"
version = "1.0.0"
description = "seven tiny networks with exact meaning, for tests"
license = "MIT OR Apache-2.0"

[[classes]]
name = "scratch"
colour = "#e4572e"
report = "always"
[classes.mask]
threshold = 0.6
hysteresis = 0.25
closing = 0.006
area_min = 0.0002

[[classes]]
name = "dent"
colour = "#17bebb"
report = "always"
[classes.mask]
threshold = 0.5
area_min = 0.0005

[[classes]]
name = "spacing"
colour = "#3d5a98"
report = "always"
[classes.mask]
threshold = 0.5
closing = 0.004
area_min = 0.0002

[[classes]]
name = "glass"
colour = "#ffc914"
report = "uncovered"
[classes.mask]
threshold = 0.5
area_min = 0.0005

[[classes]]
name = "wear"
colour = "#76b041"
report = "on_request"
[classes.mask]
threshold = 0.5
area_min = 0.0005

[quality]
sharpness_min = 1.0
luma_min = 10.0
luma_max = 250.0
clipped_max = 0.95

[[networks]]
name = "locator"
role = "locator"
file = "locator.onnx"
sha256 = "locator.onnx"
[networks.input]
tensor = "image"
width = 128
height = 128
resize = "letterbox"
fill = 255
[networks.output]
tensor = "boxes"
form = "boxes"
threshold = 0.5

[[networks]]
name = "gate"
role = "gate"
file = "gate.onnx"
sha256 = "gate.onnx"
region = "vehicle"
[networks.input]
tensor = "image"
width = 128
height = 128
filter = "area"
[networks.output]
tensor = "logits"
activation = "softmax"
positive = [1]
threshold = 0.5

[[networks]]
name = "scratch_unet"
role = "segmenter"
file = "scratch_unet.onnx"
sha256 = "scratch_unet.onnx"
region = "vehicle"
[networks.input]
tensor = "image"
width = 128
height = 128
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[networks.output]
tensor = "logits"
activation = "sigmoid"
channels = ["scratch"]

[[networks]]
name = "deeplab"
role = "segmenter"
file = "deeplab.onnx"
sha256 = "deeplab.onnx"
[networks.input]
tensor = "image"
width = 192
height = 128
resize = "letterbox"
scale = 0.00784313725490196
mean = [1.0, 1.0, 1.0]
[networks.output]
tensor = "logits"
activation = "softmax"
channels = ["", "dent", "spacing"]

[[networks]]
name = "dent_bgr"
role = "segmenter"
file = "dent_bgr.onnx"
sha256 = "dent_bgr.onnx"
[networks.input]
tensor = "image"
width = 112
height = 80
filter = "area"
channels = "bgr"
layout = "nhwc"
element = "u8"
[networks.output]
tensor = "probabilities"
activation = "none"
channels = ["dent", "wear"]
layout = "nhwc"

[[networks]]
name = "glass_f16"
role = "segmenter"
file = "glass_f16.onnx"
sha256 = "glass_f16.onnx"
[networks.input]
tensor = "image"
width = 96
height = 96
resize = "crop"
element = "f16"
scale = 0.00392156862745098
[networks.output]
tensor = "logits"
activation = "sigmoid"
channels = ["glass"]

[[networks]]
name = "scratch_tiled"
role = "segmenter"
file = "scratch_tiled.onnx"
sha256 = "scratch_tiled.onnx"
region = "vehicle"
[networks.input]
tensor = "image"
width = 160
height = 160
[networks.output]
tensor = "logits"
activation = "sigmoid"
channels = ["scratch"]
[networks.tiling]
tiles_long_side = 2
overlap = 0.25
"""


def locator(path, size=128, dark=160.0):
    """[n, 1, 5]: box around the pixels whose highest channel is under `dark`; score 1, or 0 without any."""
    g = Graph("locator")
    highest = g.op("Max", *g.channels("image"))
    vehicle = g.op("Cast", g.op("Less", highest, g.constant(dark)), to=FLOAT)
    ahead = np.arange(1, size + 1, dtype=np.float32)
    edges = {}
    for name, axis in (("x", 2), ("y", 3)):
        line = g.op("Reshape", g.op("ReduceMax", vehicle, axes=[axis], keepdims=0), g.constant([0, 1, size], np.int64))
        edges[name + "1"] = g.op("ReduceMax", g.op("Mul", line, g.constant(ahead)), axes=[2], keepdims=1)
        rest = g.op("ReduceMax", g.op("Mul", line, g.constant(ahead[::-1].copy())), axes=[2], keepdims=1)
        edges[name + "0"] = g.op("Sub", g.constant(float(size)), rest)
    score = g.op("ReduceMax", vehicle, axes=[2, 3], keepdims=0)
    score = g.op("Unsqueeze", score, g.constant([2], np.int64))
    g.op("Concat", edges["x0"], edges["y0"], edges["x1"], edges["y1"], score, output="boxes", axis=2)
    g.save(path, ("image", FLOAT, ["n", 3, size, size]), ("boxes", FLOAT, ["n", 1, 5]))


def gate(path, size=128):
    """[n, 2] logits, clean and damaged: the strongest red, green or blue margin of any pixel against 0.25."""
    g = Graph("gate")
    r, green, b = g.channels(g.op("Mul", "image", g.constant(1 / 255)))
    strongest = g.op("Max", g.above(r, green, b), g.above(green, r, b), g.above(b, r, green))
    strongest = g.op("Flatten", g.op("GlobalMaxPool", strongest))
    damaged = g.logit(strongest, 0.25)
    g.op("Concat", g.op("Neg", damaged), damaged, output="logits", axis=1)
    g.save(path, ("image", FLOAT, ["n", 3, size, size]), ("logits", FLOAT, ["n", 2]))


def scratch_unet(path, size=128):
    """[n, 1, h, w] raw logits from a picture normalised as for ImageNet: the red margin, averaged over 5x5."""
    g = Graph("scratch_unet")
    spread, centre = np.reshape(STD, (1, 3, 1, 1)), np.reshape(MEAN, (1, 3, 1, 1))
    r, green, b = g.channels(g.affine("image", spread, centre))
    blur = {"kernel_shape": [5, 5], "pads": [2] * 4, "count_include_pad": 0}
    red = g.op("AveragePool", g.op("Relu", g.above(r, green, b)), **blur)
    g.op("Identity", g.logit(red, 0.3), output="logits")
    g.save(path, ("image", FLOAT, ["n", 3, size, size]), ("logits", FLOAT, ["n", 1, size, size]))


def deeplab(path, width=192, height=128):
    """[n, 3, h/4, w/4] raw logits (background, dent, spacing) from a picture in -1..1."""
    g = Graph("deeplab")
    small = g.op("AveragePool", g.affine("image", 0.5, 0.5), kernel_shape=[4, 4], strides=[4, 4])
    r, green, b = g.channels(small)
    dent, spacing = g.logit(g.above(green, r, b), 0.3), g.logit(g.above(b, r, green), 0.3)
    g.op("Concat", g.op("Mul", dent, g.constant(0.0)), dent, spacing, output="logits", axis=1)
    shape = ["n", 3, height // 4, width // 4]
    g.save(path, ("image", FLOAT, ["n", 3, height, width]), ("logits", FLOAT, shape))


def dent_bgr(path, width=112, height=80):
    """[n, h, w, 2] probabilities (dent, wear) from bytes in BGR."""
    g = Graph("dent_bgr")
    picture = g.op("Mul", g.op("Cast", "image", to=FLOAT), g.constant(1 / 255))
    b, green, r = g.channels(picture, axis=3)
    dent, wear = g.logit(g.above(green, r, b), 0.3), g.logit(g.both(green, b, r), 0.3)
    g.op("Sigmoid", g.op("Concat", dent, wear, axis=3), output="probabilities")
    shape = ["n", height, width]
    g.save(path, ("image", BYTE, [*shape, 3]), ("probabilities", FLOAT, [*shape, 2]))


def glass_f16(path, size=96):
    """[n, h, w] raw half-precision logits, without a channel axis, from a half-precision picture in 0..1."""
    g = Graph("glass_f16")
    r, green, b = g.channels(g.op("Cast", "image", to=FLOAT))
    logit = g.logit(g.both(r, green, b), 0.3)
    g.op("Cast", g.op("Squeeze", logit, g.constant([1], np.int64)), output="logits", to=HALF)
    g.save(path, ("image", HALF, ["n", 3, size, size]), ("logits", HALF, ["n", size, size]))


def scratch_tiled(path, size=160, widest=7):
    """[n, 1, h, w] raw logits: the red margin minus its opening (what a `widest` square fits into)."""
    g = Graph("scratch_tiled")
    r, green, b = g.channels(g.op("Mul", "image", g.constant(1 / 255)))
    red = g.op("Relu", g.above(r, green, b))
    pool = {"kernel_shape": [widest, widest], "pads": [widest // 2] * 4}
    eroded = g.op("Neg", g.op("MaxPool", g.op("Neg", red), **pool))
    thin = g.op("Sub", red, g.op("MaxPool", eroded, **pool))
    g.op("Identity", g.logit(thin, 0.15, slope=30.0), output="logits")
    g.save(path, ("image", FLOAT, ["n", 3, size, size]), ("logits", FLOAT, ["n", 1, size, size]))


# The recipe of the self-test picture, in pixels of 960x640: (colour, x0, y0, x1, y1), right and lower edge excluded.
BACKGROUND = (240, 240, 240)
VEHICLE = ((60, 60, 70), 120, 110, 840, 560)
MARKS = {
    "scratch": ((220, 30, 30), 180, 180, 300, 220),
    "thin scratch": ((220, 30, 30), 200, 450, 460, 454),
    "dent": ((30, 200, 30), 400, 180, 520, 300),
    "spacing": ((30, 30, 220), 600, 200, 632, 440),
    "glass": ((230, 220, 20), 400, 350, 500, 420),
    "wear": ((20, 210, 220), 680, 460, 780, 520),
}


def draw(marks=None):
    """The self-test picture, or one with only some of its marks."""
    picture = Image.new("RGB", (960, 640), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for colour, x0, y0, x1, y1 in [VEHICLE, *(MARKS[name] for name in (MARKS if marks is None else marks))]:
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=colour)
    return picture


def main(folder):
    """Writes the seven networks, the picture and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for network in (locator, gate, scratch_unet, deeplab, dent_bgr, glass_f16, scratch_tiled):
        network(folder / f"{network.__name__}.onnx")
    draw().save(folder / "self_test.png", optimize=True)
    write_bundle(folder, MANIFEST)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("seven"))

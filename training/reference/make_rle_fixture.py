"""Writes the masks and run-length codes that the Rust tests compare with: what pycocotools makes of small masks.

    pip install numpy pycocotools==2.0.11
    python make_rle_fixture.py ../../crates/vision/tests/data/rle_pycocotools.json

Masks are written as rows of `.` and `#`. Pairs carry pycocotools' intersection over union.
"""

import json
import sys

import numpy as np
from pycocotools import mask as coco

SEED = 20261


def blob(random, height, width):
    """A smooth random region with holes and islands."""
    coarse = random.random((height // 4 + 2, width // 4 + 2))
    fine = np.kron(coarse, np.ones((4, 4)))[:height, :width]
    return fine + 0.3 * random.random((height, width)) > 0.65


def ring(height, width):
    """A frame with an island in its hole."""
    mask = np.zeros((height, width), bool)
    mask[2:-2, 2:-2] = True
    mask[4:-4, 4:-4] = False
    mask[height // 2, width // 2] = True
    return mask


def point(height, width, y, x):
    mask = np.zeros((height, width), bool)
    mask[y, x] = True
    return mask


def masks(random):
    yield "empty", np.zeros((7, 5), bool)
    yield "full", np.ones((7, 5), bool)
    yield "one pixel, set", np.ones((1, 1), bool)
    yield "one pixel, clear", np.zeros((1, 1), bool)
    yield "first pixel", point(6, 9, 0, 0)
    yield "last pixel", point(6, 9, 5, 8)
    yield "middle pixel", point(6, 9, 3, 4)
    yield "one row", random.random((1, 40)) > 0.5
    yield "one column", random.random((40, 1)) > 0.5
    yield "checkerboard", np.indices((9, 8)).sum(0) % 2 == 0
    yield "columns", np.tile(np.arange(10) % 2 == 1, (6, 1))
    yield "rows", np.tile((np.arange(6) % 2 == 1)[:, None], (1, 10))
    yield "ring with island", ring(17, 21)
    yield "long runs", np.repeat(np.array([[0, 1, 0, 1, 1, 0]], bool), 33, 1).repeat(31, 0)
    for index in range(8):
        yield f"blob {index}", blob(random, int(random.integers(5, 40)), int(random.integers(5, 40)))
    for index in range(6):
        yield f"pair {index}", blob(random, 24, 31)


def record(name, mask):
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    left, top, width, height = (int(side) for side in coco.toBbox(encoded))
    return {
        "name": name,
        "rows": ["".join(".#"[int(pixel)] for pixel in row) for row in mask],
        "text": encoded["counts"].decode("ascii"),
        "area": int(coco.area(encoded)),
        "bbox": [left, top, width, height],
    }


def main(path):
    drawn = list(masks(np.random.default_rng(SEED)))
    records = [record(name, mask) for name, mask in drawn]
    pairs = [index for index, (name, _) in enumerate(drawn) if name.startswith("pair")]
    codes = {index: coco.encode(np.asfortranarray(drawn[index][1].astype(np.uint8))) for index in pairs}
    ious = [
        {
            "left": left,
            "right": right,
            "iou": float(coco.iou([codes[left]], [codes[right]], [0])[0, 0]),
            "union": coco.merge([codes[left], codes[right]])["counts"].decode("ascii"),
        }
        for left in pairs
        for right in pairs
    ]
    with open(path, "w", encoding="ascii") as file:
        json.dump({"masks": records, "pairs": ious}, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])

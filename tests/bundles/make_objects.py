"""Writes a graph with as many objects as a program keeps, whose masks are noise.

    python tests/bundles/make_objects.py FILE

Half of the 300 objects cover the whole picture, half a small part of it. Its tensors are those of Ultralytics'
segmentation with the suppression in the graph.
"""

import sys
from pathlib import Path

import numpy as np

from make_exports import ultralytics, write

SIDE, OBJECTS, PROTOTYPES = 640, 300, 32


def main():
    """Writes the graph."""
    rng = np.random.default_rng(1)
    rows = np.zeros((1, OBJECTS, 6 + PROTOTYPES), np.float32)
    rows[0, :, 2:4] = SIDE
    small = slice(OBJECTS // 2, OBJECTS)
    corners = rng.uniform(80, 480, (OBJECTS // 2, 2))
    rows[0, small, 0:2] = corners
    rows[0, small, 2:4] = corners + 80
    rows[0, :, 4] = np.linspace(0.9, 0.5, OBJECTS)
    rows[0, :, 5] = np.arange(OBJECTS) % 2
    rows[0, :, 6:] = rng.normal(0, 1, (OBJECTS, PROTOTYPES))
    # The first of each half is a plain shape: the first prototype is the same everywhere.
    prototypes = rng.normal(0, 1, (1, PROTOTYPES, SIDE // 4, SIDE // 4)).astype(np.float32)
    prototypes[0, 0] = 1
    for plain in (0, OBJECTS // 2):
        rows[0, plain, 6:] = 0
        rows[0, plain, 6] = 4
    outputs = {"output0": rows, "output1": prototypes}
    metadata = ultralytics("segment", imgsz=f"[{SIDE}, {SIDE}]", end2end="True")
    write(Path(sys.argv[1]), {"images": ([1, 3, SIDE, SIDE], "float32")}, outputs, metadata)


if __name__ == "__main__":
    main()

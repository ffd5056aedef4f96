"""COCO run-length code: columns from left to right, each from top to bottom, background first.

`counts` are uncompressed run lengths; `decode_string` reads the compressed form that COCO's tools write.
"""

import numpy as np


def encode(mask):
    """Boolean [height, width] to run lengths that sum to height * width; the first run is background."""
    flat = np.asarray(mask, bool).flatten(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    runs = np.diff(edges).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def decode(counts, height, width):
    """Run lengths to a boolean [height, width] mask."""
    if sum(counts) != height * width:
        raise ValueError(f"run lengths sum to {sum(counts)}, the mask has {height * width} pixels")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape((height, width), order="F")


def decode_string(text):
    """The compressed string to run lengths.

    Every character carries 6 bits above '0': five of the number, lowest first, and 32 for "more follow"; the last
    group's 16 is the sign. From the fourth number on, each is the difference to the run two before it.
    """
    counts, position = [], 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            group = ord(text[position]) - 48
            value |= (group & 31) << shift
            shift += 5
            position += 1
            more = bool(group & 32)
        if group & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
    return counts

"""Outlines of masks, along the edges of their pixels: what a person would draw who follows a region exactly.

How: every edge between a pixel of the region and one beside it is a step, with the region on its right; steps are
followed from corner to corner until they close. Where two pixels touch at a corner only, the way turns right, so that
they are two regions.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

# The four sides of a pixel, clockwise: where its neighbour is (row, column), and the step along that side between two
# corners (x, y).
SIDES = (
    ((-1, 0), (0, 0), (1, 0)),
    ((0, 1), (1, 0), (1, 1)),
    ((1, 0), (1, 1), (0, 1)),
    ((0, -1), (0, 1), (0, 0)),
)


def steps(mask: np.ndarray) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return where each step from a corner (x, y) leads, of all edges of a mask (bool [height, width])."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (down, right), start, end in SIDES:
        beside = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for y, x in np.argwhere(mask & ~beside).tolist():
            ways.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    return ways


def turned_right(before: tuple[int, int], here: tuple[int, int], choices: list[tuple[int, int]]) -> tuple[int, int]:
    """Return which way to go on: the only one, or the one to the right."""
    if len(choices) == 1:
        return choices[0]
    x, y = here[0] - before[0], here[1] - before[1]
    right = (here[0] - y, here[1] + x)
    return right if right in choices else choices[0]


def rings(mask: np.ndarray) -> list[list[list[int]]]:
    """Return the closed outlines of a mask as corners [x, y]: around regions clockwise, around holes anticlockwise."""
    ways = steps(mask)
    found = []
    while ways:
        first = next(iter(ways))
        ring, before, here = [], first, first
        while not ring or here != first:
            after = turned_right(before, here, ways[here])
            ways[here].remove(after)
            if not ways[here]:
                del ways[here]
            ring.append(here)
            before, here = here, after
        found.append(corners(ring))
    return found


def corners(ring: list[tuple[int, int]]) -> list[list[int]]:
    """Leave out the points of a ring that lie on a straight line between their neighbours."""
    around = zip(ring[-1:] + ring[:-1], ring, ring[1:] + ring[:1], strict=True)
    return [[x, y] for (ax, ay), (x, y), (bx, by) in around if (x - ax) * (by - y) != (y - ay) * (bx - x)]


def area(ring: list[list[int]]) -> float:
    """Return the area inside a ring in pixels; negative where it runs anticlockwise (the y axis points down)."""
    x, y = np.array(ring, np.float64).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def polygons(mask: np.ndarray, count_max: int) -> list[dict]:
    """Return the outlines of a mask with their holes, the `count_max` largest parts of it, as reviews have them."""
    parts, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, parts, np.arange(1, count + 1))
    found = []
    for number in np.argsort(-sizes, kind="stable")[:count_max] + 1:
        loops = rings(parts == number)
        outer = [ring for ring in loops if area(ring) > 0]
        found.append({"outer": outer[0], "holes": [ring for ring in loops if area(ring) < 0]})
    return found

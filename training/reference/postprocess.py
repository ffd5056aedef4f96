"""From probability maps to findings.

Maps are sampled on a small canvas (long side at most 512); the mask policy and the connected components work there;
each region is then read out at the photo's own size, pixel by pixel.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

import rle
from preprocess import half_up

CANVAS_LONG_SIDE = 512
EIGHT = np.ones((3, 3), bool)


@dataclass
class ClassMap:
    """Probabilities of one class, [h, w], over the part of the photo in `covers` (fractions)."""

    name: str
    values: np.ndarray
    covers: tuple


def canvas_size(width, height):
    """Width and height of the canvas of a photo."""
    scale = min(1.0, CANVAS_LONG_SIDE / max(width, height))
    return max(1, half_up(width * scale)), max(1, half_up(height * scale))


def sample(class_map, width, height):
    """The map on the canvas, [height, width]: bilinear inside `covers`, 0 outside."""
    x0, y0, x1, y1 = class_map.covers
    rows, columns = class_map.values.shape
    u, v = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    x = np.clip((u - x0) / (x1 - x0) * columns - 0.5, 0, columns - 1)
    y = np.clip((v - y0) / (y1 - y0) * rows - 0.5, 0, rows - 1)
    grid = np.meshgrid(y, x, indexing="ij")
    values = ndimage.map_coordinates(class_map.values.astype(np.float64), grid, order=1, mode="nearest")
    inside = np.outer((v >= y0) & (v <= y1), (u >= x0) & (u <= x1))
    return np.where(inside, values, 0.0)


def merge(maps, width, height):
    """The highest of several maps of one class at each canvas pixel."""
    merged = np.zeros((height, width))
    for class_map in maps:
        merged = np.maximum(merged, sample(class_map, width, height))
    return merged


def disc(radius):
    """All offsets with dx² + dy² <= radius²."""
    steps = np.arange(-radius, radius + 1)
    return steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2


def to_mask(probabilities, policy):
    """Threshold, hysteresis and closing."""
    mask = probabilities > policy["threshold"]
    if "hysteresis" in policy:
        labels, _ = ndimage.label(probabilities > policy["hysteresis"], EIGHT)
        mask = np.isin(labels, np.unique(labels[mask])) & (labels > 0)
    radius = half_up(policy.get("closing", 0.0) * max(mask.shape))
    if radius > 0:
        mask = ndimage.binary_dilation(mask, disc(radius), border_value=0)
        mask = ndimage.binary_erosion(mask, disc(radius), border_value=1)
    return mask


def regions(mask, area_min):
    """The 8-connected regions that are at least `area_min` of the canvas, as boolean masks."""
    labels, count = ndimage.label(mask, EIGHT)
    found = (labels == index for index in range(1, count + 1))
    return [region for region in found if region.sum() / region.size >= area_min]


def to_full_size(region, width, height):
    """A canvas region at the photo's size: every photo pixel takes the canvas pixel under its centre."""
    rows, columns = region.shape
    x = (2 * np.arange(width) + 1) * columns // (2 * width)
    y = (2 * np.arange(height) + 1) * rows // (2 * height)
    return region[y[:, None], x[None, :]]


def find(maps, classes, width, height, all_classes=False):
    """Findings of a photo of width x height from all its `ClassMap`s, by the manifest's `classes`."""
    canvas = canvas_size(width, height)
    found = {}
    for spec in classes:
        policy = spec.get("mask", {})
        own = [class_map for class_map in maps if class_map.name == spec["name"]]
        merged = merge(own, *canvas)
        kept = regions(to_mask(merged, policy), policy.get("area_min", 0.0))
        found[spec["name"]] = [(region, float(merged[region].mean())) for region in kept]
    always = np.zeros((canvas[1], canvas[0]), bool)
    for spec in classes:
        if spec.get("report", "always") == "always":
            for region, _ in found[spec["name"]]:
                always |= region
    findings = []
    for spec in classes:
        for region, probability in found[spec["name"]]:
            if all_classes or reported(spec.get("report", "always"), region, always):
                findings.append(describe(spec["name"], probability, to_full_size(region, width, height)))
    return findings


def reported(rule, region, always):
    """Whether a region is a finding: `uncovered` regions must not share a pixel with an `always` region."""
    return rule == "always" or (rule == "uncovered" and not (region & always).any())


def describe(name, probability, mask):
    """One finding at the photo's size, as it goes into the JSON."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:  # a canvas pixel no photo pixel's centre falls into: only when the canvas is larger
        box = [0, 0, 0, 0]
    else:
        box = [int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
    size = {"width": mask.shape[1], "height": mask.shape[0]}
    return {
        "class": name,
        "probability": probability,
        "area_px": int(mask.sum()),
        "bbox": {"x": box[0], "y": box[1], "width": box[2], "height": box[3]},
        "rle": {"size": size, "counts": rle.encode(mask)},
    }

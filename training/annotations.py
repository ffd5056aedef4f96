"""Read polygon annotations and rasterise them into label maps.

A label map is a uint8 array [side, side] whose bits say what a pixel is: bits 0-4 one damage class each
(`CLASSES`), bit 5 any damage, bit 6 an area whose truth is unknown to us. A pixel is *ignored*, in
training and in scores, where bit 6 is set and bit 5 is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

CLASSES = ("scratch", "dent", "broken_part", "glass_crack", "lamp_broken")
CHANNELS = (*CLASSES, "any_damage")
ANY_BIT = 32
UNKNOWN_BIT = 64

# Names used by the public sets. `astar` is bare primer, `kaput_hasar` a bonnet out of line, `airbag` an
# opened airbag: damage of a kind no class of ours covers, so those areas are ignored.
LABELS = {
    "cizik": "scratch",
    "gocuk": "dent",
    "kirik-kayip": "broken_part",
    "cam_catlagi": "glass_crack",
    "far_hasar": "lamp_broken",
    "scra": "scratch",
    "dist": "dent",
    "win": "glass_crack",
    "broken": "broken_part",
}
IGNORED = ("astar", "kaput_hasar", "airbag")


@dataclass
class Photo:
    """One annotated photo. Polygons are (label, float32 [k, 2] of x, y in pixels of the stored file)."""

    path: Path
    polygons: list[tuple[str, np.ndarray]] = field(default_factory=list)

    def labels(self) -> set[str]:
        """Return the labels on this photo."""
        return {label for label, _ in self.polygons}


def read_coco(folder: Path) -> list[Photo]:
    """Read `_annotations.coco.json` of a folder of photos (Roboflow's export)."""
    document = json.loads((folder / "_annotations.coco.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in document["categories"]}
    photos = {image["id"]: Photo(folder / image["file_name"]) for image in document["images"]}
    for annotation in document["annotations"]:
        if not isinstance(annotation["segmentation"], list):
            continue
        for ring in annotation["segmentation"]:
            points = np.array(ring, np.float32).reshape(-1, 2)
            photos[annotation["image_id"]].polygons.append((names[annotation["category_id"]], points))
    return list(photos.values())


def read_via(document: Path, photos: Path) -> list[Photo]:
    """Read a VGG Image Annotator file; photos without polygons are left out. Unnamed regions are `any`."""
    content = json.loads(document.read_text(encoding="utf-8"))
    read = []
    for entry in content.get("_via_img_metadata", content).values():
        regions = entry["regions"]
        photo = Photo(photos / entry["filename"])
        for region in regions.values() if isinstance(regions, dict) else regions:
            shape = region["shape_attributes"]
            points = np.stack([shape["all_points_x"], shape["all_points_y"]], 1).astype(np.float32)
            photo.polygons.append((region.get("region_attributes", {}).get("name", "any"), points))
        if photo.polygons and photo.path.exists():
            read.append(photo)
    return read


def bits(label: str) -> int:
    """Return the bits a polygon of this label sets. A damage of no class of ours sets bit 5 only."""
    if label in IGNORED:
        return UNKNOWN_BIT
    name = LABELS.get(label, label)
    return (1 << CLASSES.index(name)) | ANY_BIT if name in CLASSES else ANY_BIT


def label_map(polygons: Iterable[tuple[str, np.ndarray]], size: tuple[int, int], side: int) -> np.ndarray:
    """Rasterise polygons of a photo of `size` (width, height) into a label map stretched to `side`."""
    scale = np.array([side / size[0], side / size[1]], np.float32)
    labels = np.zeros((side, side), np.uint8)
    for label, points in polygons:
        shape = np.zeros_like(labels)
        cv2.fillPoly(shape, [np.round(points * scale).astype(np.int32)], 1)
        labels |= shape * np.uint8(bits(label))
    return labels


def truth(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a label map into masks (bool [6, h, w], order of `CHANNELS`) and the valid area (bool [h, w])."""
    masks = np.stack([(labels >> channel) & 1 for channel in range(len(CHANNELS))]).astype(bool)
    ignored = ((labels & UNKNOWN_BIT) > 0) & ((labels & ANY_BIT) == 0)
    return masks, ~ignored

"""Read a part of a data set that `walkaround export DIR --format coco --split ...` wrote.

Regions are run-length codes as `pycocotools` writes them. A class that the network does not know counts as any damage.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from annotations import bits

sys.path.append(str(Path(__file__).resolve().parent / "reference"))
import rle


def region(annotation: dict) -> np.ndarray | None:
    """Return the region of an annotation, bool [height, width] of the photo; nothing for a box without an outline."""
    code = annotation["segmentation"]
    if not code:
        return None
    counts = code["counts"]
    return rle.decode(rle.decode_string(counts) if isinstance(counts, str) else counts, *code["size"])


def read_export(folder: Path, part: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return photos uint8 [n, side, side, 3] RGB and label maps uint8 [n, side, side] (`annotations.py`) of a part.

    Raises `FileNotFoundError` where the export has no such part, or no photo in it.
    """
    document = json.loads((folder / "coco" / f"{part}.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in document["categories"]}
    images = document["images"]
    if not images:
        raise FileNotFoundError(f"{folder}: no photo in part {part}")
    places = {image["id"]: place for place, image in enumerate(images)}
    photos = np.zeros((len(images), side, side, 3), np.uint8)
    labels = np.zeros((len(images), side, side), np.uint8)
    for place, image in enumerate(images):
        path = folder / "images" / Path(image["file_name"]).name
        pixels = cv2.imread(str(path))
        if pixels is None:
            raise FileNotFoundError(f"{path}: not a photo")
        small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        photos[place] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    for annotation in document["annotations"]:
        mask = region(annotation)
        if mask is not None:
            inside = cv2.resize(mask.astype(np.uint8) * 255, (side, side), interpolation=cv2.INTER_AREA) > 127
            value = np.uint8(bits(names[annotation["category_id"]]))
            labels[places[annotation["image_id"]]] |= inside.astype(np.uint8) * value
    return photos, labels

"""Build the training arrays: photos shrunk to 320 px, label maps, and an index that says what each is for.

Splits are those of the source sets. A training photo that resembles a validation or test photo is dropped,
and the photos of the Bilgi set that look copied from CarDD (their names tell) are never trained on.

Writes to the work folder: `photos.npy` (uint8 [n, 320, 320, 3], RGB), `labels.npy` (uint8 [n, 320, 320], see
`annotations.py`) and `index.json` (a list of `Entry` fields, in the same order).
"""

from __future__ import annotations

import collections
import hashlib
import json
import random
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from annotations import Photo, label_map, read_coco
from arguments import parser as make_parser
from hash_photos import SUFFIXES, Hashes

SIDE = 320
COPIED_FROM_CARDD = re.compile(r"^\d{6}_jpg")
LEVEL_VALIDATION = 60  # photos of each image-level class kept for validation


@dataclass(frozen=True)
class Entry:
    """One photo of the arrays. `kind`: masks (polygons known), damaged (no polygons), undamaged."""

    path: str
    split: str
    kind: str
    source: str


def bilgi(folder: Path, hashes: Hashes) -> list[tuple[Entry, Photo]]:
    """Return the Bilgi University photos with masks, split as published, near-duplicates removed."""
    splits = {
        split: [photo for photo in read_coco(folder / split) if not photo.labels() <= {"airbag"}]
        for split in ("train", "valid", "test")
    }
    paths = {split: [photo.path for photo in photos] for split, photos in splits.items()}
    dropped = hashes.near_duplicates(paths["train"], paths["valid"] + paths["test"])
    dropped |= hashes.near_duplicates(paths["valid"], paths["test"])
    result = []
    for split, photos in splits.items():
        for photo in photos:
            copied = bool(COPIED_FROM_CARDD.match(photo.path.name))
            if photo.path in dropped or (split == "train" and copied):
                continue
            source = "bilgi_cardd" if copied else "bilgi"
            result.append((Entry(str(photo.path), split, "masks", source), photo))
    return result


def photos_in(folder: Path) -> list[Path]:
    """Return the photos of one folder, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def thumbnails(folder: Path, hashes: Hashes) -> list[tuple[Entry, Photo]]:
    """Return the image-level set: `training|validation` / `00-damage|01-whole`.

    Its published validation split is our test split; some training photos become our validation split.
    """
    result = []
    for name, kind, source in (
        ("00-damage", "damaged", "thumbnail_damaged"),
        ("01-whole", "undamaged", "thumbnail_whole"),
    ):
        test = photos_in(folder / "validation" / name)
        train = photos_in(folder / "training" / name)
        dropped = hashes.near_duplicates(train, test)
        train = [path for path in train if path not in dropped]
        random.Random(0).shuffle(train)
        for number, path in enumerate(train):
            split = "valid" if number < LEVEL_VALIDATION else "train"
            result.append((Entry(str(path), split, kind, source), Photo(path)))
        result += [(Entry(str(path), "test", kind, source), Photo(path)) for path in test]
    return result


def parts(folder: Path) -> list[tuple[Entry, Photo]]:
    """Return the undamaged cars of the car-parts set (`trainingset|testset`/JPEGImages)."""
    result = []
    for name, split in (("trainingset", "train"), ("testset", "test")):
        for path in photos_in(folder / name / "JPEGImages"):
            result.append((Entry(str(path), split, "undamaged", "parts"), Photo(path)))
    return result


def held_out(path: Path) -> bool:
    """Tell whether a real photo is kept away from fine-tuning: half are, by a hash of the file name."""
    return hashlib.sha256(path.name.encode()).digest()[0] >= 128


def shrink(path: Path) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Return a photo stretched to SIDE x SIDE, RGB, and its own (width, height); nothing if unreadable."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    filter_ = cv2.INTER_AREA if width > SIDE else cv2.INTER_LINEAR
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=filter_)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB), (width, height)


def write(work: Path, items: list[tuple[Entry, Photo]]) -> list[Entry]:
    """Write the three files for `items`; photos that cannot be read are left out."""
    photos, labels, index = [], [], []
    for entry, photo in items:
        shrunk = shrink(photo.path)
        if shrunk is None:
            continue
        pixels, size = shrunk
        photos.append(pixels)
        labels.append(label_map(photo.polygons, size, SIDE))
        index.append(entry)
    work.mkdir(parents=True, exist_ok=True)
    np.save(work / "photos.npy", np.stack(photos))
    np.save(work / "labels.npy", np.stack(labels))
    (work / "index.json").write_text(json.dumps([asdict(entry) for entry in index]), encoding="utf-8")
    return index


def load(work: Path) -> tuple[np.ndarray, np.ndarray, list[Entry]]:
    """Read what `write` wrote; the arrays are memory-mapped."""
    photos = np.load(work / "photos.npy", mmap_mode="r")
    labels = np.load(work / "labels.npy", mmap_mode="r")
    index = json.loads((work / "index.json").read_text(encoding="utf-8"))
    return photos, labels, [Entry(**entry) for entry in index]


def select(index: list[Entry], split: str, **fields: str) -> list[int]:
    """Return the positions of a split's entries whose fields have the values given."""
    return [
        number
        for number, entry in enumerate(index)
        if entry.split == split and all(getattr(entry, name) == value for name, value in fields.items())
    ]


def main() -> None:
    """Build the arrays from the folders given."""
    parser = make_parser(__doc__)
    parser.add_argument("--bilgi", type=Path, required=True, help="folder with train/, valid/, test/")
    parser.add_argument("--thumbnails", type=Path, help="folder with training/, validation/")
    parser.add_argument("--parts", type=Path, help="folder with trainingset/, testset/")
    parser.add_argument("--hashes", type=Path, required=True, help="JSON of hash_photos.py over all of them")
    parser.add_argument("--work", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    hashes = Hashes(arguments.hashes)
    items = bilgi(arguments.bilgi, hashes)
    if arguments.thumbnails:
        items += thumbnails(arguments.thumbnails, hashes)
    if arguments.parts:
        items += parts(arguments.parts)
    index = write(arguments.work, items)
    for group, count in sorted(collections.Counter((e.split, e.kind, e.source) for e in index).items()):
        print(*group, count)


if __name__ == "__main__":
    main()

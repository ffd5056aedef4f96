"""Score a network on other people's photos: sets annotated with the VGG Image Annotator.

The sets overlap with the training set, so near-duplicates of any training photo are left out first. A class
that no photo of the set is labelled with is not scored: its absence there says nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from annotations import CHANNELS, label_map, read_via
from arguments import parser as make_parser
from evaluate import SIDE, predict, read, report, truths_of
from hash_photos import Hashes, hash_photo, unpack
from prepare import load, select


def main() -> None:
    """Score one set and print JSON."""
    parser = make_parser(__doc__)
    parser.add_argument("network", type=Path, help="ONNX network with the outputs `masks` and `gate`")
    parser.add_argument("--annotations", type=Path, required=True, help="VIA JSON")
    parser.add_argument("--photos", type=Path, required=True, help="folder of its photos")
    parser.add_argument("--hashes", type=Path, required=True, help="JSON of hash_photos.py")
    parser.add_argument("--work", type=Path, required=True, help="folder of prepare.py")
    parser.add_argument("--gate", type=float, default=0.5, help="threshold of the gate (default 0.5)")
    given = parser.parse_args()
    photos = read_via(given.annotations, given.photos)
    hashes = Hashes(given.hashes)
    for entry in (hash_photo(photo.path) for photo in photos):
        if entry:
            hashes.by_path[entry[0]] = (unpack(entry[1]), unpack(entry[2]))
    index = load(given.work)[2]
    trained = [Path(index[number].path) for number in select(index, "train")]
    copies = hashes.near_duplicates([photo.path for photo in photos], trained)
    kept = [photo for photo in photos if photo.path not in copies]
    maps = []
    for photo in kept:
        with Image.open(photo.path) as image:
            maps.append(label_map(photo.polygons, image.size, SIDE))
    masks, gates = predict(given.network, np.stack([read(photo.path) for photo in kept]))
    truths = truths_of(np.stack(maps))
    result = report(masks, gates, truths, given.gate)
    for number, name in enumerate(CHANNELS):
        if not truths.masks[:, number].any():
            result["masks"].pop(name)
            result["masks_gated"].pop(name)
    result["near_duplicates_left_out"] = len(copies)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

"""Hash every photo of some folders perceptually, so that near-duplicates can be kept out of two splits.

Public sets of damaged cars copy from each other: without this a test photo is often a training photo, at
another size. Two photos are near-duplicates when both their pHash and their dHash are close.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from arguments import parser as make_parser

SUFFIXES = {".jpg", ".jpeg", ".png"}
PHASH_DISTANCE_MAX = 8
DHASH_DISTANCE_MAX = 10


def hash_photo(path: Path) -> tuple[str, str, str] | None:
    """Return (path, pHash, dHash), the hashes as 16 hex digits, or nothing for an unreadable file."""
    try:
        with Image.open(path) as image:
            pixels = image.convert("RGB")
    except OSError:
        return None
    return str(path), str(imagehash.phash(pixels)), str(imagehash.dhash(pixels))


def hash_folders(folders: list[Path], jobs: int) -> list[tuple[str, str, str]]:
    """Hash all photos under the folders."""
    paths = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    with ProcessPoolExecutor(jobs) as pool:
        return [entry for entry in pool.map(hash_photo, paths, chunksize=32) if entry]


class Hashes:
    """Perceptual hashes by path, as written by this script."""

    def __init__(self, document: Path) -> None:
        entries = json.loads(document.read_text(encoding="utf-8"))
        self.by_path = {path: (unpack(p), unpack(d)) for path, p, d in entries}

    def near_duplicates(self, photos: list[Path], others: list[Path]) -> set[Path]:
        """Return those of `photos` that look like one of `others`. Photos never hashed are left alone."""
        known = [self.by_path[str(other)] for other in others if str(other) in self.by_path]
        if not known:
            return set()
        phashes = np.stack([entry[0] for entry in known])
        dhashes = np.stack([entry[1] for entry in known])
        found = set()
        for photo in photos:
            entry = self.by_path.get(str(photo))
            if entry is None:
                continue
            close = distance(phashes, entry[0]) <= PHASH_DISTANCE_MAX
            close &= distance(dhashes, entry[1]) <= DHASH_DISTANCE_MAX
            if close.any():
                found.add(photo)
        return found


def unpack(digits: str) -> np.ndarray:
    """Turn 16 hex digits into 8 bytes."""
    return np.frombuffer(bytes.fromhex(digits), np.uint8)


def distance(hashes: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Return the Hamming distance of each row of `hashes` (uint8 [n, 8]) to `one` (uint8 [8])."""
    return np.bitwise_count(hashes ^ one).sum(1)


def main() -> None:
    """Hash the folders given and write one JSON list."""
    parser = make_parser(__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of photos, searched recursively")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    entries = hash_folders(arguments.folders, arguments.jobs)
    arguments.out.write_text(json.dumps(entries), encoding="utf-8")
    print(f"{len(entries)} photos hashed")


if __name__ == "__main__":
    main()

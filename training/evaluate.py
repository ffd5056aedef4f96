"""Score a network (with the outputs `masks` and `gate`) on photos with polygons, photos without damage, or
drawn samples.

Masks are compared at 256 x 256 px and pooled over all photos; ignored areas (`annotations.py`) do not count.
Each score comes with every mask as it is and with the masks of photos the gate calls clean taken away, which
is what Walkaround shows. This is the reference the Rust path (`make evaluate`) is checked against.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
from PIL import Image, ImageOps

from annotations import CHANNELS, label_map, read_coco, truth
from arguments import parser as make_parser
from drawn import read_drawn
from hash_photos import SUFFIXES
from metrics import auc, counts, scores
from prepare import held_out

SIDE = 256
THRESHOLDS = (0.65, 0.5, 0.35, 0.2, 0.3, 0.45)
CANDIDATES = np.arange(0.2, 0.8, 0.05)
AT_ONCE = 8
CLEAN_KINDS = ("clean", "dark", "blurred")


@dataclass
class Truths:
    """What is true of some photos: masks bool [n, 6, 256, 256], valid bool [n, 256, 256]."""

    masks: np.ndarray
    valid: np.ndarray


def read(path: Path) -> np.ndarray:
    """Read a photo upright and stretch it to the network's size with the area filter: uint8 [256, 256, 3]."""
    with Image.open(path) as image:
        pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    return cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def predict(network: Path, photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masks float16 [n, 6, 256, 256] and P(damage) [n] for photos uint8 [n, 256, 256, 3]."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])
    masks, gates = [], []
    for start in range(0, len(photos), AT_ONCE):
        image = photos[start : start + AT_ONCE].astype(np.float32).transpose(0, 3, 1, 2)
        found = session.run(["masks", "gate"], {"image": np.ascontiguousarray(image)})
        masks.append(found[0].astype(np.float16))
        gates.append(found[1][:, 0])
    return np.concatenate(masks), np.concatenate(gates)


def count_all(masks: np.ndarray, truths: Truths, thresholds: tuple[float, ...]) -> np.ndarray:
    """Return counts int64 [n, 6, 3] at the thresholds."""
    limits = np.array(thresholds)[:, None, None]
    return np.stack([counts(m > limits, t, v) for m, t, v in zip(masks, truths.masks, truths.valid, strict=True)])


def report(masks: np.ndarray, gates: np.ndarray, truths: Truths, gate_threshold: float) -> dict:
    """Return the scores per class, without and with the gate, and the gate's recall."""
    free = count_all(masks, truths, THRESHOLDS)
    suppressed = np.where((gates >= gate_threshold)[:, None, None, None], masks, 0)
    gated = count_all(suppressed, truths, THRESHOLDS)
    damaged = truths.masks[:, -1].any((1, 2))
    return {
        "photos": len(gates),
        "gate_recall": round(float((gates[damaged] >= gate_threshold).mean()), 4),
        "ignored_share": round(1 - float(truths.valid.mean()), 4),
        "masks": {name: scores(free[:, c]) for c, name in enumerate(CHANNELS)},
        "masks_gated": {name: scores(gated[:, c]) for c, name in enumerate(CHANNELS)},
    }


def best_thresholds(masks: np.ndarray, truths: Truths) -> dict[str, float]:
    """Return the threshold of each channel with the highest pooled IoU. Choose on validation photos only."""
    pooled = np.stack([count_all(masks, truths, (t,) * len(CHANNELS)).sum(0) for t in CANDIDATES])
    ious = pooled[..., 0] / np.maximum(1, pooled.sum(-1))
    return {name: round(float(CANDIDATES[ious[:, c].argmax()]), 2) for c, name in enumerate(CHANNELS)}


def polygon_photos(folder: Path, chosen) -> tuple[np.ndarray, Truths]:
    """Read the photos of a COCO folder for which `chosen(path)` holds."""
    photos, maps = [], []
    for photo in read_coco(folder):
        if chosen(photo.path):
            with Image.open(photo.path) as image:
                size = image.size
            photos.append(read(photo.path))
            maps.append(label_map(photo.polygons, size, SIDE))
    return np.stack(photos), truths_of(np.stack(maps))


def truths_of(maps: np.ndarray) -> Truths:
    """Split label maps [n, 256, 256]."""
    pairs = [truth(labels) for labels in maps]
    return Truths(np.stack([masks for masks, _ in pairs]), np.stack([valid for _, valid in pairs]))


def choose(half: str | None, similarity: Path | None, below: float):
    """Return the test that a photo is to be scored."""
    alike = json.loads(similarity.read_text(encoding="utf-8")) if similarity else {}

    def chosen(path: Path) -> bool:
        if half and held_out(path) != (half == "held-out"):
            return False
        return not similarity or alike.get(path.name, 1.0) < below

    return chosen


def undamaged_photos(folder: Path, chosen) -> np.ndarray:
    """Read the photos of a folder of undamaged cars."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and chosen(p))
    return np.stack([read(path) for path in paths])


def main() -> None:
    """Score and print JSON."""
    parser = make_parser(__doc__)
    parser.add_argument("network", type=Path, help="ONNX network with the outputs `masks` and `gate`")
    parser.add_argument("--polygons", type=Path, help="folder with _annotations.coco.json")
    parser.add_argument("--undamaged", type=Path, help="folder of undamaged cars")
    parser.add_argument("--drawn", type=Path, help="folder of `walkaround samples`")
    parser.add_argument("--half", choices=["seen", "held-out"], help="which half of finetune_drawn.py's split")
    parser.add_argument("--similarity", type=Path, help="JSON of leak_check.py")
    parser.add_argument("--below", type=float, default=0.6, help="with --similarity: only photos below this similarity")
    parser.add_argument("--gate", type=float, default=0.5, help="threshold of the gate (default 0.5)")
    parser.add_argument("--choose", action="store_true", help="also print the best thresholds")
    given = parser.parse_args()
    chosen = choose(given.half, given.similarity, given.below)
    result, damaged, clean = {}, [], []
    if given.polygons:
        photos, truths = polygon_photos(given.polygons, chosen)
        masks, gates = predict(given.network, photos)
        result["polygons"] = report(masks, gates, truths, given.gate)
        if given.choose:
            result["thresholds"] = best_thresholds(masks, truths)
        damaged.append(gates)
    if given.undamaged:
        masks, gates = predict(given.network, undamaged_photos(given.undamaged, chosen))
        marked = (masks[:, -1] > THRESHOLDS[-1]).mean((1, 2)) > 0.005
        result["undamaged"] = {
            "photos": len(gates),
            "gate_says_damaged": round(float((gates >= given.gate).mean()), 4),
            "mask_over_half_a_percent": round(float(marked.mean()), 4),
        }
        clean.append(gates)
    if given.drawn:
        photos, maps, kinds = read_drawn(given.drawn, SIDE)
        masks, gates = predict(given.network, photos)
        result["drawn"] = report(masks, gates, truths_of(maps), given.gate)
        said = {k: gates[[kind == k for kind in kinds]] for k in sorted(set(kinds))}
        result["drawn"]["gate_says_damaged"] = {
            kind: round(float((values >= given.gate).mean()), 3) for kind, values in said.items()
        }
        sharp = np.array([kind not in CLEAN_KINDS for kind in kinds])
        result["drawn"]["gate_auc"] = auc(gates[sharp], said.get("clean", gates[~sharp]))
    if damaged and clean:
        result["gate_auc"] = auc(damaged[0], clean[0])
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

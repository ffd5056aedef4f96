"""Ask how much of the test score comes from cars that training saw from another side.

Perceptual hashes find copies, not a second photo of the same car. So each test photo is compared with every
training photo by the ImageNet features of the untrained encoder, and the nearest similarity is written;
`evaluate.py --similarity` then scores the unlike ones alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from arguments import parser as make_parser
from model import Net
from prepare import load, select

SIDE = 224
AT_ONCE = 16
LEVELS = (0.9, 0.8, 0.7, 0.6, 0.5)


def features(net: Net, photos: np.ndarray, numbers: list[int]) -> np.ndarray:
    """Return pooled features of the photos numbered, float32 [n, 320]."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(numbers), AT_ONCE):
            small = [
                cv2.resize(photos[number], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
                for number in numbers[start : start + AT_ONCE]
            ]
            image = torch.from_numpy(np.stack(small).astype(np.float32)).permute(0, 3, 1, 2)
            rows.append(net.encode(image)[0].mean((2, 3)).numpy())
    return np.concatenate(rows)


def nearest(tested: np.ndarray, trained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each tested row's highest cosine similarity (features standardised) and its row in `trained`."""
    mean, spread = trained.mean(0), trained.std(0) + 1e-6
    unit = [(rows - mean) / spread for rows in (tested, trained)]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in unit]
    similarity = unit[0] @ unit[1].T
    return similarity.max(1), similarity.argmax(1)


def main() -> None:
    """Write the nearest training photo of each test photo."""
    parser = make_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of prepare.py")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write: file name to similarity")
    given = parser.parse_args()
    torch.set_num_threads(2)
    photos, _, index = load(given.work)
    net = Net().eval()
    test, train = select(index, "test", source="bilgi"), select(index, "train", kind="masks")
    similarity, _ = nearest(features(net, photos, test), features(net, photos, train))
    names = [Path(index[number].path).name for number in test]
    document = dict(zip(names, similarity.round(4).tolist(), strict=True))
    given.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    for level in LEVELS:
        print(f"nearest training photo less alike than {level}: {int((similarity < level).sum())} of {len(test)}")


if __name__ == "__main__":
    main()

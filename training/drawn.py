"""Read drawn samples: the pictures and true masks that `walkaround samples DIR` writes.

Beside each `<stem>.jpg` lie `<stem>.<class>.mask.png`, one for each class of damage in it. A drawn gap
(`spacing`) is no class of the demonstration model: it counts as any damage.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from annotations import bits


def read_drawn(folder: Path, side: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return pictures uint8 [n, side, side, 3] RGB, label maps uint8 [n, side, side], and the kinds drawn."""
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        raise FileNotFoundError(f"no drawn samples in {folder}")
    pictures = np.zeros((len(paths), side, side, 3), np.uint8)
    labels = np.zeros((len(paths), side, side), np.uint8)
    for number, path in enumerate(paths):
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        pictures[number] = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        for mask in folder.glob(f"{path.stem}.*.mask.png"):
            label = mask.name.split(".")[-3]
            whole = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
            inside = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA) > 127
            labels[number] |= inside.astype(np.uint8) * np.uint8(bits(label))
    return pictures, labels, [path.stem.rsplit("-", 1)[-1] for path in paths]

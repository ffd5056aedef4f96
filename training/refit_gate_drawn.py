"""Fit the gate head anew after `finetune_drawn.py`, with the encoder frozen.

A gate that has learnt drawn damage calls more undamaged close-ups damaged. So its two linear layers are
fitted on, from where they are, on views of four sorts: drawn with and without damage, photos of damaged cars
(target: what the starting network's gate says) and undamaged cars, whole and in close-ups (target: clean).
Only the half of the photos that `finetune_drawn.py` may see is used. Minutes, nearly all for the features.
"""

from __future__ import annotations

import collections
import random
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

import augment
from annotations import ANY_BIT, UNKNOWN_BIT
from arguments import parser as make_parser
from drawn import read_drawn
from export import export, load_weights, quantise
from finetune_drawn import DAMAGED_SHARE_MIN, DRAWN_SIDE, Pictures, calibration, real_photos
from model import Net
from prepare import held_out, photos_in
from refit_gate import FEATURE_NOISE, FEATURES_AT_ONCE, SMOOTHING, window

VIEWS = 3  # of each drawn picture and damaged photo
VIEWS_UNDAMAGED = 30  # of each undamaged car: one in five of the whole photo, the others close-ups
ROUNDS, BATCH, RATE, DECAY = 30, 128, 1e-3, 0.05
# What each sort weighs in all, however many views there are of it.
WEIGHTS = {"drawn damage": 1.0, "drawn clean": 0.7, "damaged photo": 1.0, "undamaged photo": 1.5}


@dataclass
class Views:
    """Views float32 [256, 256, 3], P(damage) wanted (nothing: ask the starting network), and their sort."""

    photos: list[np.ndarray] = field(default_factory=list)
    wanted: list[float | None] = field(default_factory=list)
    sorts: list[str] = field(default_factory=list)

    def add(self, photo: np.ndarray, wanted: float | None, sort: str) -> None:
        """Add one view."""
        self.photos.append(photo)
        self.wanted.append(wanted)
        self.sorts.append(sort)


def add_drawn(views: Views, drawn: Pictures, rng: random.Random) -> None:
    """Add views of drawn pictures; those whose damage is hardly in view are left out."""
    for pixels, labels in zip(drawn.pixels, drawn.labels, strict=True):
        for _ in range(VIEWS):
            photo, seen = augment.view(pixels, labels, rng, share_min=0.6)
            share = ((seen & ANY_BIT) > 0).mean()
            if share > DAMAGED_SHARE_MIN:
                views.add(photo, 1.0, "drawn damage")
            elif share == 0 and ((seen & UNKNOWN_BIT) > 0).mean() < 0.2:
                views.add(photo, 0.0, "drawn clean")


def add_undamaged(views: Views, folder: Path, rng: random.Random) -> None:
    """Add views of undamaged cars, cut from the full-size files."""
    for path in photos_in(folder):
        if held_out(path):
            continue
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        height, width = pixels.shape[:2]
        middle = pixels[int(height * 0.15) : int(height * 0.9), int(width * 0.08) : int(width * 0.92)]
        for number in range(VIEWS_UNDAMAGED):
            whole = number % 5 == 0
            part = pixels if whole else middle[window(middle.shape, (0.12, 0.45), rng)]
            photo, _ = augment.view(part, np.zeros(part.shape[:2], np.uint8), rng, share_min=0.7)
            views.add(photo, 0.0, "undamaged photo")


def features(net: Net, start: Net, views: Views) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the encoder's pooled features [n, 320] and the P(damage) wanted [n, 1]."""
    rows, said = [], []
    with torch.no_grad():
        for first in range(0, len(views.photos), FEATURES_AT_ONCE):
            batch = np.stack(views.photos[first : first + FEATURES_AT_ONCE])
            image = torch.from_numpy(batch).permute(0, 3, 1, 2)
            rows.append(net.encode(image)[0].mean((2, 3)))
            said.append(torch.sigmoid(start.gate(start.encode(image)[0].mean((2, 3)))))
    wanted = torch.cat(said)
    for number, value in enumerate(views.wanted):
        if value is not None:
            wanted[number] = value
    return torch.cat(rows), wanted


def fit(gate: torch.nn.Sequential, inputs: torch.Tensor, wanted: torch.Tensor, sorts: list[str]) -> None:
    """Train the head on, in place."""
    counts = collections.Counter(sorts)
    weights = torch.tensor([WEIGHTS[sort] / counts[sort] for sort in sorts])[:, None]
    weights = weights / weights.mean()
    wanted = wanted * (1 - SMOOTHING) + SMOOTHING / 2
    spread = inputs.std(0) + 1e-4
    steps = torch.optim.AdamW(gate.parameters(), lr=RATE, weight_decay=DECAY)
    gate.train()
    for _ in range(ROUNDS):
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            noisy = inputs[chosen] + torch.randn(len(chosen), inputs.shape[1]) * spread * FEATURE_NOISE
            entropy = functional.binary_cross_entropy_with_logits
            loss = (entropy(gate(noisy), wanted[chosen], reduction="none") * weights[chosen]).mean()
            steps.zero_grad()
            loss.backward()
            steps.step()
    gate.eval()


def main() -> None:
    """Refit the gate, write the network as fp32 and int8."""
    parser = make_parser(__doc__)
    parser.add_argument("network", type=Path, help="fp32 ONNX network of finetune_drawn.py")
    parser.add_argument("--start", type=Path, required=True, help="fp32 ONNX network given to finetune_drawn.py")
    parser.add_argument("--drawn", type=Path, required=True, help="folder of `walkaround samples`")
    parser.add_argument("--damaged", type=Path, required=True, help="folder of photos of damaged cars")
    parser.add_argument("--undamaged", type=Path, required=True, help="folder of photos of undamaged cars")
    parser.add_argument("--fp32", type=Path, required=True, help="fp32 ONNX network to write")
    parser.add_argument("--int8", type=Path, required=True, help="int8 ONNX network to write")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net, start = Net(pretrained=False).eval(), Net(pretrained=False).eval()
    load_weights(net, given.network)
    load_weights(start, given.start)
    drawn = Pictures(*read_drawn(given.drawn, DRAWN_SIDE)[:2])
    damaged, undamaged = real_photos(given.damaged), real_photos(given.undamaged)
    views, rng = Views(), random.Random(5)
    add_drawn(views, drawn, rng)
    for pixels, labels in zip(damaged.pixels, damaged.labels, strict=True):
        for _ in range(VIEWS):
            views.add(augment.view(pixels, labels, rng, share_min=0.5)[0], None, "damaged photo")
    add_undamaged(views, given.undamaged, rng)
    print(f"{len(views.photos)} views: {dict(collections.Counter(views.sorts))}", flush=True)
    inputs, wanted = features(net, start, views)
    fit(net.gate, inputs, wanted, views.sorts)
    export(net, given.fp32)
    quantise(given.fp32, calibration(drawn, damaged, undamaged), given.int8)


if __name__ == "__main__":
    main()

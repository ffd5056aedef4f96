"""Fit the gate head anew, on frozen encoder features of many crops.

The gate of `train.py` has only seen whole undamaged cars and says "damage" to almost any close-up. Here it
sees crops of undamaged cars and of their surroundings too. Only the two linear layers of the head are fitted,
so the features are computed once and the fit takes a minute.
"""

from __future__ import annotations

import collections
import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

from annotations import ANY_BIT, UNKNOWN_BIT
from arguments import parser as make_parser
from model import TOP, Net
from prepare import Entry, load

SIDE = 256
FEATURES_AT_ONCE = 16
ROUNDS, BATCH, RATE, DECAY = 60, 128, 2e-3, 0.05
FEATURE_NOISE = 0.15  # of a standard deviation
SMOOTHING = 0.02
# What each sort of example weighs in all, however many there are of it.
WEIGHTS = {
    "damaged crop": 1.2,
    "damaged thumbnail": 0.6,
    "undamaged car": 0.5,
    "undamaged close-up": 0.8,
    "beside the damage": 0.2,
}


@dataclass
class Examples:
    """Photos uint8 [256, 256, 3], whether they show damage, and their sort (a key of WEIGHTS)."""

    photos: list[np.ndarray] = field(default_factory=list)
    damaged: list[float] = field(default_factory=list)
    sorts: list[str] = field(default_factory=list)

    def add(self, photo: np.ndarray, damaged: bool, sort: str) -> None:
        """Add one example."""
        self.photos.append(cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        self.damaged.append(float(damaged))
        self.sorts.append(sort)


def relight(photo: np.ndarray, rng: random.Random) -> np.ndarray:
    """Change gamma and brightness, sometimes sharpness, sometimes mirror."""
    bent = 255 * np.power(photo.astype(np.float32) / 255 + 1e-6, math.exp(rng.uniform(-0.4, 0.4)))
    view = np.clip(bent * rng.uniform(0.85, 1.15), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        factor = rng.uniform(0.4, 0.9)
        small = cv2.resize(view, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        view = cv2.resize(small, (view.shape[1], view.shape[0]))
    return view[:, ::-1] if rng.random() < 0.5 else view


def window(shape: tuple[int, ...], share: tuple[float, float], rng: random.Random) -> tuple[slice, slice]:
    """Return a random window of a share of the area between the two given."""
    height, width = shape[:2]
    side = math.sqrt(rng.uniform(*share))
    rows, columns = max(32, int(height * side)), max(32, int(width * side))
    top, left = rng.randint(0, height - rows), rng.randint(0, width - columns)
    return slice(top, top + rows), slice(left, left + columns)


def add_masked(examples: Examples, photo: np.ndarray, labels: np.ndarray, rng: random.Random) -> None:
    """Add two crops of a photo with masks: damaged, or beside the damage, or not at all when in doubt."""
    for _ in range(2):
        area = window(photo.shape, (0.15, 1.0), rng)
        share = ((labels[area] & ANY_BIT) > 0).mean()
        if share > 0.01:
            examples.add(relight(photo[area], rng), True, "damaged crop")
        elif share == 0 and not (labels[area] & UNKNOWN_BIT).any() and rng.random() < 0.5:
            examples.add(relight(photo[area], rng), False, "beside the damage")


def add_undamaged(examples: Examples, entry: Entry, rng: random.Random) -> None:
    """Add an undamaged car, whole and in close-ups cut from the full-size file."""
    pixels = cv2.cvtColor(cv2.imread(entry.path), cv2.COLOR_BGR2RGB)
    examples.add(relight(pixels, rng), False, "undamaged car")
    height, width = pixels.shape[:2]
    middle = pixels[int(height * 0.15) : int(height * 0.9), int(width * 0.08) : int(width * 0.92)]
    for _ in range(3 if entry.source == "parts" else 1):
        close_up = middle[window(middle.shape, (0.12, 0.45), rng)]
        examples.add(relight(close_up, rng), False, "undamaged close-up")


def collect(work: Path) -> Examples:
    """Return the examples made from the training photos."""
    photos, labels, index = load(work)
    examples, rng = Examples(), random.Random(1)
    for number, entry in enumerate(index):
        if entry.split != "train":
            continue
        if entry.kind == "masks":
            add_masked(examples, np.asarray(photos[number]), np.asarray(labels[number]), rng)
        elif entry.kind == "damaged":
            examples.add(relight(np.asarray(photos[number]), rng), True, "damaged thumbnail")
        else:
            add_undamaged(examples, entry, rng)
    return examples


def features(net: Net, photos: list[np.ndarray]) -> torch.Tensor:
    """Return the encoder's pooled top features, float32 [n, 320]."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(photos), FEATURES_AT_ONCE):
            batch = np.stack(photos[start : start + FEATURES_AT_ONCE]).astype(np.float32)
            top, _ = net.encode(torch.from_numpy(batch).permute(0, 3, 1, 2))
            rows.append(top.mean((2, 3)))
    return torch.cat(rows)


def fit(gate: torch.nn.Sequential, inputs: torch.Tensor, examples: Examples) -> None:
    """Fit the head on normalised features, then fold the normalisation into its first layer."""
    counts = collections.Counter(examples.sorts)
    weights = torch.tensor([WEIGHTS[sort] / counts[sort] for sort in examples.sorts])[:, None]
    weights = weights / weights.mean()
    truth = torch.tensor(examples.damaged)[:, None] * (1 - SMOOTHING) + SMOOTHING / 2
    mean, spread = inputs.mean(0), inputs.std(0) + 1e-4
    for layer in (gate[0], gate[-1]):
        torch.nn.init.kaiming_uniform_(layer.weight)
    steps = torch.optim.AdamW(gate.parameters(), lr=RATE, weight_decay=DECAY)
    gate.train()
    for _ in range(ROUNDS):
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            noisy = (inputs[chosen] - mean) / spread
            noisy = noisy + torch.randn_like(noisy) * FEATURE_NOISE
            entropy = functional.binary_cross_entropy_with_logits
            loss = (entropy(gate(noisy), truth[chosen], reduction="none") * weights[chosen]).mean()
            steps.zero_grad()
            loss.backward()
            steps.step()
    gate.eval()
    with torch.no_grad():
        gate[0].bias -= (gate[0].weight * (mean / spread)).sum(1)
        gate[0].weight /= spread


def main() -> None:
    """Refit the gate of a checkpoint and write the checkpoint anew."""
    parser = make_parser(__doc__)
    parser.add_argument("weights", type=Path, help="checkpoint of train.py")
    parser.add_argument("--work", type=Path, required=True, help="folder of prepare.py")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    net = Net(logits=True, pretrained=False).eval()
    net.load_state_dict(torch.load(given.weights, map_location="cpu", weights_only=True))
    examples = collect(given.work)
    inputs = features(net, examples.photos)
    assert inputs.shape[1] == TOP
    fit(net.gate, inputs, examples)
    with torch.no_grad():
        said = (net.gate(inputs)[:, 0] > 0).numpy()
    for sort in WEIGHTS:
        chosen = np.array([one == sort for one in examples.sorts])
        if chosen.any():
            print(f"{sort}: {int(chosen.sum())} examples, called damaged {said[chosen].mean():.3f}")
    torch.save(net.state_dict(), given.out)


if __name__ == "__main__":
    main()

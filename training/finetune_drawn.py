"""Teach the network to see drawn damage, without unlearning photos.

The network as trained misses most drawn damage (figures: bundles/demo/MODEL_CARD.md), and the samples are what
`make demo` shows. So it is trained on, briefly, on two things at once: drawn pictures with their true masks,
and real photos for which the *starting network's own answers* are the target. The second keeps what it says
about photos where it is, and uses no label of them. Half the real photos (by a hash of the file name) are
never shown to it; `evaluate.py --half held-out` scores on those.

The network written lies on the straight line between the start and the end (`--share` of the way): half way
it sees nearly all the drawn damage the end sees, and on photos it is still as good as the start.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

import augment
from annotations import ANY_BIT, UNKNOWN_BIT, truth
from arguments import parser as make_parser
from drawn import read_drawn
from export import export, load_weights
from losses import gate_loss, mask_loss
from model import Net
from prepare import held_out, photos_in, shrink

DRAWN_SIDE = 320
BATCH_DRAWN, BATCH_DAMAGED, BATCH_UNDAMAGED = 6, 4, 2
FROZEN_BLOCKS = 5
RATES = {"encoder": 1e-4, "decoder": 3e-4, "gate": 6e-4}
REAL_WEIGHT = 4.0  # of the distance to the starting network, against the losses on drawn pictures
AVERAGING = 0.99  # share of the running average that a step leaves: it spans some hundred steps
DAMAGED_SHARE_MIN = 0.002  # of a view: less visible damage than this, and the gate is taught nothing
CALIBRATION = 48  # photos of each sort


@dataclass
class Pictures:
    """Pictures uint8 [n, 320, 320, 3] and label maps uint8 [n, 320, 320]."""

    pixels: np.ndarray
    labels: np.ndarray

    def views(self, count: int, rng: random.Random) -> tuple[torch.Tensor, np.ndarray]:
        """Return random views of `count` random pictures: [count, 3, 256, 256] and their label maps."""
        chosen = [rng.randrange(len(self.pixels)) for _ in range(count)]
        views = [augment.view(self.pixels[number], self.labels[number], rng) for number in chosen]
        image = torch.from_numpy(np.stack([photo for photo, _ in views])).permute(0, 3, 1, 2)
        return image, np.stack([labels for _, labels in views])


@dataclass(frozen=True)
class Kept:
    """Pictures about which the network is to say what it said at the start, and how many views a step has of them."""

    pictures: Pictures
    batch: int


def real_photos(folder: Path) -> Pictures:
    """Read the half of a folder's photos that training may see; their labels stay unread."""
    shrunk = [shrink(path) for path in photos_in(folder) if not held_out(path)]
    pixels = np.stack([entry[0] for entry in shrunk if entry])
    return Pictures(pixels, np.zeros(pixels.shape[:3], np.uint8))


def drawn_loss(net: Net, image: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
    """Return the loss against the true masks."""
    truths = [truth(one) for one in labels]
    masks = torch.from_numpy(np.stack([t[0] for t in truths])).float()
    valid = torch.from_numpy(np.stack([t[1] for t in truths])).float()[:, None]
    share = ((labels & ANY_BIT) > 0).mean((1, 2))
    unseen = ((labels & UNKNOWN_BIT) > 0).mean((1, 2))
    sure = (share > DAMAGED_SHARE_MIN) | ((share == 0) & (unseen < 0.2))
    gate = torch.from_numpy((share > DAMAGED_SHARE_MIN).astype(np.float32))[:, None]
    weights = torch.from_numpy(sure.astype(np.float32))[:, None]
    mask_logits, gate_logits = net(image)
    return mask_loss(mask_logits, masks, valid) + gate_loss(gate_logits, gate, weights)


def real_loss(net: Net, teacher: Net, image: torch.Tensor) -> torch.Tensor:
    """Return how far the network is from the starting network on photos: cross-entropy, soft targets."""
    with torch.no_grad():
        masks, gate = teacher(image)
    mask_logits, gate_logits = net(image)
    entropy = functional.binary_cross_entropy_with_logits
    floor = entropy(torch.logit(masks, 1e-6), masks) + 0.25 * entropy(torch.logit(gate, 1e-6), gate)
    return entropy(mask_logits, masks) + 0.25 * entropy(gate_logits, gate) - floor


def optimiser(net: Net) -> torch.optim.Optimizer:
    """Freeze the first blocks and give each remaining part its rate."""
    net.stem.requires_grad_(False)
    for number, block in enumerate(net.blocks):
        block.requires_grad_(number >= FROZEN_BLOCKS)
    groups = {"encoder": [], "decoder": [], "gate": []}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            part = {"blocks": "encoder", "gate": "gate"}.get(name.split(".")[0], "decoder")
            groups[part].append(parameter)
    return torch.optim.AdamW([{"params": groups[part], "lr": RATES[part]} for part in groups], weight_decay=0.02)


def average_into(average: Net, net: Net, averaging: float) -> None:
    """Move the running average of the weights a little towards the network, by `1 - averaging` of the way."""
    with torch.no_grad():
        for mean, current in zip(average.parameters(), net.parameters(), strict=True):
            mean.lerp_(current, 1 - averaging)


def train(net: Net, taught: Pictures, kept: Sequence[Kept], seconds: float, averaging: float = AVERAGING) -> Net:
    """Train for a time and return the average of the weights over the last steps.

    `taught` has true masks; on what is `kept` the starting network's own answers are the target. The network stays
    in `eval` mode: its batch norms are folded and its drop-out would blur the teacher.
    """
    teacher, average = copy.deepcopy(net), copy.deepcopy(net)
    teacher.logits = False
    steps, rng, start = optimiser(net), random.Random(0), time.monotonic()
    count = 0
    while (done := (time.monotonic() - start) / seconds) < 1:
        warm = min(1.0, (count + 1) / 30)
        for group, rate in zip(steps.param_groups, RATES.values(), strict=True):
            group["lr"] = rate * warm * (0.5 * (1 + math.cos(math.pi * done)) + 0.02)
        image, labels = taught.views(BATCH_DRAWN, rng)
        loss = drawn_loss(net, image, labels)
        distance = torch.zeros(())
        if kept:
            views = torch.cat([part.pictures.views(part.batch, rng)[0] for part in kept])
            distance = real_loss(net, teacher, views)
        steps.zero_grad()
        (loss + REAL_WEIGHT * distance).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        steps.step()
        average_into(average, net, averaging)
        count += 1
        if count % 20 == 0:
            losses = f"drawn {loss.item():.3f}, real {distance.item():.4f}"
            print(f"step {count}, {100 * done:.0f} % of the time: {losses}", flush=True)
    return average


def main() -> None:
    """Fine-tune the network and write it as fp32."""
    parser = make_parser(__doc__)
    parser.add_argument("network", type=Path, help="fp32 ONNX network to start from")
    parser.add_argument("--drawn", type=Path, required=True, help="folder of `walkaround samples`")
    parser.add_argument("--damaged", type=Path, required=True, help="folder of photos of damaged cars")
    parser.add_argument("--undamaged", type=Path, required=True, help="folder of photos of undamaged cars")
    parser.add_argument("--fp32", type=Path, required=True, help="fp32 ONNX network to write")
    parser.add_argument("--seconds", type=float, default=900, help="how long to train (default 900)")
    parser.add_argument("--share", type=float, default=0.5, help="share of the way from start to end (default 0.5)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    net = Net(logits=True, pretrained=False).eval().to(memory_format=torch.channels_last)
    load_weights(net, given.network)
    drawn = Pictures(*read_drawn(given.drawn, DRAWN_SIDE)[:2])
    damaged, undamaged = real_photos(given.damaged), real_photos(given.undamaged)
    print(f"{len(drawn.pixels)} drawn, {len(damaged.pixels)} damaged, {len(undamaged.pixels)} undamaged")
    kept = [Kept(damaged, BATCH_DAMAGED), Kept(undamaged, BATCH_UNDAMAGED)]
    end = train(copy.deepcopy(net), drawn, kept, given.seconds)
    export(between(net, end, given.share), given.fp32)


def between(start: Net, end: Net, share: float) -> Net:
    """Return the network whose every weight lies `share` of the way from `start` to `end`."""
    middle = copy.deepcopy(start)
    weights = end.state_dict()
    state = {
        name: torch.lerp(value, weights[name], share) if value.dtype.is_floating_point else value
        for name, value in start.state_dict().items()
    }
    middle.load_state_dict(state)
    return middle


def calibration(*sorts: Pictures) -> list[np.ndarray]:
    """Return photos of each sort, at random, to calibrate the int8 activations on."""
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(len(sort.pixels))[:CALIBRATION] for sort in sorts]
    return [sort.pixels[number] for sort, numbers in zip(sorts, chosen, strict=True) for number in numbers]


if __name__ == "__main__":
    main()

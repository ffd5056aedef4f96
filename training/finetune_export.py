"""Fine-tune the demonstration bundle on an export of reviewed photos, and write the next version of it.

Needs nothing but the bundle and the export: it starts from the weights in the bundle's own int8 networks
(`dequantise.py`), trains on the part `train` of the export, and takes of the straight line between start and end the
place that is best on the part `val` (`finetune_drawn.py` says why not simply the end). A network trained on few photos
of one kind unlearns others: with `--keep FOLDER` its answers about half the photos there are held where they are, as
`finetune_drawn.py` does. Without, nothing is known about photos unlike those of the export.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import tomllib
from pathlib import Path

import cv2
import numpy as np
import torch

from annotations import CHANNELS
from arguments import parser as make_parser
from dequantise import bundle_weights
from evaluate import SIDE, Truths, report, truths_of
from export import export, quantise, set_weights
from exported import read_export
from finetune_drawn import BATCH_DAMAGED, DRAWN_SIDE, Kept, Pictures, between, calibration, real_photos, train
from make_bundle import GATE_THRESHOLD, session, write_bundle
from model import Net

NAME = "demo"  # make_bundle.py writes no other, and model.py builds no other
SHARES = (0.25, 0.5, 0.75, 1.0)  # of the way from start to end that are tried
AVERAGING = 0.95  # a few minutes are some hundred steps at most: a slower average would still be near the start
AT_ONCE = 8  # photos in one run of the network
MASK_THRESHOLD = 0.45  # of any damage, for the comparison of both forms of the network


def shrunk(photos: np.ndarray) -> np.ndarray:
    """Stretch photos uint8 [n, side, side, 3] to the network's size with the area filter."""
    return np.stack([cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for photo in photos])


def answers(net: Net, photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masks float16 [n, 6, 256, 256] and P(damage) [n] for photos uint8 [n, 256, 256, 3]."""
    masks, gates = [], []
    with torch.no_grad():
        for start in range(0, len(photos), AT_ONCE):
            image = torch.from_numpy(photos[start : start + AT_ONCE].astype(np.float32)).permute(0, 3, 1, 2)
            mask_logits, gate_logits = net(image)
            masks.append(torch.sigmoid(mask_logits).numpy().astype(np.float16))
            gates.append(torch.sigmoid(gate_logits)[:, 0].numpy())
    return np.concatenate(masks), np.concatenate(gates)


def score(net: Net, photos: np.ndarray, truths: Truths) -> float:
    """Return the any-damage IoU as Walkaround shows it: masks of photos that the gate calls clean do not count."""
    return report(*answers(net, photos), truths, GATE_THRESHOLD)["masks_gated"][CHANNELS[-1]]["iou"]


def agreement(net: Net, bundle: Path, photos: np.ndarray) -> dict[str, float]:
    """Return how nearly the torch network answers as the bundle's own networks do.

    `mask_iou`: of any damage, pooled over the photos. `gate_step_max`: largest difference of P(damage).
    """
    masks, gates = answers(net, photos)
    image = photos.astype(np.float32).transpose(0, 3, 1, 2)
    one = np.ascontiguousarray
    segmenter, gate = session(bundle / "segmenter.onnx"), session(bundle / "gate.onnx")
    theirs = np.stack([segmenter.run(["masks"], {"image": one(photo[None])})[0][0, -1] for photo in image])
    said = np.concatenate([gate.run(["gate"], {"image": one(photo[None])})[0][:, 0] for photo in image])
    ours, found = masks[:, -1] > MASK_THRESHOLD, theirs > MASK_THRESHOLD
    overlap = (ours & found).sum() / max(1, (ours | found).sum())
    return {"mask_iou": round(float(overlap), 4), "gate_step_max": round(float(np.abs(said - gates).max()), 4)}


def starting_network(bundle: Path) -> Net:
    """Return the torch network with the weights of a bundle and logits as outputs; exits where it is another one."""
    name = tomllib.loads((bundle / "bundle.toml").read_text(encoding="utf-8"))["name"]
    if name != NAME:
        sys.exit(f"{bundle}: a bundle named {name}, expected {NAME}: other networks need other training")
    net = Net(logits=True, pretrained=False).eval().to(memory_format=torch.channels_last)
    set_weights(net, bundle_weights(bundle))
    return net


def choose(start: Net, end: Net, val: Pictures) -> tuple[Net, dict]:
    """Return the network on the way from start to end that is best on `val`, and the score of each that was tried."""
    photos = shrunk(val.pixels)
    truths = truths_of(np.stack([cv2.resize(m, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) for m in val.labels]))
    tried = {0.0: score(start, photos, truths)}
    networks = {share: between(start, end, share) for share in SHARES}
    tried |= {share: score(net, photos, truths) for share, net in networks.items()}
    best = max(SHARES, key=tried.__getitem__)
    # The start itself is no new version: where nothing is better, the best of the others goes on to be judged.
    return networks[best], {"val_iou": {str(share): value for share, value in tried.items()}, "share": best}


def write(net: Net, out: Path, version: str, photos: list[np.ndarray]) -> None:
    """Write the network as a bundle: fp32, int8 calibrated on `photos`, split, with its self-test."""
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "int8.onnx"
        export(net, whole)
        quantise(whole, photos, small)
        write_bundle(small, out, version)


def main() -> None:
    """Fine-tune, choose, and write the bundle."""
    parser = make_parser(__doc__)
    parser.add_argument("bundle", type=Path, help="bundle folder to start from")
    parser.add_argument("export", type=Path, help="folder of `walkaround export --format coco`")
    parser.add_argument("--out", type=Path, required=True, help="bundle folder to write")
    parser.add_argument("--version", required=True, help="version of the bundle to write")
    parser.add_argument("--keep", type=Path, action="append", default=[], help="folder of photos not to unlearn")
    parser.add_argument("--seconds", type=float, default=240, help="how long to train (default 240)")
    parser.add_argument("--report", type=Path, help="JSON to write: how start and chosen network score")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default 2)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    start = starting_network(given.bundle)
    taught, val = (Pictures(*read_export(given.export, part, DRAWN_SIDE)) for part in ("train", "val"))
    kept = [real_photos(folder) for folder in given.keep]
    print(f"{len(taught.pixels)} photos to train on, {len(val.pixels)} to choose on", flush=True)
    result = {"start": agreement(start, given.bundle, shrunk(val.pixels))}
    print(f"the network with the bundle's weights: {json.dumps(result['start'])}", flush=True)
    held = [Kept(pictures, BATCH_DAMAGED) for pictures in kept]
    end = train(copy.deepcopy(start), taught, held, given.seconds, AVERAGING)
    chosen, choice = choose(start, end, val)
    write(chosen, given.out, given.version, calibration(taught, *kept))
    text = json.dumps(result | choice)
    print(text)
    if given.report:
        given.report.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

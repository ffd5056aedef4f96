"""Train the network for a fixed time on two processes of one thread each.

On a CPU two single-threaded processes that average their gradients (gloo) train faster than one process with
two threads: 6.2 photos a second at 256 px where this was run. Set OMP_WAIT_POLICY=PASSIVE and
GOMP_SPINCOUNT=0, or the processes wait for each other at full load.

Photos with masks teach the masks and the gate; damaged photos without masks teach the gate only; undamaged
ones teach both (every mask empty). The checkpoint is a running average of the weights.
"""

from __future__ import annotations

import copy
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.multiprocessing
from torch import distributed

from annotations import truth
from arguments import parser as make_parser
from augment import view
from losses import gate_loss, mask_loss
from metrics import auc, counts
from model import Net
from prepare import Entry, load, select

BATCH = 12
RATES = (2.5e-4, 1.5e-3)  # encoder, everything else
NEGATIVES = {"thumbnail_whole": 240, "parts": 110}  # drawn anew each epoch
LEVEL_DAMAGED = 240
AVERAGING_MAX = 0.995
EVALUATE_EVERY = 3  # epochs
DAMAGED_SHARE_MIN = 0.003  # of a view: below, the gate is not told that it is damaged


@dataclass(frozen=True)
class Run:
    """What every process is told."""

    work: Path
    out: Path
    seconds: float
    processes: int
    port: int


@dataclass
class Batch:
    """Tensors of one step; shapes as in `losses.py`."""

    image: torch.Tensor
    masks: torch.Tensor
    valid: torch.Tensor
    gate: torch.Tensor
    gate_weight: torch.Tensor


def targets(labels: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return masks, the weight of each pixel, and the gate's truth and weight for one view."""
    masks, valid = truth(labels)
    masks, weight = masks.astype(np.float32), valid.astype(np.float32)[None]
    if kind == "damaged":
        return masks, np.zeros_like(weight), 1.0, 1.0
    if kind == "undamaged":
        return masks, weight * 0.6, 0.0, 1.0
    share = masks[-1].mean()
    if share > DAMAGED_SHARE_MIN:
        return masks, weight, 1.0, 1.0
    sure = share == 0 and valid.mean() > 0.98
    return masks, weight, 0.0, 0.5 if sure else 0.0


def make_batch(data: tuple, numbers: list[int], rng: random.Random) -> Batch:
    """Return random views of the photos given, with their targets."""
    photos, labels, index = data
    views, wanted = [], []
    for number in numbers:
        share_min = 0.8 if index[number].kind == "damaged" else 0.45  # the damage must stay in view
        photo, seen = view(photos[number], labels[number], rng, share_min)
        views.append(photo)
        wanted.append(targets(seen, index[number].kind))
    masks, valid, gate, weight = zip(*wanted, strict=True)
    return Batch(
        torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack(masks)),
        torch.from_numpy(np.stack(valid)),
        torch.tensor(gate)[:, None],
        torch.tensor(weight)[:, None],
    )


def epoch_order(index: list[Entry], epoch: int) -> list[int]:
    """Return the photos of one epoch, shuffled the same way in every process."""
    rng = random.Random(1000 + epoch)
    order = select(index, "train", kind="masks")
    for source, count in NEGATIVES.items():
        negatives = select(index, "train", source=source)
        order += rng.sample(negatives, min(count, len(negatives)))
    damaged = select(index, "train", kind="damaged")
    order += rng.sample(damaged, min(LEVEL_DAMAGED, len(damaged)))
    rng.shuffle(order)
    return order


def share_gradients(parameters: list[torch.nn.Parameter], processes: int) -> None:
    """Average the gradients over the processes and limit their norm to 5."""
    flat = torch.cat([p.grad.reshape(-1) for p in parameters])
    distributed.all_reduce(flat)
    flat /= processes
    flat *= min(1.0, 5.0 / float(flat.norm() + 1e-9))
    start = 0
    for parameter in parameters:
        parameter.grad.copy_(flat[start : start + parameter.numel()].view_as(parameter))
        start += parameter.numel()


def average_into(average: Net, net: Net, step: int) -> None:
    """Move the running average a little towards the network; early on, more."""
    keep = min(AVERAGING_MAX, (1 + step) / (10 + step))
    pairs = list(zip(average.parameters(), net.parameters(), strict=True))
    pairs += list(zip(average.buffers(), net.buffers(), strict=True))
    with torch.no_grad():
        for mean, current in pairs:
            if mean.dtype.is_floating_point:
                mean.lerp_(current, 1 - keep)
            else:
                mean.copy_(current)


def progress(start: float, seconds: float) -> float:
    """Return the share of the time used, the same in all processes."""
    share = torch.tensor([(time.monotonic() - start) / seconds])
    distributed.all_reduce(share, op=distributed.ReduceOp.MAX)
    return float(share)


def evaluate(net: Net, data: tuple) -> str:
    """Return the any-damage IoU and the gate's AUC on the validation photos, at threshold 0.5."""
    photos, labels, index = data
    net.eval()
    pooled, gates = np.zeros((6, 3), np.int64), {"damaged": [], "undamaged": [], "masks": []}
    for number in (n for n, entry in enumerate(index) if entry.split == "valid"):
        small = cv2.resize(photos[number], (256, 256), interpolation=cv2.INTER_AREA)
        with torch.no_grad():
            masks, gate = net(torch.from_numpy(small.astype(np.float32)).permute(2, 0, 1)[None])
        gates[index[number].kind].append(float(gate))
        if index[number].kind == "masks":
            true = truth(cv2.resize(labels[number], (256, 256), interpolation=cv2.INTER_NEAREST))
            pooled += counts((masks[0] > 0).numpy(), *true)
    area = auc(np.array(gates["damaged"]), np.array(gates["undamaged"])) if gates["undamaged"] else None
    return f"any-damage IoU {pooled[-1, 0] / max(1, pooled[-1].sum()):.3f}, gate AUC {area}"


def work(rank: int, run: Run) -> None:
    """Train in one process."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(run.port))
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=run.processes)
    torch.manual_seed(0)
    data = load(run.work)
    net = Net(logits=True).to(memory_format=torch.channels_last)
    encoder = [p for p in net.blocks.parameters() if p.requires_grad]
    others = [p for n, p in net.named_parameters() if not n.startswith(("blocks", "stem"))]
    steps = torch.optim.AdamW([{"params": encoder}, {"params": others}], weight_decay=0.02)
    average, step, epoch, start = copy.deepcopy(net), 0, 0, time.monotonic()
    done = 0.0
    while done < 1:
        order, rng = epoch_order(data[2], epoch), random.Random(epoch * 7 + rank)
        batches = len(order) // run.processes // BATCH  # the same in all processes, or they would hang
        order = order[rank :: run.processes]
        net.train()
        for first in range(0, batches * BATCH, BATCH):
            done = progress(start, run.seconds)
            if done >= 1:
                break
            for group, rate in zip(steps.param_groups, RATES, strict=True):
                group["lr"] = rate * min(1, step / 80) * (0.5 * (1 + math.cos(math.pi * done)) + 0.01)
            batch = make_batch(data, order[first : first + BATCH], rng)
            masks, gate = net(batch.image)
            loss = mask_loss(masks, batch.masks, batch.valid)
            loss = loss + 0.5 * gate_loss(gate, batch.gate, batch.gate_weight)
            steps.zero_grad(set_to_none=False)
            loss.backward()
            share_gradients([*encoder, *others], run.processes)
            steps.step()
            step += 1
            average_into(average, net, step)
        epoch += 1
        if rank == 0 and (done >= 1 or epoch % EVALUATE_EVERY == 0):
            print(f"epoch {epoch}, step {step}: {evaluate(average, data)}", flush=True)
            torch.save(average.state_dict(), run.out)
        distributed.barrier()
    distributed.destroy_process_group()


def main() -> None:
    """Start the processes."""
    parser = make_parser(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of prepare.py")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--seconds", type=float, default=2580, help="how long to train (default 2580)")
    parser.add_argument("--processes", type=int, default=2, help="processes, each with one thread (default 2)")
    parser.add_argument("--port", type=int, default=29617, help="local port of the rendezvous")
    given = parser.parse_args()
    run = Run(given.work, given.out, given.seconds, given.processes, given.port)
    torch.multiprocessing.spawn(work, args=(run,), nprocs=run.processes)


if __name__ == "__main__":
    main()

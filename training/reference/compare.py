"""Compares the output of `walkaround inspect --out` with the Python reference's.

    python training/reference/compare.py REFERENCE_DIR RUST_DIR [--bundle DIR] [--iou-min 0.98] [--tensor-max 2]

Photos are matched by name (`<name>.reference.json` with `<name>.json`). Per photo: the IoU of the masks of each class
(union of its findings; 1 when neither has any), the gate's difference and the verdicts. With `--bundle`: the mean
absolute difference of every tensor `<name>.<network>.f32.npy` that both folders have, in 1/255 of the pixel range
(the manifest's normalisation undone). Exit 0 when all is within the limits, 1 when not or when there is nothing to
compare, 2 for usage.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

import numpy as np

import rle

GATE_MAX = 0.05


def mask_of(finding):
    """The boolean mask of one finding, from run lengths or from COCO's compressed string. Sizes may stand as
    {width, height} or, as COCO does, [height, width]."""
    size, counts = finding["rle"]["size"], finding["rle"]["counts"]
    height, width = (size["height"], size["width"]) if isinstance(size, dict) else size
    if isinstance(counts, str):
        counts = rle.decode_string(counts)
    return rle.decode(counts, height, width)


def union(findings, name):
    """All findings of one class in one mask, or None."""
    masks = [mask_of(finding) for finding in findings if finding["class"] == name]
    return np.logical_or.reduce(masks) if masks else None


def iou(one, other):
    """Intersection over union of two masks; None is the empty mask, two empty ones agree."""
    if one is None and other is None:
        return 1.0
    if one is None or other is None:
        return 0.0
    if one.shape != other.shape:
        return 0.0
    whole = (one | other).sum()
    return float((one & other).sum() / whole) if whole else 1.0


def gate_value(gate):
    """The gate as a number: either bare or under `probability`; None without one."""
    return gate.get("probability") if isinstance(gate, dict) else gate


def compare_photo(reference, rust):
    """({class: IoU}, gate difference or None, verdicts agree, areas agree with their masks)."""
    names = sorted({finding["class"] for finding in reference["findings"] + rust["findings"]})
    ious = {name: iou(union(reference["findings"], name), union(rust["findings"], name)) for name in names}
    gates = [gate_value(document.get("gate")) for document in (reference, rust)]
    difference = None if None in gates else abs(gates[0] - gates[1])
    areas = all(int(mask_of(finding).sum()) == finding["area_px"] for finding in rust["findings"])
    return ious, difference, reference["verdict"] == rust["verdict"], areas


def compare_photos(reference_dir, rust_dir, iou_min):
    """Prints a line per photo; returns (photos compared, worst IoU, everything within limits)."""
    worst, good, count = 1.0, True, 0
    for path in sorted(reference_dir.glob("*.reference.json")):
        name = path.name.removesuffix(".reference.json")
        other = rust_dir / f"{name}.json"
        count += 1
        if not other.exists():
            print(f"{name}: {other.name} is missing")
            good = False
            continue
        documents = [json.loads(file.read_text(encoding="utf-8")) for file in (path, other)]
        ious, gate, verdicts, areas = compare_photo(*documents)
        lowest = min(ious.values(), default=1.0)
        fine = lowest >= iou_min and verdicts and areas and (gate is None or gate <= GATE_MAX)
        worst, good = min(worst, lowest), good and fine
        parts = [f"{key} {value:.4f}" for key, value in ious.items()] or ["no findings"]
        parts += [f"gate differs by {gate:.4f}"] if gate is not None else []
        parts += [] if verdicts else [f"verdict {documents[0]['verdict']} is {documents[1]['verdict']} in Rust"]
        parts += [] if areas else ["area_px differs from its rle"]
        print(f"{name}: {', '.join(parts)}{'' if fine else '  <- outside the limits'}")
    return count, worst, good


def in_pixels(values, settings):
    """Undoes the normalisation, except the means: they cancel out in a difference. [tiles, ...] in 0..255 steps."""
    std = np.asarray(settings.get("std", [1.0] * 3)) / settings.get("scale", 1.0)
    if settings.get("layout", "nchw") == "nchw":
        std = std[:, None, None]
    return values.astype(np.float64) * std


def compare_tensors(reference_dir, rust_dir, manifest, limit):
    """Prints a line per tensor; returns (tensors compared, worst difference, everything within limits)."""
    worst, good, count = 0.0, True, 0
    for spec in manifest["networks"]:
        for path in sorted(reference_dir.glob(f"*.{spec['name']}.f32.npy")):
            other = rust_dir / path.name
            count += 1
            if not other.exists():
                print(f"{path.name}: missing in {rust_dir.name}")
                good = False
                continue
            one, two = np.load(path), np.load(other)
            if one.shape != two.shape:
                print(f"{path.name}: shape {one.shape} is {two.shape} in Rust")
                good = False
                continue
            steps = np.abs(in_pixels(one, spec["input"]) - in_pixels(two, spec["input"]))
            difference = float(steps.mean())
            worst, fine = max(worst, difference), difference <= limit
            good = good and fine
            mark = "" if fine else "  <- outside the limits"
            print(f"{path.name}: mean {difference:.3f}/255, highest {steps.max():.1f}/255{mark}")
    return count, worst, good


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("rust", type=Path)
    parser.add_argument("--bundle", type=Path, help="also compare tensors")
    parser.add_argument("--iou-min", type=float, default=0.98)
    parser.add_argument("--tensor-max", type=float, default=2.0)
    options = parser.parse_args(arguments)
    count, worst, good = compare_photos(options.reference, options.rust, options.iou_min)
    print(f"{count} photos, worst IoU {worst:.4f} (limit {options.iou_min})")
    if options.bundle:
        manifest = tomllib.loads((options.bundle / "bundle.toml").read_text(encoding="utf-8"))
        number, furthest, near = compare_tensors(options.reference, options.rust, manifest, options.tensor_max)
        print(f"{number} tensors, worst mean difference {furthest:.3f}/255 (limit {options.tensor_max})")
        good = good and near and number > 0
    return 0 if good and count else 1


if __name__ == "__main__":
    sys.exit(main())

"""Inspects photos with the Python reference.

    python training/reference/reference.py PHOTO... --bundle DIR --out DIR
        [--tensors] [--tensors-from DIR] [--all-classes]

Writes `<name>.reference.json` per photo, and with `--tensors` what each network was given as
`<name>.<network>.f32.npy`: [tiles, ...] in the network's own layout and normalisation, widened to float32.
`<name>` is the photo's file name without its last extension. `--tensors-from` gives the networks tensors that another
implementation wrote under the same names: what then differs is the post-processing, not a network's answer to the
last bit of a pixel.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from networks import Bundle
from postprocess import find
from preprocess import load_photo


def inspect(bundle, photo, all_classes=False):
    """One photo to the fields of its document. A gate that says clean stops before the segmenters."""
    vehicle, found = bundle.locate(photo)
    document = {"width": photo.width, "height": photo.height, "gate": None, "findings": []}
    if not found:
        return document | {"verdict": "unusable"}
    document["gate"], suspect = bundle.gate(photo, vehicle)
    if suspect:
        maps = bundle.segment(photo, vehicle)
        document["findings"] = find(maps, bundle.classes, photo.width, photo.height, all_classes)
    return document | {"verdict": "damaged" if document["findings"] else "clean"}


def tensors(bundle, photo):
    """What each network is given, whatever the gate says: {network: [tiles, ...] float32}."""
    vehicle, found = bundle.locate(photo)
    prepared = {}
    for spec in bundle.networks:
        if found or spec["role"] == "locator":
            items = bundle.inputs(photo, spec, vehicle)
            prepared[spec["name"]] = np.stack([item.tensor for item in items]).astype(np.float32)
    return prepared


def read_tensors(folder, stem, bundle):
    """The tensors of one photo that lie in a folder: {network: [tiles, ...] float32}."""
    files = {spec["name"]: folder / f"{stem}.{spec['name']}.f32.npy" for spec in bundle.networks}
    return {network: np.load(file) for network, file in files.items() if file.exists()}


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--bundle", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--tensors", action="store_true")
    parser.add_argument("--tensors-from", type=Path, metavar="DIR")
    parser.add_argument("--all-classes", action="store_true")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(options.bundle)
    for path in options.photos:
        photo = load_photo(path)
        if options.tensors_from:
            bundle.given = read_tensors(options.tensors_from, path.stem, bundle)
        document = {"photo": str(path), **inspect(bundle, photo, options.all_classes)}
        (options.out / f"{path.stem}.reference.json").write_text(json.dumps(document), encoding="utf-8")
        if options.tensors:
            bundle.given = {}
            for network, values in tensors(bundle, photo).items():
                np.save(options.out / f"{path.stem}.{network}.f32.npy", values)
    return 0


if __name__ == "__main__":
    sys.exit(main())

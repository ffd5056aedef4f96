"""Reads an exported data set with the readers of others, and prints what they see as one JSON document.

COCO with pycocotools, CVAT's masks with CVAT's SDK, Label Studio with the converter of its SDK, photos with Pillow.
YOLO's own reader is neither small nor free to use; its few lines of text are read here as its documentation says.

Usage: read_dataset.py FOLDER, with the packages of scripts/formats.txt.
"""

import json
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import yaml
from cvat_sdk import masks as cvat_masks
from label_studio_sdk.converter import Converter, brush
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO


def code(mask):
    """COCO's text of a mask of rows and columns."""
    coded = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in coded["size"]], "counts": coded["counts"].decode()}


def read_coco(path):
    """A list a photo, by file name."""
    with redirect_stdout(StringIO()):
        dataset = COCO(str(path))
    photos = {}
    for image in dataset.loadImgs(dataset.getImgIds()):
        shapes = []
        for annotation in dataset.loadAnns(dataset.getAnnIds(imgIds=[image["id"]])):
            (category,) = dataset.loadCats([annotation["category_id"]])
            shape = {"class": category["name"], "bbox": annotation["bbox"], "area": annotation["area"]}
            if annotation["segmentation"]:
                shape["rle"] = code(dataset.annToMask(annotation))
                shape["rle_bbox"] = coco_masks.toBbox(annotation["segmentation"]).tolist()
            shapes.append(shape)
        photos[image["file_name"]] = {"size": [image["width"], image["height"]], "shapes": shapes}
    return photos


def read_cvat(path):
    root = ElementTree.parse(path).getroot()
    assert root.tag == "annotations" and root.findtext("version") == "1.1"
    labels = {label.findtext("name") for label in root.iterfind("meta/task/labels/label")}
    photos = {}
    for image in root.iterfind("image"):
        width, height = int(image.get("width")), int(image.get("height"))
        shapes = []
        for node in image:
            assert node.get("label") in labels, node.get("label")
            shape = {"class": node.get("label")}
            if node.tag == "mask":
                left, top, across, down = (int(node.get(name)) for name in ("left", "top", "width", "height"))
                runs = [int(run) for run in node.get("rle").split(",")]
                encoded = [*runs, left, top, left + across - 1, top + down - 1]
                mask = cvat_masks.decode_mask(encoded, image_width=width, image_height=height)
                # What CVAT itself writes for this mask.
                assert cvat_masks.encode_mask(mask) == encoded
                shape["rle"] = code(mask)
            elif node.tag == "polygon":
                points = [pair.split(",") for pair in node.get("points").split(";")]
                shape["points"] = [[float(x), float(y)] for x, y in points]
            else:
                assert node.tag == "box"
                left, top, right, bottom = (float(node.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
                shape["bbox"] = [left, top, right - left, bottom - top]
            shapes.append(shape)
        photos[image.get("name")] = {"size": [width, height], "shapes": shapes}
    return photos


def read_label_studio(path):
    """Polygons and boxes as the converter has them in COCO, brush strokes as it decodes them."""
    tasks = json.loads(path.read_text())
    # The converter takes annotations alone; what nobody has reviewed is a prediction of the same form.
    for task in tasks:
        task.setdefault("annotations", task.pop("predictions", []))
    config = (path.parent / "config.xml").read_text()
    photos = {}
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        merged = Path(folder) / "tasks.json"
        merged.write_text(json.dumps(tasks))
        converter = Converter(config, folder, download_resources=False)
        out = Path(folder) / "coco"
        converter.convert_to_coco(str(merged), str(out), is_dir=False)
        converted = json.loads((out / "result.json").read_text())
        items = list(converter.iter_from_json_file(str(merged)))
    names = {task["id"]: Path(task["data"]["image"]).name for task in tasks}
    for name in names.values():
        photos[name] = {"shapes": []}
    categories = {category["id"]: category["name"] for category in converted["categories"]}
    images = {image["id"]: image for image in converted["images"]}
    for annotation in converted["annotations"]:
        image = images[annotation["image_id"]]
        photo = photos[Path(image["file_name"]).name]
        shape = {"class": categories[annotation["category_id"]], "bbox": annotation["bbox"]}
        if annotation["segmentation"]:
            (flat,) = annotation["segmentation"]
            shape["points"] = [list(point) for point in zip(flat[::2], flat[1::2], strict=True)]
        photo["size"] = [image["width"], image["height"]]
        photo["shapes"].append(shape)
    for item in items:
        for value in item["output"].get("brush", []):
            width, height = value["original_width"], value["original_height"]
            alpha = brush.decode_rle(value["rle"]).reshape(height, width, 4)[:, :, 3]
            shape = {"class": value["brushlabels"][0], "rle": code(alpha > 0)}
            photos[names[item["id"]]]["shapes"].append(shape)
            photos[names[item["id"]]]["size"] = [width, height]
    return photos


def read_yolo(folder):
    config = yaml.safe_load((folder / "data.yaml").read_text())
    photos = {}
    for part in ("train", "val", "test"):
        if part not in config:
            continue
        for line in (folder / config[part]).read_text().splitlines():
            image = folder / line
            label = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt")
            width, height = Image.open(image).size
            shapes = []
            for row in label.read_text().splitlines():
                place, *shares = row.split()
                pairs = list(zip(map(float, shares[::2]), map(float, shares[1::2]), strict=True))
                assert len(pairs) >= 3 and all(0 <= share <= 1 for pair in pairs for share in pair)
                points = [[x * width, y * height] for x, y in pairs]
                shapes.append({"class": config["names"][int(place)], "points": points})
            photos[image.name] = {"size": [width, height], "shapes": shapes, "part": part}
    return photos


def read_photos(folder):
    photos = {}
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            image.load()
            metadata = sorted(set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"})
            photos[path.name] = {
                "size": list(image.size),
                "metadata": metadata,
                "exif": {str(tag): str(value) for tag, value in image.getexif().items()},
            }
    return photos


def read(folder):
    found = {"photos": read_photos(folder / "images")}
    for name, suffix, reader in (
        ("coco", "json", read_coco),
        ("cvat", "xml", read_cvat),
        ("label-studio", "json", read_label_studio),
    ):
        files = sorted((folder / name).glob(f"*.{suffix}")) if (folder / name).is_dir() else []
        found[name] = {path.stem: reader(path) for path in files if path.stem != "config"}
    if (folder / "data.yaml").is_file():
        found["yolo"] = read_yolo(folder)
    return found


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]).resolve())))

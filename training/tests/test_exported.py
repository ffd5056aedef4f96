"""An export is read as it was written: photos, and the pixels of each class.

python -m unittest discover -s training/tests
"""

import importlib.util
import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


class Exported(unittest.TestCase):
    def setUp(self):
        if importlib.util.find_spec("cv2") is None:
            print("skipped: reading an export, without cv2: scripts/setup.sh loop installs it", file=sys.stderr)
            self.skipTest("without cv2")
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        (self.folder / "coco").mkdir()
        (self.folder / "images").mkdir()

    def write(self, annotations, images=("a.png",)):
        pixels = np.zeros((4, 4, 3), np.uint8)
        pixels[:, 2:] = (255, 0, 0)
        for name in images:
            Image.fromarray(pixels).save(self.folder / "images" / name)
        document = {
            "categories": [{"id": 1, "name": "dent"}, {"id": 2, "name": "any_damage"}],
            "images": [{"id": n, "file_name": f"images/{name}"} for n, name in enumerate(images, start=1)],
            "annotations": annotations,
        }
        (self.folder / "coco" / "train.json").write_text(json.dumps(document), encoding="utf-8")

    def read(self):
        from exported import read_export

        return read_export(self.folder, "train", 4)

    def test_regions_of_each_class_on_their_photo(self):
        # Columns from left to right: the first clear, the second set; compressed and as numbers.
        code = {"size": [4, 4], "counts": "448"}
        plain = {"size": [4, 4], "counts": [12, 4]}
        annotations = [
            {"image_id": 2, "category_id": 1, "segmentation": code},
            {"image_id": 2, "category_id": 2, "segmentation": plain},
            {"image_id": 1, "category_id": 1, "segmentation": []},
        ]
        self.write(annotations, ("a.png", "b.png"))
        photos, labels = self.read()
        np.testing.assert_array_equal(photos[0, 0], [[0, 0, 0]] * 2 + [[255, 0, 0]] * 2)
        self.assertFalse(labels[0].any(), "a box has no outline")
        # Bit 1 is a dent, bit 5 any damage (annotations.py).
        np.testing.assert_array_equal(labels[1], [[0, 2 + 32, 0, 32]] * 4)

    def test_no_photo_to_learn_from(self):
        self.write([], ())
        with self.assertRaisesRegex(FileNotFoundError, "no photo in part train"):
            self.read()

    def test_a_photo_that_is_gone(self):
        self.write([])
        (self.folder / "images" / "a.png").unlink()
        with self.assertRaisesRegex(FileNotFoundError, "a.png: not a photo"):
            self.read()


if __name__ == "__main__":
    unittest.main()

"""Decisions from the known truth: what a careful person would do about each finding.

python -m unittest discover -s training/tests
"""

import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from review_drawn import Region, Truth, decide, kinds, read_findings, read_truth, regions

SHAPE = (60, 80)


def block(left, top, width, height):
    mask = np.zeros(SHAPE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def corners(polygons):
    return [sorted(map(tuple, part["outer"])) for part in polygons]


SCRATCH = Region("scratch", block(10, 10, 20, 10))
DENT = Region("dent", block(50, 30, 10, 10))


class Decide(unittest.TestCase):
    def decide(self, findings, truths=(SCRATCH,), unusable=False):
        return decide(list(findings), Truth(None, list(truths)), unusable)

    def test_a_right_report_is_confirmed(self):
        self.assertEqual(self.decide([SCRATCH, DENT], [DENT, SCRATCH]), {"kind": "confirm"})
        self.assertEqual(self.decide([], []), {"kind": "confirm"})

    def test_a_finding_on_no_damage_is_rejected(self):
        decision = self.decide([SCRATCH, DENT])
        self.assertEqual([entry["decision"] for entry in decision["findings"]], ["accept", "reject"])
        self.assertEqual(decision["added"], [])
        self.assertEqual(self.decide([DENT], [])["findings"][0]["decision"], "reject")

    def test_what_was_missed_is_added(self):
        decision = self.decide([SCRATCH], [SCRATCH, DENT])
        (added,) = decision["added"]
        self.assertEqual(added["class"], "dent")
        self.assertEqual(corners(added["polygons"]), [[(50, 30), (50, 40), (60, 30), (60, 40)]])

    def test_another_class_is_reclassified(self):
        (entry,) = self.decide([Region("dent", SCRATCH.mask)])["findings"]
        self.assertEqual(entry, {"finding": 0, "decision": "reclassify", "class": "scratch"})

    def test_an_outline_that_is_off_is_redrawn(self):
        (entry,) = self.decide([Region("scratch", block(10, 10, 12, 10))])["findings"]
        self.assertEqual((entry["decision"], entry["finding"]), ("reshape", 0))
        self.assertEqual(corners(entry["polygons"]), [[(10, 10), (10, 20), (30, 10), (30, 20)]])

    def test_class_and_outline_wrong_is_rejected_and_added(self):
        decision = self.decide([Region("dent", block(10, 10, 12, 10))])
        self.assertEqual(kinds(decision), {"reject": 1, "add": 1})

    def test_of_two_pieces_of_one_region_the_larger_stands_for_it(self):
        pieces = [Region("scratch", block(10, 10, 5, 10)), Region("scratch", block(16, 10, 14, 10))]
        decision = self.decide(pieces)
        self.assertEqual([entry["decision"] for entry in decision["findings"]], ["reject", "reshape"])
        self.assertEqual(decision["added"], [])

    def test_a_finding_that_covers_the_photo_shows_nothing(self):
        decision = self.decide([Region("scratch", np.ones(SHAPE, bool))])
        self.assertEqual(kinds(decision), {"reject": 1, "add": 1})

    def test_a_sample_that_cannot_be_judged(self):
        dark = Truth("too_dark", [])
        self.assertEqual(decide([], dark, True), {"kind": "confirm"})
        self.assertEqual(decide([DENT], dark, False), {"kind": "unusable", "why": "too_dark"})

    def test_a_sample_that_was_wrongly_called_unusable(self):
        self.assertEqual(kinds(self.decide([], unusable=True)), {"add": 1})
        self.assertEqual(self.decide([], [], unusable=True), {"kind": "findings", "findings": [], "added": []})


class Read(unittest.TestCase):
    def test_pieces_near_each_other_are_one_region(self):
        near, far = block(10, 10, 5, 2) | block(16, 10, 5, 2), block(70, 50, 2, 2)
        found = regions("scratch", near | far)
        self.assertEqual(sorted(int(region.mask.sum()) for region in found), [4, 20])

    def test_masks_of_a_sample(self):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            Image.fromarray(DENT.mask.astype(np.uint8) * 255).save(folder / "sample-0001-mixed.dent.mask.png")
            Image.fromarray(SCRATCH.mask.astype(np.uint8) * 255).save(folder / "sample-0001-mixed.spacing.mask.png")
            truth = read_truth(folder, "sample-0001-mixed")
            self.assertEqual([region.label for region in truth.regions], ["dent", "any_damage"])
            np.testing.assert_array_equal(truth.regions[0].mask, DENT.mask)
            self.assertEqual(read_truth(folder, "sample-0002-dark"), Truth("too_dark", []))

    def test_findings_of_a_report(self):
        # Columns from left to right: 1 clear pixel, 2 set, 3 clear.
        report = {"findings": [{"class": "dent", "rle": {"size": [2, 3], "counts": "123"}}]}
        (found,) = read_findings(report)
        self.assertEqual(found.label, "dent")
        np.testing.assert_array_equal(found.mask, [[False, True, False], [True, False, False]])


if __name__ == "__main__":
    unittest.main()

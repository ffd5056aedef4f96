"""Outlines follow the edges of pixels: as large as the mask, clockwise, with its holes.

python -m unittest discover -s training/tests
"""

import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from outlines import area, polygons, rings


def drawn(*rows):
    return np.array([[mark == "#" for mark in row] for row in rows])


class Outlines(unittest.TestCase):
    def test_a_pixel_is_a_square_around_it(self):
        self.assertEqual(polygons(drawn("...", ".#."), 9), [{"outer": [[1, 1], [2, 1], [2, 2], [1, 2]], "holes": []}])

    def test_the_edge_of_the_photo_is_an_edge(self):
        (ring,) = rings(drawn("##", "##"))
        self.assertEqual(sorted(ring), [[0, 0], [0, 2], [2, 0], [2, 2]])

    def test_a_hole_runs_the_other_way(self):
        (part,) = polygons(drawn("####", "#..#", "####"), 9)
        (hole,) = part["holes"]
        self.assertEqual((area(part["outer"]), area(hole)), (12, -2))

    def test_pixels_that_touch_at_a_corner_are_two_parts(self):
        self.assertEqual([area(part["outer"]) for part in polygons(drawn("#.", ".#"), 9)], [1, 1])

    def test_holes_that_touch_at_a_corner_stay_closed(self):
        (part,) = polygons(drawn("####", "#.##", "##.#", "####"), 9)
        self.assertEqual(area(part["outer"]) + sum(area(hole) for hole in part["holes"]), 14)

    def test_any_mask_is_as_large_as_its_outlines(self):
        rng = np.random.default_rng(3)
        for share in (0.2, 0.5, 0.8):
            mask = rng.random((20, 30)) < share
            with self.subTest(share):
                self.assertEqual(sum(area(ring) for ring in rings(mask)), mask.sum())
                parts = polygons(mask, 1000)
                whole = sum(area(ring) for part in parts for ring in (part["outer"], *part["holes"]))
                self.assertEqual(whole, mask.sum())

    def test_the_largest_parts_are_kept(self):
        parts = polygons(drawn("#.##.###"), 2)
        self.assertEqual([area(part["outer"]) for part in parts], [3, 2])
        self.assertEqual(polygons(drawn("..."), 2), [])


if __name__ == "__main__":
    unittest.main()

"""Checks of the reference itself, on drawn pictures: what can be worked out by hand.

python -m unittest discover -s training/reference
"""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
BUNDLES = HERE.parents[1] / "tests" / "bundles"
sys.path[:0] = [str(HERE), str(BUNDLES)]

import compare
import postprocess
import preprocess
import reference
import rle
from networks import Bundle, activate


def compress(counts):
    """COCO's compressed string, the other way round from `rle.decode_string`."""
    text = ""
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            group = value & 31
            value >>= 5
            more = value != (-1 if group & 16 else 0)
            text += chr((group | 32 if more else group) + 48)
    return text


def halves(width=80, height=40):
    """Left half black, right half red."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, width // 2 :, 0] = 255
    return Image.fromarray(pixels)


class Preprocess(unittest.TestCase):
    def test_layout_order_and_normalisation(self):
        settings = {"width": 8, "height": 4, "channels": "bgr", "layout": "nhwc", "scale": 1 / 255}
        settings |= {"mean": [0.1, 0.2, 0.5], "std": [1.0, 1.0, 0.25]}
        tensor = preprocess.prepare_one(halves(), settings, preprocess.WHOLE).tensor
        assert tensor.shape == (4, 8, 3) and tensor.dtype == np.float32
        assert np.allclose(tensor[0, 0], [-0.1, -0.2, -2.0])
        assert np.allclose(tensor[0, 7], [-0.1, -0.2, 2.0])

    def test_letterbox_pads_and_says_so(self):
        settings = {"width": 16, "height": 16, "resize": "letterbox", "fill": 7}
        item = preprocess.prepare_one(halves(), settings, preprocess.WHOLE)
        assert item.tensor.shape == (3, 16, 16)
        assert (item.tensor[:, :4] == 7).all() and (item.tensor[:, 12:] == 7).all()
        assert item.tensor[0, 8, 15] == 255 and item.tensor[0, 8, 0] == 0
        assert np.allclose(item.covers, (0, -0.5, 1, 1.5))

    def test_crop_takes_the_centre(self):
        settings = {"width": 10, "height": 10, "resize": "crop"}
        item = preprocess.prepare_one(halves(), settings, preprocess.WHOLE)
        assert np.allclose(item.covers, (0.25, 0, 0.75, 1))
        assert (item.tensor[0, :, :4] == 0).all() and (item.tensor[0, :, 6:] == 255).all()

    def test_area_is_the_mean(self):
        pixels = np.random.default_rng(1).integers(0, 256, (40, 80, 3), dtype=np.uint8)
        settings = {"width": 8, "height": 4, "filter": "area"}
        tensor = preprocess.prepare_one(Image.fromarray(pixels), settings, preprocess.WHOLE).tensor
        means = pixels.reshape(4, 10, 8, 10, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
        assert np.abs(tensor - means).max() <= 1

    def test_exif_orientation_is_applied(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "turned.png"
            exif = Image.Exif()
            exif[0x0112] = 6
            halves().save(path, exif=exif)
            photo = preprocess.load_photo(path)
        assert photo.size == (40, 80)
        assert photo.getpixel((20, 10)) == (0, 0, 0) and photo.getpixel((20, 70)) == (255, 0, 0)

    def test_tiles_span_the_region_with_their_overlap(self):
        spec = {"input": {"width": 64, "height": 64}, "tiling": {"tiles_long_side": 3, "overlap": 0.25}}
        tiles = np.array(preprocess.tile_regions((1000, 600), spec, preprocess.WHOLE))
        assert len(tiles) == 6
        assert np.allclose(tiles[:, 2] - tiles[:, 0], 0.4) and np.allclose(tiles[:, 3] - tiles[:, 1], 2 / 3)
        assert np.allclose(tiles[:3, 0], [0, 0.3, 0.6]) and np.allclose(tiles[3:, 3], 1)
        assert len(preprocess.tile_regions((1000, 300), spec, preprocess.WHOLE)) == 3

    def test_softmax_and_sigmoid(self):
        values = np.array([[0.0, np.log(3.0)]])
        assert np.allclose(activate(values, "softmax", -1), [[0.25, 0.75]])
        assert np.allclose(activate(values, "sigmoid", -1), [[0.5, 0.75]])


class Postprocess(unittest.TestCase):
    def test_sampling_is_bilinear_and_bounded(self):
        ramp = postprocess.ClassMap("a", np.array([[0.0, 1.0]]), (0.0, 0.0, 1.0, 1.0))
        assert np.allclose(postprocess.sample(ramp, 4, 1), [[0, 0.25, 0.75, 1]])
        half = postprocess.ClassMap("a", np.ones((2, 2)), (0.5, 0.0, 1.5, 1.0))
        assert postprocess.sample(half, 4, 1).tolist() == [[0, 0, 1, 1]]

    def test_hysteresis_keeps_what_hangs_on_a_strong_pixel(self):
        field = np.zeros((5, 9))
        field[2, 0], field[1, 1], field[2, 4:7] = 0.9, 0.5, 0.5
        mask = postprocess.to_mask(field, {"threshold": 0.6, "hysteresis": 0.4})
        assert np.argwhere(mask).tolist() == [[1, 1], [2, 0]]

    def test_closing_bridges_a_gap_and_keeps_the_edge(self):
        field = np.zeros((50, 100))
        field[:, :48], field[:, 52:] = 1, 1
        assert postprocess.to_mask(field, {"threshold": 0.5, "closing": 0.02}).all()
        assert not postprocess.to_mask(field, {"threshold": 0.5, "closing": 0.01})[25, 49]

    def test_small_regions_go_and_corners_join(self):
        mask = np.zeros((10, 10), bool)
        mask[0, 0] = mask[1, 1] = mask[8, 8] = True
        assert [region.sum() for region in postprocess.regions(mask, 0.02)] == [2]

    def test_full_size_takes_the_pixel_under_the_centre(self):
        region = np.array([[False, True]])
        assert postprocess.to_full_size(region, 5, 1).tolist() == [[False, False, True, True, True]]

    def test_report_rules(self):
        def block(name, x0):
            values = np.zeros((10, 10))
            values[:, x0 : x0 + 3] = 1
            return postprocess.ClassMap(name, values, (0, 0, 1, 1))

        rules = {"a": "always", "b": "uncovered", "c": "uncovered", "d": "on_request"}
        classes = [{"name": n, "report": r, "mask": {"threshold": 0.5}} for n, r in rules.items()]
        maps = [block("a", 0), block("b", 2), block("c", 5), block("d", 7)]
        assert [f["class"] for f in postprocess.find(maps, classes, 10, 10)] == ["a", "c"]
        assert len(postprocess.find(maps, classes, 10, 10, all_classes=True)) == 4


class RunLengths(unittest.TestCase):
    def test_column_major_from_background(self):
        mask = np.array([[True, False], [True, True]])
        assert rle.encode(mask) == [0, 2, 1, 1]
        assert (rle.decode([0, 2, 1, 1], 2, 2) == mask).all()

    def test_compressed_strings_of_pycocotools(self):
        assert rle.decode_string(";32NO0:") == [11, 3, 2, 1, 1, 1, 11]
        counts = [400, 205, 25, 15, 25, 15, 25, 15, 25, 15, 25, 410]
        assert rle.decode_string("`<]6i0RJ0000000[<") == counts

    def test_compressed_round_trip(self):
        random = np.random.default_rng(2)
        for share in (0.0, 0.02, 0.5, 0.98, 1.0):
            mask = random.random((37, 91)) < share
            counts = rle.encode(mask)
            assert rle.decode_string(compress(counts)) == counts
            assert (rle.decode(counts, *mask.shape) == mask).all()


class Compare(unittest.TestCase):
    """The comparison against a stand-in for the Rust output: the reference's own, moved on purpose."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.reference, self.rust = Path(folder.name) / "reference", Path(folder.name) / "rust"
        self.rust.mkdir()
        self.bundle = BUNDLES / "seven"
        photo = self.bundle / "self_test.png"
        options = ["--bundle", str(self.bundle), "--out", str(self.reference), "--tensors"]
        reference.main([str(photo), *options])
        self.document = json.loads((self.reference / "self_test.reference.json").read_text())

    def write(self, shift=0, offset=0.0):
        document = json.loads(json.dumps(self.document))
        for finding in document["findings"]:
            mask = np.roll(compare.mask_of(finding), shift, axis=1)
            finding["rle"]["counts"] = compress(rle.encode(mask))
        (self.rust / "self_test.json").write_text(json.dumps(document))
        for path in self.reference.glob("*.npy"):
            np.save(self.rust / path.name, np.load(path) + np.float32(offset))

    def run_compare(self, *options):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            code = compare.main([str(self.reference), str(self.rust), *options])
        return code, text.getvalue()

    def test_equal_output_passes(self):
        self.write()
        code, text = self.run_compare("--bundle", str(self.bundle))
        assert code == 0 and "7 tensors" in text and "worst IoU 1.0000" in text, text

    def test_a_moved_mask_fails(self):
        self.write(shift=3)
        code, text = self.run_compare()
        assert code == 1 and "outside the limits" in text, text

    def test_a_brighter_tensor_fails(self):
        self.write(offset=0.05)  # 12.75/255 where pixels are 0..1, 0.05/255 where they are 0..255
        code, text = self.run_compare("--bundle", str(self.bundle))
        assert code == 1 and "glass_f16.f32.npy: mean 12.7" in text, text

    def test_a_missing_photo_or_nothing_at_all_fails(self):
        assert self.run_compare()[0] == 1
        (self.reference / "self_test.reference.json").unlink()
        assert self.run_compare()[0] == 1


class Seven(unittest.TestCase):
    """The test bundle says what it was made to say."""

    @classmethod
    def setUpClass(cls):
        import make_seven

        cls.draw, cls.marks = staticmethod(make_seven.draw), make_seven.MARKS
        cls.bundle = Bundle(BUNDLES / "seven")

    def found(self, picture, all_classes=False):
        document = reference.inspect(self.bundle, picture, all_classes)
        return document["verdict"], [finding["class"] for finding in document["findings"]], document

    def test_every_mark_is_found_where_it_is(self):
        _, names, document = self.found(self.draw(), all_classes=True)
        assert names == ["scratch", "scratch", "dent", "spacing", "glass", "wear"], names
        for finding, mark in zip(document["findings"], self.marks.values(), strict=True):
            _, x0, y0, x1, y1 = mark
            box = finding["bbox"]
            edges = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
            assert np.abs(np.subtract(edges, (x0, y0, x1, y1))).max() <= 9, (finding["class"], edges)

    def test_the_gate_stops_what_is_neither_red_nor_green_nor_blue(self):
        assert self.found(self.draw([]))[:2] == ("clean", [])
        assert self.found(self.draw(["glass", "wear"]), all_classes=True)[:2] == ("clean", [])

    def test_without_a_vehicle_there_is_no_verdict(self):
        assert self.found(Image.new("RGB", (640, 480), (240, 240, 240)))[0] == "unusable"

    def test_the_thin_scratch_needs_the_tiles(self):
        picture = self.draw(["thin scratch"])
        vehicle, _ = self.bundle.locate(picture)
        highest = {spec["name"]: 0.0 for spec in self.bundle.networks}
        for spec in self.bundle.role("segmenter"):
            highest[spec["name"]] = self.bundle.run(spec, self.bundle.inputs(picture, spec, vehicle)).max()
        assert highest["scratch_tiled"] > 0.9 and highest["scratch_unet"] < 0.25, highest


if __name__ == "__main__":
    unittest.main()

"""The example bundle is whole: the digest is its network's, and the network is that of the test bundle."""

from __future__ import annotations

import hashlib
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "bundle"


class ExampleBundle(unittest.TestCase):
    def test_digests_are_those_of_the_files(self) -> None:
        manifest = tomllib.loads((EXAMPLE / "bundle.toml").read_text())
        for network in manifest["networks"]:
            self.assertEqual(hashlib.sha256((EXAMPLE / network["file"]).read_bytes()).hexdigest(), network["sha256"])

    def test_the_network_is_the_one_that_the_page_describes(self) -> None:
        self.assertEqual(
            (EXAMPLE / "marks.onnx").read_bytes(), (ROOT / "tests/bundles/trivial/marks.onnx").read_bytes()
        )

    def test_its_manifest_agrees_with_the_test_bundle_about_the_network(self) -> None:
        ours = tomllib.loads((EXAMPLE / "bundle.toml").read_text())["networks"][0]
        theirs = tomllib.loads((ROOT / "tests/bundles/trivial/bundle.toml").read_text())["networks"][1]
        theirs["input"].pop("filter")  # the example has the default
        self.assertEqual(ours, theirs)


if __name__ == "__main__":
    unittest.main()

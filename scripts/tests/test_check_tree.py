"""check_tree finds what it says it finds, and lets the rest be."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import check_tree

FORBIDDEN = [
    "https://static." + "crates.io/crates/a",
    "sparse+https://index." + "crates.io/",
    "https://files." + "pythonhosted.org/packages/a.whl",
    "--index" + "-url https://mirror.example/simple",
    "photos = '/" + "work/shared/data'",
    "open('/" + "root/x')",
    "cd /" + "tmp/clone-check",
]
ALLOWED = [
    'source = "registry+https://github.com/rust-lang/crates.io-index"',
    "a link to https://docs.rs/image",
    "see network/work/notes and ./work/out",
    "the root of the tree / the work",
    "TMPDIR=/" + f"tmp/walkaround  # {check_tree.ALLOW}: the only place Lambda can write to",
]


class CheckTree(unittest.TestCase):
    def test_each_forbidden_line_is_found(self):
        for line in FORBIDDEN:
            with self.subTest(line):
                self.assertEqual(len(list(check_tree.finds_in_text(line, []))), 1)

    def test_ordinary_lines_pass(self):
        self.assertEqual(list(check_tree.finds_in_text("\n".join(ALLOWED), [])), [])

    def test_a_shared_photo_is_found_under_any_name(self):
        with tempfile.TemporaryDirectory() as place:
            root, photos = Path(place, "tree"), Path(place, "photos")
            root.mkdir()
            photos.mkdir()
            (photos / "car.jpg").write_bytes(b"\xff\xd8 one car")
            (root / "renamed.bin").write_bytes(b"\xff\xd8 one car")
            (root / "other.bin").write_bytes(b"\xff\xd8 two car")
            subprocess.run(["git", "init", "--quiet", root], check=True)
            subprocess.run(["git", "-C", root, "add", "."], check=True)
            self.assertEqual(check_tree.check(root, photos), ["renamed.bin:0: photo of the shared folder"])


if __name__ == "__main__":
    unittest.main()

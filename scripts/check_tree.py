#!/usr/bin/env python3
"""Looks for what must never be committed, in every tracked file.

- A host of a package registry: which mirror a machine uses is that machine's affair.
- An absolute path of the machine that the work was done on.
- A photo out of the shared folder (../shared/data/photos, or the folder given): they are licensed for local
  use only. Photos are compared by content; a re-encoded one is caught only by its name.

A line that must name such a thing says so with the words `check_tree: allow`. Prints one line per find and
exits 1; exits 0 with one line when there is none.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ALLOW = "check_tree: allow"

# The one registry address that cargo itself writes into Cargo.lock and cargo-deny wants by name.
CRATES_IO_INDEX = "https://github.com/rust-lang/crates.io-index"

# (what it is, pattern). `[.]` and groups keep the patterns from finding themselves.
LINE_RULES = [
    (
        "registry host",
        re.compile(
            r"(?:https?|sparse[+]https?)://[^\s\"'/]*"
            r"(?:crates[.]io|pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|debian[.]org|proxy[.]golang[.]org)"
        ),
    ),
    (
        "registry host",
        re.compile(r"--(?:extra-)?index-url[= ]\s*\S+|--find-links[= ]\s*\S+|replace-with\s*="),
    ),
    # Not preceded by a letter or a dot: `network/work/` and `./work/` are relative.
    ("path of this machine", re.compile(r"(?<![\w./-])/(?:work|root|home/[a-z][\w-]*|Users/\w+)/[\w.]")),
    ("path of this machine", re.compile(r"(?<![\w./-])/(?:tmp|var/tmp|dev/shm)/[\w.]")),
]

PHOTO_SUFFIXES = {".avif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".webp"}
# Roboflow names its exports so.
PHOTO_NAME = re.compile(r"[._]rf[._][0-9a-f]{16,}")


def tracked_files(root: Path) -> list[Path]:
    """Every file that git tracks and that stands in the work tree, as a path under `root`."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, stdout=subprocess.PIPE).stdout.decode()
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def finds_in_text(text: str, own_paths: list[str]) -> Iterator[tuple[int, str]]:
    """(line number, what is wrong) for each line of one file."""
    for number, line in enumerate(text.splitlines(), start=1):
        if ALLOW in line:
            continue
        line = line.replace(CRATES_IO_INDEX, "")
        for what, pattern in LINE_RULES:
            hit = pattern.search(line)
            if hit:
                yield number, f"{what}: {hit.group(0).strip()}"
        for path in own_paths:
            if path in line:
                yield number, f"path of this machine: {path}"


def digests_by_size(folder: Path) -> dict[int, set[str]]:
    """SHA-256 of every file under `folder`, by size in bytes: most tracked files share no size with any."""
    digests: dict[int, set[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            digests.setdefault(len(content), set()).add(hashlib.sha256(content).hexdigest())
    return digests


def find_in_file(path: Path, photos: dict[int, set[str]], own_paths: list[str]) -> Iterator[tuple[int, str]]:
    """(line number, what is wrong) for one file; line 0 is the file as a whole."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() in photos.get(len(content), set()):
        yield 0, "photo of the shared folder"
    if path.suffix.lower() in PHOTO_SUFFIXES and PHOTO_NAME.search(path.name):
        yield 0, "photo of the shared folder, by its name"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return
    yield from finds_in_text(text, own_paths)


def check(root: Path, photo_folder: Path) -> list[str]:
    """One line per find: `file:line: what`."""
    photos = digests_by_size(photo_folder)
    # A checkout in `/a` or `/src` would match half of every text; such short paths are left to the rules.
    own_paths = [text for text in {str(root), str(Path.home())} if text.count("/") > 1]
    return [
        f"{path.relative_to(root)}:{line}: {what}"
        for path in tracked_files(root)
        for line, what in find_in_file(path, photos, own_paths)
    ]


def main(arguments: list[str]) -> int:
    root = Path(__file__).resolve().parent.parent
    photo_folder = Path(arguments[0]) if arguments else root.parent / "shared" / "data" / "photos"
    finds = check(root, photo_folder)
    for find in finds:
        print(find, file=sys.stderr)
    if finds:
        return 1
    compared = f"photos compared with {photo_folder}" if photo_folder.is_dir() else "no photos to compare with"
    print(f"check_tree: found nothing that must not be committed; {compared}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

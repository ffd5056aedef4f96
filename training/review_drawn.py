"""Review drawn samples as a careful person would who knows the truth: the masks that `walkaround samples` draws.

For each inspection of a drawn sample a review is asked for, and its report decided about: a finding that shows no
drawn damage is rejected, one of another class reclassified, one whose outline is off redrawn, and what was missed is
added. A sample that is drawn dark or blurred cannot be judged. Decisions are documents as docs/messages.md ("Review")
has them, stored by `walkaround review`; so the rest of the loop sees nothing but reviews.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from arguments import parser as make_parser
from outlines import polygons

sys.path.append(str(Path(__file__).resolve().parent / "reference"))
import rle

# A drawn gap is no class of the demonstration model: it is any damage.
CLASS_OF = {"spacing": "any_damage"}
UNUSABLE = {"dark": "too_dark", "blurred": "blurred"}
SHOWN_MIN = 0.1  # of a finding: with less of it on drawn damage, it shows none
FITS = 0.9  # IoU from which a person leaves an outline alone
GAP = 0.01  # of the long side: pieces of one class nearer than twice this are one region
OUTLINES_MAX = 64  # of a finding, as reviews have it
ADDED_MAX = 100  # of a decision, likewise
REVIEWER = "truth"


@dataclass
class Region:
    """A region of one class: mask bool [height, width] of the photo."""

    label: str
    mask: np.ndarray


@dataclass
class Truth:
    """What is true of a drawn sample: why it cannot be judged, if so, and its regions of damage."""

    unusable: str | None
    regions: list[Region]


def regions(label: str, mask: np.ndarray) -> list[Region]:
    """Divide the mask of a class into regions; pieces near each other, as of one scratch, stay together."""
    reach = max(1, round(GAP * max(mask.shape)))
    # A square reach: a disc would take longer and divide no other way worth a thought.
    near = ndimage.maximum_filter(mask, size=2 * reach + 1)
    parts, count = ndimage.label(near, structure=np.ones((3, 3)))
    return [Region(label, mask & (parts == number)) for number in range(1, count + 1)]


def read_truth(folder: Path, stem: str) -> Truth:
    """Read what was drawn into a sample."""
    found = []
    for path in sorted(folder.glob(f"{stem}.*.mask.png")):
        drawn = path.name.split(".")[-3]
        with Image.open(path) as image:
            found += regions(CLASS_OF.get(drawn, drawn), np.asarray(image.convert("L")) > 0)
    return Truth(UNUSABLE.get(stem.rsplit("-", 1)[-1]), found)


def read_findings(report: dict) -> list[Region]:
    """Return the findings of a report, in its order."""
    codes = [(finding["class"], finding["rle"]) for finding in report["findings"]]
    return [Region(label, rle.decode(rle.decode_string(code["counts"]), *code["size"])) for label, code in codes]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union of two masks."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 0.0


def pairs(findings: list[Region], truths: list[Region]) -> dict[int, int]:
    """Return the region that each finding shows, by their places: the pairs that overlap most first, each once."""
    overlaps = [
        (iou(finding.mask, region.mask), number, place)
        for number, finding in enumerate(findings)
        for place, region in enumerate(truths)
    ]
    found: dict[int, int] = {}
    for overlap, number, place in sorted(overlaps, key=lambda entry: (-entry[0], *entry[1:])):
        if overlap > 0 and number not in found and place not in found.values():
            found[number] = place
    return found


def decide(findings: list[Region], truth: Truth, machine_unusable: bool) -> dict:
    """Return the decision document about a report with these findings."""
    if truth.unusable:
        return {"kind": "confirm"} if machine_unusable else {"kind": "unusable", "why": truth.unusable}
    shown = pairs(findings, truth.regions)
    drawn = np.any([region.mask for region in truth.regions], axis=0) if truth.regions else None
    corrections, placed = [], set()
    for number, finding in enumerate(findings):
        overlap = 0.0 if drawn is None else (finding.mask & drawn).sum() / max(1, finding.mask.sum())
        region = truth.regions[shown[number]] if number in shown and overlap >= SHOWN_MIN else None
        correction = correct(finding, region)
        if correction["decision"] != "reject":
            placed.add(shown[number])
        corrections.append({"finding": number, **correction})
    missed = [region for place, region in enumerate(truth.regions) if place not in placed]
    missed.sort(key=lambda region: -region.mask.sum())
    added = [{"class": r.label, "polygons": polygons(r.mask, OUTLINES_MAX)} for r in missed[:ADDED_MAX]]
    if not machine_unusable and not added and all(entry["decision"] == "accept" for entry in corrections):
        return {"kind": "confirm"}
    return {"kind": "findings", "findings": corrections, "added": added}


def correct(finding: Region, region: Region | None) -> dict:
    """Return what is to be done about a finding that shows a region, or none."""
    if region is None:
        return {"decision": "reject", "why": "other"}
    fits = iou(finding.mask, region.mask) >= FITS
    if fits and finding.label == region.label:
        return {"decision": "accept"}
    if fits:
        return {"decision": "reclassify", "class": region.label}
    if finding.label == region.label:
        return {"decision": "reshape", "polygons": polygons(region.mask, OUTLINES_MAX)}
    # A correction is one thing: class and outline are both wrong, so the region is added anew.
    return {"decision": "reject", "why": "other"}


def kinds(decision: dict) -> collections.Counter[str]:
    """Count what a decision does."""
    if decision["kind"] != "findings":
        return collections.Counter([decision["kind"]])
    done = collections.Counter(entry["decision"] for entry in decision["findings"])
    return done + collections.Counter({"add": len(decision["added"])})


def walkaround(program: str, *arguments: str, document: str = "") -> str:
    """Run a command of the program and return what it prints; exits with its line where it fails."""
    ran = subprocess.run([program, *arguments], input=document, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        sys.exit(f"review_drawn: {' '.join(arguments[:3])}: {lines[-1]}")
    return ran.stdout


def review(program: str, record: dict, drawn: Path) -> dict:
    """Ask for a review of an inspection, decide, and return the decision."""
    inspection = record["inspection_id"]
    stem = Path(record["request"]["photo"]["s3"]["key"]).stem
    shown = walkaround(program, "show", inspection, "--format", "json", "--links").splitlines()
    report = json.loads(Path(json.loads(shown[-1])["links"]["report"]).read_text(encoding="utf-8"))
    decision = decide(read_findings(report), read_truth(drawn, stem), report["verdict"] == "unusable")
    walkaround(program, "review", "ask", inspection)
    digest = record["outcome"]["report"]["sha256"]
    arguments = ["review", "decide", inspection, "--by", REVIEWER, "--based-on", digest, "--file", "-"]
    walkaround(program, *arguments, document=json.dumps(decision))
    return decision


def main() -> None:
    """Review every inspection of a list and print what was decided."""
    parser = make_parser(__doc__)
    parser.add_argument("records", type=Path, help="what `walkaround submit --wait --format json` printed")
    parser.add_argument("--drawn", type=Path, required=True, help="folder of `walkaround samples` with them")
    parser.add_argument("--program", default="walkaround", help="the program; WALKAROUND_ROOT names the stack")
    given = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    records = [json.loads(line) for line in given.records.read_text(encoding="utf-8").splitlines()]
    done = [record for record in records if record["phase"] == "done"]
    for record in done:
        counts += kinds(review(given.program, record, given.drawn))
    print(json.dumps({"reviewed": len(done), **dict(sorted(counts.items()))}))


if __name__ == "__main__":
    main()

"""loop: what it submits, what it says at the end, and that it fails in one line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))
import loop
import loop_stack

FIGURE = {"value": 0.66, "low": 0.6, "high": 0.7}
SCORES = {"iou": FIGURE, "recall": 0.95, "false_alarms": 0.05}


def found(state: str, answered: dict[str, int], why: str = "60 photos answered") -> dict:
    return {
        "answers": "demo 2" if state == "promoted" else "demo 1",
        "old": "demo 1",
        "new": "demo 2",
        "before": SCORES,
        "after": SCORES | {"iou": FIGURE | {"value": 0.7}},
        "canary": {"state": state, "why": why, "photos": 120},
        "answered_by": {"now": answered, "after a restart": answered},
        "steps": [{"step": "export", "seconds": 1.5}, {"step": "replay", "seconds": 2.0}],
    }


class Loop(unittest.TestCase):
    def test_photos_in_a_row_are_of_one_vehicle(self):
        rows = loop_stack.manifest_text("taught", [f"{n}.jpg" for n in range(4)]).splitlines()
        self.assertEqual(rows[0], "photo,vehicle_id,reservation_id,occasion")
        self.assertEqual([row.split(",")[1] for row in rows[1:]], ["taught-001"] * 3 + ["taught-002"])
        self.assertEqual(rows[4], "3.jpg,taught-002,r-taught-002,return")

    def test_the_policy_as_options(self):
        self.assertEqual(
            loop.policy_flags({"photos-min": 9, "flips-max": 0.5}), ["--photos-min", "9", "--flips-max", "0.5"]
        )

    def test_every_photo_is_reviewed(self):
        demo = (SCRIPTS.parent / "bundles" / "demo" / "bundle.toml").read_text(encoding="utf-8")
        changed = tomllib.loads(loop.manifest_with_all_reviewed(demo))
        self.assertEqual(changed, tomllib.loads(demo) | {"review": {"audit_share": 1.0}})
        with self.assertRaises(loop_stack.LoopError):
            loop.manifest_with_all_reviewed("[review]\n[[networks]]\n")

    def test_who_answered(self):
        records = [{"outcome": {"bundle": {"name": "demo", "version": "1"}}}] * 2 + [{"phase": "failed"}]
        self.assertEqual(loop.answered_by(records), {"demo 1": 2, "none": 1})

    def test_each_end_names_the_active_bundle_and_why(self):
        cases = {
            "promoted": ("demo 2", "the policy promoted it: 60 photos answered."),
            "rolled_back": ("demo 1", "the policy rolled the new one back: 60 photos answered."),
            "stopped": ("demo 1", "the canary was ended by hand: 60 photos answered."),
        }
        for state, (active, why) in cases.items():
            with self.subTest(state):
                text = loop.verdict_text(found(state, {active: 12}))
                self.assertTrue(text.startswith(f"Active at the end: {active}, because {why}"), text)
                self.assertNotIn("But", text)

    def test_photos_answered_by_another_bundle_are_named(self):
        text = loop.verdict_text(found("promoted", {"demo 1": 2, "demo 2": 10}))
        self.assertIn("But after a restart photos were answered by {'demo 1': 2, 'demo 2': 10}", text)

    def test_the_summary_has_both_scores_and_all_times(self):
        text = loop.summary_text(found("promoted", {"demo 2": 12}))
        self.assertIn("| any-damage IoU (95 % interval) | 0.660 (0.600–0.700) | 0.700 (0.600–0.700) |", text)
        self.assertIn("| all | 3.5 |", text)

    def test_its_tools_are_those_of_training(self):
        wanted = pins(SCRIPTS.parent / "training" / "requirements.txt")
        have = pins(SCRIPTS / "loop.txt")
        self.assertGreater(len(wanted), 5)
        self.assertEqual({name: have.get(name) for name in wanted}, wanted)


def pins(path: Path) -> dict[str, str]:
    lines = [line.removesuffix("\\").split("==") for line in path.read_text(encoding="utf-8").splitlines()]
    return {pair[0]: pair[1].strip() for pair in lines if len(pair) == 2}


class Fails(unittest.TestCase):
    def test_a_command_fails_with_its_last_line(self):
        script = "import sys; print('first', file=sys.stderr); print('the cause', file=sys.stderr); sys.exit(3)"
        with self.assertRaisesRegex(loop_stack.LoopError, "^python[^ ]* -c .*: the cause$"):
            loop_stack.run([sys.executable, "-c", script])
        with self.assertRaisesRegex(loop_stack.LoopError, "exit code 4$"):
            loop_stack.run([sys.executable, "-c", "raise SystemExit(4)"])
        with self.assertRaisesRegex(loop_stack.LoopError, "^nowhere .*: No such file"):
            loop_stack.run(["/nowhere", "samples"])

    def test_a_wrong_command_line_is_one_line(self):
        with tempfile.TemporaryDirectory() as place:
            Path(place, "bundle.toml").touch()
            cases = {
                "no such program": [f"{place}/none", place, f"{place}/out"],
                "no bundle.toml there": [sys.executable, f"{place}/empty", f"{place}/out"],
            }
            for flag, words in (("--seconds", "--seconds: 5, expected"), ("--photos", "--photos: 5, expected")):
                cases[words] = [sys.executable, place, f"{place}/out", flag, "5"]
            for words, arguments in cases.items():
                with self.subTest(words):
                    command = [sys.executable, SCRIPTS / "loop.py", *arguments]
                    ran = subprocess.run(command, capture_output=True, text=True, check=False)
                    self.assertEqual((ran.returncode, ran.stderr.count("\n")), (2, 1), ran.stderr)
                    self.assertIn(words, ran.stderr)
                    self.assertFalse(Path(place, "out").exists(), "nothing was begun")


if __name__ == "__main__":
    unittest.main()

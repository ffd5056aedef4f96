"""Tests of scripts/costs.py: the page holds what it prints, and the sums are the sums."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import costs


class Costs(unittest.TestCase):
    def test_the_page_holds_what_the_script_prints(self) -> None:
        page = (ROOT / "docs" / "operations.md").read_text()
        self.assertEqual(costs.between(page), costs.page(), "run: python3 scripts/costs.py --write docs/operations.md")

    def test_parts_make_the_whole(self) -> None:
        rows = {line.split("|")[1].strip(): line for line in costs.bill() if line.startswith("|")}
        for column, fleet in enumerate(costs.FLEETS, start=2):
            parts = sum(cost(fleet * costs.DAYS) for _, cost in costs.PARTS)
            told = float(rows["**all**"].split("|")[column].strip(" *").replace(",", ""))
            self.assertAlmostEqual(told, parts, delta=0.5)

    def test_alarms_are_those_of_the_templates(self) -> None:
        # Resources of two levels' indent; CloudWatch counts metrics, not alarms.
        alarms = [
            block
            for template in sorted((ROOT / "infra").glob("*.yaml"))
            for block in re.split(r"^  (?=\w+:$)", template.read_text(), flags=re.MULTILINE)
            if "\n    Type: AWS::CloudWatch::Alarm\n" in block
        ]
        # Six codes of failures (docs/messages.md), of triage and of workers.
        watched = sum(len(re.findall(r"MetricName: ", one)) + 12 * one.count("SELECT ") for one in alarms)
        given = costs.LOAD["alarms"]
        self.assertEqual((given.value, f"the {len(alarms)} alarms" in given.about), (watched, True), given.about)

    def test_gpu_hours_by_hand(self) -> None:
        # 1,000,000 photos, 30 % suspected, 80 % of them on a GPU: 240,000 at 10 a second is 24,000 s of work, which is
        # 60,000 s of instances that work 40 % of their time.
        self.assertAlmostEqual(costs.gpu_hours(1_000_000), 60_000 / 3600)

    def test_ten_times_the_photos_cost_at_most_ten_times_as_much(self) -> None:
        for name, cost in costs.PARTS:
            few, many = (cost(fleet * costs.DAYS) for fleet in costs.FLEETS)
            self.assertTrue(few < many <= 10.001 * few, name)


if __name__ == "__main__":
    unittest.main()

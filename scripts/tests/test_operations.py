"""Holds docs/operations.md to what it describes: the worker's exit codes, and the alarms of the templates."""

from __future__ import annotations

import json
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()
EXIT_ROW = re.compile(r"^(?://! )?\| (\d+) \| ([^|]+) \|", re.MULTILINE)


class Operations(unittest.TestCase):
    def test_exit_codes_are_those_of_the_worker(self) -> None:
        worker = (ROOT / "gpu-batch" / "src" / "lib.rs").read_text()
        codes = EXIT_ROW.findall(worker)
        self.assertGreater(len(codes), 4, "the table of gpu-batch/src/lib.rs is not read")
        self.assertEqual(EXIT_ROW.findall(PAGE), codes)

    def test_every_alarm_is_explained(self) -> None:
        section = PAGE.split("## Alarms", 1)[1].split("\n## ", 1)[0]
        names = []
        for template in ("pipeline", "operations", "console"):
            text = (ROOT / "infra" / f"{template}.yaml").read_text()
            names += re.findall(r"AlarmName: !Sub '?\$\{Prefix\}-([a-z-]+)", text)
        self.assertGreater(len(names), 5, "the alarms of the templates are not read")
        rows = set(re.findall(r"`([a-z-]+)`", "\n".join(re.findall(r"^\| ([^|]*) \|", section, re.MULTILINE))))
        self.assertEqual(sorted(set(names) - rows), [])
        self.assertEqual(sorted(rows - set(names)), [], "the page explains alarms that there are not")

    def test_workflows_deploy_by_the_bootstrap_role_and_can_deploy_first(self) -> None:
        for name, stage in (("release-stage", "stage"), ("production", "production")):
            text = (ROOT / ".github/workflows" / f"{name}.yml").read_text()
            self.assertIn("role-to-assume: ${{ vars.AWS_ROLE_ARN }}", text)
            self.assertIn(f"environment: {stage}\n", text)
            self.assertIn('FIRST_BUNDLE="$FIRST_BUNDLE"', text)
            given = json.loads((ROOT / "infra/parameters" / f"{stage}.json").read_text())
            self.assertEqual(given["bootstrap"]["GitHubEnvironment"], stage, "the environment that the role trusts")
            # The role's session outlasts the job.
            longest = int(re.search(r"MaxSessionDuration: (\d+)", (ROOT / "infra/bootstrap.yaml").read_text()).group(1))
            session = int(re.search(r"role-duration-seconds: (\d+)", text).group(1))
            self.assertLessEqual(session, longest)
            deploys = text.split("environment:")[0].rsplit("timeout-minutes: ", 1)[1]
            self.assertLessEqual(60 * int(deploys.split()[0]), session)


if __name__ == "__main__":
    unittest.main()

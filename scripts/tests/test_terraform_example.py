"""Compares examples/terraform with the templates that it calls: it was never applied, so its names are checked here."""

from __future__ import annotations

import re
import shutil
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "terraform"
MAIN = (EXAMPLE / "main.tf").read_text()
STACKS = ("storage", "gpu", "pipeline", "operations")
# What CloudFormation takes as a text; more has to lie in a bucket.
BODY_MAX = 51_200

# Template and name of the parameters that have a default only because another way of packaging needs none.
NEEDED_TOO = {("pipeline", "ImageUri")}


def section(text: str, name: str) -> str:
    """A top-level section of a template, without its name."""
    return re.split(r"^(?=\S)", text.split(f"\n{name}:\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def parameters(template: str) -> dict[str, str]:
    """name -> its lines, of a template's parameters."""
    blocks = re.split(r"^  (?=\w+:$)", section(template, "Parameters"), flags=re.MULTILINE)[1:]
    return {block.split(":", 1)[0]: block for block in blocks}


def calls(source: str) -> dict[str, tuple[str, dict[str, str]]]:
    """name -> (the whole block, parameters that it passes) of each stack in Terraform's text."""
    blocks = re.findall(r'^resource "aws_cloudformation_stack" "(\w+)" \{\n(.*?)^\}', source, re.MULTILINE | re.DOTALL)
    found = {}
    for name, block in blocks:
        inside = re.search(r"^  parameters = \{\n(.*?)^  \}", block, re.MULTILINE | re.DOTALL)
        lines = inside.group(1).splitlines() if inside else []
        found[name] = block, dict(re.match(r"^    (\w+) += (.+)$", line).groups() for line in lines)
    return found


def problems(source: str, templates: dict[str, str]) -> list[str]:
    """What is wrong between Terraform's text and the templates; a line each."""
    wrong = []
    for name, (block, given) in calls(source).items():
        template = templates[name]
        known = parameters(template)
        needed = {one for one, lines in known.items() if "\n    Default:" not in lines}
        needed |= {one for stack, one in NEEDED_TOO if stack == name}
        wrong += [f"{name}: {one} is no parameter" for one in given if one not in known]
        wrong += [f"{name}: {one} is not given" for one in sorted(needed - given.keys())]
        if f'template_body = file("${{local.infra}}/{name}.yaml")' not in block:
            wrong.append(f"{name}: calls another template")
        if ("Type: AWS::IAM::" in template) != ("CAPABILITY_IAM" in block):
            wrong.append(f"{name}: capabilities do not fit its roles")
        if "RoleName:" in template:
            wrong.append(f"{name}: named roles need CAPABILITY_NAMED_IAM")
        if len(template.encode()) > BODY_MAX:
            wrong.append(f"{name}: too large to send")
        # What it imports is exported by a stack that it waits for, by way of others too.
        imported = set(re.findall(r"ImportValue[^\n]*\$\{Prefix\}:(\w+)", template))
        for other in STACKS:
            exported = set(re.findall(r"Export: \{Name: !Sub '\$\{Prefix\}:(\w+)'\}", templates[other]))
            if other != name and imported & exported and other not in waited_for(source, name):
                wrong.append(f"{name}: does not wait for {other}")
    return wrong


def waited_for(source: str, name: str) -> set[str]:
    block = calls(source)[name][0]
    listed = re.search(r"depends_on = \[(.*?)\]", block, re.DOTALL)
    direct = set(re.findall(r"aws_cloudformation_stack\.(\w+)", listed.group(1))) if listed else set()
    return direct.union(*(waited_for(source, one) for one in direct))


class TerraformExample(unittest.TestCase):
    def setUp(self) -> None:
        self.templates = {name: (ROOT / "infra" / f"{name}.yaml").read_text() for name in STACKS}

    def test_it_passes_what_the_templates_take(self) -> None:
        self.assertEqual(tuple(calls(MAIN)), STACKS)
        for name in STACKS:
            self.assertGreater(len(parameters(self.templates[name])), 8, f"parameters of {name}.yaml are not read")
        self.assertEqual(problems(MAIN, self.templates), [])

    def test_planted_faults_are_found(self) -> None:
        faults = [
            ("PhotoDays ", "PhotosDays ", "storage: PhotosDays is no parameter"),
            ("    WorkerImageUri       = var.worker_image_uri\n", "", "gpu: WorkerImageUri is not given"),
            ("    ImageUri             = var.functions_image_uri\n", "", "pipeline: ImageUri is not given"),
            ("/pipeline.yaml", "/gpu.yaml", "pipeline: calls another template"),
            ('  capabilities  = ["CAPABILITY_IAM"]\n', "", "gpu: capabilities do not fit its roles"),
            ("depends_on = [aws_cloudformation_stack.storage]", "depends_on = []", "gpu: does not wait for storage"),
        ]
        for old, new, expected in faults:
            with self.subTest(expected):
                self.assertIn(old, MAIN)
                self.assertIn(expected, problems(MAIN.replace(old, new), self.templates))

    def test_variables_are_declared_and_used(self) -> None:
        declared = re.findall(r'^variable "(\w+)"', (EXAMPLE / "variables.tf").read_text(), re.MULTILINE)
        used = set(re.findall(r"\bvar\.(\w+)", MAIN + (EXAMPLE / "outputs.tf").read_text()))
        self.assertEqual(sorted(declared), sorted(used))

    def test_outputs_exist(self) -> None:
        for name, output in re.findall(r'stack\.(\w+)\.outputs\["(\w+)"\]', (EXAMPLE / "outputs.tf").read_text()):
            self.assertIn(f"\n  {output}:\n", "\n" + section(self.templates[name], "Outputs"))

    @unittest.skipUnless(shutil.which("terraform"), "terraform is not installed")
    def test_it_is_formatted(self) -> None:
        ran = subprocess.run(["terraform", "fmt", "-check", "-diff", str(EXAMPLE)], capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)


if __name__ == "__main__":
    unittest.main()

"""Tests of scripts/deploy.sh against stand-ins for aws, docker and git that answer from a table and record calls.

Each test has a tree of its own with the script, the templates and the parameters, and a world: rules of which the
first that fits answers. A rule fits a call when all its words stand in the command line.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HEAD = "1111111111111111111111111111111111111111"
OTHER = "2222222222222222222222222222222222222222"
PASSWORD = "a-password-of-the-registry"

STAND_IN = """#!{python}
import json, os, pathlib, sys
home = pathlib.Path({home!r})
program = pathlib.Path(sys.argv[0]).name
line = " ".join([program] + sys.argv[1:])
with open(home / "calls", "a") as log:
    log.write(json.dumps(line) + "\\n")
if program == "docker" and "login" in line:
    (home / "password").write_text(sys.stdin.read())
for number, rule in enumerate(json.loads((home / "world").read_text())):
    if not all(word in line for word in rule["words"]):
        continue
    used = home / f"used-{{rule['name']}}"
    count = int(used.read_text()) if used.exists() else 0
    if rule["times"] is not None and count >= rule["times"]:
        continue
    used.write_text(str(count + 1))
    if rule["file"]:
        sys.stdout.buffer.write(pathlib.Path(rule["file"]).read_bytes())
    if rule["out"]:
        print(rule["out"])
    if rule["error"]:
        print(rule["error"], file=sys.stderr)
    sys.exit(rule["code"])
sys.exit(0)
"""


def rule(*words: str, **answer: object) -> dict:
    """Answer to calls with all these words; `times` bounds how often."""
    name = hashlib.sha256(repr((words, sorted(answer.items()))).encode()).hexdigest()[:12]
    empty = {"out": "", "error": "", "code": 0, "times": None, "file": ""}
    return {"name": name, "words": list(words), **empty, **answer}


NO_IMAGE = {"error": "An error occurred (ImageNotFoundException) when calling DescribeImages", "code": 254}
NO_OBJECT = rule(
    "head-object", error="An error occurred (404) when calling the HeadObject operation: Not Found", code=254
)
NO_STACK = {"error": "An error occurred (ValidationError): Stack with id x does not exist", "code": 254}


def state(status: str, *words: str, **more: object) -> dict:
    """What scripts/stacks.py is answered when it asks how a stack is."""
    text = json.dumps({"Stacks": [{"StackStatus": status}]})
    return rule("describe-stacks --stack-name", "--output json", *words, out=text, **more)


def gone(*words: str, **more: object) -> dict:
    return rule("describe-stacks --stack-name", "--output json", *words, **NO_STACK, **more)


# No stack yet, but for what an administrator made.
FIRST = [
    rule("describe-stacks", "walkaround-stage-bootstrap", "StackStatus", out="CREATE_COMPLETE"),
    rule("describe-stacks", "StackStatus", **NO_STACK),
    gone("walkaround-stage-storage", times=1),
]

# Everything in order: stacks are there with v1.0.0, the tree is clean, no image of the new tag is.
HEALTHY = [
    rule("git rev-parse HEAD", out=HEAD),
    rule("git rev-parse", "refs/tags/", code=1),
    rule("git rev-parse", "origin/main", out=OTHER),
    rule("aws sts", "--output json", out='{"Account": "123456789012"}'),
    rule("aws sts", out="123456789012"),
    rule("aws ecr describe-images", **NO_IMAGE),
    rule("aws ecr get-login-password", out=PASSWORD),
    rule("describe-stacks", "StackStatus", out="UPDATE_COMPLETE"),
    rule("describe-stacks", "OutputKey=='CloudFormationRoleArn'", out="arn:the-role"),
    rule("describe-stacks", "OutputKey=='BoundaryArn'", out="arn:the-boundary"),
    rule("ec2 describe-availability-zones", out="3"),
    rule("describe-stacks", "ImageUri", out="reg/walkaround-stage/functions:v1.0.0"),
    rule("describe-stacks", "Stacks[0].Parameters --output json", out='[{"ParameterKey": "A", "ParameterValue": "b"}]'),
    rule("describe-stacks", "ParameterKey=='PhotoEvents'", out="Queue"),
    rule("describe-stacks", "ParameterKey=='ExistingPhotosBucket'"),
    state("UPDATE_COMPLETE"),
    rule("describe-stacks", "OutputKey=='PhotosBucket'", out="the-photos"),
    rule("describe-stacks", "TableName", out="the-table"),
    rule("describe-stacks", "BundlesBucket", out="the-bundles"),
    rule("describe-stacks", "IntakeQueueUrl", out="the-queue"),
    rule("get-template", out="Resources: {}"),
    rule("s3api put-object", out="version-7"),
    rule("dynamodb get-item", out="done"),
    rule("docker image inspect", out="123000000"),
]

# A stack before those whose outputs it takes: CloudFormation deletes no output that is taken.
BACKWARDS = ["operations", "pipeline", "gpu"]

# Calls that change something.
CHANGING = (
    "docker build",
    "docker push",
    "ecr put-image",
    "ecr create-repository",
    "create-change-set",
    "execute-change-set",
    "s3api put-object",
    "cargo",
)


class Deployment(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.tree = self.home / "tree"
        for part in ("scripts/deploy.sh", "scripts/images.sh", "scripts/stacks.py", "bundles/demo/self_test.png"):
            (self.tree / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, self.tree / part)
        shutil.copytree(ROOT / "infra" / "parameters", self.tree / "infra" / "parameters")
        for stack in ("bootstrap", "storage", "gpu", "pipeline", "console", "operations"):
            (self.tree / "infra" / f"{stack}.yaml").write_text("Parameters:\n  BoundaryArn:\n\nResources:\n")
        programs = self.home / "bin"
        programs.mkdir()
        for name in ("aws", "docker", "git", "cargo"):
            program = programs / name
            program.write_text(STAND_IN.format(python=sys.executable, home=str(self.home)))
            program.chmod(0o755)

    def run_script(
        self, *arguments: str, world: list[dict] | None = None, **more: object
    ) -> subprocess.CompletedProcess:
        """The script with a world before the healthy one."""
        (self.home / "world").write_text(json.dumps([*(world or []), *HEALTHY]))
        environment = {
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "AWS_REGION": "eu-central-1",
            "WALKAROUND_SMOKE_POLL_S": "0",
            "WALKAROUND_STACK_POLL_S": "0",
            **more.pop("environment", {}),
        }
        return subprocess.run(
            [str(self.tree / "scripts" / "deploy.sh"), *arguments],
            env=environment,
            stdin=more.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    def set_parameter(self, stage: str, stack: str, name: str, value: str) -> None:
        path = self.tree / "infra/parameters" / f"{stage}.json"
        values = json.loads(path.read_text())
        values[stack][name] = value
        path.write_text(json.dumps(values))

    def given(self, stack: str) -> dict[str, str]:
        """Parameters that a stack was given."""
        made = json.loads((self.tree / f"out/deploy/{stack}.parameters.json").read_text())
        return {entry["ParameterKey"]: entry["ParameterValue"] for entry in made}

    def calls(self, *words: str) -> list[str]:
        """Recorded command lines with any of the words; all without words."""
        log = self.home / "calls"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [line for line in lines if not words or any(word in line for word in words)]

    def change_sets(self) -> list[tuple[str, str]]:
        """(stack, template) of each change set that was made, in order."""
        found = []
        for line in self.calls("create-change-set --stack"):
            words = line.split()
            stack = words[words.index("--stack-name") + 1].removeprefix("walkaround-stage-")
            template = words[words.index("--template-body") + 1].removeprefix("file://")
            found.append((stack, template))
        return found

    def executed(self) -> list[str]:
        lines = self.calls("execute-change-set")
        return [
            line.split()[line.split().index("--stack-name") + 1].removeprefix("walkaround-stage-") for line in lines
        ]

    def assert_refused(self, answer: subprocess.CompletedProcess, why: str) -> None:
        self.assertEqual(answer.returncode, 2, answer.stdout)
        self.assertIn("deploy: refused: ", answer.stdout)
        self.assertIn(why, answer.stdout)
        self.assertEqual(self.calls(*CHANGING), [], "a refusal changes nothing")

    # refusals

    def test_words_that_are_refused(self) -> None:
        for arguments, why in [
            ((), "name a stage"),
            (("elsewhere", "v1.2.3"), "no such stage"),
            (("stage",), "name a version"),
            (("stage", "latest"), "`latest` is never deployed"),
            (("production", "latest"), "`latest` is never deployed"),
            (("stage", "1.2.3"), "vX.Y.Z"),
            (("stage", "v1.2.3-a/b"), "vX.Y.Z"),
            (("production", "v1.2.3-rc.1"), "production takes vX.Y.Z"),
            (("stage", "v1.2.3", "more"), "one stage and one tag"),
            (("stage", "v1.2.3", "--force"), "no such option"),
            (("--rollback", "stage", "latest"), "`latest` is never deployed"),
        ]:
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_script(*arguments, "--yes"), why)

    def test_a_dirty_tree(self) -> None:
        world = [rule("git status --porcelain", out=" M src/lib.rs")]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "uncommitted changes")

    def test_a_tag_of_another_commit(self) -> None:
        world = [rule("git rev-parse", "refs/tags/v1.1.0", out=OTHER)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "names another commit")

    def test_production_without_the_tag(self) -> None:
        self.assert_refused(self.run_script("production", "v1.1.0", "--yes"), "no tag v1.1.0")

    def test_production_with_a_tag_beside_main(self) -> None:
        world = [rule("git rev-parse", "refs/tags/v1.1.0", out=HEAD), rule("git merge-base", code=1)]
        self.assert_refused(self.run_script("production", "v1.1.0", "--yes", world=world), "not on main")

    def test_an_image_that_is_there(self) -> None:
        for name in ("functions", "worker"):
            with self.subTest(name=name):
                world = [rule("describe-images", f"walkaround-stage/{name} ", "imageTag=v1.1.0 ", out="sha256:1")]
                self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), f"{name}:v1.1.0 exists")

    def test_silence_of_the_registry_is_no_absence(self) -> None:
        world = [rule("describe-images", error="An error occurred (AccessDeniedException)", code=254)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "AWS does not say whether")

    def test_silence_about_a_stack_is_no_absence(self) -> None:
        error = "An error occurred (AccessDenied)"
        world = [rule("describe-stacks", "walkaround-stage-gpu", "StackStatus", error=error, code=254)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "cannot find out what runs now")

    def test_an_invalid_template(self) -> None:
        world = [rule("validate-template", "gpu.yaml", code=254)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "gpu.yaml is not valid")

    def test_nobody_to_confirm(self) -> None:
        self.assert_refused(self.run_script("stage", "v1.1.0"), "there is no terminal to confirm")

    def test_nobody_signed_in(self) -> None:
        world = [rule("aws sts", code=253)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "sign in")

    def test_no_region(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes", environment={"AWS_REGION": ""})
        self.assert_refused(answer, "no region")

    # deployments

    def test_the_order_of_a_deployment(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertIn("v1.1.0 runs in stage", answer.stdout)
        waits = "describe-stacks --stack-name walkaround-stage-"
        order = self.calls("validate-template", *CHANGING, waits, "dynamodb get-item")
        # Before anything is changed, what earlier stacks kept is asked for.
        order = [
            line for line in order if waits not in line or (line.endswith("--output json") and "--query" not in line)
        ]
        self.assertEqual(len([line for line in order[:2] if waits in line]), 2)
        order = order[2:]
        kinds = [
            next(
                k
                for k in ("validate", "build", "push", "create-change", "execute", "describe-stacks", "put", "get")
                if f" {k}" in line
            )
            for line in order
        ]
        expected = ["validate"] * 4 + ["build"] * 2 + ["push"] * 4
        expected += ["create-change", "execute", "describe-stacks"] * 4 + ["put", "get"]
        self.assertEqual(kinds, expected)
        self.assertEqual([stack for stack, _ in self.change_sets()], ["storage", "gpu", "pipeline", "operations"])
        pushed = [line.split()[-1] for line in self.calls("docker push")]
        repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/walkaround-stage"
        self.assertEqual(
            pushed,
            [
                f"{repository}/{name}:{tag}"
                for name in ("functions", "worker")
                for tag in (f"v1.1.0.g{HEAD[:12]}", "v1.1.0")
            ],
        )

    def test_production_deploys_a_tag_on_main(self) -> None:
        world = [rule("git rev-parse", "refs/tags/v1.1.0", out=HEAD)]
        self.set_parameter("production", "operations", "AlarmEmail", "on-call@example.com")
        answer = self.run_script("production", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(len(self.calls("execute-change-set --stack-name walkaround-production-")), 4)

    def test_stacks_get_the_images_of_the_tag(self) -> None:
        self.run_script("stage", "v1.1.0", "--yes")
        for stack, name, image in [("gpu", "WorkerImageUri", "worker"), ("pipeline", "ImageUri", "functions")]:
            made = json.loads((self.tree / f"out/deploy/{stack}.parameters.json").read_text())
            values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in made}
            self.assertTrue(values[name].endswith(f"/walkaround-stage/{image}:v1.1.0"), values)
            self.assertEqual(values["Prefix"], "walkaround-stage")

    def test_the_password_is_shown_nowhere(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual((self.home / "password").read_text().strip(), PASSWORD)
        self.assertNotIn(PASSWORD, answer.stdout)
        self.assertNotIn(PASSWORD, "\n".join(self.calls()))

    def test_the_smoke_test_waits_for_the_record_of_its_photo(self) -> None:
        world = [rule("get-item", out="None", times=2), rule("get-item", out="routed", times=1)]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        put = self.calls("s3api put-object")[0].split()
        key = put[put.index("--key") + 1]
        identity = hashlib.sha256(f"s3\x1fthe-photos\x1f{key}\x1fversion-7".encode()).hexdigest()
        looks = self.calls("dynamodb get-item")
        self.assertEqual(len(looks), 4)
        self.assertTrue(all(f'"I#{identity}"' in look for look in looks))

    def test_where_nothing_tells_of_photos_a_request_does(self) -> None:
        for number, (name, value) in enumerate([("PhotoEvents", "None"), ("ExistingPhotosBucket", "the-photos")]):
            with self.subTest(name=name):
                world = [rule("describe-stacks", f"ParameterKey=='{name}'", out=value)]
                answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
                self.assertEqual(answer.returncode, 0, answer.stdout)
                self.assertIn('"bucket":"the-photos"', self.calls("sqs send-message")[number])

    def test_where_the_bucket_tells_nothing_else_does(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(self.calls("sqs send-message"), [])

    def test_an_output_that_is_missing_is_said_to_be(self) -> None:
        answer = self.run_script(
            "stage", "v1.1.0", "--yes", world=[rule("describe-stacks", "OutputKey=='PhotosBucket'", out="None")]
        )
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("walkaround-stage-storage has no output PhotosBucket", answer.stdout)
        self.assertEqual(self.calls("s3api put-object"), [])

    def test_a_stage_without_the_gpu_lane(self) -> None:
        self.set_parameter("stage", "operations", "GpuStack", "false")
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(self.executed(), ["storage", "pipeline", "operations"])

    def knows_the_console(self) -> None:
        (self.tree / "infra/operations.yaml").write_text("Parameters:\n  ConsoleStack:\n\nResources:\n")

    def test_a_stage_with_a_console(self) -> None:
        self.set_parameter("stage", "console", "OidcIssuer", "https://id.example.com")
        self.knows_the_console()
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(self.executed(), ["storage", "gpu", "pipeline", "console", "operations"])
        self.assertEqual(self.given("operations").get("ConsoleStack"), "true")

    def test_that_there_is_no_console_is_derived_too(self) -> None:
        self.set_parameter("stage", "operations", "ConsoleStack", "true")
        self.knows_the_console()
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(self.given("operations").get("ConsoleStack"), "false")

    def test_a_first_deployment_makes_stacks_and_bundle(self) -> None:
        world = [*FIRST, NO_OBJECT]
        (self.tree / "bundles/demo/bundle.toml").write_text('name = "demo"\nversion = "3"\n')
        answer = self.run_script("stage", "v1.0.0", "--yes", "--bundle", "bundles/demo", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(len(self.calls("--change-set-type CREATE")), 4)
        pushed, activated = self.calls("cargo run")
        self.assertIn("bundle push bundles/demo --bucket the-bundles", pushed)
        self.assertIn("bundle activate demo 3 --bucket the-bundles", activated)

    def test_a_bundle_of_another_name_is_not_pushed(self) -> None:
        world = [*FIRST, NO_OBJECT]
        (self.tree / "bundles/demo/bundle.toml").write_text('name = "ours"\nversion = "3"\n')
        answer = self.run_script("stage", "v1.0.0", "--yes", "--bundle", "bundles/demo", world=world)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn('says name = "ours", and the functions look for demo (BundleName)', answer.stdout)
        self.assertEqual(self.calls("cargo run"), [])
        self.assertEqual(self.executed(), ["storage"])

    def test_a_first_deployment_without_a_bundle_stops_and_says_so(self) -> None:
        world = [*FIRST, NO_OBJECT]
        answer = self.run_script("stage", "v1.0.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("no bundle demo is active", answer.stdout)
        self.assertIn("no version before v1.0.0", answer.stdout)
        self.assertEqual(self.executed(), ["storage"])

    def test_silence_about_the_bundle_is_no_absence(self) -> None:
        world = [rule("head-object", error="An error occurred (403) when calling the HeadObject operation", code=254)]
        answer = self.run_script("stage", "v1.1.0", "--yes", "--bundle", "bundles/demo", world=world)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("AWS does not say whether a bundle demo is active in the-bundles", answer.stdout)
        self.assertEqual(self.calls("cargo run"), [])

    def test_an_empty_change_set_is_no_failure(self) -> None:
        world = [
            rule("wait change-set-create-complete", "walkaround-stage-storage", code=255),
            rule("describe-change-set", "StatusReason", out="The submitted information didn't contain changes."),
        ]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertIn("walkaround-stage-storage: nothing to change", answer.stdout)
        self.assertEqual(len(self.calls("delete-change-set --stack-name walkaround-stage-storage")), 1)
        self.assertEqual(self.executed(), ["gpu", "pipeline", "operations"])

    def test_a_change_set_that_cannot_be_made(self) -> None:
        world = [
            rule("wait change-set-create-complete", "walkaround-stage-storage", code=255),
            rule("describe-change-set", "StatusReason", out="Parameters: [X] do not exist"),
        ]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("Parameters: [X] do not exist", answer.stdout)
        self.assertEqual(self.executed(), [], "nothing was changed, so nothing goes back")

    def test_a_stack_that_must_be_deleted_first(self) -> None:
        world = [rule("describe-stacks", "walkaround-stage-storage", "StackStatus", out="ROLLBACK_FAILED")]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("delete it", answer.stdout)

    def test_a_creation_that_failed_is_made_again(self) -> None:
        world = [
            rule("describe-stacks", "walkaround-stage-storage", "StackStatus", out="ROLLBACK_COMPLETE"),
            state("ROLLBACK_COMPLETE", "walkaround-stage-storage", times=1),
            state("DELETE_IN_PROGRESS", "walkaround-stage-storage", times=1),
            gone("walkaround-stage-storage", times=1),
        ]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(len(self.calls("delete-stack --stack-name walkaround-stage-storage")), 1)
        self.assertIn(
            "--change-set-type CREATE", self.calls("create-change-set --stack-name walkaround-stage-storage")[0]
        )

    # what an administrator made, and what an earlier stack kept

    def test_a_stage_without_its_bootstrap_is_refused(self) -> None:
        world = [rule("describe-stacks", "walkaround-stage-bootstrap", "StackStatus", **NO_STACK)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "make bootstrap STAGE=stage")

    def test_a_missing_repository_is_refused(self) -> None:
        world = [rule("describe-images", error="An error occurred (RepositoryNotFoundException)", code=254)]
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=world), "make bootstrap STAGE=stage")

    def test_cloudformation_acts_by_its_own_role_and_roles_have_the_boundary(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertTrue(all("--role-arn arn:the-role" in line for line in self.calls("create-change-set --stack")))
        self.assertEqual(self.given("pipeline")["BoundaryArn"], "arn:the-boundary")

    def test_a_template_without_the_boundary_is_not_given_one(self) -> None:
        (self.tree / "infra/gpu.yaml").write_text("Parameters:\n  Zones:\n\nResources:\n")
        world = [rule("ec2 describe-availability-zones", out="2")]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertNotIn("BoundaryArn", self.given("gpu"))
        self.assertEqual(self.given("gpu")["Zones"], "2")

    def test_what_an_earlier_stack_kept_is_not_run_into(self) -> None:
        shutil.copy(ROOT / "infra/storage.yaml", self.tree / "infra/storage.yaml")
        absent = [
            rule("head-bucket", error="An error occurred (404) when calling HeadBucket: Not Found", code=254),
            rule("describe-table", out='{"Table": {}}'),
            rule("get-queue-url", error="An error occurred (AWS.SimpleQueueService.NonExistentQueue)", code=254),
        ]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=[*FIRST, *absent])
        self.assert_refused(
            answer, "an earlier stack kept DynamoDB walkaround-stage-records: make reimport STAGE=stage"
        )

    def test_silence_about_what_was_kept_is_no_absence(self) -> None:
        shutil.copy(ROOT / "infra/storage.yaml", self.tree / "infra/storage.yaml")
        silent = rule("head-bucket", error="An error occurred (403) when calling HeadBucket: Forbidden", code=254)
        self.assert_refused(self.run_script("stage", "v1.1.0", "--yes", world=[*FIRST, silent]), "cannot find out what")

    def test_production_without_anybody_to_tell_is_refused(self) -> None:
        world = [rule("git rev-parse", "refs/tags/v1.1.0", out=HEAD)]
        answer = self.run_script("production", "v1.1.0", "--yes", world=world)
        self.assert_refused(answer, "nobody would be notified when production fails")
        answer = self.run_script("production", "v1.1.0", "--yes", "--no-alerts", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_the_smoke_photo_lies_where_no_event_goes_out(self) -> None:
        world = [rule("describe-stacks", "ParameterKey=='PhotoPrefix'", out="returns/")]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertIn("--key returns/walkaround-smoke/v1.1.0-", self.calls("s3api put-object")[0])

    def test_an_answer_of_no(self) -> None:
        mine, its = pty.openpty()
        try:
            os.write(mine, b"n\n")
            answer = self.run_script("stage", "v1.1.0", stdin=its)
        finally:
            os.close(mine)
            os.close(its)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("not confirmed", answer.stdout)
        self.assertEqual(self.executed(), [])
        self.assertEqual(len(self.calls("delete-change-set")), 1)

    # what was pushed before

    def test_pushed_images_of_this_commit_are_taken(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes", world=[rule("describe-images", out="sha256:1")])
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertIn("were pushed from this commit before", answer.stdout)
        self.assertEqual(self.calls("docker build", "docker push", "put-image"), [])

    def test_a_broken_push_goes_on_where_it_broke(self) -> None:
        # The functions were pushed whole; of the worker there is nothing.
        world = [rule("describe-images", "walkaround-stage/functions ", out="sha256:1")]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(len(self.calls("docker build")), 1)
        pushed = [line.split("/")[-1] for line in self.calls("docker push")]
        self.assertEqual(pushed, [f"worker:v1.1.0.g{HEAD[:12]}", "worker:v1.1.0"])

    def test_an_image_without_its_version_is_given_it(self) -> None:
        # The worker's push broke off between its two tags. An image that is built again may be another one.
        ours = f"imageTag=v1.1.0.g{HEAD[:12]}"
        world = [
            rule("describe-images", "walkaround-stage/functions ", out="sha256:1"),
            rule("describe-images", "walkaround-stage/worker ", ours, out="sha256:2"),
            rule("batch-get-image", "imageManifestMediaType", out="a/kind"),
            rule("batch-get-image", out='{"a": "manifest"}'),
        ]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(self.calls("docker build", "docker push"), [])
        (put,) = self.calls("put-image")
        for words in (
            "--repository-name walkaround-stage/worker",
            "--image-tag v1.1.0 ",
            '{"a": "manifest"}',
            "a/kind",
        ):
            self.assertIn(words, put)

    def test_a_push_that_breaks_off_changes_no_stack(self) -> None:
        world = [rule("docker push", "worker:v1.1.0.g", error="connection reset", code=1)]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertEqual(self.change_sets(), [])

    def test_a_version_of_another_commit_is_not_taken(self) -> None:
        # This commit's push broke off before the version, which another commit took meanwhile.
        ours = f"imageTag=v1.1.0.g{HEAD[:12]}"
        world = [rule("describe-images", ours, out="sha256:1"), rule("describe-images", out="sha256:2")]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assert_refused(answer, "functions:v1.1.0 exists and was built from another commit")

    # back

    def assert_went_back(self, answer: subprocess.CompletedProcess, forth: list[str]) -> None:
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("rolling back to v1.0.0", answer.stdout)
        back = [(stack, f"out/deploy/{stack}.previous.yaml") for stack in BACKWARDS]
        self.assertEqual(self.change_sets(), [(stack, f"infra/{stack}.yaml") for stack in forth] + back)
        self.assertEqual(self.executed()[-3:], BACKWARDS)
        kept = (self.tree / "out/deploy/pipeline.previous.yaml").read_text()
        self.assertEqual(kept.strip(), "Resources: {}")

    def test_a_failed_photo_rolls_back(self) -> None:
        answer = self.run_script("stage", "v1.1.0", "--yes", world=[rule("get-item", out="failed", times=1)])
        self.assert_went_back(answer, ["storage", "gpu", "pipeline", "operations"])
        self.assertIn("v1.0.0 runs again", answer.stdout)

    def test_a_record_that_does_not_come_rolls_back(self) -> None:
        world = [rule("get-item", out="None")]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world, environment={"WALKAROUND_SMOKE_S": "1"})
        self.assert_went_back(answer, ["storage", "gpu", "pipeline", "operations"])
        self.assertIn("no final record within 1 s", answer.stdout)
        self.assertIn("the new version is not the cause", answer.stdout)

    def test_a_stack_that_fails_rolls_back(self) -> None:
        # However long it takes: whether it failed, the stack's own state says.
        world = [
            state("UPDATE_IN_PROGRESS", "walkaround-stage-pipeline", times=5),
            state("UPDATE_ROLLBACK_IN_PROGRESS", "walkaround-stage-pipeline", times=5),
            state("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "walkaround-stage-pipeline", times=1),
            state("UPDATE_ROLLBACK_COMPLETE", "walkaround-stage-pipeline", times=1),
        ]
        answer = self.run_script("stage", "v1.1.0", "--yes", world=world)
        self.assert_went_back(answer, ["storage", "gpu", "pipeline"])
        self.assertEqual(len(self.calls("describe-stack-events")), 1)

    def test_nothing_goes_back_from_a_state_that_is_not_final(self) -> None:
        silent = rule("describe-stacks --stack-name walkaround-stage-gpu --output json", error="ExpiredToken", code=254)
        answer = self.run_script("stage", "v1.1.0", "--yes", world=[silent])
        self.assertEqual(answer.returncode, 1, answer.stdout)
        self.assertIn("walkaround-stage-gpu: CloudFormation may still be working", answer.stdout)
        self.assertIn("nothing is rolled back", answer.stdout)
        self.assertEqual(self.executed(), ["storage", "gpu"])

    def test_a_state_that_cannot_be_read_for_a_while_is_read_again(self) -> None:
        silent = rule(
            "describe-stacks --stack-name walkaround-stage-gpu --output json", error="slow", code=254, times=9
        )
        answer = self.run_script("stage", "v1.1.0", "--yes", world=[silent])
        self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_rollback_to_an_image_that_is_not_there(self) -> None:
        self.assert_refused(
            self.run_script("--rollback", "stage", "v1.0.0", "--yes"), "no image walkaround-stage/functions:v1.0.0"
        )

    def test_rollback_by_hand(self) -> None:
        world = [rule("describe-images", "imageTag=v1.0.0", out="sha256:1"), rule("git status", out=" M dirty")]
        answer = self.run_script("--rollback", "stage", "v1.0.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(self.calls("docker build", "docker push"), [])
        self.assertEqual(self.executed(), BACKWARDS)
        values = json.loads((self.tree / "out/deploy/pipeline.parameters.json").read_text())
        self.assertTrue(any(entry["ParameterValue"].endswith("functions:v1.0.0") for entry in values))

    def test_rollback_takes_templates_and_parameters_of_the_tag(self) -> None:
        # Between the two versions the templates took one parameter up and laid another down; CloudFormation refuses
        # parameters that a template does not have.
        parameters = self.tree / "infra/parameters/stage.json"
        values = json.loads(parameters.read_text())
        values["pipeline"]["NewWord"] = "1"
        parameters.write_text(json.dumps(values))
        del values["pipeline"]["NewWord"]
        values["pipeline"]["OldWord"] = "2"
        images = {"pipeline": ["ImageUri"], "gpu": ["WorkerImageUri"], "operations": []}
        takes = {stack: {*values[stack], *images[stack]} for stack in BACKWARDS}
        files = {
            f"infra/{stack}.yaml": "Parameters:\n" + "".join(f"  {name}: {{Type: String}}\n" for name in sorted(names))
            for stack, names in takes.items()
        }
        files["infra/parameters/stage.json"] = json.dumps(values)
        archive = self.home / "archive.tar"
        with tarfile.open(archive, "w") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content.encode()))
        world = [
            rule("describe-images", "imageTag=v1.0.0", out="sha256:1"),
            rule("git rev-parse", "refs/tags/v1.0.0", out=OTHER),
            rule("git archive", file=str(archive)),
        ]
        answer = self.run_script("--rollback", "stage", "v1.0.0", "--yes", world=world)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        folder = "out/deploy/v1.0.0/infra"
        self.assertEqual(self.change_sets(), [(stack, f"{folder}/{stack}.yaml") for stack in BACKWARDS])
        for stack, names in takes.items():
            self.assertEqual((self.tree / folder / f"{stack}.yaml").read_text(), files[f"infra/{stack}.yaml"])
            given = json.loads((self.tree / f"out/deploy/{stack}.parameters.json").read_text())
            self.assertEqual({entry["ParameterKey"] for entry in given}, names, stack)

    def test_rollback_to_a_tag_without_parameters_of_the_stage(self) -> None:
        archive = self.home / "archive.tar"
        with tarfile.open(archive, "w"):
            pass
        world = [
            rule("git rev-parse", "refs/tags/v1.0.0", out=OTHER),
            rule("git archive", file=str(archive)),
        ]
        answer = self.run_script("--rollback", "stage", "v1.0.0", "--yes", world=world)
        self.assert_refused(answer, "no out/deploy/v1.0.0/infra/parameters/stage.json")


if __name__ == "__main__":
    unittest.main()

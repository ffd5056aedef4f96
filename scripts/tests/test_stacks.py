"""Tests of scripts/stacks.py: the whole way on an emulator (storage fails half way, is made again, is deleted, taken in
again, torn down), and what no emulator shows, with answers written here.

The emulator is ministack, as `make setup` puts it into .tools/; where it is not, its test says that it was skipped.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
MINISTACK = ROOT / ".tools" / "ministack"
sys.path.insert(0, str(ROOT / "scripts"))
import stacks

STORAGE = "walkaround-stage-storage"
# Seconds within which the emulator answers, and a stack is made.
PATIENCE_S = 120
# Fails after everything that outlives its stack was made: there is no such function.
PLANTED = """  Planted:
    Type: AWS::Lambda::Url
    DependsOn: [PhotosBucket, ResultsBucket, BundlesBucket, LogsBucket, Table, IntakeDeadQueue, SegmentationDeadQueue]
    Properties: {AuthType: AWS_IAM, TargetFunctionArn: nobody}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@unittest.skipUnless(MINISTACK.is_dir(), "skipped: no ministack in .tools (make setup)")
class OnAnEmulator(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        home = Path(folder.name)
        self.tree = home / "tree"
        shutil.copytree(ROOT / "infra", self.tree / "infra", ignore=shutil.ignore_patterns("tests"))
        (self.tree / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/stacks.py", self.tree / "scripts/stacks.py")
        programs = home / "bin"
        programs.mkdir()
        shutil.copy(ROOT / "scripts/tests/aws_on_emulator.py", programs / "aws_on_emulator.py")
        launcher = programs / "aws"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {programs / "aws_on_emulator.py"} "$@"\n')
        launcher.chmod(0o755)
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "PYTHONPATH": str(MINISTACK),
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "WALKAROUND_STACK_POLL_S": "0.2",
        }
        emulator = subprocess.Popen(
            [sys.executable, str(MINISTACK / "bin/ministack")],
            env={**self.environment, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(emulator.wait)
        self.addCleanup(emulator.kill)
        self.until_ready(emulator)

    def until_ready(self, emulator: subprocess.Popen) -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.assertIsNone(emulator.poll(), "the emulator ended")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/_ministack/health", timeout=5):
                return
            time.sleep(0.1)
        self.fail("the emulator does not answer")

    def aws(self, *arguments: str) -> dict:
        ran = subprocess.run(["aws", *arguments], env=self.environment, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout or "{}")

    def stacks(self, *arguments: str, code: int = 0) -> str:
        ran = subprocess.run(
            [sys.executable, str(self.tree / "scripts/stacks.py"), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)
        return ran.stdout + ran.stderr

    def make(self, template: str, change: str = "create") -> None:
        file = self.tree / "template.yaml"
        file.write_text(template)
        given = [
            {"ParameterKey": "Prefix", "ParameterValue": "walkaround-stage"},
            # The emulator refuses to delete a protected table, as AWS does; stacks.py has to lift that itself.
            {"ParameterKey": "DeletionProtection", "ParameterValue": "true"},
        ]
        call = ("--template-body", f"file://{file}", "--parameters", json.dumps(given))
        self.aws("cloudformation", f"{change}-stack", "--stack-name", STORAGE, *call)

    def test_storage_fails_half_way_is_made_again_and_taken_in_again(self) -> None:
        template = (ROOT / "infra/storage.yaml").read_text()

        # A creation that fails leaves nothing that would refuse the next one its names.
        self.make(template.replace("\nOutputs:\n", f"{PLANTED}\nOutputs:\n", 1))
        self.assertIn("ROLLBACK_COMPLETE", self.stacks("await", STORAGE, "create", code=1))
        self.assertEqual(self.stacks("kept", "stage"), "")
        self.aws("cloudformation", "delete-stack", "--stack-name", STORAGE)
        self.stacks("await", STORAGE, "delete")
        self.make(template)
        self.stacks("await", STORAGE, "create")

        # Deleted by mistake: what holds data is kept, and is taken in again with what is in it.
        bucket = "walkaround-stage-photos-000000000000-eu-central-1"
        for number in range(3):
            body = ("--body", "the photo", "--key", f"in/{number}.jpg")
            self.aws("s3api", "put-object", "--bucket", bucket, *body)
        self.aws("s3api", "delete-object", "--bucket", bucket, "--key", "in/0.jpg")
        self.assertIn("keeps S3", self.stacks("teardown", "stage", code=2))
        self.assertIn("keeps DynamoDB", self.stacks("teardown", "stage", "--yes", "walkaround-stage"))
        kept = self.stacks("kept", "stage").splitlines()
        self.assertEqual(len(kept), 7, kept)
        self.stacks("reimport", "stage", "--yes")
        self.assertEqual(self.stacks("kept", "stage"), "")
        self.make(template, "update")
        self.stacks("await", STORAGE, "update")
        resources = self.aws("cloudformation", "describe-stack-resources", "--stack-name", STORAGE)["StackResources"]
        self.assertIn("IntakeQueue", {one["LogicalResourceId"] for one in resources})
        self.assertEqual(len(self.aws("s3api", "list-objects-v2", "--bucket", bucket)["Contents"]), 2)

        # Torn down with its data, versions and markers too.
        self.stacks("teardown", "stage", "--data", "--yes", "walkaround-production", code=2)
        self.stacks("teardown", "stage", "--data", "--yes", "walkaround-stage")
        self.assertEqual(self.aws("s3api", "list-buckets")["Buckets"], [])
        self.assertEqual(self.aws("dynamodb", "list-tables")["TableNames"], [])
        self.assertIn("nothing of walkaround-stage", self.stacks("teardown", "stage", "--data"))


STAGE = stacks.Stage("stage", "walkaround-stage", "123456789012", "eu-central-1", {"storage": {}})


class Recorded(unittest.TestCase):
    """What scripts/stacks.py calls, and what it makes of answers."""

    def run_with(self, answers: object, *arguments: str) -> tuple[int, str, list[str]]:
        """Exit code, what was said, and the calls. Answers are by the call's first two words."""
        calls: list[str] = []

        def aws(*words: str) -> dict:
            calls.append(" ".join(words))
            answer = answers(calls[-1])
            if isinstance(answer, str):
                raise stacks.AwsError(" ".join(words[:2]), answer)
            return answer

        said = io.StringIO()
        with (
            mock.patch.object(stacks, "aws", aws),
            mock.patch.object(stacks, "stage_of", lambda _: STAGE),
            mock.patch.object(stacks, "STACK_POLL_S", 0),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            return stacks.main(list(arguments)), said.getvalue(), calls

    def test_a_bucket_is_emptied_in_bounded_pages(self) -> None:
        pages = [[{"Key": str(n), "VersionId": "v"} for n in range(size)] for size in (1000, 1000, 7, 0)]

        def answers(call: str) -> dict:
            return {"Versions": pages.pop(0)} if "list-object-versions" in call else {}

        with mock.patch.object(stacks, "aws", lambda *words: answers(" ".join(words))):
            stacks.WORK.mkdir(parents=True, exist_ok=True)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                stacks.empty("bucket")
        self.assertEqual(pages, [])
        self.assertIn("2007 versions deleted", said.getvalue())
        self.assertLessEqual(stacks.PAGE_OBJECTS, 1000, "DeleteObjects takes no more")

    def test_an_object_that_cannot_be_deleted_ends_the_teardown(self) -> None:
        def answers(*words: str) -> dict:
            if "list-object-versions" in words:
                return {"Versions": [{"Key": "a", "VersionId": "v"}]}
            return {"Errors": [{"Key": "a", "Message": "locked"}]}

        with (
            mock.patch.object(stacks, "aws", answers),
            self.assertRaisesRegex(stacks.FailedError, "a cannot be deleted"),
        ):
            stacks.WORK.mkdir(parents=True, exist_ok=True)
            stacks.empty("bucket")

    def test_silence_is_no_absence(self) -> None:
        code, said, calls = self.run_with(
            lambda _: "An error occurred (AccessDenied)", "teardown", "stage", "--yes", "x"
        )
        self.assertEqual((code, len(calls)), (2, 1), said)
        self.assertIn("AWS does not say", said)

    def test_an_operation_is_over_only_in_a_final_state(self) -> None:
        states = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]
        answer = lambda _: {"Stacks": [{"StackStatus": states.pop(0)}]}  # noqa: E731
        self.assertEqual(self.run_with(answer, "await", "s", "update")[0], 0)
        self.assertEqual(states, [])
        states = ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
        self.assertEqual(self.run_with(answer, "await", "s", "update")[0], 1)
        silent = self.run_with(lambda _: "An error occurred (ExpiredToken)", "await", "s", "update")
        self.assertEqual((silent[0], len(silent[2])), (3, stacks.POLL_FAILURES_MAX))
        self.assertGreater(stacks.STACK_WAIT_S, 2 * 36 * 3600, "CloudFormation's longest, there and back")

    def test_what_an_account_has_one_of_is_made_only_where_it_is_not(self) -> None:
        def answers(call: str) -> dict | str:
            if "AWSServiceRoleForECS" in call or "open-id-connect" in call:
                return {}
            return "An error occurred (NoSuchEntity)"

        with mock.patch.object(stacks, "aws") as aws:

            def ask(*words: str) -> dict:
                answer = answers(" ".join(words))
                if isinstance(answer, str):
                    raise stacks.AwsError(" ".join(words[:2]), answer)
                return answer

            aws.side_effect = ask
            found = stacks.singletons(STAGE, "walkaround-stage-bootstrap", None)
        self.assertEqual(
            found,
            {
                "BatchRole": "Create",
                "EcsRole": "Exists",
                "SpotRole": "Create",
                "AutoScalingRole": "Create",
                "OidcProvider": "Exists",
            },
        )

    def test_an_import_has_nothing_but_what_it_imports(self) -> None:
        kept = stacks.kept_by(STAGE, "storage")
        self.assertEqual(len(kept), 7)
        self.assertIn("walkaround-stage-photos-123456789012-eu-central-1", {one.name for one in kept})
        text = stacks.import_template((ROOT / "infra/storage.yaml").read_text(), kept)
        for word in ("DependsOn", "NotificationConfiguration", "Outputs:", "IntakeQueue.Arn", "IntakeQueuePolicy"):
            self.assertNotIn(word, text)
        self.assertEqual(text.count("    DeletionPolicy: RetainExceptOnCreate\n"), 7)
        existing = STAGE._replace(parameters={"storage": {"ExistingPhotosBucket": "theirs"}})
        self.assertNotIn("theirs", {one.name for one in stacks.kept_by(existing, "storage")})
        self.assertEqual(len(stacks.kept_by(existing, "storage")), 6)
        repositories = {one.name for one in stacks.kept_by(STAGE, "bootstrap")}
        self.assertEqual(repositories, {"walkaround-stage/functions", "walkaround-stage/worker"})


if __name__ == "__main__":
    unittest.main()

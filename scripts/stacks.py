#!/usr/bin/env python3
"""Stacks of a stage apart from its deployments: bootstrap, teardown, and re-import of what a deleted stack left.

    stacks.py bootstrap STAGE [--yes]                  create or update PREFIX-bootstrap (infra/bootstrap.yaml)
    stacks.py reimport STAGE [--yes]                   import retained buckets, table, queues and repositories
    stacks.py teardown STAGE [--data] [--bootstrap] [--yes PREFIX]
                                                       delete the stacks; --data deletes what they leave, too
    stacks.py kept STAGE                               print what exists of it without its stack
    stacks.py await STACK create|update|import|delete  wait until the operation on a stack is over

All calls go through the AWS CLI. Exit code 0: done. 1: failed. 2: refused, nothing was changed. 3 (await): the
operation may still run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"
WORK = ROOT / "out" / "deploy"

# CloudFormation may take 36 hours for one resource (timeoutInMinutes of a resource type is 2,160 at most), and as long
# to undo it: after this long, an operation is not waited for any more.
STACK_WAIT_S = 73 * 3600
# Seconds between two checks of a stack.
STACK_POLL_S = float(os.environ.get("WALKAROUND_STACK_POLL_S", "10"))
# Checks in a row that may fail (throttling, a network outage) before waiting ends.
POLL_FAILURES_MAX = 30
# Checks of a change set that is being created: ten minutes by default.
CHANGE_SET_POLLS_MAX = 60
# Objects of one page, which is also the most that DeleteObjects accepts, and the pages of one bucket.
PAGE_OBJECTS = 1000
PAGES_MAX = 1_000_000

SUCCEEDED = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
# Stacks in the order in which they are deleted: an export that another stack imports cannot be deleted.
BACKWARDS = ("operations", "console", "pipeline", "gpu", "storage")
# Types that are imported: the property with the name, and what CloudFormation identifies them by.
IMPORTED = {
    "AWS::S3::Bucket": ("BucketName", "BucketName"),
    "AWS::DynamoDB::Table": ("TableName", "TableName"),
    "AWS::SQS::Queue": ("QueueName", "QueueUrl"),
    "AWS::ECR::Repository": ("RepositoryName", "RepositoryName"),
}
# What an account has one of: parameter of bootstrap.yaml, and the service-linked role.
SERVICE_ROLES = {
    "BatchRole": "AWSServiceRoleForBatch",
    "EcsRole": "AWSServiceRoleForECS",
    "SpotRole": "AWSServiceRoleForEC2Spot",
    "AutoScalingRole": "AWSServiceRoleForAutoScaling",
}
GITHUB = "token.actions.githubusercontent.com"


class RefusedError(Exception):
    """Nothing was changed; the message says why."""


class FailedError(Exception):
    """Something failed; the message says what, and what to try."""


class AwsError(Exception):
    """A call that AWS answered with an error."""

    def __init__(self, call: str, text: str) -> None:
        lines = text.strip().splitlines() or ["no answer"]
        super().__init__(f"{call}: {lines[-1]}")
        self.text = text


def aws(*arguments: str) -> dict:
    """The answer to a call; an empty one if the call has no answer."""
    ran = subprocess.run(["aws", *arguments, "--output", "json"], capture_output=True, text=True)
    if ran.returncode != 0:
        raise AwsError(" ".join(arguments[:2]), ran.stderr or ran.stdout)
    return json.loads(ran.stdout) if ran.stdout.strip() else {}


def present(missing: tuple[str, ...], *arguments: str) -> dict | None:
    """The answer, or nothing where AWS says that there is none; any other error does not mean that."""
    try:
        return aws(*arguments)
    except AwsError as error:
        if any(word in error.text for word in missing):
            return None
        raise RefusedError(f"AWS does not say whether it exists: {error}") from error


def say(text: str) -> None:
    print(f"stacks: {text}", flush=True)


# --- the stage and its templates


class Stage(NamedTuple):
    """A stage in an account and region."""

    name: str
    prefix: str
    account: str
    region: str
    parameters: dict[str, dict[str, str]]

    def stack(self, name: str) -> str:
        return f"{self.prefix}-{name}"


def stage_of(name: str) -> Stage:
    path = INFRA / "parameters" / f"{name}.json"
    if name not in ("stage", "production") or not path.is_file():
        raise RefusedError(f"no such stage: `{name}` (stage, production)")
    parameters = json.loads(path.read_text())
    try:
        account = aws("sts", "get-caller-identity")["Account"]
    except (AwsError, KeyError) as error:
        raise RefusedError(
            f"AWS does not know who you are ({error}): sign in (aws sso login), or set AWS_PROFILE"
        ) from error
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        ran = subprocess.run(["aws", "configure", "get", "region"], capture_output=True, text=True)
        region = ran.stdout.strip()
    if not region:
        raise RefusedError("no region: set AWS_REGION")
    prefix = parameters.get("storage", {}).get("Prefix") or f"walkaround-{name}"
    return Stage(name, prefix, account, region, parameters)


class Kept(NamedTuple):
    """A resource of a template that outlives its stack."""

    stack: str
    logical: str
    kind: str
    name: str
    block: str

    def __str__(self) -> str:
        return f"{self.kind.split('::')[1]} {self.name}"


def blocks(template: str) -> list[tuple[str, str]]:
    """(logical id, text) of each resource of a template as the files of infra/ are written."""
    body = template.split("\nResources:\n", 1)[1].split("\nOutputs:\n", 1)[0]
    parts = re.split(r"^  (?=[A-Za-z0-9]+:$)", body, flags=re.MULTILINE)[1:]
    return [(part.split(":", 1)[0], "  " + part) for part in parts]


def kept_by(stage: Stage, stack: str) -> list[Kept]:
    """What the template of a stack retains, and can be imported, under its names in this stage."""
    found = []
    for logical, block in blocks((INFRA / f"{stack}.yaml").read_text()):
        kind = re.search(r"^    Type: (\S+)$", block, re.MULTILINE).group(1)
        if "    DeletionPolicy: RetainExceptOnCreate\n" not in block or kind not in IMPORTED:
            continue
        if logical == "PhotosBucket" and stage.parameters.get(stack, {}).get("ExistingPhotosBucket"):
            continue
        written = re.search(rf"^      {IMPORTED[kind][0]}: !Sub (\S+)$", block, re.MULTILINE).group(1)
        for word, value in (("Prefix", stage.prefix), ("AWS::AccountId", stage.account), ("AWS::Region", stage.region)):
            written = written.replace(f"${{{word}}}", value)
        found.append(Kept(stack, logical, kind, written, block))
    return found


def exists(kept: Kept) -> bool:
    if kept.kind == "AWS::S3::Bucket":
        return (
            present(("(404)", "Not Found", "NoSuchBucket"), "s3api", "head-bucket", "--bucket", kept.name) is not None
        )
    if kept.kind == "AWS::DynamoDB::Table":
        call = ("dynamodb", "describe-table", "--table-name", kept.name)
        return present(("ResourceNotFoundException",), *call) is not None
    if kept.kind == "AWS::SQS::Queue":
        return queue_url(kept.name) is not None
    call = ("ecr", "describe-repositories", "--repository-names", kept.name)
    return present(("RepositoryNotFoundException",), *call) is not None


def queue_url(name: str) -> str | None:
    answer = present(("NonExistentQueue", "QueueDoesNotExist"), "sqs", "get-queue-url", "--queue-name", name)
    return answer["QueueUrl"] if answer else None


def orphans(stage: Stage, stack: str) -> list[Kept]:
    """What a stack left when it was deleted: nothing while there is the stack."""
    if status(stage.stack(stack)) not in (None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        return []
    return [kept for kept in kept_by(stage, stack) if exists(kept)]


# --- operations on stacks


def status(name: str) -> str | None:
    """Of a stack; nothing where there is none."""
    answer = present(("does not exist",), "cloudformation", "describe-stacks", "--stack-name", name)
    return answer["Stacks"][0]["StackStatus"] if answer else None


def await_stack(name: str, operation: str) -> bool | None:
    """Waits until an operation is over. True: as wanted. False: CloudFormation undid it. None: not known."""
    failures, began, seen = 0, time.monotonic(), None
    while time.monotonic() - began < STACK_WAIT_S:
        try:
            now = status(name)
            failures = 0
        except RefusedError as error:
            failures += 1
            if failures >= POLL_FAILURES_MAX:
                print(f"stacks: {name}: {error}", file=sys.stderr)
                return None
            time.sleep(STACK_POLL_S)
            continue
        if now != seen:
            say(f"{name}: {now or 'is gone'}")
            seen = now
        if now is None or now == "DELETE_COMPLETE":
            return operation == "delete"
        if not now.endswith("_IN_PROGRESS"):
            # A deletion that was only just asked for may not show yet, but ends in one of these only when it failed.
            return now in SUCCEEDED and operation != "delete"
        time.sleep(STACK_POLL_S)
    print(f"stacks: {name}: still {seen} after {STACK_WAIT_S // 3600} hours", file=sys.stderr)
    return None


def finish(name: str, operation: str) -> None:
    done = await_stack(name, operation)
    if done is None:
        raise FailedError(f"{name}: the {operation} may still run; check the stack, then start this again")
    if not done:
        raise FailedError(
            f"{name}: the {operation} failed: aws cloudformation describe-stack-events --stack-name {name}"
        )


def delete_stack(name: str) -> None:
    aws("cloudformation", "delete-stack", "--stack-name", name)
    finish(name, "delete")


def change_set(name: str, kind: str, template: Path, parameters: dict[str, str], *more: str) -> bool:
    """Creates and executes a change set. False if there is nothing to change."""
    change = f"walkaround-{kind.lower()}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    given = WORK / f"{name}.parameters.json"
    given.write_text(json.dumps(pairs))
    which = ("--stack-name", name, "--change-set-name", change)
    capabilities = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
    source = ("--template-body", f"file://{template}", "--parameters", f"file://{given}")
    aws("cloudformation", "create-change-set", *which, "--change-set-type", kind, *source, *capabilities, *more)
    for _ in range(CHANGE_SET_POLLS_MAX):
        made = aws("cloudformation", "describe-change-set", *which)
        if made["Status"] == "FAILED":
            reason = made.get("StatusReason", "no reason given")
            if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                aws("cloudformation", "delete-change-set", *which)
                return False
            raise FailedError(f"{name}: the change set cannot be created: {reason}")
        if made["Status"] == "CREATE_COMPLETE":
            aws("cloudformation", "execute-change-set", *which)
            finish(name, kind.lower())
            return True
        time.sleep(STACK_POLL_S)
    raise FailedError(f"{name}: the change set {change} is still not created: check it in the console")


def confirmed(question: str, wanted: str, given: str | None) -> None:
    """Refuses unless the wanted word was given, or is typed."""
    if given is None and sys.stdin.isatty():
        given = input(f"stacks: {question} Type {wanted} to continue: ").strip()
    if given != wanted:
        raise RefusedError(f"not confirmed: expected {wanted}")


# --- bootstrap


def bootstrap(stage: Stage, yes: bool) -> None:
    name = stage.stack("bootstrap")
    left = orphans(stage, "bootstrap")
    if left:
        raise RefusedError(f"{', '.join(map(str, left))} exist without {name}: make reimport STAGE={stage.name} first")
    was = status(name)
    if was and was.endswith("_IN_PROGRESS") and was != "REVIEW_IN_PROGRESS":
        raise RefusedError(f"{name} is in {was}: wait until that is over")
    values = {**stage.parameters.get("bootstrap", {}), **singletons(stage, name, was)}
    for key, value in values.items():
        say(f"{name}: {key}={value}")
    confirmed(f"Create or update {name} in {stage.region} of account {stage.account}?", "yes", "yes" if yes else None)
    if was == "ROLLBACK_COMPLETE":
        delete_stack(name)
        was = None
    kind = "CREATE" if was in (None, "REVIEW_IN_PROGRESS") else "UPDATE"
    tags = ("--tags", f"Key=walkaround,Value={stage.prefix}")
    if not change_set(name, kind, INFRA / "bootstrap.yaml", values, *tags):
        say(f"{name}: nothing to change")
    for output in aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0].get("Outputs", []):
        say(f"{output['OutputKey']}: {output['OutputValue']}")


def singletons(stage: Stage, name: str, was: str | None) -> dict[str, str]:
    """Create or Exists, for what an account has one of. A stack that made one goes on saying Create."""
    if was not in (None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        stack = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
        before = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
        return {key: before[key] for key in ("OidcProvider", *SERVICE_ROLES) if key in before}
    missing = ("NoSuchEntity",)
    found = {
        key: present(missing, "iam", "get-role", "--role-name", role) is not None for key, role in SERVICE_ROLES.items()
    }
    arn = f"arn:aws:iam::{stage.account}:oidc-provider/{GITHUB}"
    call = ("iam", "get-open-id-connect-provider", "--open-id-connect-provider-arn", arn)
    found["OidcProvider"] = present(missing, *call) is not None
    return {key: "Exists" if there else "Create" for key, there in found.items()}


# --- taking in again


def import_template(template: str, kept: list[Kept]) -> str:
    """The template with nothing but these resources. An import changes nothing else: it takes no outputs, and what
    refers to resources that are not there yet comes with the next deployment."""
    head = template.split("\nResources:\n", 1)[0]
    body = "".join(standalone(one.block) for one in kept)
    return f"{head}\nResources:\n{body}"


def standalone(block: str) -> str:
    block = re.sub(r"^    DependsOn: .*\n", "", block, flags=re.MULTILINE)
    # A property and all that is indented below it.
    block = re.sub(r"^      NotificationConfiguration:.*\n(?:^ {8,}.*\n)*", "", block, flags=re.MULTILINE)
    return re.sub(r"^ *#.*\n", "", block, flags=re.MULTILINE).rstrip() + "\n"


def reimport(stage: Stage, yes: bool) -> None:
    for stack in ("bootstrap", "storage"):
        left, name = orphans(stage, stack), stage.stack(stack)
        if not left:
            say(f"{name}: nothing to import")
            continue
        for one in left:
            say(f"{name} would import {one}")
        confirmed(f"Import these into {name}?", "yes", "yes" if yes else None)
        if status(name) == "ROLLBACK_COMPLETE":
            delete_stack(name)
        template = WORK / f"{stack}.import.yaml"
        template.write_text(import_template((INFRA / f"{stack}.yaml").read_text(), left))
        wanted = [
            {
                "ResourceType": one.kind,
                "LogicalResourceId": one.logical,
                "ResourceIdentifier": {IMPORTED[one.kind][1]: identifier(one)},
            }
            for one in left
        ]
        resources = WORK / f"{stack}.import.json"
        resources.write_text(json.dumps(wanted))
        known = re.findall(r"^  (\w+):$", template.read_text().split("\nConditions:\n")[0], re.MULTILINE)
        given = {key: value for key, value in stage.parameters.get(stack, {}).items() if key in known}
        change_set(name, "IMPORT", template, given, "--resources-to-import", f"file://{resources}")
        then = f"make {'bootstrap' if stack == 'bootstrap' else 'deploy'} STAGE={stage.name}"
        say(f"{name}: imported; {then} creates the rest")


def identifier(kept: Kept) -> str:
    return (queue_url(kept.name) or kept.name) if kept.kind == "AWS::SQS::Queue" else kept.name


# --- teardown


def teardown(stage: Stage, data: bool, with_bootstrap: bool, given: str | None) -> None:
    stacks = [*BACKWARDS, *(["bootstrap"] if with_bootstrap else [])]
    there = [name for name in map(stage.stack, stacks) if status(name) is not None]
    kept = [
        one for stack in ("storage", "bootstrap") if stack in stacks for one in kept_by(stage, stack) if exists(one)
    ]
    if not there and not (kept and data):
        say(f"nothing of {stage.prefix} is in {stage.region} of account {stage.account}")
        return
    say(f"{stage.prefix} in {stage.region} of account {stage.account}")
    for name in there:
        say(f"  deletes the stack {name}")
    for one in kept:
        say(f"  {'DELETES, with all that is in it,' if data else 'keeps'} {one}")
    if data and stage.name == "production":
        say("  this is production, and what is deleted cannot be brought back")
    confirmed("This cannot be undone.", stage.prefix, given)
    for name in there:
        say(f"deleting {name}")
        delete_stack(name)
    if not data:
        say(f"kept: {', '.join(map(str, kept)) or 'nothing'}; make reimport STAGE={stage.name} takes it in again")
        return
    for one in kept:
        if exists(one):
            remove(one)


def remove(kept: Kept) -> None:
    """Deletes one retained resource and what is in it."""
    say(f"deleting {kept}")
    if kept.kind == "AWS::S3::Bucket":
        empty(kept.name)
        aws("s3api", "delete-bucket", "--bucket", kept.name)
    elif kept.kind == "AWS::DynamoDB::Table":
        aws("dynamodb", "update-table", "--table-name", kept.name, "--no-deletion-protection-enabled")
        aws("dynamodb", "wait", "table-exists", "--table-name", kept.name)
        aws("dynamodb", "delete-table", "--table-name", kept.name)
    elif kept.kind == "AWS::SQS::Queue":
        aws("sqs", "delete-queue", "--queue-url", identifier(kept))
    else:
        aws("ecr", "delete-repository", "--repository-name", kept.name, "--force")


def empty(bucket: str) -> None:
    """Deletes every version and every marker, a page at a time, each page from the beginning."""
    total = 0
    for _ in range(PAGES_MAX):
        # One page only: the CLI would otherwise read all of them into memory first.
        page = aws(
            "s3api", "list-object-versions", "--bucket", bucket, "--max-keys", str(PAGE_OBJECTS), "--no-paginate"
        )
        found = [*(page.get("Versions") or []), *(page.get("DeleteMarkers") or [])]
        if not found:
            break
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        request = WORK / "delete-objects.json"
        request.write_text(json.dumps({"Objects": objects, "Quiet": True}))
        answer = aws("s3api", "delete-objects", "--bucket", bucket, "--delete", f"file://{request}")
        if answer.get("Errors"):
            worst = answer["Errors"][0]
            raise FailedError(f"{bucket}: {worst.get('Key')} cannot be deleted: {worst.get('Message')}")
        total += len(objects)
        say(f"{bucket}: {total} versions deleted")
    uploads = aws("s3api", "list-multipart-uploads", "--bucket", bucket, "--max-uploads", "1000", "--no-paginate")
    for one in uploads.get("Uploads") or []:
        which = ("--bucket", bucket, "--key", one["Key"], "--upload-id", one["UploadId"])
        aws("s3api", "abort-multipart-upload", *which)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="stacks.py", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("bootstrap", "reimport", "teardown", "kept"):
        command = commands.add_parser(name)
        command.add_argument("stage")
        if name in ("bootstrap", "reimport"):
            command.add_argument("--yes", action="store_true")
    commands.choices["teardown"].add_argument("--data", action="store_true")
    commands.choices["teardown"].add_argument("--bootstrap", action="store_true")
    commands.choices["teardown"].add_argument("--yes", metavar="PREFIX")
    waiting = commands.add_parser("await")
    waiting.add_argument("stack")
    waiting.add_argument("operation", choices=["create", "update", "import", "delete"])
    given = parser.parse_args(arguments)
    try:
        if given.command == "await":
            return {True: 0, False: 1, None: 3}[await_stack(given.stack, given.operation)]
        stage = stage_of(given.stage)
        WORK.mkdir(parents=True, exist_ok=True)
        if given.command == "bootstrap":
            bootstrap(stage, given.yes)
        elif given.command == "reimport":
            reimport(stage, given.yes)
        elif given.command == "teardown":
            teardown(stage, given.data, given.bootstrap, given.yes)
        else:
            for one in [*orphans(stage, "bootstrap"), *orphans(stage, "storage")]:
                print(one)
    except RefusedError as why:
        print(f"stacks: refused: {why}", file=sys.stderr)
        return 2
    except (FailedError, AwsError) as why:
        print(f"stacks: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

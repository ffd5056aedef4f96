"""Rules for what makes a deployment repeatable: what outlives its stack, and what an account has one of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from templates import Templates, resources, text

# What holds data, and the queues whose messages nobody may lose.
HOLDS_DATA = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::ECR::Repository"}
ONE_OF_EACH = {"AWS::IAM::ServiceLinkedRole", "AWS::IAM::OIDCProvider"}
# Days after which an image without a tag goes, at most.
UNTAGGED_DAYS_MAX = 14


def kept(templates: Templates) -> Iterator[str]:
    """What holds data outlives its stack, but not a creation that failed: its name would refuse every later one."""
    for template in templates.values():
        for name, resource in template["Resources"].items():
            policy, replaced = resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")
            dead = resource["Type"] == "AWS::SQS::Queue" and "RedriveAllowPolicy" in resource["Properties"]
            if policy == "Retain":
                yield f"{name}: a creation that fails leaves it, and the next one is refused its name"
            if resource["Type"] in HOLDS_DATA | ONE_OF_EACH or dead:
                if policy != "RetainExceptOnCreate":
                    yield f"{name}: goes with its stack"
                if replaced != "Retain":
                    yield f"{name}: goes when it is replaced"


def repositories(templates: Templates) -> Iterator[str]:
    """Lambda may read its image, and old images go."""
    found = dict(resources(templates, "AWS::ECR::Repository"))
    if {text(of["RepositoryName"]) for of in found.values()} != {"${Prefix}/functions", "${Prefix}/worker"}:
        yield f"repositories: {sorted(found)}, scripts/deploy.sh pushes functions and worker"
    for name, of in found.items():
        if of.get("ImageTagMutability") != "IMMUTABLE":
            yield f"{name}: tags move"
        rules = json.loads(
            re.sub(r"\$\{\w+\}", "1", text(of.get("LifecyclePolicy", {}).get("LifecyclePolicyText", "{}")))
        )
        kinds = {rule["selection"]["tagStatus"]: rule["selection"] for rule in rules.get("rules", [])}
        if kinds.get("untagged", {}).get("countNumber", UNTAGGED_DAYS_MAX + 1) > UNTAGGED_DAYS_MAX:
            yield f"{name}: keeps layers of pushes that broke off"
        if kinds.get("any", {}).get("countType") != "imageCountMoreThan":
            yield f"{name}: keeps every version, of gigabytes each"
    allowed = found.get("FunctionsRepository", {}).get("RepositoryPolicyText", {}).get("Statement", [])
    for statement in allowed:
        source = text(statement.get("Condition", {}).get("ArnLike", {}).get("aws:SourceArn", ""))
        if ":function:${Prefix}-*" not in source:
            yield "FunctionsRepository: functions of others may read it"
    can = {a for s in allowed if s["Principal"] == {"Service": "lambda.amazonaws.com"} for a in s["Action"]}
    for action in {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} - can:
        yield f"FunctionsRepository: Lambda may not {action}"


def singletons(templates: Templates) -> Iterator[str]:
    """What an account has one of is made only where it is not there yet."""
    for stack, template in templates.items():
        for name, resource in template["Resources"].items():
            if resource["Type"] in ONE_OF_EACH and "Condition" not in resource:
                yield f"{name}: {stack} cannot be made where the account has it"

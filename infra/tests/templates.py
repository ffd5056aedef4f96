"""The templates as plain data, and ways through them.

cfn-lint's loader reads the short tags (`!Ref`, `!Sub`) as the functions they stand for (`{"Ref": ...}`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
NAMES = ("bootstrap", "storage", "pipeline", "gpu", "console", "operations")

Template = dict[str, Any]
Templates = dict[str, Template]


def load() -> Templates:
    """All templates by name, as data that may be changed."""
    return {name: json.loads(json.dumps(cfn_yaml.load(str(INFRA / f"{name}.yaml")))) for name in NAMES}


def changed(templates: Templates, change: Any) -> Templates:
    """A copy that `change` was called with."""
    other = copy.deepcopy(templates)
    change(other)
    return other


def resources(templates: Templates, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(logical id, properties) of all resources of a type."""
    for template in templates.values():
        for name, resource in template["Resources"].items():
            if resource["Type"] == kind:
                yield name, resource.get("Properties", {})


def choices(value: Any) -> list[Any]:
    """What a value may be: both branches of `Fn::If`, lists spread, nothing for `AWS::NoValue`."""
    if isinstance(value, list):
        return [choice for item in value for choice in choices(item)]
    if isinstance(value, dict) and "Fn::If" in value:
        return choices(value["Fn::If"][1]) + choices(value["Fn::If"][2])
    return [] if value == {"Ref": "AWS::NoValue"} else [value]


def text(value: Any) -> str:
    """A value as one text; references stand as `${name}`."""
    if not isinstance(value, dict):
        return str(value)
    if "Ref" in value:
        return f"${{{value['Ref']}}}"
    if "Fn::GetAtt" in value:
        return f"${{{'.'.join(value['Fn::GetAtt'])}}}"
    if "Fn::ImportValue" in value:
        return f"${{import {text(value['Fn::ImportValue'])}}}"
    if "Fn::Sub" in value:
        body = value["Fn::Sub"]
        if isinstance(body, str):
            return body
        for name, of in body[1].items():
            body = [body[0].replace(f"${{{name}}}", " or ".join(text(one) for one in choices(of))), body[1]]
        return body[0]
    return json.dumps(value)


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    return choices(document["Statement"])


def managed_statements(templates: Templates, role: str) -> list[dict[str, Any]]:
    """The statements of all managed policies of a template that are attached to a role."""
    found = []
    for _, properties in resources(templates, "AWS::IAM::ManagedPolicy"):
        if {"Ref": role} in properties.get("Roles", []):
            found += statements(properties["PolicyDocument"])
    return found


def role_statements(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of all policies that stand in a role."""
    return [s for policy in properties.get("Policies", []) for s in statements(policy["PolicyDocument"])]


def attached_statements(templates: Templates) -> Iterator[tuple[str, dict[str, Any]]]:
    """(logical id, statement) of policies on buckets, queues, topics and repositories."""
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for name, properties in resources(templates, kind):
            for statement in statements(properties["PolicyDocument"]):
                yield name, statement
    for name, properties in resources(templates, "AWS::ECR::Repository"):
        if "RepositoryPolicyText" in properties:
            for statement in statements(properties["RepositoryPolicyText"]):
                # A repository's policy names no resource: it is the repository.
                yield name, {"Resource": f"${{{name}.Arn}}", **statement}


def environments(templates: Templates) -> Iterator[tuple[str, dict[str, Any]]]:
    """(logical id, variables) of every function and job definition."""
    for name, properties in resources(templates, "AWS::Lambda::Function"):
        yield name, properties["Environment"]["Variables"]
    for name, properties in resources(templates, "AWS::Batch::JobDefinition"):
        pairs = properties["ContainerProperties"]["Environment"]
        yield name, {pair["Name"]: pair["Value"] for pair in pairs}

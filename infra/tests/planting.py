"""Ways to plant a fault in a copy of the templates."""

from __future__ import annotations

from typing import Any

import templates
from templates import Templates


def properties(t: Templates, stack: str, name: str) -> dict:
    return t[stack]["Resources"][name]["Properties"]


def variables(t: Templates, function: str) -> dict:
    return properties(t, "pipeline", function)["Environment"]["Variables"]


def policy(t: Templates, stack: str, role: str, sid: str) -> dict:
    found = templates.role_statements(properties(t, stack, role))
    return next(statement for statement in found if statement["Sid"] == sid)


def keys(t: Templates, stack: str, role: str, sid: str) -> list:
    """The partitions that a statement lets through."""
    ((_, asked),) = policy(t, stack, role, sid)["Condition"].items()
    return asked["dynamodb:LeadingKeys"]


def put(of: dict, **values: Any) -> None:
    of.update(values)


def drop(of: dict, *names: str) -> None:
    for name in names:
        del of[name]


def allow(t: Templates, stack: str, role: str, statement: dict) -> None:
    whole = {"Sid": "Planted", "Effect": "Allow", **statement}
    properties(t, stack, role)["Policies"][0]["PolicyDocument"]["Statement"].append(whole)

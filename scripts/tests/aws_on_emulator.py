#!/usr/bin/env python3
"""As much of the AWS CLI as scripts/stacks.py calls, on botocore, for an emulator: tests put it into the PATH as `aws`.

The address is that of AWS_ENDPOINT_URL. Options become parameters by the service's own model, as the CLI does it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import botocore.exceptions
import botocore.session
from botocore import xform_name

SERVICES = {"s3api": "s3"}


def value_of(shape: object, words: list[str]) -> object:
    """A value of a shape, as it is written on a command line."""
    kind = shape.type_name
    if kind == "list" and words and not words[0].startswith(("[", "file://")):
        return [value_of(shape.member, [word]) for word in words]
    text = words[0] if words else ""
    if text.startswith("file://"):
        text = Path(text.removeprefix("file://")).read_text()
        return json.loads(text) if kind in ("list", "structure", "map") else text
    if kind == "structure" and not text.startswith("{"):
        return dict(pair.split("=", 1) for pair in text.split(","))
    if kind in ("list", "structure", "map"):
        return json.loads(text)
    return int(text) if kind in ("integer", "long") else text


def parameters_of(shape: object, arguments: list[str]) -> dict:
    given: dict[str, list[str]] = {}
    for word in arguments:
        if word.startswith("--"):
            given[word[2:]] = []
        else:
            given[list(given)[-1]].append(word)
    names = {xform_name(name, "-"): name for name in shape.members}
    found = {}
    for option, words in given.items():
        if option in ("output", "no-paginate"):
            continue
        if option.startswith("no-") and option[3:] in names:
            found[names[option[3:]]] = False
        elif shape.members[names[option]].type_name == "boolean":
            found[names[option]] = True
        else:
            found[names[option]] = value_of(shape.members[names[option]], words)
    return found


def main(arguments: list[str]) -> int:
    service, command, *rest = arguments
    client = botocore.session.get_session().create_client(
        SERVICES.get(service, service), endpoint_url=os.environ["AWS_ENDPOINT_URL"]
    )
    try:
        if command == "wait":
            waiter = client.get_waiter(rest[0].replace("-", "_"))
            waiter.wait(TableName=rest[rest.index("--table-name") + 1])
            return 0
        methods = {xform_name(operation, "-"): operation for operation in client.meta.service_model.operation_names}
        operation = methods[command]
        shape = client.meta.service_model.operation_model(operation).input_shape
        answer = getattr(client, xform_name(operation))(**(parameters_of(shape, rest) if shape else {}))
    except botocore.exceptions.ClientError as error:
        print(error, file=sys.stderr)
        return 254
    answer.pop("ResponseMetadata", None)
    print(json.dumps(answer, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

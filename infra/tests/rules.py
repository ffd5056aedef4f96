"""The rules that the templates keep. Each takes all templates and gives one line for each thing that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

import calls
import people
from templates import (
    ROOT,
    Templates,
    attached_statements,
    choices,
    environments,
    resources,
    role_statements,
    text,
)

# Wildcards in resources that AWS gives no other way for: (action, form of the resource) and why.
ANYTHING = r"\*"
ANY_KEY = r"arn:[^*]+:s3:::[^*]+/\*"
VERSIONS = r"arn:[^*]+:s3:::[^*]+/bundles/[^*]+/versions/\*/files.json"
WILDCARDS = {
    ("xray:PutTraceSegments", ANYTHING): "X-Ray has no resources for these",
    ("xray:PutTelemetryRecords", ANYTHING): "X-Ray has no resources for these",
    ("batch:ListJobs", ANYTHING): "AWS Batch lists and describes without resources",
    ("batch:DescribeJobs", ANYTHING): "AWS Batch lists and describes without resources",
    ("batch:TerminateJob", r"arn:[^*]+:job/\*"): "the ARN of a job has its id, which nobody knows beforehand",
    ("batch:SubmitJob", r"arn:[^*]+:job-definition/[^*]+:\*"): "any revision of the one definition",
    ("batch:TagResource", r"arn:[^*]+:job-definition/[^*]+:\*"): "any revision of the one definition",
    ("dynamodb:Query", r"arn:[^*]+:table/[^*]+/index/\*"): "any index of the one table",
    ("s3:GetObject", ANY_KEY): "any key of a named bucket",
    ("s3:GetObjectVersion", ANY_KEY): "any key of a named bucket",
    ("s3:GetObject", VERSIONS): "any version of the one bundle",
    ("s3:PutObject", ANY_KEY): "any key of a named bucket",
    ("s3:AbortMultipartUpload", ANY_KEY): "any key of a named bucket",
}
# Policies of AWS that may be attached, and why.
MANAGED = {
    "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role": (
        "what the ECS agent needs changes with the agent; the name of the cluster is Batch's own"
    ),
}
# Stores without encryption of ours, and why.
UNENCRYPTED = {"AlarmTopic": "CloudWatch may not use the key that AWS manages for SNS; alarms hold names and numbers"}
# Settings of AWS that no template sets, and why.
UNSET = {"WALKAROUND_HEARTBEAT_FILE": "AWS Batch asks for no health check"}
# How the conditions of roles compare: exactly, and where a value has a wildcard.
OPERATORS = {
    "dynamodb:LeadingKeys": ("ForAllValues:StringEquals", "ForAllValues:StringLike"),
    "aws:ResourceTag/walkaround": ("StringEquals",),
    "s3:prefix": ("StringEquals", "StringLike"),
}
# Variables beside the settings' list, and where they are read.
OTHER_VARIABLES = {
    "WALKAROUND_LOG": ("crates/bootstrap/src/process.rs", '"WALKAROUND_LOG"'),
    "AWS_ENDPOINT_URL": ("", ""),
    # Read by the SDK. Lambda sets it itself.
    "AWS_REGION": ("", ""),
}


def listed(value: object) -> list[str]:
    return [text(one) for one in choices(value if isinstance(value, list) else [value])]


def all_statements(templates: Templates) -> Iterator[tuple[str, dict]]:
    for name, role in resources(templates, "AWS::IAM::Role"):
        for statement in role_statements(role):
            yield name, statement
    yield from attached_statements(templates)


def wildcard_actions(templates: Templates) -> Iterator[str]:
    for name, statement in all_statements(templates):
        if statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
            yield f"{name}: allows all but something"
        for action in listed(statement.get("Action", [])):
            if statement["Effect"] == "Allow" and "*" in action:
                yield f"{name}: allows {action}"


def wildcard_resources(templates: Templates) -> Iterator[str]:
    used = set()
    for name, statement in all_statements(templates):
        if statement["Effect"] != "Allow":
            continue
        for resource in (r for r in listed(statement["Resource"]) if "*" in r):
            for action in listed(statement["Action"]):
                fits = {key for key in WILDCARDS if key[0] == action and re.fullmatch(key[1], resource)}
                used |= fits
                if not fits:
                    yield f"{name}: {action} on {resource}"
    for key in WILDCARDS.keys() - used:
        yield f"{key}: explained, and nowhere needed"


def managed_policies(templates: Templates) -> Iterator[str]:
    for name, role in resources(templates, "AWS::IAM::Role"):
        for policy in listed(role.get("ManagedPolicyArns", [])):
            if policy not in MANAGED:
                yield f"{name}: {policy}"


def public_access(templates: Templates) -> Iterator[str]:
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    tls_only = set()
    for _name, properties in resources(templates, "AWS::S3::BucketPolicy"):
        for statement in choices(properties["PolicyDocument"]["Statement"]):
            plain = statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
            if statement["Effect"] == "Deny" and plain:
                tls_only.add(text(properties["Bucket"]))
    for name, bucket in resources(templates, "AWS::S3::Bucket"):
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if not all(block.get(word) is True for word in closed):
            yield f"{name}: public access is not blocked"
        if bucket.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            yield f"{name}: ACLs count"
        if f"${{{name}}}" not in tls_only:
            yield f"{name}: may be reached without TLS"
    for name, statement in attached_statements(templates):
        principal = statement["Principal"]
        anyone = principal == "*" or "*" in listed(principal.get("AWS", []))
        if statement["Effect"] == "Allow" and anyone:
            yield f"{name}: allows everybody {statement['Action']}"
        of_service = "Service" in principal if isinstance(principal, dict) else True
        if statement["Effect"] == "Allow" and of_service and "aws:Source" not in str(statement.get("Condition")):
            yield f"{name}: a service of AWS may act here for anybody's account"


def encryption(templates: Templates) -> Iterator[str]:
    for name, bucket in resources(templates, "AWS::S3::Bucket"):
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        ways = [way for rule in rules for way in choices(rule.get("ServerSideEncryptionByDefault", []))]
        if {way.get("SSEAlgorithm") for way in ways} != {"aws:kms", "AES256"}:
            yield f"{name}: is not encrypted in both ways"
    for name, queue in resources(templates, "AWS::SQS::Queue"):
        if choices(queue.get("SqsManagedSseEnabled", [])) != [True] or not choices(queue.get("KmsMasterKeyId", [])):
            yield f"{name}: is not encrypted in both ways"
    for name, table in resources(templates, "AWS::DynamoDB::Table"):
        ways = choices(table.get("SSESpecification", []))
        if not ways or not all(way.get("SSEEnabled") is True for way in ways):
            yield f"{name}: is not encrypted"
    for name, topic in resources(templates, "AWS::SNS::Topic"):
        if len(choices(topic.get("KmsMasterKeyId", []))) < (1 if name in UNENCRYPTED else 2):
            yield f"{name}: is not encrypted"
    for name, stream in resources(templates, "AWS::KinesisFirehose::DeliveryStream"):
        if not choices(stream.get("DeliveryStreamEncryptionConfigurationInput", [])):
            yield f"{name}: is not encrypted"
    for name, template in resources(templates, "AWS::EC2::LaunchTemplate"):
        for disk in template["LaunchTemplateData"].get("BlockDeviceMappings", [{}]):
            if disk.get("Ebs", {}).get("Encrypted") is not True:
                yield f"{name}: a disk is not encrypted"
    for name, group in resources(templates, "AWS::Logs::LogGroup"):
        if not choices(group.get("KmsKeyId", [])):
            yield f"{name}: takes no customer key"


def dead_letters(templates: Templates) -> Iterator[str]:
    queues = dict(resources(templates, "AWS::SQS::Queue"))
    redrives = [queue["RedrivePolicy"] for queue in queues.values() if "RedrivePolicy" in queue]
    targets = {text(redrive["deadLetterTargetArn"]) for redrive in redrives}
    attempts = (ROOT / "crates/domain/src/attempts.rs").read_text()
    deliveries = int(re.search(r"DELIVERIES_MAX: u32 = (\d+);", attempts).group(1))
    for name, queue in queues.items():
        if f"${{{name}.Arn}}" in targets:
            continue
        redrive = queue.get("RedrivePolicy")
        dead = queues.get(text(redrive["deadLetterTargetArn"])[2:].split(".")[0]) if redrive else None
        if dead is None:
            yield f"{name}: has no dead letters"
            continue
        if redrive["maxReceiveCount"] != deliveries:
            yield f"{name}: parks before the programs record trouble (not after {deliveries} deliveries)"
        if dead["MessageRetentionPeriod"] <= queue["MessageRetentionPeriod"]:
            yield f"{name}: its dead letters may be gone at once: their age counts from when they were sent"


def least_rights(templates: Templates) -> Iterator[str]:
    roles = dict(resources(templates, "AWS::IAM::Role"))
    roles = {name: role for name, role in roles.items() if name not in people.ROLES}
    for name in roles.keys() ^ calls.USES.keys():
        yield f"{name}: a role, or a program's calls, without the other"
    for name in roles.keys() & calls.USES.keys():
        allowed: dict[str, set[str]] = {}
        for statement in role_statements(roles[name]):
            for action in listed(statement["Action"]):
                allowed.setdefault(action, set()).update(listed(statement["Resource"]))
        needed = {use.action: use.on for use in calls.USES[name]}
        yield from wrong_conditions(name, role_statements(roles[name]))
        for action in allowed.keys() ^ needed.keys():
            yield f"{name}: {action} is {'allowed and never called' if action in allowed else 'called and not allowed'}"
        for action in allowed.keys() & needed.keys():
            yield from wrong_resources(name, action, (allowed[action], needed[action]))


def wrong_conditions(name: str, statements: list[dict]) -> Iterator[str]:
    """Each action is allowed under the conditions of its line, no other and none less."""
    only: dict[str, set] = {}
    for statement in statements:
        asked = set()
        for operator, keys in statement.get("Condition", {}).items():
            for key, values in keys.items():
                # Each key has its operator: `Not`, `IfExists` and the like would let others through.
                like = any("*" in value for value in listed(values))
                if operator not in OPERATORS.get(key, ())[like:]:
                    yield f"{name}: {key} is compared by {operator}"
                asked |= {(key, value) for value in listed(values)}
        for action in listed(statement["Action"]):
            # A statement without a condition lets everything through, whatever others of the action ask for.
            only.setdefault(action, set()).update(asked or {("", "anything")})
    for use in (one for one in calls.USES[name] if one.action in only):
        for key, value in only[use.action] ^ (use.only or {("", "anything")}):
            does = "lets through" if (key, value) in only[use.action] else "does not let through"
            yield f"{name}: {use.action} {does} {key} {value}".replace("  ", " ")


def wrong_resources(name: str, action: str, both: tuple[set[str], frozenset[str]]) -> Iterator[str]:
    allowed, needed = both
    for resource in allowed:
        if not any(one in resource for one in needed):
            yield f"{name}: {action} on {resource}, which it never calls there"
    for one in needed:
        if not any(one in resource for resource in allowed):
            yield f"{name}: {action} on {one} is called and not allowed"


def calls_are_real() -> Iterator[str]:
    """Each line of the table of calls stands in the sources, and each call of the adapters in the table."""
    made = calls.adapter_calls()
    known = {use.call for uses in calls.USES.values() for use in uses} | calls.NOBODYS.keys()
    for call in made - known:
        yield f"{call}: an adapter calls it, and infra/tests/calls.py does not say for whom"
    for call in known - made - {calls.BY_AWS}:
        yield f"{call}: in infra/tests/calls.py, and no adapter calls it"
    for name, uses in calls.USES.items():
        for use in uses:
            path, words = use.used
            if use.call != calls.BY_AWS and words not in (ROOT / path).read_text():
                yield f"{name}: {use.action} is for `{words}`, which {path} does not have"


def one_role_each(templates: Templates) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, function in resources(templates, "AWS::Lambda::Function"):
        role = text(function["Role"])
        if role in seen:
            yield f"{name}: shares {role} with {seen[role]}"
        seen[role] = name


def variables(templates: Templates) -> Iterator[str]:
    source = "".join((ROOT / "crates/settings/src" / name).read_text() for name in ("list.rs", "aws/names.rs"))
    known = set(re.findall(r'"(WALKAROUND_[A-Z0-9_]+)"', source))
    set_somewhere: set[str] = set()
    for name, environment in environments(templates):
        set_somewhere |= environment.keys()
        for variable in environment:
            path, words = OTHER_VARIABLES.get(variable, (None, None))
            if path is None and variable not in known:
                yield f"{name}: {variable} is no setting"
            if path and words not in (ROOT / path).read_text():
                yield f"{name}: {variable} is not read in {path}"
    of_aws = re.findall(r"^\| `(\w+)` \|.*\| \*aws:\* ", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    for variable in (set(of_aws) - set_somewhere) ^ UNSET.keys():
        yield f"{variable}: {'set, and explained as not' if variable in UNSET else 'a setting of AWS that is not set'}"


def function_settings(templates: Templates) -> Iterator[str]:
    queues = dict(resources(templates, "AWS::SQS::Queue"))
    functions = dict(resources(templates, "AWS::Lambda::Function"))
    for name, source in resources(templates, "AWS::Lambda::EventSourceMapping"):
        timeout = functions[source["FunctionName"]["Ref"]]["Timeout"]
        queue = re.search(r":(\w+)Arn\}", text(source["EventSourceArn"])).group(1)
        if queues[queue]["VisibilityTimeout"] != 6 * timeout:
            yield f"{name}: {queue} hides messages for other than six times {timeout} s"
        if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad message fails its batch"
        for word in ("MaximumBatchingWindowInSeconds", "ScalingConfig"):
            if word not in source:
                yield f"{name}: has no {word}"
    for name, group in resources(templates, "AWS::Logs::LogGroup"):
        if not group.get("RetentionInDays"):
            yield f"{name}: is kept for ever"
    for name, function in functions.items():
        if "LogGroup" not in function.get("LoggingConfig", {}):
            yield f"{name}: Lambda makes a log group that is kept for ever"

"""Rules for roles that are no program's: those of people, of deployments, and CloudFormation's (bootstrap.yaml)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from templates import Templates, choices, managed_statements, resources, statements, text

ROLES = {"DeployRole", "CloudFormationRole", "OperatorRole", "ReaderRole"}
BY_CLOUDFORMATION = "CloudFormationRole"
APIS = "ops.apigateway.amazonaws.com"
READS = re.compile(r"\w+:(Get|BatchGet|List|Describe|Query|Filter|Decrypt)\w*")

# Whole services for CloudFormation on what bears the stage's name: which calls its handlers make is AWS's to say.
WHOLE_SERVICES = {
    "s3:*": r"arn:[^*]+:s3:::\$\{Prefix\}-\*",
    "dynamodb:*": r"arn:[^*]+:table/\$\{Prefix\}-\*",
    "sqs:*": r"arn:[^*]+:\$\{Prefix\}-\*",
    "sns:*": r"arn:[^*]+:\$\{Prefix\}-\*",
    "lambda:*": r"arn:[^*]+:function:\$\{Prefix\}-\*",
    "events:*": r"arn:[^*]+:rule/\$\{Prefix\}-\*",
    "logs:*": r"arn:[^*]+:log-group:/walkaround/\$\{Prefix\}/\*",
    "firehose:*": r"arn:[^*]+:deliverystream/\$\{Prefix\}-\*",
    "cloudwatch:*": r"arn:[^*]+:(alarm:\$\{Prefix\}-\*|dashboard/\$\{Prefix\})",
}
# Data that CloudFormation never needs to read or write.
DATA = {"s3:GetObject", "s3:PutObject", "dynamodb:GetItem", "dynamodb:Query", "sqs:ReceiveMessage"}
# Actions on everything, and why.
ANYWHERE = {
    "cloudformation:ValidateTemplate": "has no resource",
    "ecr:GetAuthorizationToken": "has no resource",
    "cloudwatch:DescribeAlarms": "reads names and states of alarms",
    "cloudwatch:GetMetricStatistics": "has no resource",
    "cloudwatch:GetMetricData": "has no resource",
    "logs:DescribeLogGroups": "reads names",
    "lambda:UpdateEventSourceMapping": "an id that nobody knows beforehand; its function is a condition",
}
# Services whose resources have no names of ours: AWS Batch and EC2 name them, event sources have ids.
UNNAMED = re.compile(r"(batch|ec2):\w+|lambda:(\w*EventSourceMappings?|TagResource|ListTags)")


def listed(value: object) -> list[str]:
    return [text(one) for one in choices(value if isinstance(value, list) else [value])]


def allowed(templates: Templates, role: str) -> Iterator[tuple[str, str, dict]]:
    """(action, resource, statement) of all that a role is allowed."""
    for statement in managed_statements(templates, role):
        if statement["Effect"] == "Allow":
            for action in listed(statement["Action"]):
                for resource in listed(statement["Resource"]):
                    yield action, resource, statement


def roles(templates: Templates) -> dict[str, dict]:
    return {name: role for name, role in resources(templates, "AWS::IAM::Role") if name in ROLES}


def named_people(templates: Templates) -> Iterator[str]:
    """Rights of people and deployments are on named things, and only whom the account knows may take the roles up."""
    made = roles(templates)
    for name in ROLES - made.keys():
        yield f"{name}: is not there"
    for name, role in made.items():
        for statement in statements(role["AssumeRolePolicyDocument"]):
            if "*" in listed(statement["Principal"].get("AWS", [])):
                yield f"{name}: anybody may take it up"
        for action, resource, _ in allowed(templates, name):
            if resource == "*" and action not in ANYWHERE and not UNNAMED.fullmatch(action):
                yield f"{name}: {action} on everything"
            if "*" in action and name != BY_CLOUDFORMATION:
                yield f"{name}: allows {action}"
            if action.startswith("iam:") and name != BY_CLOUDFORMATION and action != "iam:PassRole":
                yield f"{name}: changes rights by {action}"
        for action, _, statement in allowed(templates, name):
            if action == "iam:PassRole" and "iam:PassedToService" not in str(statement.get("Condition")):
                yield f"{name}: hands roles to any service"


def readers_only_read(templates: Templates) -> Iterator[str]:
    for action, resource, _ in allowed(templates, "ReaderRole"):
        if not READS.fullmatch(action):
            yield f"ReaderRole: {action} does more than read"
        if action.startswith("s3:") and "-photos-" in resource:
            yield f"ReaderRole: {action} on photos, which are personal data"
        if action == "sqs:ReceiveMessage":
            yield "ReaderRole: hides messages from the programs"
    for action in ("iam:PassRole", "cloudformation:ExecuteChangeSet", "cloudformation:DeleteStack"):
        if action in {one for one, _, _ in allowed(templates, "OperatorRole")}:
            yield f"OperatorRole: {action}, which is for deployments"


def deployments(templates: Templates) -> Iterator[str]:
    """GitHub deploys from one environment of one repository, by CloudFormation's role, and never changes its own."""
    trust = {s.get("Sid"): s for s in statements(roles(templates)["DeployRole"]["AssumeRolePolicyDocument"])}
    asked = trust.get("GitHub", {}).get("Condition", {}).get("StringEquals", {})
    if text(asked.get("token.actions.githubusercontent.com:aud")) != "sts.amazonaws.com":
        yield "DeployRole: takes tokens that were made for others"
    if text(asked.get("token.actions.githubusercontent.com:sub")) != (
        "repo:${GitHubRepository}:environment:${GitHubEnvironment}"
    ):
        yield "DeployRole: other repositories, branches or environments may deploy"
    can = {action for action, _, _ in allowed(templates, "DeployRole")}
    for action in {
        "cloudformation:ExecuteChangeSet",
        "iam:PassRole",
        "ecr:PutImage",
        "ecr:GetAuthorizationToken",
        "s3:PutObject",
        "dynamodb:GetItem",
        "ec2:DescribeAvailabilityZones",
    } - can:
        yield f"DeployRole: scripts/deploy.sh calls {action}, which it is not allowed"
    for action, resource, _ in allowed(templates, "DeployRole"):
        if action == "iam:PassRole" and resource != "${CloudFormationRole.Arn}":
            yield f"DeployRole: hands {resource} to CloudFormation"
    denied = [s for s in managed_statements(templates, "DeployRole") if s["Effect"] == "Deny"]
    if not any("stack/${Prefix}-bootstrap/*" in text(s["Resource"]) for s in denied):
        yield "DeployRole: may change its own rights"


def boundary(templates: Templates) -> Iterator[str]:
    """Every role that a deployment makes stays within the boundary, and no deployment can lift it."""
    for stack in ("pipeline", "gpu", "console", "operations"):
        for name, role in resources({stack: templates[stack]}, "AWS::IAM::Role"):
            if choices(role.get("PermissionsBoundary", [])) != [{"Ref": "BoundaryArn"}]:
                yield f"{name}: has no boundary"
    for action, _, statement in allowed(templates, BY_CLOUDFORMATION):
        changes = re.fullmatch(r"iam:(Create|Put|Attach|Detach|DeleteRolePolicy)(?!ServiceLinkedRole)\w*", action)
        if changes and "InstanceProfile" not in action and "PermissionsBoundary" not in str(statement.get("Condition")):
            yield f"CloudFormationRole: {action} without the boundary"
        if action == "iam:DeleteRolePermissionsBoundary":
            yield f"CloudFormationRole: {action}"
    most = dict(resources(templates, "AWS::IAM::ManagedPolicy")).get("ProgramBoundary", {})
    for statement in statements(most["PolicyDocument"]) if most else []:
        for action in listed(statement["Action"]):
            if action.split(":")[0] in ("iam", "sts", "organizations", "cloudformation", "*"):
                yield f"ProgramBoundary: lets {action} through"


def whole_services(templates: Templates) -> Iterator[str]:
    """CloudFormation has whole services on the stage's own names only, and reads no data."""
    for action, resource, _ in allowed(templates, BY_CLOUDFORMATION):
        if "*" in action and not re.fullmatch(WHOLE_SERVICES.get(action, r"(?!)"), resource):
            yield f"CloudFormationRole: {action} on {resource}"
    denied = {
        action
        for s in managed_statements(templates, BY_CLOUDFORMATION)
        if s["Effect"] == "Deny" and listed(s["Resource"]) == ["*"]
        for action in listed(s["Action"])
    }
    for action in DATA - denied:
        yield f"CloudFormationRole: may {action}"


def service_linked_roles(templates: Templates) -> Iterator[str]:
    """CloudFormation makes the role of API Gateway, which comes with the first domain name, and of no other service."""
    made = [one for one in allowed(templates, BY_CLOUDFORMATION) if one[0] == "iam:CreateServiceLinkedRole"]
    makes_domains = any("::/domainnames" in resource for _, resource, _ in allowed(templates, BY_CLOUDFORMATION))
    if makes_domains and not made:
        yield "CloudFormationRole: a first domain name needs the service-linked role of API Gateway"
    for _, resource, statement in made:
        asked = statement.get("Condition", {}).get("StringEquals", {}).get("iam:AWSServiceName")
        if asked != APIS or not re.search(r":role/aws-service-role/[^*]+/AWSServiceRoleForAPIGateway$", resource):
            yield f"CloudFormationRole: makes service-linked roles of others: {resource}, {asked}"


def providers(templates: Templates) -> Iterator[str]:
    """People sign in over TLS: an issuer is an address with https, or empty where there may be none."""
    for stack, template in templates.items():
        for name, parameter in template["Parameters"].items():
            if not name.endswith("Issuer"):
                continue
            pattern = parameter.get("AllowedPattern", "")
            for value in ("http://id.example.com", "ftp://id.example.com", "id.example.com", "https://"):
                if re.search(pattern, value):
                    yield f"{stack}: {name} takes {value}"
            if not re.search(pattern, "https://id.example.com/realms/fleet"):
                yield f"{stack}: {name} takes no issuer"

"""Faults planted for the rules on deployments: (rule, what, how, a word of what must be said)."""

from __future__ import annotations

from collections.abc import Callable

import agreements
import people
import repeatable
from planting import drop, properties, put
from templates import Templates


def managed(t: Templates, policy: str, sid: str) -> dict:
    statements = properties(t, "bootstrap", policy)["PolicyDocument"]["Statement"]
    return next(one for one in statements if one.get("Sid") == sid)


def permit(t: Templates, policy: str, action: str, resource: object) -> None:
    statements = properties(t, "bootstrap", policy)["PolicyDocument"]["Statement"]
    statements.append({"Sid": "Planted", "Effect": "Allow", "Action": action, "Resource": resource})


def start(t: Templates, text: str, instead: str) -> None:
    data = properties(t, "gpu", "LaunchTemplate")["LaunchTemplateData"]["UserData"]["Fn::Base64"]
    data["Fn::Sub"] = data["Fn::Sub"].replace(text, instead)


def compute(t: Templates, name: str) -> dict:
    return properties(t, "gpu", name)["ComputeResources"]


def github(t: Templates) -> dict:
    return properties(t, "bootstrap", "DeployRole")["AssumeRolePolicyDocument"]["Statement"][0]["Fn::If"][1]


def lifecycle(t: Templates, of: str, text: str, instead: str) -> None:
    policy = properties(t, "bootstrap", of)["LifecyclePolicy"]["LifecyclePolicyText"]
    policy["Fn::Sub"] = policy["Fn::Sub"].replace(text, instead)


def resource(t: Templates, stack: str, name: str) -> dict:
    return t[stack]["Resources"][name]


PLANTED: list[tuple[Callable, str, Callable[[Templates], None], str]] = [
    (
        people.service_linked_roles,
        "no role for API Gateway",
        lambda t: put(managed(t, "ProgramStacksPolicy", "ApisRole"), Action="iam:GetRole"),
        "a first domain name needs",
    ),
    (
        people.service_linked_roles,
        "a role for any service",
        lambda t: drop(managed(t, "ProgramStacksPolicy", "ApisRole"), "Condition"),
        "service-linked roles of others",
    ),
    (
        people.service_linked_roles,
        "any role for a service",
        lambda t: put(managed(t, "ProgramStacksPolicy", "ApisRole"), Resource="*"),
        "service-linked roles of others",
    ),
    (
        people.providers,
        "a provider without TLS",
        lambda t: put(t["console"]["Parameters"]["OidcIssuer"], AllowedPattern="^https?://[^ ]+$"),
        "OidcIssuer takes http://id.example.com",
    ),
    (
        agreements.machines,
        "a host that Spot takes back",
        lambda t: start(t, "SPOT", "NO"),
        "about to take back",
    ),
    (agreements.machines, "user data of one part", lambda t: start(t, "MIME-Version", "X"), "multi-part archive"),
    (
        agreements.machines,
        "no way to a newer machine image",
        lambda t: start(t, "${MachineImageRefresh}", "never"),
        "newer machine image",
    ),
    (
        agreements.machines,
        "a machine image that is no longer made",
        lambda t: compute(t, "SpotEnvironment").update(Ec2Configuration=[{"ImageType": "ECS_AL2_NVIDIA"}]),
        "SpotEnvironment: AWS Batch makes no new environment",
    ),
    (
        agreements.machines,
        "larger instances on demand",
        lambda t: compute(t, "OnDemandEnvironment").update(InstanceTypes={"Ref": "InstanceTypes"}),
        "larger ones than a worker needs",
    ),
    (
        agreements.machines,
        "two zones",
        lambda t: compute(t, "SpotEnvironment").update(Subnets=[{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]),
        "SpotEnvironment: not three zones",
    ),
    (
        agreements.machines,
        "a disk of gp3's own throughput",
        lambda t: put(t["gpu"]["Parameters"]["VolumeMiBs"], Default=125),
        "125 MiB a second",
    ),
    (
        agreements.machines,
        "a delay that AWS Batch refuses",
        lambda t: put(t["gpu"]["Parameters"]["ScaleDownDelayMinutes"], AllowedPattern="^[0-9]+$"),
        "ScaleDownDelayMinutes: takes [1, 2",
    ),
    (
        agreements.thresholds,
        "an alarm beyond the time-out",
        lambda t: put(properties(t, "operations", "TriageDurationAlarm"), Threshold=120_000),
        "TriageDurationAlarm: other than",
    ),
    (
        agreements.thresholds,
        "no alarm on the scaler's time",
        lambda t: drop(t["operations"]["Resources"], "ScalerDurationAlarm"),
        "${Prefix}-scaler: nobody hears",
    ),
    (
        agreements.thresholds,
        "an alarm that flips while somebody looks",
        lambda t: put(properties(t, "operations", "IntakeDeadAlarm"), EvaluationPeriods=1, DatapointsToAlarm=1),
        "IntakeDeadAlarm: is over while",
    ),
    (
        agreements.thresholds,
        "an age below a cold start",
        lambda t: put(t["pipeline"]["Parameters"]["OldestMessageS"], Default=300),
        "every cold start alarms",
    ),
    (
        agreements.deliveries,
        "a topic that nobody watches",
        lambda t: drop(t["operations"]["Resources"], "EventDeliveryAlarm"),
        "${Prefix}-events: no alarm on NumberOfNotificationsFailed",
    ),
    (
        agreements.deliveries,
        "a rule that nobody watches",
        lambda t: put(properties(t, "pipeline", "ScalerRule"), Name="other"),
        "other: no alarm on FailedInvocations",
    ),
    (
        agreements.deliveries,
        "messages of the notifier that are lost",
        lambda t: drop(t["operations"]["Resources"], "NotifierDroppedAlarm"),
        "no alarm on AsyncEventsDropped",
    ),
    (
        agreements.deliveries,
        "a table whose throttles nobody sees",
        lambda t: drop(t["operations"]["Resources"], "TableThrottlesAlarm"),
        "no alarm on WriteThrottleEvents",
    ),
    (
        agreements.deliveries,
        "a blocked queue that nobody hears of",
        lambda t: drop(t["pipeline"]["Resources"], "BlockedQueueRule"),
        "Batch Job Queue Blocked: nobody is told",
    ),
    (
        agreements.deliveries,
        "a notifier without concurrency of its own",
        lambda t: drop(properties(t, "pipeline", "NotifierFunction"), "ReservedConcurrentExecutions"),
        "NotifierFunction: a busy triage",
    ),
    (
        agreements.deliveries,
        "a budget of the whole account",
        lambda t: drop(properties(t, "operations", "Budget")["Budget"], "CostFilters"),
        "counts other stages",
    ),
    (
        agreements.watched,
        "a query that names a group that is not there",
        lambda t: put(
            properties(t, "operations", "Dashboard")["DashboardBody"]["Fn::Sub"][1],
            WorkerSource="| SOURCE '/walkaround/${Prefix}/worker' ",
        ),
        "a stage without workers",
    ),
    (
        people.named_people,
        "a role for anybody",
        lambda t: properties(t, "bootstrap", "ReaderRole")["AssumeRolePolicyDocument"]["Statement"][0].update(
            Principal={"AWS": "*"}
        ),
        "ReaderRole: anybody",
    ),
    (
        people.named_people,
        "an action on everything",
        lambda t: permit(t, "DeployPolicy", "s3:DeleteObject", "*"),
        "DeployRole: s3:DeleteObject on everything",
    ),
    (
        people.named_people,
        "a whole service for a person",
        lambda t: permit(t, "OperatePolicy", "sqs:*", "arn:aws:sqs:::x"),
        "OperatorRole: allows sqs:*",
    ),
    (
        people.named_people,
        "rights for oneself",
        lambda t: permit(t, "OperatePolicy", "iam:PutRolePolicy", "arn:aws:iam:::role/x"),
        "OperatorRole: changes rights",
    ),
    (
        people.named_people,
        "roles for any service",
        lambda t: drop(managed(t, "DeployPolicy", "HandOver"), "Condition"),
        "DeployRole: hands roles to any service",
    ),
    (
        people.readers_only_read,
        "a reader that writes",
        lambda t: permit(t, "ReadPolicy", "dynamodb:PutItem", "arn:aws:dynamodb:::table/x"),
        "dynamodb:PutItem does more than read",
    ),
    (
        people.readers_only_read,
        "a reader of photos",
        lambda t: permit(t, "ReadPolicy", "s3:GetObject", "arn:aws:s3:::walkaround-photos-1/*"),
        "personal data",
    ),
    (
        people.readers_only_read,
        "an operator that deploys",
        lambda t: permit(t, "OperatePolicy", "cloudformation:ExecuteChangeSet", "arn:aws:x"),
        "OperatorRole: cloudformation:ExecuteChangeSet",
    ),
    (
        people.deployments,
        "any branch",
        lambda t: github(t)["Condition"]["StringEquals"].update(
            {"token.actions.githubusercontent.com:sub": {"Fn::Sub": "repo:${GitHubRepository}:*"}}
        ),
        "other repositories, branches",
    ),
    (
        people.deployments,
        "tokens of others",
        lambda t: drop(github(t)["Condition"]["StringEquals"], "token.actions.githubusercontent.com:aud"),
        "made for others",
    ),
    (
        people.deployments,
        "a push that is not allowed",
        lambda t: managed(t, "DeployPolicy", "Images")["Action"].remove("ecr:PutImage"),
        "calls ecr:PutImage",
    ),
    (
        people.deployments,
        "any role for CloudFormation",
        lambda t: put(managed(t, "DeployPolicy", "HandOver"), Resource="arn:aws:iam::1:role/admin"),
        "hands arn:aws:iam::1:role/admin",
    ),
    (
        people.deployments,
        "a deployment that changes its own rights",
        lambda t: put(managed(t, "DeployPolicy", "NotThisStack"), Effect="Allow"),
        "may change its own rights",
    ),
    (
        people.boundary,
        "a role without a boundary",
        lambda t: drop(properties(t, "pipeline", "TriageRole"), "PermissionsBoundary"),
        "TriageRole: has no boundary",
    ),
    (
        people.boundary,
        "roles that may do anything",
        lambda t: drop(managed(t, "NetworkStackPolicy", "MakeRoles"), "Condition"),
        "iam:PutRolePolicy without the boundary",
    ),
    (
        people.boundary,
        "a boundary that may be lifted",
        lambda t: permit(t, "NetworkStackPolicy", "iam:DeleteRolePermissionsBoundary", "arn:aws:iam:::role/x"),
        "iam:DeleteRolePermissionsBoundary",
    ),
    (
        people.boundary,
        "a boundary around nothing",
        lambda t: managed(t, "ProgramBoundary", "Services")["Action"].append("iam:*"),
        "ProgramBoundary: lets iam:*",
    ),
    (
        people.whole_services,
        "a whole service on everything",
        lambda t: put(managed(t, "StorageStackPolicy", "Buckets"), Resource="arn:aws:s3:::*"),
        "s3:* on arn:aws:s3:::*",
    ),
    (
        people.whole_services,
        "photos that CloudFormation reads",
        lambda t: managed(t, "StorageStackPolicy", "NoData")["Action"].remove("s3:GetObject"),
        "CloudFormationRole: may s3:GetObject",
    ),
    (
        repeatable.kept,
        "a bucket that a failed creation leaves",
        lambda t: put(resource(t, "storage", "PhotosBucket"), DeletionPolicy="Retain"),
        "PhotosBucket: a creation that fails leaves it",
    ),
    (
        repeatable.kept,
        "dead letters that go with their stack",
        lambda t: drop(resource(t, "storage", "IntakeDeadQueue"), "DeletionPolicy"),
        "IntakeDeadQueue: goes with its stack",
    ),
    (
        repeatable.kept,
        "a table that is replaced",
        lambda t: drop(resource(t, "storage", "Table"), "UpdateReplacePolicy"),
        "Table: goes when it is replaced",
    ),
    (
        repeatable.repositories,
        "a repository that Lambda may not read",
        lambda t: drop(properties(t, "bootstrap", "FunctionsRepository"), "RepositoryPolicyText"),
        "Lambda may not ecr:BatchGetImage",
    ),
    (
        repeatable.repositories,
        "a repository for functions of others",
        lambda t: put(
            properties(t, "bootstrap", "FunctionsRepository")["RepositoryPolicyText"]["Statement"][0],
            Condition={"ArnLike": {"aws:SourceArn": "arn:aws:lambda:*"}},
        ),
        "functions of others",
    ),
    (
        repeatable.repositories,
        "images for ever",
        lambda t: lifecycle(t, "WorkerRepository", "imageCountMoreThan", "sinceImagePushed"),
        "WorkerRepository: keeps every version",
    ),
    (
        repeatable.repositories,
        "tags that move",
        lambda t: put(properties(t, "bootstrap", "WorkerRepository"), ImageTagMutability="MUTABLE"),
        "WorkerRepository: tags move",
    ),
    (
        repeatable.singletons,
        "a role that the account may have",
        lambda t: drop(resource(t, "bootstrap", "BatchServiceRole"), "Condition"),
        "BatchServiceRole: bootstrap cannot be made",
    ),
]

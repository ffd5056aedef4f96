"""The templates keep every rule, and every rule finds what it is for when it is planted."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import agreements
import calls
import people
import planted_deployments
import repeatable
import rules
import templates
from planting import allow, drop, keys, policy, properties, put, variables
from templates import Templates

RULES: list[Callable[[Templates], Any]] = [
    rules.wildcard_actions,
    rules.wildcard_resources,
    rules.managed_policies,
    rules.public_access,
    rules.encryption,
    rules.dead_letters,
    rules.least_rights,
    rules.one_role_each,
    rules.variables,
    rules.function_settings,
    agreements.table_keys,
    agreements.retries,
    agreements.machines,
    agreements.metrics,
    agreements.thresholds,
    agreements.deliveries,
    agreements.inputs,
    agreements.watched,
    agreements.parameters,
    agreements.workers,
    agreements.exports,
    agreements.sizes,
    people.named_people,
    people.readers_only_read,
    people.deployments,
    people.boundary,
    people.whole_services,
    people.service_linked_roles,
    people.providers,
    repeatable.kept,
    repeatable.repositories,
    repeatable.singletons,
]


def public_queue(t: Templates) -> None:
    document = properties(t, "storage", "IntakeQueuePolicy")["PolicyDocument"]
    document["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "sqs:SendMessage",
            "Resource": "x",
            "Condition": "aws:SourceArn",
        }
    )


def confused_deputy(t: Templates) -> None:
    drop(properties(t, "pipeline", "AlarmTopicPolicy")["PolicyDocument"]["Statement"][0], "Condition")


def unwatched_stream(t: Templates) -> None:
    queries = properties(t, "operations", "LogDeliveryAlarm")["Metrics"]
    properties(t, "operations", "LogDeliveryAlarm")["Metrics"] = [q for q in queries if q["Id"] != "worker"]


def a_number_of_errors(t: Templates) -> None:
    properties(t, "operations", "TriageErrorsAlarm")["Metrics"][0]["Expression"] = "errors"


def unread_log(t: Templates) -> None:
    body = properties(t, "operations", "Dashboard")["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace("SOURCE '/walkaround/${Prefix}/notifier' ", "")


def second_role_user(t: Templates) -> None:
    properties(t, "pipeline", "ScalerFunction")["Role"] = {"Fn::GetAtt": ["TriageRole", "Arn"]}


def unknown_metric(t: Templates) -> None:
    body = properties(t, "operations", "Dashboard")["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace("LiveWorkers", "LivingWorkers")


TABLE_ARN = {"Fn::Sub": ["arn:aws:dynamodb:::table/${Table}", {"Table": {"Fn::ImportValue": "TableName"}}]}
QUEUE_ARN = {"Fn::ImportValue": {"Fn::Sub": "${Prefix}:IntakeQueueArn"}}
ELSEWHERE = {"Fn::ImportValue": {"Fn::Sub": "${Prefix}:SegmentationQueueArn"}}

# (rule, what is planted, how, a word of what must be said)
PLANTED: list[tuple[Callable, str, Callable[[Templates], None], str]] = [
    (
        rules.wildcard_actions,
        "a wildcard action",
        lambda t: allow(t, "pipeline", "TriageRole", {"Action": "sqs:*", "Resource": QUEUE_ARN}),
        "sqs:*",
    ),
    (
        rules.wildcard_actions,
        "a wildcard action in a list",
        lambda t: put(policy(t, "gpu", "WorkerRole", "Results"), Action=["s3:GetObject", "s3:Put*"]),
        "s3:Put*",
    ),
    (
        rules.wildcard_actions,
        "all but an action",
        lambda t: allow(t, "pipeline", "TriageRole", {"NotAction": "iam:PassRole", "Resource": QUEUE_ARN}),
        "all but something",
    ),
    (
        rules.wildcard_resources,
        "a wildcard resource",
        lambda t: put(policy(t, "pipeline", "TriageRole", "Park"), Resource="*"),
        "sqs:SendMessage on *",
    ),
    (
        rules.wildcard_resources,
        "any bucket",
        lambda t: put(policy(t, "gpu", "WorkerRole", "Results"), Resource="arn:aws:s3:::*"),
        "s3:PutObject on arn:aws:s3:::*",
    ),
    (
        rules.wildcard_resources,
        "an explanation that nothing needs",
        lambda t: properties(t, "pipeline", "ScalerRole")["Policies"][0]["PolicyDocument"].update(Statement=[]),
        "nowhere needed",
    ),
    (
        rules.managed_policies,
        "a policy of AWS",
        lambda t: put(
            properties(t, "gpu", "WorkerRole"), ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
        ),
        "AmazonS3FullAccess",
    ),
    (
        rules.public_access,
        "a bucket that may be public",
        lambda t: properties(t, "storage", "PhotosBucket")["PublicAccessBlockConfiguration"].update(
            BlockPublicPolicy=False
        ),
        "PhotosBucket: public access",
    ),
    (
        rules.public_access,
        "a bucket that says nothing",
        lambda t: drop(properties(t, "storage", "LogsBucket"), "PublicAccessBlockConfiguration", "OwnershipControls"),
        "LogsBucket: ACLs",
    ),
    (
        rules.public_access,
        "a bucket without TLS",
        lambda t: drop(t["storage"]["Resources"], "ResultsBucketPolicy"),
        "ResultsBucket: may be reached without TLS",
    ),
    (rules.public_access, "a queue for everybody", public_queue, "allows everybody"),
    (rules.public_access, "a topic for any account's alarms", confused_deputy, "AlarmTopicPolicy"),
    (
        rules.encryption,
        "a bucket",
        lambda t: drop(properties(t, "storage", "ResultsBucket"), "BucketEncryption"),
        "ResultsBucket",
    ),
    (
        rules.encryption,
        "a queue",
        lambda t: drop(properties(t, "storage", "IntakeDeadQueue"), "SqsManagedSseEnabled"),
        "IntakeDeadQueue",
    ),
    (rules.encryption, "a table", lambda t: drop(properties(t, "storage", "Table"), "SSESpecification"), "Table"),
    (rules.encryption, "a topic", lambda t: drop(properties(t, "storage", "Topic"), "KmsMasterKeyId"), "Topic"),
    (
        rules.encryption,
        "a stream",
        lambda t: drop(properties(t, "operations", "TriageDelivery"), "DeliveryStreamEncryptionConfigurationInput"),
        "TriageDelivery",
    ),
    (
        rules.encryption,
        "a disk",
        lambda t: drop(properties(t, "gpu", "LaunchTemplate")["LaunchTemplateData"], "BlockDeviceMappings"),
        "disk",
    ),
    (rules.encryption, "a log", lambda t: drop(properties(t, "gpu", "WorkerLogs"), "KmsKeyId"), "WorkerLogs"),
    (
        rules.dead_letters,
        "a queue without",
        lambda t: drop(properties(t, "storage", "SegmentationQueue"), "RedrivePolicy"),
        "SegmentationQueue: has no dead letters",
    ),
    (
        rules.dead_letters,
        "a queue that parks early",
        lambda t: properties(t, "storage", "IntakeQueue")["RedrivePolicy"].update(maxReceiveCount=3),
        "parks before",
    ),
    (
        rules.dead_letters,
        "dead letters that do not last",
        lambda t: put(properties(t, "storage", "IntakeDeadQueue"), MessageRetentionPeriod=3600),
        "gone at once",
    ),
    (
        rules.least_rights,
        "an action that is never called",
        lambda t: allow(t, "pipeline", "NotifierRole", {"Action": "sqs:DeleteMessage", "Resource": QUEUE_ARN}),
        "NotifierRole: sqs:DeleteMessage is allowed and never called",
    ),
    (
        rules.least_rights,
        "an action on something else",
        lambda t: allow(t, "pipeline", "TriageRole", {"Action": "sqs:ReceiveMessage", "Resource": ELSEWHERE}),
        "SegmentationQueueArn",
    ),
    (
        rules.least_rights,
        "an action that is missing",
        lambda t: put(policy(t, "gpu", "WorkerRole", "Park"), Action="sqs:GetQueueAttributes"),
        "sqs:SendMessage is called and not allowed",
    ),
    (
        rules.least_rights,
        "items without a condition",
        lambda t: drop(policy(t, "pipeline", "NotifierRole", "WhatWasTold"), "Condition"),
        "NotifierRole: dynamodb:PutItem lets through anything",
    ),
    (
        rules.least_rights,
        "a second statement without a condition",
        lambda t: allow(t, "pipeline", "NotifierRole", {"Action": "dynamodb:GetItem", "Resource": TABLE_ARN}),
        "NotifierRole: dynamodb:GetItem lets through anything",
    ),
    (
        rules.least_rights,
        "items of others",
        lambda t: keys(t, "pipeline", "TriageRole", "Records").append("S#*"),
        "TriageRole: dynamodb:PutItem lets through dynamodb:LeadingKeys S#*",
    ),
    (
        rules.least_rights,
        "all items",
        lambda t: keys(t, "gpu", "WorkerRole", "RecordsAndHeartbeats").append("*"),
        "WorkerRole: dynamodb:PutItem lets through dynamodb:LeadingKeys *",
    ),
    (
        rules.least_rights,
        "items that are missing",
        lambda t: keys(t, "pipeline", "ScalerRole", "LockAndLaneState").remove("L#*"),
        "ScalerRole: dynamodb:PutItem does not let through dynamodb:LeadingKeys L#*",
    ),
    (
        rules.least_rights,
        "a console that writes anybody's state",
        lambda t: keys(t, "console", "ConsoleRole", "DecisionsAndSessions").append("S#*"),
        "ConsoleRole: dynamodb:PutItem lets through dynamodb:LeadingKeys S#*",
    ),
    (
        rules.least_rights,
        "a console that cannot keep a session",
        lambda t: keys(t, "console", "ConsoleRole", "DecisionsAndSessions").remove("S#session/*"),
        "ConsoleRole: dynamodb:PutItem does not let through dynamodb:LeadingKeys S#session/*",
    ),
    (
        rules.least_rights,
        "a prefix that is compared letter by letter",
        lambda t: put(
            policy(t, "pipeline", "TriageRole", "Records"),
            Condition={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["I#*"]}},
        ),
        "TriageRole: dynamodb:LeadingKeys is compared by ForAllValues:StringEquals",
    ),
    (
        rules.least_rights,
        "all items but some",
        lambda t: put(
            policy(t, "pipeline", "TriageRole", "LaneAndRollout"),
            Condition={"ForAllValues:StringNotEquals": {"dynamodb:LeadingKeys": ["W"]}},
        ),
        "TriageRole: dynamodb:LeadingKeys is compared by ForAllValues:StringNotEquals",
    ),
    (
        rules.least_rights,
        "a judge that writes any bundle",
        lambda t: put(
            policy(t, "pipeline", "MonitorRole", "ActiveVersion"),
            Resource={"Fn::Sub": "arn:${AWS::Partition}:s3:::${Prefix}-bundles/*"},
        ),
        "MonitorRole: s3:PutObject on arn:${AWS::Partition}:s3:::${Prefix}-bundles/*, which it never calls there",
    ),
    (
        rules.least_rights,
        "a judge that lists every result",
        lambda t: drop(policy(t, "pipeline", "MonitorRole", "Observations"), "Condition"),
        "MonitorRole: s3:ListBucket does not let through s3:prefix canary/*",
    ),
    (
        rules.least_rights,
        "triage that may look at jobs",
        lambda t: put(policy(t, "pipeline", "TriageRole", "Park"), Action=["sqs:SendMessage", "batch:ListJobs"]),
        "TriageRole: batch:ListJobs is allowed and never called",
    ),
    (
        rules.least_rights,
        "anybody's jobs",
        lambda t: drop(policy(t, "pipeline", "ScalerRole", "End"), "Condition"),
        "ScalerRole: batch:TerminateJob lets through anything",
    ),
    (
        rules.least_rights,
        "jobs of another tag",
        lambda t: put(
            policy(t, "pipeline", "ScalerRole", "End"),
            Condition={"StringEquals": {"aws:ResourceTag/walkaround": {"Ref": "Prefix"}}},
        ),
        "does not let through aws:ResourceTag/walkaround ${Prefix}-worker",
    ),
    (
        rules.least_rights,
        "jobs that may not be tagged",
        lambda t: put(policy(t, "pipeline", "ScalerRole", "Start"), Action="batch:SubmitJob"),
        "ScalerRole: batch:TagResource is called and not allowed",
    ),
    (
        rules.least_rights,
        "photos whose version may not be read",
        lambda t: put(policy(t, "gpu", "WorkerRole", "Photos"), Action="s3:GetObject"),
        "WorkerRole: s3:GetObjectVersion is called and not allowed",
    ),
    (
        rules.least_rights,
        "a role that nobody has",
        lambda t: t["gpu"]["Resources"].update(SpareRole={"Type": "AWS::IAM::Role", "Properties": {}}),
        "SpareRole",
    ),
    (rules.one_role_each, "a role of two functions", second_role_user, "shares"),
    (
        rules.variables,
        "a variable that no program reads",
        lambda t: properties(t, "pipeline", "TriageFunction")["Environment"]["Variables"].update(WALKAROUND_SPEED="9"),
        "WALKAROUND_SPEED is no setting",
    ),
    (
        rules.variables,
        "a setting of AWS that nobody sets",
        lambda t: drop(variables(t, "NotifierFunction"), "WALKAROUND_ALERT_SECRET"),
        "WALKAROUND_ALERT_SECRET: a setting of AWS that is not set",
    ),
    (
        rules.function_settings,
        "a short visibility time-out",
        lambda t: put(properties(t, "storage", "IntakeQueue"), VisibilityTimeout=120),
        "six times",
    ),
    (
        rules.function_settings,
        "a batch that fails as one",
        lambda t: drop(properties(t, "pipeline", "TriageEventSource"), "FunctionResponseTypes"),
        "one bad message",
    ),
    (
        rules.function_settings,
        "a log for ever",
        lambda t: drop(properties(t, "pipeline", "ScalerLogs"), "RetentionInDays"),
        "ScalerLogs: is kept for ever",
    ),
    (
        agreements.table_keys,
        "another sort key",
        lambda t: properties(t, "storage", "Table")["KeySchema"][1].update(AttributeName="id"),
        "table.rs has",
    ),
    (
        agreements.table_keys,
        "an index less",
        lambda t: properties(t, "storage", "Table")["GlobalSecondaryIndexes"].pop(),
        "by_review",
    ),
    (
        agreements.table_keys,
        "items that stay",
        lambda t: properties(t, "storage", "Table")["TimeToLiveSpecification"].update(AttributeName="ttl"),
        "expires_at",
    ),
    (
        agreements.table_keys,
        "no way back",
        lambda t: drop(properties(t, "storage", "Table"), "PointInTimeRecoverySpecification"),
        "point in time",
    ),
    (
        agreements.retries,
        "a bad bundle that is tried again",
        lambda t: properties(t, "gpu", "JobDefinition")["RetryStrategy"]["EvaluateOnExit"].insert(
            1, {"OnExitCode": "78", "Action": "RETRY"}
        ),
        "exit code 78",
    ),
    (
        agreements.retries,
        "a sick engine that is not",
        lambda t: properties(t, "gpu", "JobDefinition")["RetryStrategy"]["EvaluateOnExit"].pop(1),
        "exit code 70",
    ),
    (
        agreements.retries,
        "a stall that is not",
        lambda t: properties(t, "gpu", "JobDefinition")["RetryStrategy"]["EvaluateOnExit"].pop(2),
        "exit code 75",
    ),
    (
        agreements.retries,
        "no last rule",
        lambda t: properties(t, "gpu", "JobDefinition")["RetryStrategy"]["EvaluateOnExit"].pop(),
        "where no rule fits",
    ),
    (
        agreements.machines,
        "IMDSv1",
        lambda t: drop(properties(t, "gpu", "LaunchTemplate")["LaunchTemplateData"], "MetadataOptions"),
        "IMDSv2",
    ),
    (
        agreements.machines,
        "a way in",
        lambda t: put(properties(t, "gpu", "WorkerSecurityGroup"), SecurityGroupIngress=[{"CidrIp": "0.0.0.0/0"}]),
        "lets somebody in",
    ),
    (
        agreements.machines,
        "an instance that always runs",
        lambda t: properties(t, "gpu", "SpotEnvironment")["ComputeResources"].update(MinvCpus=4),
        "SpotEnvironment",
    ),
    (agreements.metrics, "a metric that nobody tells", unknown_metric, "LivingWorkers"),
    (
        agreements.metrics,
        "an alarm that tells nobody",
        lambda t: drop(properties(t, "operations", "IntakeDeadAlarm"), "AlarmActions"),
        "tells nobody",
    ),
    (agreements.watched, "a stream that nobody watches", unwatched_stream, "WorkerDelivery"),
    (agreements.watched, "an alarm that counts errors", a_number_of_errors, "TriageFunction: no alarm on the share"),
    (agreements.watched, "a log that nobody reads", unread_log, "NotifierLogs"),
    (
        agreements.parameters,
        "a parameter that is gone",
        lambda t: drop(t["gpu"]["Parameters"], "MaxVcpus"),
        "has no MaxVcpus",
    ),
    (
        agreements.workers,
        "a scaler that looks less often",
        lambda t: put(properties(t, "pipeline", "ScalerRule"), ScheduleExpression="rate(5 minutes)"),
        "the scaler looks every 300 s",
    ),
    (
        agreements.workers,
        "another concurrency",
        lambda t: put(variables(t, "TriageFunction"), WALKAROUND_TRIAGE_PROCESSES="1"),
        "another concurrency",
    ),
    (
        agreements.workers,
        "no time for loading",
        lambda t: drop(variables(t, "ScalerFunction"), "WALKAROUND_START_GRACE_S"),
        "is ended",
    ),
    (
        agreements.workers,
        "less time than a cold start takes",
        lambda t: put(t["pipeline"]["Parameters"]["StartGraceS"], Default=60),
        "StartGraceS",
    ),
    (
        agreements.workers,
        "workers that do not know their time-out",
        lambda t: put(properties(t, "gpu", "JobDefinition"), Timeout={"AttemptDurationSeconds": 43200}),
        "ends a job before its worker ends itself",
    ),
    (
        agreements.workers,
        "workers that all leave",
        lambda t: properties(t, "gpu", "JobDefinition")["ContainerProperties"]["Environment"].remove(
            {"Name": "WALKAROUND_WORKERS_MIN", "Value": {"Fn::Sub": "${WorkersMin}"}}
        ),
        "WALKAROUND_WORKERS_MIN is another one",
    ),
    (
        agreements.workers,
        "jobs of another name",
        lambda t: put(variables(t, "ScalerFunction"), WALKAROUND_JOB_PREFIX={"Ref": "Prefix"}),
        "it may end others",
    ),
    (
        agreements.exports,
        "an export that is gone",
        lambda t: drop(t["storage"]["Outputs"], "TopicArn"),
        "${Prefix}:TopicArn",
    ),
    (
        agreements.sizes,
        "a template too large to send",
        lambda t: put(t["pipeline"], Description="x" * 50_000),
        "at most 51200",
    ),
    (
        agreements.inputs,
        "an input that the function does not know",
        lambda t: put(properties(t, "pipeline", "CanaryRule")["Targets"][0], Input='{"pass":"judge"}'),
        """CanaryRule: functions/monitor does not know {"pass": "judge"}""",
    ),
    *planted_deployments.PLANTED,
]


class Policy(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.templates = templates.load()

    def test_the_templates_keep_every_rule(self):
        for rule in RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(list(rule(self.templates)), [])

    def test_each_rule_finds_what_is_planted(self):
        for rule, what, plant, words in PLANTED:
            with self.subTest(f"{rule.__name__}: {what}"):
                finds = list(rule(templates.changed(self.templates, plant)))
                self.assertTrue(any(words in find for find in finds), f"nothing of `{words}` in {finds}")

    def test_each_rule_has_something_planted(self):
        self.assertEqual({rule for rule, *_ in PLANTED}, set(RULES))


class Calls(unittest.TestCase):
    def test_the_table_of_calls_is_what_the_sources_call(self):
        self.assertEqual(list(rules.calls_are_real()), [])

    def test_a_line_that_the_sources_do_not_have_is_found(self):
        planted = [
            calls.use("sqs:PurgeQueue", "IntakeQueueArn", "purge_queue", ("crates/aws/src/queue.rs", "Purge")),
        ]
        before = calls.USES["TriageRole"]
        calls.USES["TriageRole"] = [*before, *planted]
        try:
            finds = list(rules.calls_are_real())
        finally:
            calls.USES["TriageRole"] = before
        self.assertEqual(len(finds), 2, finds)

    def test_a_call_that_the_table_does_not_have_is_found(self):
        reason = calls.NOBODYS.pop("create_table")
        try:
            finds = list(rules.calls_are_real())
        finally:
            calls.NOBODYS["create_table"] = reason
        self.assertEqual(len(finds), 1, finds)


if __name__ == "__main__":
    unittest.main()

"""What each program calls on AWS, and where its code says so.

An action of a role needs a line here, and each line is held to the sources: the adapter's call and the place that uses
it must both be there. Calls that AWS makes in a program's name (its event source, its log) are named as such. A call
that appears in the adapters and stands nowhere here fails, too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from templates import ROOT


class Use(NamedTuple):
    """One allowed action: on what (exports, logical ids or parameters), by which call, used where, only when."""

    action: str
    on: frozenset[str]
    call: str
    used: tuple[str, str]
    # (key of the condition, value): all that the condition lets through, and nothing else.
    only: frozenset[tuple[str, str]] = frozenset()


def use(action: str, on: str, call: str, used: tuple[str, str]) -> Use:
    return Use(action, frozenset(on.split()), call, used)


def item(action: str, partitions: str, call: str, used: tuple[str, str]) -> Use:
    """A call on items of the table, in these partitions: I# records, W heartbeats, L# locks, S# state."""
    only = frozenset((LEADING_KEYS, partition) for partition in partitions.split())
    return use(action, "TableName", call, used)._replace(only=only)


BY_AWS = "by AWS"
LEADING_KEYS = "dynamodb:LeadingKeys"
# The tag that the scaler gives its jobs: crates/aws/src/capacity.rs, with WALKAROUND_JOB_PREFIX.
OWN_JOBS = frozenset({("aws:ResourceTag/walkaround", "${Prefix}-worker")})
# Of results the folder of crates/pipeline/src/canary/observations.rs; of bundles anything.
SEEN_OF_CANARIES = frozenset({("s3:prefix", "canary/*"), ("", "anything")})

SITUATION = "crates/pipeline/src/lane_monitor.rs"
SCALER = "crates/pipeline/src/scaler.rs"
MONITOR = "crates/pipeline/src/monitor"
SHADOW = "crates/bootstrap/src/shadow/watch.rs"
CANARY = "crates/pipeline/src/canary"
TAKE_BACK = "crates/pipeline/src/take_back.rs"
SETTLE = "crates/pipeline/src/settle.rs"
DESK = "crates/pipeline/src/processor.rs"
LEDGER = "crates/pipeline/src/store.rs"
HEADER = ("crates/bootstrap/src/aws/stack.rs", "secret_text(")
READING = "crates/aws/src/blobs/reading.rs"
BUCKETS = "PhotosBucket BundlesBucket ResultsBucket"
REGISTRY = "crates/aws/src/registry.rs"
# Keys of the registry (crates/aws/src/registry.rs), as the policy's resources end.
RESULTS = "ResultsBucket}/*"
VERSIONS = "BundlesBucket}/bundles/${BundleName}/versions/*/files.json"
ACTIVE = "BundlesBucket}/bundles/${BundleName}/current"
PICTURES = "PhotosBucket ResultsBucket"
QUEUES = "IntakeQueueArn IntakeDeadQueueArn SegmentationQueueArn SegmentationDeadQueueArn"
DEAD_QUEUES = "IntakeDeadQueueArn SegmentationDeadQueueArn"
SESSIONS = "crates/server/src/sign_in/sessions.rs"
LOGS_REASON = ("Lambda writes the function's log", BY_AWS)
TRACE_REASON = ("Lambda sends the function's traces", BY_AWS)
EVENT_SOURCE = ("Lambda's event source receives and deletes", BY_AWS)


def function(logs: str) -> list[Use]:
    """What every function needs."""
    return [
        use("logs:CreateLogStream", logs, BY_AWS, LOGS_REASON),
        use("logs:PutLogEvents", logs, BY_AWS, LOGS_REASON),
        use("xray:PutTraceSegments", "*", BY_AWS, TRACE_REASON),
        use("xray:PutTelemetryRecords", "*", BY_AWS, TRACE_REASON),
        use("kms:Decrypt", "KeyArn", BY_AWS, ("stores with a customer key", BY_AWS)),
        use("kms:GenerateDataKey", "KeyArn", BY_AWS, ("stores with a customer key", BY_AWS)),
    ]


LOOKING = [
    item("dynamodb:GetItem", "I#*", "get_item", (LEDGER, ".records.read(")),
    use("s3:GetObject", BUCKETS, "get_object", ("crates/pipeline/src/settle.rs", ".put_if_absent(")),
    # The same call with a version, which only photos have.
    use("s3:GetObjectVersion", "PhotosBucket", "get_object", (READING, "set_version_id(")),
    use("s3:PutObject", "ResultsBucket", "put_object", (SETTLE, ".put_if_absent(")),
    # Not called: what it changes is S3's answer for what is not there.
    use("s3:ListBucket", BUCKETS, "head_object", ("crates/aws/src/blobs.rs", "S3 answers 403 for what is not there")),
    use("sns:Publish", "TopicArn", "publish", (SETTLE, ".publisher.publish(")),
    use("secretsmanager:GetSecretValue", "PhotoHeaderSecretArn", "get_secret_value", HEADER),
]

USES: dict[str, list[Use]] = {
    "TriageRole": [
        *function("TriageLogs"),
        *LOOKING[1:],
        item("dynamodb:GetItem", "I#* S#gpu-lane S#rollout", "get_item", (SITUATION, ".state.read(")),
        item("dynamodb:PutItem", "I#*", "put_item", (LEDGER, ".records.write(")),
        use("sqs:ReceiveMessage", "IntakeQueueArn", BY_AWS, EVENT_SOURCE),
        use("sqs:DeleteMessage", "IntakeQueueArn", BY_AWS, EVENT_SOURCE),
        use(
            "sqs:ChangeMessageVisibility",
            "IntakeQueueArn",
            "change_message_visibility",
            ("crates/pipeline/src/invocation.rs", "queue.release("),
        ),
        use(
            "sqs:GetQueueAttributes",
            "IntakeQueueArn",
            "get_queue_attributes",
            (SITUATION, ".intake.depth("),
        ),
        use(
            "sqs:SendMessage",
            "IntakeDeadQueueArn SegmentationQueueArn",
            "send_message_batch",
            ("crates/pipeline/src/triage.rs", ".segmentation.send("),
        ),
    ],
    "ScalerRole": [
        *function("ScalerLogs"),
        use("sqs:GetQueueAttributes", "SegmentationQueueArn", "get_queue_attributes", (SCALER, ".depth()")),
        item("dynamodb:Query", "W", "query", (SCALER, ".heartbeats(")),
        use("sqs:ReceiveMessage", "SegmentationQueueArn", "receive_message", (TAKE_BACK, ".receive(")),
        use("sqs:DeleteMessage", "SegmentationQueueArn", "delete_message_batch", (TAKE_BACK, ".ack(")),
        use(
            "sqs:ChangeMessageVisibility",
            "SegmentationQueueArn",
            "change_message_visibility",
            (TAKE_BACK, ".release("),
        ),
        use("sqs:SendMessage", "IntakeQueueArn", "send_message_batch", (TAKE_BACK, ".intake.send(")),
        item("dynamodb:GetItem", "S#*", "get_item", (SCALER, ".state.read(")),
        item("dynamodb:PutItem", "L#* S#*", "put_item", ("functions/scaler/src/lib.rs", "self.lock.acquire(")),
        item("dynamodb:DeleteItem", "L#*", "delete_item", ("functions/scaler/src/lib.rs", "self.lock.release(")),
        use("batch:ListJobs", "*", "list_jobs", (SCALER, ".capacity.fleet()")),
        use("batch:DescribeJobs", "*", "describe_jobs", (SCALER, ".capacity.fleet()")),
        use("batch:SubmitJob", "JobQueue JobDefinition", "submit_job", (SCALER, ".capacity.start(")),
        # Asked for by the same call, as it names a tag.
        use("batch:TagResource", "JobQueue JobDefinition", "submit_job", ("crates/aws/src/capacity.rs", ".tags(TAG")),
        use("batch:TerminateJob", "job/*", "terminate_job", (SCALER, ".capacity.end("))._replace(only=OWN_JOBS),
    ],
    "NotifierRole": [
        *function("NotifierLogs"),
        item("dynamodb:GetItem", "S#*", "get_item", ("functions/notifier/src/lib.rs", "self.state.read(")),
        item("dynamodb:PutItem", "S#*", "put_item", ("functions/notifier/src/lib.rs", "self.state.write(")),
        use(
            "secretsmanager:GetSecretValue",
            "AlertSecretArn",
            "get_secret_value",
            ("functions/notifier/src/lib.rs", "secret_text("),
        ),
    ],
    "MonitorRole": [
        *function("MonitorLogs"),
        # An index of the table by its partitions, which begin with a year, and the reviews of an inspection.
        item("dynamodb:Query", "I#* 20*", "query", (MONITOR + "/listing.rs", "reviews.history(")),
        item("dynamodb:BatchGetItem", "I#*", "batch_get_item", (MONITOR + "/listing.rs", ".records.list(")),
        item("dynamodb:GetItem", "I#* S#monitor-* S#rollout", "get_item", (CANARY + "/reader.rs", "store.read(")),
        item("dynamodb:PutItem", "S#monitor-* S#rollout", "put_item", (CANARY + "/judge.rs", "write_rollout(")),
        # Reports; of bundles only what an activation reads, which a promotion is.
        use("s3:GetObject", f"{RESULTS} {VERSIONS} {ACTIVE}", "get_object", (REGISTRY, "self.files_text(")),
        use("s3:PutObject", ACTIVE, "put_object", (REGISTRY, "self.write_active(")),
        # What was seen of a canary; of bundles S3's answer for what is not there.
        use(
            "s3:ListBucket",
            "ResultsBucket BundlesBucket",
            "list_objects_v2",
            (CANARY + "/observations.rs", ".list("),
        )._replace(only=SEEN_OF_CANARIES),
    ],
    "WorkerRole": [
        *function("")[-2:],
        *LOOKING[1:],
        item("dynamodb:GetItem", "I#* S#rollout", "get_item", (SHADOW, "read_rollout(")),
        item("dynamodb:PutItem", "I#* W", "put_item", ("crates/pipeline/src/heartbeat.rs", ".records.put_heartbeat(")),
        item("dynamodb:Query", "W", "query", ("crates/pipeline/src/idle.rs", ".heartbeats(")),
        use(
            "sqs:ReceiveMessage",
            "SegmentationQueueArn",
            "receive_message",
            ("crates/pipeline/src/consumer.rs", ".receive("),
        ),
        use(
            "sqs:DeleteMessage",
            "SegmentationQueueArn",
            "delete_message_batch",
            ("crates/pipeline/src/consumer/leases.rs", "queue.ack("),
        ),
        use(
            "sqs:ChangeMessageVisibility",
            "SegmentationQueueArn",
            "change_message_visibility",
            ("crates/pipeline/src/consumer/leases.rs", "queue.extend("),
        ),
        use("sqs:SendMessage", "SegmentationDeadQueueArn", "send_message_batch", (DESK, ".send(vec![message])")),
    ],
    "ConsoleRole": [
        *function("ConsoleLogs"),
        item("dynamodb:GetItem", "I#* S#*", "get_item", (SESSIONS, "site.state.read(")),
        # Sessions and attempts: the names are those of sessions.rs and pages.rs.
        item("dynamodb:PutItem", "I#* S#session/* S#sign-in/*", "put_item", (SESSIONS, 'format!("session/{}"')),
        item("dynamodb:BatchGetItem", "I#*", "batch_get_item", ("crates/server/src/api.rs", "site.records.list(")),
        # Of the table histories and heartbeats, and of its indexes what lists ask for: any vehicle, for one.
        use("dynamodb:Query", "TableName", "query", ("crates/server/src/reviews.rs", ".reviews.history(")),
        use("s3:GetObject", PICTURES, "get_object", ("crates/server/src/api.rs", "AddressKind::Link")),
        use(
            "s3:ListBucket",
            PICTURES,
            "head_object",
            ("crates/aws/src/blobs.rs", "S3 answers 403 for what is not there"),
        ),
        use("sns:Publish", "TopicArn", "publish", ("crates/pipeline/src/review.rs", ".publisher.publish(")),
        use("sqs:GetQueueAttributes", QUEUES, "get_queue_attributes", ("crates/server/src/system.rs", "queue.depth()")),
        use("sqs:ReceiveMessage", DEAD_QUEUES, "receive_message", ("crates/server/src/system.rs", ".parked(queue")),
        use(
            "sqs:ChangeMessageVisibility",
            DEAD_QUEUES,
            "change_message_visibility",
            ("crates/aws/src/parked.rs", ".release("),
        ),
        use("sqs:DeleteMessage", DEAD_QUEUES, "delete_message_batch", ("crates/aws/src/parked.rs", ".ack(")),
        use(
            "sqs:SendMessage",
            "IntakeQueueArn SegmentationQueueArn",
            "send_message_batch",
            ("crates/server/src/system.rs", ".redrive(queue"),
        ),
        use("batch:ListJobs", "*", "list_jobs", ("crates/server/src/system.rs", ".operations.jobs()")),
        use("batch:DescribeJobs", "*", "describe_jobs", ("crates/server/src/system.rs", ".operations.jobs()")),
        use(
            "secretsmanager:GetSecretValue",
            "OidcClientSecretArn SessionKeyArn",
            "get_secret_value",
            ("crates/bootstrap/src/aws/stack.rs", "fill_sign_in("),
        ),
    ],
    # No program of ours: Firehose and CloudWatch Logs act by these.
    "DeliveryRole": [
        use(action, on, BY_AWS, ("Firehose writes the log bucket", BY_AWS))
        for action, on in (
            ("s3:PutObject", "LogsBucket"),
            ("s3:AbortMultipartUpload", "LogsBucket"),
            ("s3:GetBucketLocation", "LogsBucket"),
            ("s3:ListBucket", "LogsBucket"),
            ("s3:ListBucketMultipartUploads", "LogsBucket"),
            ("logs:PutLogEvents", "delivery:log-stream:s3"),
            ("kms:Decrypt", "KeyArn"),
            ("kms:GenerateDataKey", "KeyArn"),
        )
    ],
    "SubscriptionRole": [
        use(action, "deliverystream", BY_AWS, ("CloudWatch Logs hands over", BY_AWS))
        for action in ("firehose:PutRecord", "firehose:PutRecordBatch")
    ],
    "InstanceRole": [],
}

# Calls of the adapters that no role here is for: the command line makes them with a person's own rights, and tests
# make the table.
NOBODYS = {
    "create_table": "tests make the table by hand",
    "update_time_to_live": "tests make the table by hand",
}

CALL = re.compile(r"client\s*\.([a-z][a-z0-9]*(?:_[a-z0-9]+)*)\(\)")
NOT_CALLS = {"clone", "config"}


def adapter_calls() -> set[str]:
    """Names of all calls that the adapters make on a client: `client.name()`, outside their tests."""
    found: set[str] = set()
    for path in sorted((ROOT / "crates/aws/src").rglob("*.rs")):
        found |= set(CALL.findall(path.read_text().split("#[cfg(test)]")[0]))
    return {name for name in found - NOT_CALLS if not name.startswith("wait_until_")}

"""Where the templates must say what the sources say: the table's keys, exit codes, metrics, names of parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import calls
from templates import INFRA, NAMES, ROOT, Templates, choices, environments, resources, text

# Limits of AWS.
EVALUATE_ON_EXIT_MAX = 5
TEMPLATE_BYTES_MAX = 51200


def table_keys(templates: Templates) -> Iterator[str]:
    """Keys, indexes and the TTL attribute as crates/aws/src/records/table.rs has them."""
    source = (ROOT / "crates/aws/src/records/table.rs").read_text()
    key = re.search(r'partition: "(\w+)",\s*sort: "(\w+)"', source).groups()
    indexes = {
        name: (partition, sort) for name, partition, sort in re.findall(r'= index\("(\w+)", "(\w+)", "(\w+)"\)', source)
    }
    ttl = re.search(r'ttl_attribute: "(\w+)"', source).group(1)
    if len(indexes) != int(re.search(r"\[IndexDefinition; (\d+)\]", source).group(1)):
        yield "table.rs: its indexes could not be read"
    for name, table in resources(templates, "AWS::DynamoDB::Table"):
        if schema(table) != key:
            yield f"{name}: key {schema(table)}, table.rs has {key}"
        made = {index["IndexName"]: schema(index) for index in table.get("GlobalSecondaryIndexes", [])}
        if made != indexes:
            yield f"{name}: indexes {made}, table.rs has {indexes}"
        for index in table.get("GlobalSecondaryIndexes", []):
            if index["Projection"] != {"ProjectionType": "KEYS_ONLY"}:
                yield f"{name}: {index['IndexName']} holds more than keys"
        if table.get("TimeToLiveSpecification") != {"AttributeName": ttl, "Enabled": True}:
            yield f"{name}: items do not go by {ttl}"
        if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            yield f"{name}: cannot be taken back to a point in time"
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name}: has no on-demand capacity"
        texts = {of["AttributeName"]: of["AttributeType"] for of in table["AttributeDefinitions"]}
        if texts != dict.fromkeys({*key, *(part for pair in indexes.values() for part in pair)}, "S"):
            yield f"{name}: attributes {texts}"


def schema(of: dict) -> tuple[str, ...]:
    kinds = {key["KeyType"]: key["AttributeName"] for key in of["KeySchema"]}
    return (kinds.get("HASH", ""), kinds.get("RANGE", ""))


def retries(templates: Templates) -> Iterator[str]:
    """What Batch does on each exit code is what the worker's table of them says."""
    source = (ROOT / "gpu-batch/src/lib.rs").read_text()
    rows = re.findall(r"^//! \| (\d+) \| [^|]+ \| ([^|]+) \|$", source, re.MULTILINE)
    if len(rows) < 6:
        yield f"gpu-batch/src/lib.rs: its table of exit codes could not be read ({len(rows)} rows)"
    for name, definition in resources(templates, "AWS::Batch::JobDefinition"):
        rules = definition["RetryStrategy"]["EvaluateOnExit"]
        if len(rules) > EVALUATE_ON_EXIT_MAX:
            yield f"{name}: {len(rules)} rules, Batch takes {EVALUATE_ON_EXIT_MAX}"
        if rules[-1] != {"OnReason": "*", "Action": "EXIT"}:
            yield f"{name}: where no rule fits, Batch retries"
        if rules[0] != {"OnStatusReason": "Host EC2*", "Action": "RETRY"}:
            yield f"{name}: a host that Spot took back is not tried again first"
        for code, does in rows:
            again = next((r["Action"] for r in rules if r.get("OnExitCode") == code), rules[-1]["Action"]) == "RETRY"
            if again != does.startswith("tries again"):
                yield f"{name}: exit code {code} {'is' if again else 'is not'} tried again, the table says: {does}"


def machines(templates: Templates) -> Iterator[str]:
    for name, template in resources(templates, "AWS::EC2::LaunchTemplate"):
        options = template["LaunchTemplateData"].get("MetadataOptions", {})
        if options.get("HttpTokens") != "required" or options.get("HttpPutResponseHopLimit") != 2:
            yield f"{name}: not IMDSv2 that a container reaches"
        start = text(template["LaunchTemplateData"].get("UserData", {}).get("Fn::Base64", ""))
        if not start.startswith("MIME-Version: 1.0\nContent-Type: multipart/mixed;"):
            yield f"{name}: AWS Batch merges its user data with no other than a multi-part archive"
        if "echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >>/etc/ecs/ecs.config" not in start:
            yield f"{name}: a new job may land on a host that Spot is about to take back"
        if "${MachineImageRefresh}" not in start:
            yield f"{name}: nothing brings a newer machine image"
        throughput = templates["gpu"]["Parameters"]["VolumeMiBs"]["Default"]
        for disk in template["LaunchTemplateData"].get("BlockDeviceMappings", []):
            if disk["Ebs"].get("Throughput") != {"Ref": "VolumeMiBs"} or throughput < 500:
                yield f"{name}: an image of gigabytes is unpacked at gp3's own 125 MiB a second"
    for name, group in resources(templates, "AWS::EC2::SecurityGroup"):
        for rule in group.get("SecurityGroupIngress", []):
            if "SourceSecurityGroupId" not in rule:
                yield f"{name}: lets somebody in"
    for name, environment in resources(templates, "AWS::Batch::ComputeEnvironment"):
        does = environment["ComputeResources"]
        if does["MinvCpus"] != 0:
            yield f"{name}: costs something without a photo"
        if [one["ImageType"] for one in does["Ec2Configuration"]] != ["ECS_AL2023_NVIDIA"]:
            yield f"{name}: AWS Batch makes no new environment of this machine image"
        if does.get("UpdateToLatestImageVersion") is not True:
            yield f"{name}: keeps its machine image for ever"
        if "${SubnetC}" not in [text(one) for one in choices(does["Subnets"])]:
            yield f"{name}: not three zones of a new VPC"
        types = templates["gpu"]["Parameters"][does["InstanceTypes"]["Ref"]]["Default"].split(",")
        if does["Type"] == "EC2" and not all(one.endswith(".xlarge") for one in types):
            yield f"{name}: takes {types} by the price of a vCPU: larger ones than a worker needs"
    delay = templates["gpu"]["Parameters"]["ScaleDownDelayMinutes"]
    wrong = [n for n in range(20) if n and re.search(delay["AllowedPattern"], str(n))]
    if wrong or not all(re.search(delay["AllowedPattern"], n) for n in ("0", "20", "99", "100", "10080")):
        yield f"ScaleDownDelayMinutes: takes {wrong}, AWS Batch 0 and 20 to 10080"


def metrics(templates: Templates) -> Iterator[str]:
    """The dashboard and the alarms name metrics that the programs tell."""
    source = (ROOT / "crates/bootstrap/src/aws/metrics.rs").read_text()
    told = set(re.findall(r'(?:counter|gauge|histogram)!\("(\w+)"', source))
    for name, dashboard in resources(templates, "AWS::CloudWatch::Dashboard"):
        body = json.loads(text(dashboard["DashboardBody"]))
        for widget in body["widgets"]:
            for metric in widget["properties"].get("metrics", []):
                for wrong in own_metrics(metric) - told:
                    yield f"{name}: no program tells {wrong}"
    for name, alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        for query in alarm.get("Metrics", []):
            for wrong in set(re.findall(r"SELECT \w+\((\w+)\)", text(query.get("Expression", "")))) - told:
                yield f"{name}: no program tells {wrong}"
        if len(choices(alarm.get("AlarmActions", []))) != 1:
            yield f"{name}: tells nobody"


# Seconds for which a parked message is hidden by whoever reads it, which an alarm must outlast.
PARKED_HIDDEN_S = 300


def thresholds(templates: Templates) -> Iterator[str]:
    """Alarms fit what they watch: time-outs, cold starts, and messages that are being read."""
    alarms = dict(resources(templates, "AWS::CloudWatch::Alarm"))
    functions = {text(f["FunctionName"]): f for _, f in resources(templates, "AWS::Lambda::Function")}
    near = {}
    for name, alarm in alarms.items():
        if alarm.get("MetricName") == "Duration":
            function = text(alarm["Dimensions"][0]["Value"])
            near[function] = alarm["Threshold"]
            if alarm["Threshold"] != 900 * functions[function]["Timeout"]:
                yield f"{name}: other than nine tenths of the time-out"
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible":
            minutes = alarm["EvaluationPeriods"] * alarm["Period"] / 60
            if alarm.get("DatapointsToAlarm") != 1 or minutes * 60 <= PARKED_HIDDEN_S:
                yield f"{name}: is over while somebody looks at the parked messages"
    for name in ("${Prefix}-triage", "${Prefix}-scaler"):
        if name not in near:
            yield f"{name}: nobody hears that it comes near its time-out"
    parameters = templates["pipeline"]["Parameters"]
    if parameters["OldestMessageS"]["Default"] <= parameters["ColdStartS"]["Default"]:
        yield "OldestMessageS: every cold start alarms"


def deliveries(templates: Templates) -> Iterator[str]:
    """What AWS fails to deliver is heard of: topics, rules, the notifier's own events, throttled tables."""
    seen = set()
    for _name, alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        metrics = [alarm, *(q["MetricStat"]["Metric"] for q in alarm.get("Metrics", []) if "MetricStat" in q)]
        seen |= {(m["MetricName"], text(d["Value"])) for m in metrics for d in m.get("Dimensions", [])}
    wanted = [("AsyncEventsDropped", "${Prefix}-notifier")]
    wanted += [
        ("NumberOfNotificationsFailed", text(t["TopicName"])) for _, t in resources(templates, "AWS::SNS::Topic")
    ]
    wanted += [("FailedInvocations", text(r["Name"])) for _, r in resources(templates, "AWS::Events::Rule")]
    for _, table in resources(templates, "AWS::DynamoDB::Table"):
        wanted += [(kind, text(table["TableName"])) for kind in ("ReadThrottleEvents", "WriteThrottleEvents")]
    for metric, of in wanted:
        if (metric, of) not in seen:
            yield f"{of}: no alarm on {metric}"
    rules = dict(resources(templates, "AWS::Events::Rule"))
    kinds = {kind for rule in rules.values() for kind in rule.get("EventPattern", {}).get("detail-type", [])}
    for kind in {"Batch Job State Change", "Batch Job Queue Blocked"} - kinds:
        yield f"{kind}: nobody is told"
    for name, function in resources(templates, "AWS::Lambda::Function"):
        reserved = function.get("ReservedConcurrentExecutions")
        if name != "TriageFunction" and not reserved:
            yield f"{name}: a busy triage may keep it from running"
    for name, budget in resources(templates, "AWS::Budgets::Budget"):
        tags = [text(one) for c in choices(budget["Budget"].get("CostFilters", [])) for one in c["TagKeyValue"]]
        if tags != ["user:walkaround$${Prefix}"]:
            yield f"{name}: counts other stages, too"


def inputs(templates: Templates) -> Iterator[str]:
    """What a rule hands to a function, in the place of the event, is what the function's source has."""
    for name, rule in resources(templates, "AWS::Events::Rule"):
        for target in (one for one in rule["Targets"] if "Input" in one):
            program = target["Arn"]["Fn::GetAtt"][0].removesuffix("Function").lower()
            source = (ROOT / "functions" / program / "src/lib.rs").read_text().split("#[cfg(test)]")[0]
            given = json.dumps(json.loads(target["Input"]))
            if f"json!({given})" not in source:
                yield f"{name}: functions/{program} does not know {given}"


def watched(templates: Templates) -> Iterator[str]:
    """Every function's errors, every stream of logs and every program's log are watched."""
    alarms = dict(resources(templates, "AWS::CloudWatch::Alarm"))
    seen = [
        (stat["Metric"]["MetricName"], text(dimension["Value"]), name)
        for name, alarm in alarms.items()
        for stat in [query["MetricStat"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
        for dimension in stat["Metric"]["Dimensions"]
    ]
    for name, function in resources(templates, "AWS::Lambda::Function"):
        of = text(function["FunctionName"])
        shares = {alarm for metric, value, alarm in seen if (metric, value) == ("Errors", of)}
        shares &= {alarm for metric, value, alarm in seen if (metric, value) == ("Invocations", of)}
        asked = [text(q["Expression"]) for a in shares for q in alarms[a]["Metrics"] if "Expression" in q]
        if not any("100 * errors / calls" in one and "IF(calls >=" in one for one in asked):
            yield f"{name}: no alarm on the share of its invocations that fail"
    for name, stream in resources(templates, "AWS::KinesisFirehose::DeliveryStream"):
        if ("DeliveryToS3.DataFreshness", text(stream["DeliveryStreamName"]), "LogDeliveryAlarm") not in seen:
            yield f"{name}: no alarm when it does not deliver"
    board = dict(resources(templates, "AWS::CloudWatch::Dashboard"))["Dashboard"]
    worker = board["DashboardBody"]["Fn::Sub"][1].get("WorkerSource", {})
    if '"Fn::If": ["WithGpu"' not in json.dumps(worker):
        yield "Dashboard: its log query names a group that a stage without workers does not have"
    console = board["DashboardBody"]["Fn::Sub"][1].get("ConsoleSource", {})
    if '"Fn::If": ["WithConsole"' not in json.dumps(console):
        yield "Dashboard: its log query names a group that a stage without a console does not have"
    query = "".join(text(of["DashboardBody"]) for _, of in resources(templates, "AWS::CloudWatch::Dashboard"))
    for name, group in resources(templates, "AWS::Logs::LogGroup"):
        if name != "DeliveryLogs" and f"SOURCE '{text(group['LogGroupName'])}'" not in query:
            yield f"{name}: its errors are not on the dashboard"


def own_metrics(metric: list) -> set[str]:
    if isinstance(metric[0], dict):
        return set(re.findall(r'MetricName="(\w+)"', metric[0]["expression"]))
    return {metric[1]} if metric[0].startswith("Walkaround") else set()


def parameters(templates: Templates) -> Iterator[str]:
    """The parameter files name parameters that there are, with values that these take."""
    for stage in ("stage", "production"):
        stacks = json.loads((INFRA / "parameters" / f"{stage}.json").read_text())
        if set(stacks) != set(NAMES):
            yield f"{stage}.json: stacks {sorted(stacks)}"
        for stack, values in stacks.items():
            known = templates[stack]["Parameters"]
            for name, value in values.items():
                allowed = known.get(name, {}).get("AllowedValues")
                if name not in known:
                    yield f"{stage}.json: {stack} has no {name}"
                elif not isinstance(value, str):
                    yield f"{stage}.json: {stack}.{name} is no text"
                elif allowed and value not in [str(one) for one in allowed]:
                    yield f"{stage}.json: {stack}.{name} is {value}, allowed are {allowed}"
                elif not re.search(known[name].get("AllowedPattern", ""), value):
                    yield f"{stage}.json: {stack}.{name} is {value}"
            # One name for all stacks of a stage, or their imports miss each other.
            if values.get("Prefix") != f"walkaround-{stage}":
                yield f"{stage}.json: {stack} has the prefix {values.get('Prefix')}"


def workers(templates: Templates) -> Iterator[str]:
    """What the functions are told of workers and of each other is what the stack does."""
    variables = dict(environments(templates))
    triage, scaler = variables["TriageFunction"], variables["ScalerFunction"]
    parameters = templates["pipeline"]["Parameters"]
    schedule = dict(resources(templates, "AWS::Events::Rule"))["ScalerRule"]["ScheduleExpression"]
    every = 60 * int(re.fullmatch(r"rate\((\d+) minutes?\)", schedule).group(1))
    if text(triage.get("WALKAROUND_SCALE_EVERY_S")) != str(every):
        yield f"TriageFunction: WALKAROUND_SCALE_EVERY_S, the scaler looks every {every} s"
    source = dict(resources(templates, "AWS::Lambda::EventSourceMapping"))["TriageEventSource"]
    if text(triage.get("WALKAROUND_TRIAGE_PROCESSES")) != text(source["ScalingConfig"]["MaximumConcurrency"]):
        yield "TriageFunction: WALKAROUND_TRIAGE_PROCESSES, its event source has another concurrency"
    if text(scaler.get("WALKAROUND_START_GRACE_S")) != "${StartGraceS}":
        yield "ScalerFunction: WALKAROUND_START_GRACE_S, a worker that loads its networks is ended"
    if parameters["StartGraceS"]["Default"] < parameters["ColdStartS"]["Default"]:
        yield "StartGraceS: shorter than a cold start"
    for name in ("WorkersMin", "WorkersMax"):
        # Workers and scaler must agree on who stays; both stacks have parameters of one name and one default.
        if templates["gpu"]["Parameters"][name]["Default"] != parameters[name]["Default"]:
            yield f"gpu.yaml: {name} has another default than in pipeline.yaml"
    for stage in ("stage", "production"):
        stacks = json.loads((INFRA / "parameters" / f"{stage}.json").read_text())
        for name in ("WorkersMin", "WorkersMax"):
            if stacks["gpu"].get(name) != stacks["pipeline"].get(name):
                yield f"{stage}.json: {name} is not the same for gpu and pipeline"
    worker = dict(resources(templates, "AWS::Batch::JobDefinition"))["JobDefinition"]
    for name in ("WALKAROUND_WORKERS_MIN", "WALKAROUND_WORKERS_MAX"):
        if text(variables["JobDefinition"].get(name)) != text(scaler.get(name)):
            yield f"JobDefinition: {name} is another one than the scaler's"
    if text(variables["JobDefinition"].get("WALKAROUND_JOB_TIMEOUT_S")) != text(
        worker["Timeout"]["AttemptDurationSeconds"]
    ):
        yield "JobDefinition: WALKAROUND_JOB_TIMEOUT_S, Batch ends a job before its worker ends itself, or long after"
    tag = text(scaler.get("WALKAROUND_JOB_PREFIX"))
    if calls.OWN_JOBS - {("aws:ResourceTag/walkaround", tag)}:
        yield f"ScalerFunction: its jobs carry the tag {tag}, and it may end others"


def exports(templates: Templates) -> Iterator[str]:
    """What a stack imports, another exports."""
    made = {
        text(output["Export"]["Name"])
        for t in templates.values()
        for output in t["Outputs"].values()
        if "Export" in output
    }
    for name, template in templates.items():
        for wanted in set(re.findall(r'\{"Fn::ImportValue": \{"Fn::Sub": "([^"]+)"\}\}', json.dumps(template))) - made:
            yield f"{name}: imports {wanted}, which nobody exports"


def sizes(templates: Templates) -> Iterator[str]:
    """A template goes with the request: CloudFormation takes larger ones from S3 only."""
    for name, template in templates.items():
        # The file counts; the data too, as a planted fault is in no file.
        size = max((INFRA / f"{name}.yaml").stat().st_size, len(json.dumps(template)))
        if size > TEMPLATE_BYTES_MAX:
            yield f"{name}: {size} bytes, at most {TEMPLATE_BYTES_MAX}"

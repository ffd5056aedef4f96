#!/usr/bin/env python3
"""What Walkaround costs on AWS a month, for 80,000 and 800,000 photos a day.

`costs.py` prints the tables; `costs.py --write docs/operations.md` puts them between the markers there, and
scripts/tests/test_costs.py holds the page to them. Every input is an assumption and is printed: prices are
what AWS listed, to the knowledge of whoever wrote them down on PRICES_OF; nothing here has been billed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PRICES_OF = "22 November 2026, from memory; compare them with the price pages before making a budget"
REGION = "eu-central-1 (Frankfurt), US dollars, on demand, without free tier, discounts or tax"
DAYS = 30.4
FLEETS = (80_000, 800_000)
BEGIN, END = "<!-- costs.py: begin -->", "<!-- costs.py: end -->"

MILLION = 1_000_000


@dataclass(frozen=True)
class Given:
    """One assumption: a figure with its unit and where it comes from."""

    value: float
    unit: str
    about: str


# How the fleet and the program behave.
LOAD = {
    "photo_mb": Given(3, "MB", "size of a photo"),
    "suspects": Given(
        0.30, "of all photos", "share that the gate suspects; the fleet's own figure decides most of the bill"
    ),
    "gpu_share": Given(
        0.80, "of the suspects", "share that comes in bursts and goes to the GPU lane; the rest is segmented inline"
    ),
    "triage_s": Given(
        0.45, "s", "billed time of triage per photo, fetching and storing included (two photos at once in 3,008 MiB)"
    ),
    "inline_s": Given(1.2, "s", "additional billed time for an inline segmentation"),
    "batch": Given(3, "photos", "photos per invocation of triage"),
    "gpu_rate": Given(10, "photos/s", "rate of one GPU worker (WorkerRate); not measured: there was no GPU"),
    "gpu_busy": Given(
        0.40,
        "of its hours",
        "share of its time that an instance spends working, for a lane that is busy all day; cold starts, idle exit "
        "and the scale-down delay take the rest. With bursts, instance hours are 3 to 20 times those in the bill",
    ),
    "spot": Given(0.90, "of GPU hours", "share that Spot serves"),
    "result_mb": Given(0.35, "MB", "report and overlay of a suspect photo"),
    "result_days": Given(730, "days", "how long results are kept (ResultDays of production)"),
    "record_kb": Given(3, "KB", "record in the table, one write unit per KB"),
    "writes": Given(
        2.2, "writes", "record writes per photo (the final one and `published_at`; one more for those of the GPU lane)"
    ),
    "log_kb": Given(1.5, "KB", "log lines and embedded metrics per photo"),
    "metrics": Given(80, "metrics", "custom metrics in CloudWatch"),
    "alarms": Given(
        42,
        "metrics",
        "metrics that the 19 alarms of infra/ watch; the query for failed photos covers at most twelve",
    ),
    "record_days": Given(730, "days", "how long records are kept (RecordDays of production)"),
}

# What AWS charges.
PRICES = {
    "lambda_gb_s": Given(0.0000166667, "USD per GB-s", "Lambda, x86"),
    "lambda_call": Given(0.20 / MILLION, "USD", "Lambda, a call"),
    "sqs_call": Given(0.40 / MILLION, "USD", "SQS, a request"),
    "s3_put": Given(5.4 / MILLION, "USD", "S3, a PUT"),
    "s3_get": Given(0.43 / MILLION, "USD", "S3, a GET"),
    "s3_gb": Given(0.0245, "USD per GB-month", "S3, standard storage"),
    "write_unit": Given(0.7625 / MILLION, "USD", "DynamoDB, a write unit on demand (1 KB)"),
    "read_unit": Given(0.1525 / MILLION, "USD", "DynamoDB, a read unit on demand"),
    "table_gb": Given(0.306, "USD per GB-month", "DynamoDB, storage; backups by point-in-time recovery come on top"),
    "pitr_gb": Given(0.24, "USD per GB-month", "DynamoDB, point-in-time recovery"),
    "spot_hour": Given(0.26, "USD per hour", "g4dn.xlarge on Spot, moves with the market"),
    "ondemand_hour": Given(0.658, "USD per hour", "g4dn.xlarge on demand"),
    "disk_gb_hour": Given(0.0952 / 730, "USD per GB-hour", "EBS gp3, 60 GB per instance"),
    "disk_mibs_hour": Given(
        0.048 / 730, "USD per MiB/s and hour", "EBS gp3, throughput beyond the 125 MiB/s that are included"
    ),
    "endpoint_hour": Given(0.012, "USD per hour", "an interface endpoint in one zone (Network=Endpoints)"),
    "ip_hour": Given(0.005, "USD per hour", "public IPv4 address of an instance (Network=Public)"),
    "sns_call": Given(0.50 / MILLION, "USD", "SNS, a published event; deliveries to SQS are free"),
    "log_gb": Given(0.63, "USD per GB", "CloudWatch Logs, ingestion"),
    "firehose_gb": Given(0.031 + 0.01, "USD per GB", "Firehose to S3, with a year of storage of the compressed logs"),
    "metric": Given(0.30, "USD per month", "CloudWatch, a custom metric"),
    "alarm": Given(0.10, "USD per month", "CloudWatch, a metric that an alarm watches"),
    "dashboard": Given(3.0, "USD per month", "CloudWatch, a dashboard"),
    "trace": Given(5.0 / MILLION, "USD", "X-Ray, a recorded trace"),
    "registry_gb": Given(0.10, "USD per GB-month", "ECR, ten versions of both images: 25 GB"),
}

LAMBDA_GB = 3008 / 1024
DISK_GB = 60
# VolumeMiBs of gpu.yaml, without what gp3 includes.
DISK_MIBS = 500 - 125
# Interface endpoints of gpu.yaml without a secret and a customer key, in three zones.
ENDPOINTS = 8 * 3
TRACED_SHARE = 0.05
REGISTRY_GB = 25
# Runs of the scaler a month, at 256 MiB and 0.3 s.
SCALER_GB_S = 60 * 24 * DAYS * 0.25 * 0.3


def load(name: str) -> float:
    return LOAD[name].value


def price(name: str) -> float:
    return PRICES[name].value


def gpu_hours(photos: float) -> float:
    """Instance hours a month for that many photos a month."""
    return photos * load("suspects") * load("gpu_share") / load("gpu_rate") / load("gpu_busy") / 3600


def functions(photos: float) -> float:
    inline = load("suspects") * (1 - load("gpu_share")) * load("inline_s")
    triage = photos * (load("triage_s") + inline) * LAMBDA_GB
    return (triage + SCALER_GB_S) * price("lambda_gb_s") + photos / load("batch") * price("lambda_call")


def workers(photos: float) -> float:
    hourly = load("spot") * price("spot_hour") + (1 - load("spot")) * price("ondemand_hour")
    disk = DISK_GB * price("disk_gb_hour") + DISK_MIBS * price("disk_mibs_hour")
    return gpu_hours(photos) * (hourly + disk + price("ip_hour"))


def queues(photos: float) -> float:
    # Intake: sent by S3, received and deleted in batches. GPU lane: sent, received, extended, deleted, mostly in tens.
    intake = 1 + 2 / load("batch")
    lane = load("suspects") * load("gpu_share") * (1 + 0.2 + 0.2 + 0.1)
    polls = 60 * 60 * 24 * DAYS / 20 * 5
    return (photos * (intake + lane) + polls) * price("sqs_call")


def table(photos: float) -> float:
    # Four indexes of keys only, a unit each; by vehicle and reservation only where the message names them.
    units = load("writes") * (load("record_kb") + 4)
    stored = photos / DAYS * load("record_days") * (load("record_kb") + 1) / MILLION
    reads = photos * 1.5 * price("read_unit")
    return photos * units * price("write_unit") + reads + stored * (price("table_gb") + price("pitr_gb"))


def results(photos: float) -> float:
    # A report for each photo, an overlay for each suspect one; kept until ResultDays, steady state.
    puts = photos * (1 + load("suspects")) * price("s3_put")
    gets = photos * (1 + load("suspects") * load("gpu_share")) * price("s3_get")
    stored = photos / DAYS * load("suspects") * load("result_mb") / 1000 * load("result_days") * price("s3_gb")
    return puts + gets + stored


def watching(photos: float) -> float:
    logs = photos * load("log_kb") / MILLION
    fixed = load("metrics") * price("metric") + load("alarms") * price("alarm") + price("dashboard")
    traces = photos / load("batch") * TRACED_SHARE * price("trace")
    return logs * (price("log_gb") + price("firehose_gb")) + fixed + traces


def rest(photos: float) -> float:
    return photos * price("sns_call") + REGISTRY_GB * price("registry_gb")


PARTS: list[tuple[str, Callable[[float], float]]] = [
    ("functions (Lambda)", functions),
    ("GPU workers (EC2 by AWS Batch)", workers),
    ("queues (SQS)", queues),
    ("records (DynamoDB), two years of them", table),
    ("results (S3), two years of them", results),
    ("logs, metrics, alarms, traces", watching),
    ("events (SNS), images (ECR)", rest),
]


def money(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:,.2f}"


def figure(value: float) -> str:
    """Short and exact: 0.0000166667, not 1.66667e-05."""
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return text if "." in text else f"{value:,.0f}"


def bill() -> list[str]:
    months = [fleet * DAYS for fleet in FLEETS]
    lines = [
        "| USD per month | " + " | ".join(f"{fleet:,} photos per day" for fleet in FLEETS) + " |",
        "| --- | " + " | ".join("---:" for _ in FLEETS) + " |",
    ]
    for name, cost in PARTS:
        lines.append(f"| {name} | " + " | ".join(money(cost(photos)) for photos in months) + " |")
    totals = [sum(cost(photos) for _, cost in PARTS) for photos in months]
    lines.append("| **all** | " + " | ".join(f"**{money(total)}**" for total in totals) + " |")
    each = [total / photos * 1000 for total, photos in zip(totals, months, strict=True)]
    lines.append("| a thousand photos | " + " | ".join(f"{value:.3f}" for value in each) + " |")
    lines.append("| GPU instance hours | " + " | ".join(money(gpu_hours(photos)) for photos in months) + " |")
    kept = [photos / DAYS * load("photo_mb") / 1000 * 30 * price("s3_gb") for photos in months]
    lines.append("| *in addition:* each 30 days that photos are kept | " + " | ".join(money(k) for k in kept) + " |")
    endpoints = ENDPOINTS * price("endpoint_hour") * 24 * DAYS
    lines.append("| *in addition:* Network=Endpoints | " + " | ".join(money(endpoints) for _ in months) + " |")
    return lines


def assumptions(title: str, given: dict[str, Given]) -> list[str]:
    lines = ["", f"| {title} | figure | unit |", "| --- | ---: | --- |"]
    return lines + [f"| {g.about} | {figure(g.value)} | {g.unit} |" for g in given.values()]


def page() -> str:
    """The tables as Markdown, without the markers."""
    lines = [f"Prices of {PRICES_OF}.", f"{REGION}.", "", *bill()]
    lines += assumptions("assumed of fleet and program", LOAD)
    lines += assumptions("assumed prices", PRICES)
    return "\n".join(lines)


def between(text: str) -> str:
    """The text between the markers of a page."""
    return text.split(BEGIN, 1)[1].split(END, 1)[0].strip("\n")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--write"] and len(arguments) == 2:
        path = Path(arguments[1])
        text = path.read_text()
        head, tail = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
        path.write_text(f"{head}{BEGIN}\n{page()}\n{END}{tail}")
        return 0
    if arguments:
        print("usage: costs.py [--write PAGE]", file=sys.stderr)
        return 2
    print(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Keeps a table of final inspections up to date from Walkaround's events.

    consumer.py --queue URL                  from an SQS queue that is subscribed to the topic of events (needs boto3)
    consumer.py --events FILE [FILE...]      a dry run: from files, with the standard library only

Events come at least once and in no order (docs/messages.md, Event). So this consumer

- applies an event and remembers its id in one transaction: an event that comes again changes nothing;
- keeps, for each inspection, what its latest round and completion say, in whichever order they come;
- deletes a message from the queue only after the commit; a crash in between costs a redelivery;
- leaves what it cannot read in the queue, so that the queue's own redrive policy parks it;
- is bounded: by body, by batch, by remembered ids, by messages (--limit), and it stops on SIGTERM between two batches.

Replace `apply` with what your back office does, and keep it in the transaction of the id; an effect elsewhere (a mail,
a call) needs an idempotency key there: use the event's id.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1
TYPES = ("inspection.done", "inspection.failed")
# SNS and SQS carry at most 256 KiB; escaping inside an SNS envelope at most doubles what is ordinary text.
BODY_MAX = 1024 * 1024
FILE_MAX = 64 * 1024 * 1024
BATCH = 10
WAIT_S = 20

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS inspections (
    inspection_id TEXT PRIMARY KEY, round INTEGER NOT NULL, completion INTEGER NOT NULL, phase TEXT NOT NULL,
    verdict TEXT, failure TEXT, findings INTEGER NOT NULL, vehicle_id TEXT, reservation_id TEXT, occasion TEXT,
    report TEXT);
"""


class UnreadableEventError(Exception):
    """A body is no event of a version that is known here. The text quotes nothing of the body."""


@dataclass(frozen=True)
class Event:
    """What this consumer wants of an `InspectionFinished`."""

    id: str
    inspection: dict[str, Any]

    @property
    def order(self) -> tuple[int, int]:
        """Rounds opened by `walkaround retry`, then completions by later requests: the larger is the later."""
        return (
            _count(self.inspection, "history", "reopened"),
            _count(self.inspection, "photo_history", "completions"),
        )


def _count(inspection: dict[str, Any], part: str, name: str) -> int:
    value = _part(inspection, part).get(name, 0)
    if not isinstance(value, int) or not 0 <= value < 2**32:
        raise UnreadableEventError(f"inspection.{part}.{name} is no count")
    return value


def _text(document: dict[str, Any], name: str) -> str | None:
    """A text of a document; none where it was left out. SQLite takes no half of a surrogate pair, so neither do we."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise UnreadableEventError(f"{name} is no text")
    return value


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of a document; empty where it was left out, as fields with nothing to say are."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableEventError(f"{name} is no object")
    return value


def parse(body: str) -> Event:
    """Reads an event, with or without SNS's envelope (raw delivery sends none)."""
    if len(body) > BODY_MAX:
        raise UnreadableEventError(f"body of {len(body)} characters, expected at most {BODY_MAX}")
    document = _load(body)
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        document = _load(document["Message"])
    if document.get("version", 1) != VERSION:
        raise UnreadableEventError(f"this version is not known here, expected version {VERSION}")
    if document.get("type") not in TYPES:
        raise UnreadableEventError(f"type is none of {', '.join(TYPES)}")
    event_id, inspection = _text(document, "event_id"), _part(document, "inspection")
    if not event_id:
        raise UnreadableEventError("event_id is missing")
    if not _text(inspection, "inspection_id"):
        raise UnreadableEventError("inspection.inspection_id is missing")
    if inspection.get("phase") not in ("done", "failed"):
        raise UnreadableEventError("inspection.phase is neither done nor failed")
    return Event(event_id, inspection)


def _load(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableEventError("the body is not JSON") from None
    if not isinstance(document, dict):
        raise UnreadableEventError("the body is no JSON object")
    return document


class Store:
    """Inspections and the ids of events, in one SQLite file."""

    def __init__(self, path: str, remember: int) -> None:
        self.remember = remember
        # Transactions are begun by hand.
        self.database = sqlite3.connect(path, isolation_level=None, timeout=30)
        self.database.executescript(SCHEMA)

    def close(self) -> None:
        self.database.close()

    def take(self, event: Event) -> str:
        """Applies an event once: `applied`; `older` where a later one was there before; `duplicate`."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            outcome = self._take(event)
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")
        return outcome

    def _take(self, event: Event) -> str:
        new = self.database.execute("INSERT OR IGNORE INTO seen (event_id) VALUES (?)", (event.id,))
        if new.rowcount == 0:
            return "duplicate"
        self.database.execute(
            "DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?",
            (self.remember,),
        )
        return "applied" if self.apply(event) else "older"

    def apply(self, event: Event) -> bool:
        """The effect: one row per inspection. False where a later event was applied before.

        It compares rounds and completions itself, so that an id that was forgotten (--remember) does no harm either.
        """
        inspection = event.inspection
        outcome, request = _part(inspection, "outcome"), _part(inspection, "request")
        report, findings = _part(outcome, "report"), outcome.get("findings", [])
        if not isinstance(findings, list):
            raise UnreadableEventError("inspection.outcome.findings is no list")
        bucket, key = _text(report, "bucket"), _text(report, "key")
        row = self.database.execute(
            """INSERT INTO inspections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (inspection_id) DO UPDATE SET
                   round = excluded.round, completion = excluded.completion, phase = excluded.phase,
                   verdict = excluded.verdict, failure = excluded.failure, findings = excluded.findings,
                   vehicle_id = excluded.vehicle_id, reservation_id = excluded.reservation_id,
                   occasion = excluded.occasion, report = excluded.report
               WHERE (excluded.round, excluded.completion) > (inspections.round, inspections.completion)""",
            (
                inspection["inspection_id"],
                *event.order,
                inspection["phase"],
                _text(inspection, "verdict"),
                _text(_part(inspection, "failure"), "code"),
                len(findings),
                _text(request, "vehicle_id"),
                _text(request, "reservation_id"),
                _text(request, "occasion"),
                f"s3://{bucket}/{key}" if bucket and key else None,
            ),
        )
        return row.rowcount > 0


class Counts:
    """How many events ended in which way."""

    def __init__(self) -> None:
        self.by_outcome = {"applied": 0, "older": 0, "duplicate": 0, "unreadable": 0}

    @property
    def all(self) -> int:
        return sum(self.by_outcome.values())

    def line(self) -> str:
        return ", ".join(f"{count} {outcome}" for outcome, count in self.by_outcome.items())


def handle(body: str, where: str, store: Store, counts: Counts) -> bool:
    """Takes one body; True where its message is done with."""
    try:
        outcome = store.take(parse(body))
    except UnreadableEventError as reason:
        print(f"consumer: {where}: {reason}", file=sys.stderr)
        outcome = "unreadable"
    counts.by_outcome[outcome] += 1
    return outcome != "unreadable"


def bodies(path: Path) -> Iterator[tuple[str, str]]:
    """(where, body) for each event of a file: one JSON document, a list of them, or one a line."""
    if path.stat().st_size > FILE_MAX:
        raise UnreadableEventError(f"{path}: over {FILE_MAX} bytes")
    text = path.read_text(encoding="utf-8")
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield f"{path}:{number}", line
        return
    for number, document in enumerate(whole if isinstance(whole, list) else [whole], start=1):
        yield f"{path}: event {number}", json.dumps(document)


def from_files(paths: list[Path], limit: int, store: Store, counts: Counts) -> None:
    """The dry run."""
    for path in paths:
        for where, body in bodies(path):
            if counts.all >= limit:
                return
            handle(body, where, store, counts)


class Stop:
    """Whether SIGTERM or SIGINT has come."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def from_queue(sqs: Any, queue: str, limit: int, store: Store, counts: Counts, stop: Any) -> None:
    """Receives until it is asked to stop, or `limit` is reached. Errors of AWS end it: restart it from outside."""
    while not stop.asked and counts.all < limit:
        answer = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=min(BATCH, limit - counts.all),
            WaitTimeSeconds=WAIT_S,
        )
        done = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(answer.get("Messages", []))
            if handle(message["Body"], f"message {message['MessageId']}", store, counts)
        ]
        if done:
            # What cannot be deleted comes again, and is a duplicate then.
            for failed in sqs.delete_message_batch(QueueUrl=queue, Entries=done).get("Failed", []):
                print(f"consumer: not deleted, will come again: {failed.get('Code')}", file=sys.stderr)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return value


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Keep a table of final inspections from Walkaround's events")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--queue", metavar="URL", help="SQS queue that is subscribed to the topic of events")
    source.add_argument("--events", metavar="FILE", nargs="+", type=Path, help="files of events, for a dry run")
    parser.add_argument(
        "--store", metavar="FILE", help="SQLite file [default: inspections.sqlite; memory for a dry run]"
    )
    parser.add_argument("--limit", type=positive, default=sys.maxsize, help="stop after so many events")
    parser.add_argument(
        "--remember",
        type=positive,
        default=1_000_000,
        help="ids of events that are kept [default: 1000000]",
    )
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """0; 1 where an event could not be read, or a file could not."""
    options = arguments(given)
    store = Store(options.store or (":memory:" if options.events else "inspections.sqlite"), options.remember)
    counts = Counts()
    try:
        if options.events:
            from_files(options.events, options.limit, store, counts)
            for row in store.database.execute(
                "SELECT inspection_id, phase, coalesce(verdict, failure, ''), findings FROM inspections ORDER BY 1"
            ):
                print("{}  {} {}, findings: {}".format(*row))
        else:
            import boto3

            from_queue(boto3.client("sqs"), options.queue, options.limit, store, counts, Stop())
    except (OSError, UnicodeDecodeError, UnreadableEventError) as problem:
        print(f"consumer: {problem}", file=sys.stderr)
        return 1
    finally:
        store.close()
    print(f"consumer: {counts.line()}")
    return 1 if counts.by_outcome["unreadable"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The example consumer of events: its dry run on its own events and those of docs/messages.md, and its queue loop."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "events-consumer"
sys.path.insert(0, str(EXAMPLE))

import consumer

EVENTS = EXAMPLE / "events.jsonl"
PAGE = (ROOT / "docs" / "messages.md").read_text()


def event(event_id: str = "a.done", **inspection: Any) -> dict[str, Any]:
    whole = {"inspection_id": "a", "phase": "done", "verdict": "clean"} | inspection
    return {"version": 1, "event_id": event_id, "type": "inspection.done", "inspection": whole}


def enveloped(document: dict[str, Any]) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "m", "Message": json.dumps(document)})


class DryRun(unittest.TestCase):
    def run_it(self, *given: str) -> subprocess.CompletedProcess[str]:
        # -I: nothing but the standard library is on the path.
        command = [sys.executable, "-I", str(EXAMPLE / "consumer.py"), *given]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def test_the_readme_shows_what_it_prints(self) -> None:
        ran = self.run_it("--events", str(EVENTS))
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        shown = re.search(r"```text\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
        self.assertEqual(ran.stdout, shown.group(1))

    def test_events_of_the_page_are_read(self) -> None:
        documents = re.findall(r"```json event\n(.*?)```", PAGE, re.DOTALL)
        self.assertGreater(len(documents), 0, "docs/messages.md has no event")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "events.json"
            file.write_text(f"[{','.join(documents)}]")
            ran = self.run_it("--events", str(file))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn(f"{len(documents)} applied", ran.stdout)

    def test_a_second_run_on_the_same_store_changes_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            given = ("--events", str(EVENTS), "--store", str(Path(folder) / "s.sqlite"))
            first, second = self.run_it(*given), self.run_it(*given)
        self.assertEqual(first.stdout.splitlines()[:-1], second.stdout.splitlines()[:-1])
        self.assertIn("0 applied, 0 older, 5 duplicate", second.stdout)

    def test_the_limit_bounds_a_run(self) -> None:
        self.assertIn("1 applied, 0 older, 1 duplicate", self.run_it("--events", str(EVENTS), "--limit", "2").stdout)

    def test_what_cannot_be_read_is_named_and_not_quoted(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "events.jsonl"
            file.write_text(json.dumps(event()) + '\n{"secret": 1\n' + json.dumps(event("b.done") | {"version": 2}))
            ran = self.run_it("--events", str(file))
        self.assertEqual(ran.returncode, 1)
        self.assertIn("events.jsonl:2: the body is not JSON", ran.stderr)
        self.assertIn("events.jsonl:3: this version is not known", ran.stderr)
        self.assertNotIn("secret", ran.stderr)
        self.assertIn("1 applied", ran.stdout)


class Taking(unittest.TestCase):
    def setUp(self) -> None:
        self.store = consumer.Store(":memory:", remember=3)
        self.addCleanup(self.store.close)

    def take(self, document: dict[str, Any]) -> str:
        return self.store.take(consumer.parse(json.dumps(document)))

    def row(self) -> tuple[Any, ...]:
        return self.store.database.execute("SELECT round, completion, phase, verdict FROM inspections").fetchone()

    def test_any_order_ends_the_same(self) -> None:
        failed = event("a.failed", phase="failed", verdict=None, failure={"code": "engine_failed"})
        retried = event("a.done.1", history={"reopened": 1})
        completed = event("a.done.1.completed-1", history={"reopened": 1}, photo_history={"completions": 1})
        for order in ((failed, retried, completed), (completed, retried, failed), (retried, completed, failed)):
            self.store.database.executescript("DELETE FROM seen; DELETE FROM inspections;")
            for document in order:
                self.take(document)
            self.assertEqual(self.row(), (1, 1, "done", "clean"))

    def test_remembered_ids_are_bounded_and_a_forgotten_one_does_no_harm(self) -> None:
        self.assertEqual(self.take(event("a.done.1", history={"reopened": 1}, verdict="damaged")), "applied")
        for number in range(5):
            self.take(event(f"b{number}.done", inspection_id=f"b{number}"))
        self.assertEqual(self.store.database.execute("SELECT count(*) FROM seen").fetchone(), (3,))
        self.assertEqual(self.take(event("a.done")), "older")
        self.assertEqual(self.row()[3], "damaged")

    def test_an_event_that_cannot_be_applied_is_not_remembered(self) -> None:
        for wrong in (
            {"outcome": {"findings": 3}},
            {"verdict": "\ud800"},
            {"verdict": {}},
            {"history": {"reopened": -1}},
        ):
            with self.subTest(wrong), self.assertRaises(consumer.UnreadableEventError):
                self.take(event(**wrong))
        self.assertEqual(self.take(event()), "applied")

    def test_bodies_that_are_no_event(self) -> None:
        for body in ("", "[]", "3", "[" * 100_000, "x" * (consumer.BODY_MAX + 1), json.dumps({"type": "other"})):
            with self.subTest(body[:20]), self.assertRaises(consumer.UnreadableEventError):
                consumer.parse(body)

    def test_an_envelope_of_sns_is_opened(self) -> None:
        self.assertEqual(consumer.parse(enveloped(event())).id, "a.done")


class Queue:
    """A stand-in for SQS: what is received and not deleted is there again."""

    def __init__(self, bodies: list[str]) -> None:
        self.messages = {f"m{number}": body for number, body in enumerate(bodies)}
        self.asked = False
        self.polls = 3

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int, WaitTimeSeconds: int) -> dict[str, Any]:
        self.polls -= 1
        self.asked = self.polls == 0
        given = list(self.messages.items())[:MaxNumberOfMessages]
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name, "Body": body} for name, body in given]}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        for entry in Entries:
            del self.messages[entry["ReceiptHandle"]]
        return {}


class OnAQueue(unittest.TestCase):
    def test_what_is_applied_is_deleted_and_what_is_unreadable_stays(self) -> None:
        queue = Queue([json.dumps(event()), enveloped(event("b.done", inspection_id="b")), "no event"])
        store, counts = consumer.Store(":memory:", 10), consumer.Counts()
        self.addCleanup(store.close)
        with contextlib.redirect_stderr(io.StringIO()):
            consumer.from_queue(queue, "q", 1000, store, counts, stop=queue)
        self.assertEqual(list(queue.messages.values()), ["no event"])
        self.assertEqual(counts.by_outcome["applied"], 2)

    def test_the_limit_bounds_what_is_received(self) -> None:
        queue = Queue([json.dumps(event(f"{number}.done")) for number in range(15)])
        store, counts = consumer.Store(":memory:", 100), consumer.Counts()
        self.addCleanup(store.close)
        consumer.from_queue(queue, "q", 12, store, counts, stop=queue)
        self.assertEqual((counts.all, len(queue.messages)), (12, 3))


if __name__ == "__main__":
    unittest.main()

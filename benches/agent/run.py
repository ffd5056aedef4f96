"""The Python agent beside Walkaround: same photos, same networks, same emulator of AWS, in turn.

    python3 benches/agent/run.py TRIAGE_BINARY DRAWN_FOLDER [PHOTOS_FOLDER]

Two processes on each side, one a core. Walkaround's are triage functions with every photo on their own lane; this
program plays Lambda's poller and runtime API for them. Without PHOTOS_FOLDER only drawn photos are measured. Both sides
share the machine with the emulator, which is Python, too: photos a second are held down by it on both sides, CPU
seconds are each side's own.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from emulated import client, ministack, stack, start  # noqa: E402

PROCESSES = 2
# What the agent imports from.
PYTHON = (".tools/agent", ".tools/reference", ".tools/moto", "benches")
# The longest that one side may take for one set.
SET_S_MAX = 900
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Measured:
    """Processes of one side: CPU from ready to done, the peak of their memory together, the time they took to start."""

    def __init__(self, name):
        self.name, self.pids, self.starts = name, [], []
        self.seconds = self.cpu = 0.0
        self.done = 0

    def begin(self):
        self.at_start = {pid: cpu_seconds(pid) for pid in self.pids}
        self.begun = time.monotonic()

    def end(self, done):
        self.seconds = time.monotonic() - self.begun
        self.cpu = sum(cpu_seconds(pid) - at_start for pid, at_start in self.at_start.items())
        self.memory = sum(peak(pid) for pid in self.pids)
        self.done = done

    def row(self):
        return (
            f"| {self.name} | {self.done / self.seconds:.1f} | {self.cpu / self.done * 1000:.1f} "
            f"| {self.memory:.0f} | {max(self.starts):.2f} |"
        )


def peak(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def fill(sqs, queue, keys):
    for first in range(0, len(keys), 10):
        entries = []
        for n, key in enumerate(keys[first : first + 10]):
            request = {"version": 1, "photo": {"s3": {"bucket": "photos", "key": key}}}
            entries.append({"Id": str(n), "MessageBody": json.dumps(request)})
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def agent(endpoint, queue, keys, folder):
    side = Measured("Python agent")
    packages = os.pathsep.join(str(ROOT / part) for part in PYTHON)
    environment = {**os.environ, "PYTHONPATH": packages, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE / "agent.py", endpoint, queue, "records", "results", ROOT / "bundles" / "demo"]
    processes = []
    with open(folder / "agent.log", "ab") as log:
        for _ in range(PROCESSES):
            begin = time.monotonic()
            processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True))
            if processes[-1].stdout.readline() != "ready\n":
                raise SystemExit("the agent does not start:\n" + (folder / "agent.log").read_text()[-2000:])
            side.starts.append(time.monotonic() - begin)
            side.pids.append(processes[-1].pid)
    sqs = client(endpoint, "sqs")
    side.begin()
    fill(sqs, queue, keys)
    left = threading.Semaphore(0)
    readers = [threading.Thread(target=count, args=(p.stdout, left), daemon=True) for p in processes]
    for reader in readers:
        reader.start()
    wait_for(left, len(keys), processes, folder / "agent.log")
    side.end(len(keys))
    for process in processes:
        process.kill()
        process.wait()
    return side


def count(lines, left):
    for line in lines:
        if line == "done\n":
            left.release()


def wait_for(left, photos, processes, log):
    until = time.monotonic() + SET_S_MAX
    for done in range(photos):
        while not left.acquire(timeout=1):
            if any(p.poll() for p in processes) or time.monotonic() > until:
                raise SystemExit(f"only {done} of {photos} photos were done:\n" + log.read_text()[-2000:])


def feed(api, endpoint, queue, left, stop):
    """Lambda's poller: batches of ten from the queue to the function, and its answers back to the queue."""
    sqs = client(endpoint, "sqs")
    while not stop.is_set():
        answer = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]
        ).get("Messages", [])
        if not answer:
            continue
        records = [
            {
                "messageId": m["MessageId"],
                "receiptHandle": m["ReceiptHandle"],
                "body": m["Body"],
                "attributes": m["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for m in answer
        ]
        api.events.put(json.dumps({"Records": records}).encode())
        path, body = api.answers.get(timeout=SET_S_MAX)
        failed = {f["itemIdentifier"] for f in json.loads(body)["batchItemFailures"]} if "/response" in path else None
        if failed is None:
            raise SystemExit(f"{path}: {body[:400]}")
        for m in answer:
            if m["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])
                left.release()


def walkaround(endpoint, variables, binary, keys, folder):
    side = Measured("Walkaround")
    queue = variables["WALKAROUND_INTAKE_QUEUE"]
    left, stop = threading.Semaphore(0), threading.Event()
    processes, feeders = [], []
    with open(folder / "triage.log", "ab") as log:
        for _ in range(PROCESSES):
            api, process, took = start(binary, variables, log)
            processes.append(process)
            side.starts.append(took)
            side.pids.append(process.pid)
            feeders.append(threading.Thread(target=feed, args=(api, endpoint, queue, left, stop), daemon=True))
    sqs = client(endpoint, "sqs")
    own = resource.getrusage(resource.RUSAGE_SELF)
    side.begin()
    fill(sqs, queue, keys)
    for feeder in feeders:
        feeder.start()
    wait_for(left, len(keys), processes, folder / "triage.log")
    side.end(len(keys))
    now = resource.getrusage(resource.RUSAGE_SELF)
    side.poller = now.ru_utime + now.ru_stime - own.ru_utime - own.ru_stime
    stop.set()
    for process in processes:
        process.kill()
        process.wait()
    return side


def verdicts(endpoint):
    """How many photos are damaged by each side, so that a table never compares two different jobs."""
    pages = client(endpoint, "dynamodb").get_paginator("scan").paginate(TableName="records")
    counted = {"agent": [0, 0], "walkaround": [0, 0]}
    for page in pages:
        for item in page["Items"]:
            verdict = item.get("verdict", {}).get("S")
            if verdict:
                side = counted["agent" if item["pk"]["S"].startswith("photo#") else "walkaround"]
                side[0] += 1
                side[1] += verdict == "damaged"
    return counted


def measure(what, photos, binary):
    if not photos:
        print(f"\n{what}: skipped, there are none")
        return
    folder = Path(tempfile.mkdtemp())
    endpoint, emulator = ministack(folder)
    try:
        s3, variables = stack(endpoint)
        keys = []
        for n, photo in enumerate(photos):
            keys.append(f"{n:05}.jpg")
            s3.put_object(Bucket="photos", Key=keys[-1], Body=photo.read_bytes())
        queue = client(endpoint, "sqs").create_queue(QueueName="agent")["QueueUrl"]
        sides = [agent(endpoint, queue, keys, folder), walkaround(endpoint, variables, binary, keys, folder)]
        print(f"\n{what}: {len(keys)} photos, {PROCESSES} processes a side\n")
        print("| | photos/s | CPU s a 1,000 photos | peak resident, MiB | start, s |\n| --- | --- | --- | --- | --- |")
        for side in sides:
            print(side.row())
        old, new = sides
        faster, cpu, memory = old.seconds / new.seconds, new.cpu / old.cpu, new.memory / old.memory
        print(
            f"\nWalkaround does {faster:.1f} times the photos a second, with {cpu:.2f} of the CPU time and "
            f"{memory:.2f} of the memory; Lambda's part, played here, took {new.poller:.1f} s of CPU beside it."
        )
        for name, (recorded, damaged) in verdicts(endpoint).items():
            print(f"{name}: {recorded} verdicts, {damaged} damaged")
    finally:
        os.killpg(emulator.pid, 9)
        shutil.rmtree(folder, ignore_errors=True)


def real(folder, small):
    """Photos of a public set: those of 640 pixels, or those of a phone."""
    found = sorted(p for part in ("damaged", "undamaged") for p in (folder / part).glob("*.jpg"))
    return [p for p in found if (p.stat().st_size < 400_000) == small]


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(f"usage: {sys.argv[0]} TRIAGE_BINARY DRAWN_FOLDER [PHOTOS_FOLDER]")
    binary, drawn = sys.argv[1], Path(sys.argv[2])
    measure("Drawn photos, 12 megapixels", sorted(drawn.glob("*.jpg")) * 4, binary)
    if len(sys.argv) == 3:
        print("\nreal photos: skipped, no folder was named")
        return
    folder = Path(sys.argv[3])
    measure("Real photos, 640 pixels", real(folder, small=True)[:300], binary)
    phone = real(folder, small=False)
    measure("Real photos of a phone, 12 to 16 megapixels", (phone * (60 // max(1, len(phone)) + 1))[:60], binary)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs the built images as Lambda and AWS Batch run them, against an emulator: the second half of test-images.sh.

1. Each command of the functions' image starts and asks the runtime API for an event.
2. triage answers an event of six photos; what it suspects goes to the GPU lane.
3. The worker's image drains that lane on the CPU, ends by itself with 0, and every record is final.
4. The worker's image for CUDA refuses to start with the code of a missing device, in one line.
5. Neither image runs as root, both say what they were built from, and the functions' is below its bound.

Containers get a read-only root and a temporary folder, as on Lambda. Fails with one line that says what is not so.
"""

from __future__ import annotations

import http.server
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.request import urlopen

import boto3

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = "localhost/walkaround/functions:test-cpu"
WORKER = "localhost/walkaround/worker:test-cpu"
WORKER_CUDA = "localhost/walkaround/worker:test-cuda"
REGION = "eu-central-1"
PHOTOS = 6
# Bounds: bytes of the functions' image, and seconds of waits.
FUNCTIONS_BYTES_MAX = 150_000_000
READY_S_MAX = 60
ANSWER_S_MAX = 120
WORKER_S_MAX = 300
# gpu-batch/src/exit.rs
EXIT_DEVICE = 69


class TroubleError(Exception):
    """What is not as it should be."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise TroubleError(what)


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Lambda's runtime API for one function: hands out events, keeps answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: queue.Queue = queue.Queue(maxsize=8)
        self.answers: queue.Queue = queue.Queue(maxsize=8)
        self.polled = threading.Event()
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.polled.set()
        event = json.dumps(self.server.events.get()).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4()))
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + ANSWER_S_MAX) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:000000000000:function:test")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answers.put((self.path.rsplit("/", 1)[-1], json.loads(body or b"null")))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """The container's own log says more."""


class Container:
    """A running container, ended when it is left."""

    def __init__(self, image: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = f"walkaround-test-{uuid.uuid4().hex[:12]}"
        self.log = log
        bundle = ROOT / "bundles" / "demo"
        line = ["podman", "--runtime", "runc", "run", "--rm", "--name", self.name, "--network", "host", "--read-only"]
        line += ["--tmpfs", "/tmp", "--volume", f"{bundle}:/bundle:ro"]  # check_tree: allow
        for name in environment:
            line += ["--env", name]
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*line, image, *command], env={**os.environ, **environment}, stdout=out, stderr=out
            )

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            subprocess.run(["podman", "kill", self.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.wait(timeout=READY_S_MAX)

    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


def await_poll(api: RuntimeApi, container: Container, what: str) -> None:
    began = time.monotonic()
    while not api.polled.wait(0.1):
        expect(container.alive(), f"{what} ended before it asked for an event; it wrote:\n{container.said()}")
        expect(time.monotonic() - began < READY_S_MAX, f"{what} asked for no event; it wrote:\n{container.said()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Emulator:
    """ministack in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / ".tools" / "ministack"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "TMPDIR": str(folder),
        }
        line = [sys.executable, "-c", "from ministack.app import main; main()"]
        with (folder / "ministack.log").open("wb") as log:
            self.process = subprocess.Popen(
                line, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
        began = time.monotonic()
        while True:
            expect(self.process.poll() is None, "ministack ended; see " + str(folder))
            expect(time.monotonic() - began < READY_S_MAX, "ministack does not answer")
            try:
                with urlopen(f"{self.endpoint}/_ministack/ready", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def deploy_storage(self) -> dict[str, str]:
        """Outputs of infra/storage.yaml."""
        stacks = self.client("cloudformation")
        template = (ROOT / "infra" / "storage.yaml").read_text()
        given = {"Prefix": "walkaround-images", "PhotoEvents": "None", "DeletionProtection": "false"}
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        stacks.create_stack(StackName="storage", TemplateBody=template, Parameters=parameters)
        began = time.monotonic()
        while time.monotonic() - began < READY_S_MAX:
            stack = stacks.describe_stacks(StackName="storage")["Stacks"][0]
            if stack["StackStatus"] == "CREATE_COMPLETE":
                return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
            expect("FAILED" not in stack["StackStatus"], f"the storage stack is in {stack['StackStatus']}")
            time.sleep(0.2)
        raise TroubleError("the storage stack was not made")


def settings(emulator: Emulator, outputs: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "WALKAROUND_STACK": "aws",
        "WALKAROUND_BUNDLE": "/bundle",
        "WALKAROUND_INTAKE_QUEUE": outputs["IntakeQueueUrl"],
        "WALKAROUND_INTAKE_DEAD_QUEUE": outputs["IntakeDeadQueueUrl"],
        "WALKAROUND_SEGMENTATION_QUEUE": outputs["SegmentationQueueUrl"],
        "WALKAROUND_SEGMENTATION_DEAD_QUEUE": outputs["SegmentationDeadQueueUrl"],
        "WALKAROUND_TABLE": outputs["TableName"],
        "WALKAROUND_TOPIC": outputs["TopicArn"],
        "WALKAROUND_PHOTOS_BUCKET": outputs["PhotosBucket"],
        "WALKAROUND_PHOTO_BUCKETS": outputs["PhotosBucket"],
        "WALKAROUND_RESULTS_BUCKET": outputs["ResultsBucket"],
        "WALKAROUND_JOB_QUEUE": "walkaround-workers",
        "WALKAROUND_JOB_DEFINITION": "walkaround-worker",
        "WALKAROUND_ALERT_SECRET": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:none",
        # No inline segmentation is quick enough: what is suspected goes to the GPU lane.
        "WALKAROUND_INLINE_DRAIN_S": "0",
        "WALKAROUND_COLD_START_S": "1",
    }


def event_of(emulator: Emulator, outputs: dict[str, str]) -> dict:
    """Puts photos, and says so in the one event of Lambda's event source."""
    picture = (ROOT / "bundles" / "demo" / "self_test.png").read_bytes()
    bucket, photos = outputs["PhotosBucket"], emulator.client("s3")
    records = []
    for number in range(PHOTOS):
        photos.put_object(Bucket=bucket, Key=f"in/{number}.png", Body=picture)
        body = {"photo": {"s3": {"bucket": bucket, "key": f"in/{number}.png"}}, "inspection_id": f"photo-{number}"}
        records.append(
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": f"none-{number}",
                "body": json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:walkaround-images-intake",
                "awsRegion": REGION,
            }
        )
    return {"Records": records}


def phases(emulator: Emulator, table: str) -> list[str]:
    """Phases of all photos' records, missing ones as such."""
    records = emulator.client("dynamodb")
    found = []
    for number in range(PHOTOS):
        key = {"pk": {"S": f"I#photo-{number}"}, "sk": {"S": "R"}}
        item = records.get_item(TableName=table, Key=key).get("Item", {})
        found.append(item.get("phase", {}).get("S", "missing"))
    return found


def inspect(image: str) -> dict:
    answer = subprocess.run(["podman", "image", "inspect", image], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)[0]


def check_images() -> None:
    for image in (FUNCTIONS, WORKER, WORKER_CUDA):
        about = inspect(image)
        expect(about["User"] not in ("", "0", "root"), f"{image} runs as root")
        labels = about["Labels"] or {}
        revision = labels.get("org.opencontainers.image.revision", "")
        expect(len(revision) == 40, f"{image} does not say which commit it was built from")
        expect(labels.get("org.opencontainers.image.version", "") in image, f"{image} does not say its version")
        print(f"  {image}: {about['Size'] / 1e6:.0f} MB")
    size = inspect(FUNCTIONS)["Size"]
    expect(size < FUNCTIONS_BYTES_MAX, f"{FUNCTIONS} is {size} bytes, at most {FUNCTIONS_BYTES_MAX}")


# The console does not start without; its provider is not asked before somebody signs in.
SIGN_IN = {
    "WALKAROUND_OIDC_ISSUER": "https://id.example.com",
    "WALKAROUND_OIDC_CLIENT": "walkaround",
    "WALKAROUND_CONSOLE_URL": "https://console.example.com",
    "WALKAROUND_SESSION_KEY": "0123456789abcdef0123456789abcdef",
}


def check_commands(environment: dict[str, str], folder: Path) -> None:
    for command in ("triage", "scaler", "notifier", "monitor", "console"):
        api = RuntimeApi()
        variables = {**environment, "AWS_LAMBDA_RUNTIME_API": api.address, **lambda_variables(command)}
        if command == "console":
            variables |= SIGN_IN
        with Container(FUNCTIONS, [command], variables, folder / f"{command}.log") as container:
            await_poll(api, container, command)
        print(f"  {command} asks for an event")


def lambda_variables(name: str) -> dict[str, str]:
    return {
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008",
    }


def check_triage(emulator: Emulator, outputs: dict[str, str], folder: Path) -> None:
    api = RuntimeApi()
    variables = {**settings(emulator, outputs), "AWS_LAMBDA_RUNTIME_API": api.address, **lambda_variables("triage")}
    with Container(FUNCTIONS, ["triage"], variables, folder / "answer.log") as container:
        await_poll(api, container, "triage")
        api.events.put(event_of(emulator, outputs))
        try:
            kind, answer = api.answers.get(timeout=ANSWER_S_MAX)
        except queue.Empty:
            raise TroubleError(f"triage did not answer; it wrote:\n{container.said()}") from None
        expect(kind == "response", f"triage answered {kind}: {answer}")
        expect(answer.get("batchItemFailures") == [], f"triage gave photos back: {answer}\n{container.said()}")
    found = phases(emulator, outputs["TableName"])
    expect(found == ["routed"] * PHOTOS, f"after triage, records are {found}\n{container.said()}")
    print(f"  triage answered an event of {PHOTOS} photos and sent them to the GPU lane")


def check_worker(emulator: Emulator, outputs: dict[str, str], folder: Path) -> None:
    variables = {**settings(emulator, outputs), "WALKAROUND_DEVICE": "cpu", "WALKAROUND_IDLE_EXIT_S": "3"}
    with Container(WORKER, [], variables, folder / "worker.log") as container:
        try:
            code = container.process.wait(timeout=WORKER_S_MAX)
        except subprocess.TimeoutExpired:
            raise TroubleError(f"the worker did not end; it wrote:\n{container.said()}") from None
    expect(code == 0, f"the worker ended with {code}; it wrote:\n{container.said()}")
    found = phases(emulator, outputs["TableName"])
    expect(found == ["done"] * PHOTOS, f"after the worker, records are {found}\n{container.said()}")
    stored = emulator.client("s3").list_objects_v2(Bucket=outputs["ResultsBucket"]).get("KeyCount", 0)
    expect(stored >= PHOTOS, f"only {stored} results are stored")
    asked = emulator.client("sqs").get_queue_attributes(
        QueueUrl=outputs["SegmentationQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    left = int(asked["ApproximateNumberOfMessages"]) + int(asked["ApproximateNumberOfMessagesNotVisible"])
    expect(left == 0, f"{left} messages are left in the GPU lane")
    print(f"  the worker drained {PHOTOS} photos, stored {stored} results and ended with 0")


def check_cuda(environment: dict[str, str], folder: Path) -> None:
    with Container(WORKER_CUDA, [], environment, folder / "cuda.log") as container:
        code = container.process.wait(timeout=WORKER_S_MAX)
    expect(code == EXIT_DEVICE, f"the CUDA worker ended with {code}, not {EXIT_DEVICE}; it wrote:\n{container.said()}")
    lines = container.said().strip().splitlines()
    print(f"  the CUDA worker refuses without a GPU, with {code}: {lines[-1][:300]}")


def run(folder: Path) -> None:
    check_images()
    emulator = Emulator(folder)
    try:
        outputs = emulator.deploy_storage()
        environment = settings(emulator, outputs)
        check_commands(environment, folder)
        check_triage(emulator, outputs, folder)
        check_worker(emulator, outputs, folder)
        check_cuda(environment, folder)
    finally:
        emulator.stop()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(Path(folder))
        except TroubleError as trouble:
            print(f"test-images: {trouble}", file=sys.stderr)
            return 1
    print("test-images: both images work")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""AWS for a measurement: ministack with buckets, table, queues and topic, and Lambda's runtime API."""

import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".tools" / "moto"))
import boto3  # noqa: E402  (from .tools)
import botocore.config  # noqa: E402

REGION = "eu-central-1"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class RuntimeApi:
    """What Lambda serves to a function: the next event, and a place for its answer."""

    def __init__(self):
        self.events, self.answers, self.first_poll = Queue(), Queue(), threading.Event()
        self.polled_at = None
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                if api.polled_at is None:
                    api.polled_at = time.monotonic()
                    api.first_poll.set()
                body = api.events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "bench")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 120) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:0:function:triage")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.answers.put((self.path, body))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_port}"


def start(binary, variables, log):
    api = RuntimeApi()
    begin = time.monotonic()
    process = subprocess.Popen(
        [binary], env={**os.environ, **variables, "AWS_LAMBDA_RUNTIME_API": api.address}, stdout=log, stderr=log
    )
    if not api.first_poll.wait(30):
        log.flush()
        raise SystemExit("the function does not ask for events:\n" + Path(log.name).read_text()[-2000:])
    return api, process, api.polled_at - begin


def resident(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def client(endpoint, service):
    """A client of the emulator."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=botocore.config.Config(max_pool_connections=4),
    )


def stack(endpoint):
    """Makes everything that the triage function needs: a client of S3, and the function's environment."""
    sqs, s3, dynamodb, sns = (client(endpoint, service) for service in ("sqs", "s3", "dynamodb", "sns"))
    for bucket in ("photos", "results"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    key = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    dynamodb.create_table(
        TableName="records", KeySchema=key, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
    )
    queues = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("intake", "intake-dead", "segmentation", "segmentation-dead")
    }
    variables = {
        **allocator(),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "WALKAROUND_INTAKE_QUEUE": queues["intake"],
        "WALKAROUND_INTAKE_DEAD_QUEUE": queues["intake-dead"],
        "WALKAROUND_SEGMENTATION_QUEUE": queues["segmentation"],
        "WALKAROUND_SEGMENTATION_DEAD_QUEUE": queues["segmentation-dead"],
        "WALKAROUND_TABLE": "records",
        "WALKAROUND_TOPIC": sns.create_topic(Name="events")["TopicArn"],
        "WALKAROUND_JOB_QUEUE": "q",
        "WALKAROUND_JOB_DEFINITION": "d",
        "WALKAROUND_WORKERS_MAX": "0",
        "WALKAROUND_BUNDLE": str(ROOT / "bundles" / "demo"),
        "WALKAROUND_ONNXRUNTIME": os.environ.get(
            "WALKAROUND_ONNXRUNTIME", str(ROOT / ".tools" / "onnxruntime" / "libonnxruntime.so")
        ),
        "AWS_LAMBDA_FUNCTION_NAME": "triage",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
    }
    return s3, variables


def allocator():
    """What the image says of memory, which Lambda runs the function with."""
    image = (ROOT / "functions" / "Containerfile").read_text()
    return dict(re.findall(r"(MALLOC_\w+)=(\d+)", image))


def ministack(folder):
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / ".tools" / "ministack"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
    }
    with open(folder / "ministack.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack.app"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    for _ in range(300):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return endpoint, process
        time.sleep(0.1)
    raise SystemExit("ministack does not answer")

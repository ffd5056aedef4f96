"""Start-up time, size and memory of the triage function's release binary, against the emulator.

    python3 benches/triage_function.py target/release/triage PHOTO [PHOTOS_SMALL PHOTOS_MANY]

Plays Lambda's runtime API and hands over batches of ten; AWS is ministack. Start-up counts from the start of the
process to its first request for an event, with the demonstration bundle's networks loaded. PHOTO is put under many
keys: name a 12-megapixel JPEG.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from emulated import ministack, resident, stack, start

STARTS = 5


def invoke(api, bucket, keys):
    def record(n, key):
        request = {"version": 1, "photo": {"s3": {"bucket": bucket, "key": key}}, "inspection_id": f"bench-{key}"}
        return {
            "messageId": f"m{n}",
            "receiptHandle": f"r{n}",
            "body": json.dumps(request),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
        }

    api.events.put(json.dumps({"Records": [record(n, key) for n, key in enumerate(keys)]}).encode())
    path, body = api.answers.get(timeout=120)
    if not path.endswith("/response") or json.loads(body)["batchItemFailures"]:
        raise SystemExit(f"{path}: {body[:400]}")


def main():
    if len(sys.argv) not in (3, 5):
        raise SystemExit(f"usage: {sys.argv[0]} TRIAGE_BINARY PHOTO [PHOTOS_SMALL PHOTOS_MANY]")
    binary, photo = sys.argv[1], Path(sys.argv[2])
    small, many = (int(n) for n in sys.argv[3:]) if len(sys.argv) == 5 else (100, 1000)
    folder = Path(tempfile.mkdtemp())
    endpoint, emulator = ministack(folder)
    try:
        stripped = folder / "triage"
        subprocess.run(["strip", "-o", stripped, binary], check=True)
        print(f"stripped binary: {stripped.stat().st_size / 1e6:.1f} MB (at most 40)")
        s3, variables = stack(endpoint)
        with open(folder / "triage.log", "wb") as log:
            starts = []
            for _ in range(STARTS):
                api, process, took = start(binary, variables, log)
                starts.append(took * 1e3)
                process.kill()
                process.wait()
            shown = ", ".join(f"{ms:.0f}" for ms in starts)
            print(f"start to first poll: {sorted(starts)[STARTS // 2]:.0f} ms, median of {shown} (at most 250)")
            api, process, _ = start(binary, variables, log)
            bytes_of_photo = photo.read_bytes()
            begin = time.monotonic()
            for first in range(0, many, 10):
                keys = [f"{n}.jpg" for n in range(first, first + 10)]
                for key in keys:
                    s3.put_object(Bucket="photos", Key=key, Body=bytes_of_photo)
                invoke(api, "photos", keys)
                s3.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": key} for key in keys]})
                if first + 10 in (small, many // 2, many):
                    print(f"resident after {first + 10} photos: {resident(process):.0f} MiB (at most 400, and flat)")
            print(f"{many / (time.monotonic() - begin):.1f} photos/s, uploads included")
            process.kill()
    finally:
        os.killpg(emulator.pid, 9)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""The Python agent that Walkaround replaces, rebuilt for `make bench-agent`: one process a core.

    python3 agent.py ENDPOINT QUEUE_URL TABLE RESULTS_BUCKET BUNDLE

It is written as such agents are: pull ten messages, and of each the photo from S3, Pillow to decode and turn it
upright, numpy for the tensor, ONNX Runtime with the same networks on one thread, OpenCV for masks and outlines, a
marked picture and a JSON document to S3, an item to DynamoDB, then the message is deleted. Models are loaded once at
start. It runs until it is killed.
"""

import io
import json
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from emulated import client
from PIL import Image, ImageOps

# A quality at which marked pictures are usually kept.
JPEG_QUALITY = 85


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Networks:
    """The gate and the segmenter of a bundle, and how their masks are cut."""

    def __init__(self, bundle):
        manifest = tomllib.loads((bundle / "bundle.toml").read_text())
        gate, segmenter = manifest["networks"]
        self.gate, self.segmenter = session(bundle / gate["file"]), session(bundle / segmenter["file"])
        self.side = gate["input"]["width"]
        self.gate_threshold = gate["output"]["threshold"]
        self.classes = manifest["classes"]

    def tensor(self, picture):
        small = picture.resize((self.side, self.side), Image.Resampling.BOX)
        return np.asarray(small, np.float32).transpose(2, 0, 1)[None]

    def findings(self, picture):
        """Gate score, and of each region its class, probability, area, box and outlines."""
        tensor = self.tensor(picture)
        score = float(self.gate.run(["gate"], {"image": tensor})[0].reshape(-1)[0])
        if score < self.gate_threshold:
            return score, []
        maps = self.segmenter.run(["masks"], {"image": tensor})[0][0]
        return score, [one for spec, values in zip(self.classes, maps) for one in regions(spec, values, picture.size)]


def regions(spec, values, size):
    width, height = size
    policy = spec["mask"]
    # At most 512 pixels on the long side: masks are not finer than the network.
    scale = min(1.0, 512 / max(size))
    grid = (max(1, round(width * scale)), max(1, round(height * scale)))
    probability = cv2.resize(values, grid, interpolation=cv2.INTER_LINEAR)
    mask = (probability >= policy["threshold"]).astype(np.uint8)
    side = max(1, round(policy["closing"] * max(grid)))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    to_photo = np.array([width / grid[0], height / grid[1]])
    for label in range(1, count):
        area = int(stats[label, cv2.CC_STAT_AREA])
        if area < policy["area_min"] * grid[0] * grid[1]:
            continue
        region = (labels == label).astype(np.uint8)
        outlines, _ = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        yield {
            "class": spec["name"],
            "colour": spec["colour"],
            "probability": float(probability[labels == label].mean()),
            "area_px": round(area * float(to_photo.prod())),
            "bbox": [int(n) for n in stats[label, :4]],
            "polygons": [(outline[:, 0] * to_photo).round().astype(int).tolist() for outline in outlines],
        }


def marked(picture, found):
    """The photo with its findings, as JPEG."""
    pixels = np.asarray(picture)[:, :, ::-1].copy()
    painted = pixels.copy()
    for finding in found:
        red, green, blue = (int(finding["colour"][n : n + 2], 16) for n in (1, 3, 5))
        outlines = [np.array(polygon, np.int32) for polygon in finding["polygons"]]
        cv2.fillPoly(painted, outlines, (blue, green, red))
        cv2.polylines(pixels, outlines, True, (blue, green, red), 3)
    pixels = cv2.addWeighted(pixels, 0.65, painted, 0.35, 0)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def inspect(networks, s3, results, reference):
    data = s3.get_object(Bucket=reference["bucket"], Key=reference["key"])["Body"].read()
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    score, found = networks.findings(picture)
    verdict = "damaged" if found else "clean"
    key = reference["key"]
    document = {"photo": reference, "verdict": verdict, "gate": score, "findings": found}
    s3.put_object(Bucket=results, Key=f"{key}.json", Body=json.dumps(document).encode())
    s3.put_object(Bucket=results, Key=f"{key}.overlay.jpg", Body=marked(picture, found))
    return {"pk": f"photo#{key}", "sk": "result", "verdict": verdict, "gate": Decimal(f"{score:.6f}")}


def main():
    endpoint, queue, table, results, bundle = sys.argv[1:]
    cv2.setNumThreads(1)
    networks = Networks(Path(bundle))
    sqs, s3, dynamodb = (client(endpoint, service) for service in ("sqs", "s3", "dynamodb"))
    print("ready", flush=True)
    while True:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            item = inspect(networks, s3, results, json.loads(message["Body"])["photo"]["s3"])
            typed = {name: {"N": str(v)} if isinstance(v, Decimal) else {"S": v} for name, v in item.items()}
            dynamodb.put_item(TableName=table, Item=typed)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            print("done", flush=True)


if __name__ == "__main__":
    main()

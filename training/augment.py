"""Random views of a photo and its label map, for training.

Beside the usual (crop, turn, mirror, light, colour), a view is sometimes shrunk and enlarged again or
compressed hard: the undamaged photos of the public sets are smaller than the damaged ones, and without this
the gate learns resolution instead of damage.
"""

from __future__ import annotations

import math
import random

import cv2
import numpy as np

from annotations import UNKNOWN_BIT

SIDE = 256


def crop(photo: np.ndarray, labels: np.ndarray, rng: random.Random, share_min: float):
    """Cut out a window of at least `share_min` of the area, sides up to 20 % off the photo's shape."""
    height, width = photo.shape[:2]
    side = math.sqrt(rng.uniform(share_min, 1.0))
    aspect = math.exp(rng.uniform(-0.2, 0.2))
    rows, columns = min(height, int(height * side * aspect)), min(width, int(width * side / aspect))
    top, left = rng.randint(0, height - rows), rng.randint(0, width - columns)
    window = slice(top, top + rows), slice(left, left + columns)
    return np.asarray(photo[window]), np.asarray(labels[window])


def turn(photo: np.ndarray, labels: np.ndarray, rng: random.Random):
    """Turn by up to 12 degrees. What comes in from outside is mirrored, and its label unknown."""
    rows, columns = labels.shape
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-12, 12), 1.1)
    turned = cv2.warpAffine(photo, matrix, (columns, rows), borderMode=cv2.BORDER_REFLECT_101)
    turned_labels = cv2.warpAffine(
        labels,
        matrix,
        (columns, rows),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=UNKNOWN_BIT,
    )
    return turned, turned_labels


def coarsen(photo: np.ndarray, rng: random.Random) -> np.ndarray:
    """Shrink and enlarge again, losing detail."""
    factor = rng.uniform(0.4, 0.9)
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (photo.shape[1], photo.shape[0]))


def compress(photo: np.ndarray, rng: random.Random) -> np.ndarray:
    """Store as JPEG of a random quality and read back."""
    _, stored = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(35, 90)])
    return cv2.imdecode(stored, cv2.IMREAD_COLOR)


def relight(photo: np.ndarray, rng: random.Random) -> np.ndarray:
    """Change gamma, contrast, saturation, white balance and noise: float32, 0..255."""
    view = photo.astype(np.float32)
    if rng.random() < 0.8:
        view = 255 * np.power(view / 255 + 1e-6, math.exp(rng.uniform(-0.45, 0.45)))
        mean = view.mean()
        view = (view - mean) * rng.uniform(0.7, 1.3) + mean * rng.uniform(0.75, 1.25)
    if rng.random() < 0.5:
        grey = view.mean(2, keepdims=True)
        view = grey + (view - grey) * rng.uniform(0.4, 1.5)
    if rng.random() < 0.3:
        view = view * np.array([rng.uniform(0.88, 1.12) for _ in range(3)], np.float32)
    if rng.random() < 0.15:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(view.shape, np.float32)
        view = view + noise * rng.uniform(2, 10)
    return np.clip(view, 0, 255).astype(np.float32)


def view(photo: np.ndarray, labels: np.ndarray, rng: random.Random, share_min: float = 0.45):
    """Return a random view: photo float32 [256, 256, 3] and label map uint8 [256, 256]."""
    photo, labels = crop(photo, labels, rng, share_min)
    if rng.random() < 0.3:
        photo, labels = turn(photo, labels, rng)
    if rng.random() < 0.25:
        photo = coarsen(photo, rng)
    if rng.random() < 0.2:
        photo = compress(photo, rng)
    filter_ = cv2.INTER_AREA if photo.shape[0] > SIDE else cv2.INTER_LINEAR
    photo = cv2.resize(photo, (SIDE, SIDE), interpolation=filter_)
    labels = cv2.resize(labels, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        photo, labels = photo[:, ::-1], labels[:, ::-1]
    return relight(photo, rng), np.ascontiguousarray(labels)

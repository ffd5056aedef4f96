"""Scores: pixel-pooled IoU, precision, recall and F1 per class, ROC AUC of the gate, bootstrap intervals."""

from __future__ import annotations

import numpy as np

BOOTSTRAPS = 500


def counts(predicted: np.ndarray, masks: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Count true positive, false positive and false negative pixels a channel: int64 [channels, 3].

    `predicted` and `masks` are bool [channels, h, w]; pixels outside `valid` (bool [h, w]) do not count.
    """
    hit = (predicted & masks & valid).sum((1, 2))
    wrong = (predicted & ~masks & valid).sum((1, 2))
    missed = (~predicted & masks & valid).sum((1, 2))
    return np.stack([hit, wrong, missed], 1).astype(np.int64)


def scores(per_photo: np.ndarray) -> dict[str, float]:
    """Pool counts int64 [photos, 3] over photos and return the scores with a 95 % interval of the IoU."""
    hit, wrong, missed = per_photo.sum(0)
    low, high = interval(per_photo)
    return {
        "iou": round(float(hit / max(1, hit + wrong + missed)), 4),
        "iou_low": low,
        "iou_high": high,
        "precision": round(float(hit / max(1, hit + wrong)), 4),
        "recall": round(float(hit / max(1, hit + missed)), 4),
        "f1": round(float(2 * hit / max(1, 2 * hit + wrong + missed)), 4),
    }


def interval(per_photo: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the pooled IoU, drawing photos with replacement."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(per_photo), (BOOTSTRAPS, len(per_photo)))
    pooled = per_photo[drawn].sum(1)
    ious = pooled[:, 0] / np.maximum(1, pooled.sum(1))
    return round(float(np.quantile(ious, 0.025)), 4), round(float(np.quantile(ious, 0.975)), 4)


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the area under the ROC curve of two samples of scores; a tie counts one half."""
    higher = (positive[:, None] > negative[None]).mean()
    return round(float(higher + 0.5 * (positive[:, None] == negative[None]).mean()), 4)

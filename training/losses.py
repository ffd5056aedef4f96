"""The losses: weighted cross-entropy plus Dice for the masks, cross-entropy for the gate."""

from __future__ import annotations

import torch
from torch.nn import functional

# In the order of CHANNELS. The weights lift the rare classes and the sum of all; the positive weights make a
# missed pixel dearer than one too many.
CHANNEL_WEIGHTS = (1.0, 1.0, 1.0, 1.2, 1.2, 1.5)
POSITIVE_WEIGHTS = (2.0, 2.0, 2.0, 2.0, 2.0, 1.5)
DICE_SMOOTHING = 50.0  # pixels: a class absent from the batch must not dominate


def per_channel(values: tuple[float, ...]) -> torch.Tensor:
    """Return the values shaped to multiply [n, channels, h, w]."""
    return torch.tensor(values).view(1, -1, 1, 1)


def mask_loss(logits: torch.Tensor, masks: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Return twice the cross-entropy plus Dice.

    `logits` and `masks` are [n, channels, h, w]; `valid` [n, 1, h, w] weighs pixels, 0 where ignored.
    """
    weights = per_channel(CHANNEL_WEIGHTS)
    entropy = functional.binary_cross_entropy_with_logits(
        logits, masks, reduction="none", pos_weight=per_channel(POSITIVE_WEIGHTS)
    )
    entropy = (entropy * valid * weights).sum() / (valid.sum() * logits.shape[1] + 1)
    predicted, true = torch.sigmoid(logits) * valid, masks * valid
    overlap = 2 * (predicted * true).sum((0, 2, 3)) + DICE_SMOOTHING
    total = (predicted**2).sum((0, 2, 3)) + (true**2).sum((0, 2, 3)) + DICE_SMOOTHING
    dice = ((1 - overlap / total) * weights.view(-1)).mean()
    return 2 * entropy + dice


def gate_loss(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted cross-entropy of the gate; all [n, 1]. A weight of 0 leaves a photo out."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (entropy * weights).sum() / (weights.sum() + 1e-3)

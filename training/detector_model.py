"""The nano detector: a small residual network with a stride-4 map in which every thing is one point."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

IMAGE_SIZE = 448
"""Side of the input in pixels."""
STRIDE = 4
"""Pixels of the input, along a side, of one cell of the maps."""
MAP_SIDE = IMAGE_SIZE // STRIDE
BOX_UNIT_PX = 0.05 * IMAGE_SIZE
"""Distances are learned in this unit: half of a middling thing's side, so that the head's outputs are about 1."""
FIRST_SCORE = 0.01
"""The head starts with this score everywhere; from 0.5 the empty table would swamp the first steps."""
WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "model.json"


class DetectorMaps(NamedTuple):
    """What the network says at every cell of the (h, w) map.

    Attributes:
        centre: (B, 1, h, w) logits that a thing's point lies in the cell.
        box: (B, 4, h, w) distances from the cell's centre to left, top, right, bottom in input pixels, > 0.
        kind, colour: (B, K, h, w) logits of the thing whose point is here.
    """

    centre: Tensor
    box: Tensor
    kind: Tensor
    colour: Tensor


def conv(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two 3x3 convolutions and what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return F.relu(x + self.second(self.first(x)))


class NanoDetectorNet(nn.Module):
    """About 1 M parameters: strides 4, 8, 16, 32 and a feature pyramid back to stride 4.

    Dense convolutions, not depthwise ones: on a CPU they are quicker for the same accuracy at this width. Stride 4,
    because things on a crowded table have points that are a few pixels apart.
    """

    def __init__(self, kinds: int, colours: int) -> None:
        super().__init__()
        self.sizes = (1, 4, kinds, colours)
        self.stage4 = nn.Sequential(conv(3, 16, 2), conv(16, 32, 2), Residual(32))
        self.stage8 = nn.Sequential(conv(32, 64, 2), Residual(64), Residual(64))
        self.stage16 = nn.Sequential(conv(64, 112, 2), Residual(112), Residual(112))
        self.stage32 = nn.Sequential(conv(112, 112, 2), conv(112, 112))
        self.lateral32 = nn.Conv2d(112, 64, 1)
        self.lateral16 = nn.Conv2d(112, 64, 1)
        self.lateral8 = nn.Conv2d(64, 64, 1)
        self.mix8 = conv(64, 64)
        self.top_down4 = nn.Conv2d(64, 32, 1)
        self.mix4 = conv(32, 48)
        self.head = nn.Conv2d(48, sum(self.sizes), 1)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.bias[0] = -math.log((1 - FIRST_SCORE) / FIRST_SCORE)
            self.head.bias[1:5] = 0.5

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised -> (B, 48, S/4, S/4)."""
        at4 = self.stage4(pixels)
        at8 = self.stage8(at4)
        at16 = self.stage16(at8)
        at32 = self.stage32(at16)
        down16 = self.lateral16(at16) + _twice(self.lateral32(at32))
        down8 = self.mix8(self.lateral8(at8) + _twice(down16))
        mixed: Tensor = self.mix4(at4 + _twice(self.top_down4(down8)))
        return mixed

    def forward(self, pixels: Tensor) -> DetectorMaps:
        """(B, 3, S, S) normalised -> maps, float32 even under autocast: a box in bfloat16 is good to half a pixel."""
        features = self.features(pixels)
        with torch.autocast(features.device.type, enabled=False):
            centre, box, kind, colour = self.head(features.float()).split(self.sizes, dim=1)
            return DetectorMaps(centre, _softplus(box) * BOX_UNIT_PX, kind, colour)


class DetectorGraph(nn.Module):
    """The network as it is exported: its maps, and the largest centre logit of every 3x3 neighbourhood."""

    def __init__(self, net: NanoDetectorNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """In the order of the exported graph's outputs: centre, its local maximum, box, kind, colour."""
        maps = self.net(image)
        return maps.centre, F.max_pool2d(maps.centre, 3, stride=1, padding=1), maps.box, maps.kind, maps.colour


def _softplus(x: Tensor) -> Tensor:
    """Written out, because the library's has a threshold that is exported as a choice per element."""
    return F.relu(x) + torch.log1p(torch.exp(-x.abs()))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def save_detector(folder: Path, net: NanoDetectorNet, config: Mapping[str, Any]) -> None:
    """Write model.safetensors and model.json; ``config`` holds at least ``kinds`` and ``colours``."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, folder / WEIGHTS_NAME)
    write_config(folder, config)


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write model.json."""
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_detector_net(folder: Path) -> tuple[NanoDetectorNet, dict[str, Any]]:
    """The network in inference mode, and model.json."""
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    net = NanoDetectorNet(len(config["kinds"]), len(config["colours"]))
    net.load_state_dict(load_file(folder / WEIGHTS_NAME))
    return net.eval(), config

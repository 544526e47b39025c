"""A small convolutional network over one-channel images: two times convolution, ReLU and pooling, then two linear layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from . import Plan


def plan(config: dict[str, Any]) -> Plan:
    height, width = config["height"], config["width"]
    return Plan(
        input_name="image",
        shape=lambda _columns: (1, height, width),
        features=tuple(f"pixel_{index}" for index in range(height * width)),
        # Pixels share one scale: a pixel that is dark in all images must not be stretched like one that varies.
        scaled_by_column=False,
        build=lambda _columns, classes: _build(height, width, config["channels"], config["hidden"], classes),
    )


def _build(height: int, width: int, channels: list[int], hidden: int, classes: int) -> nn.Module:
    """(rows, 1, height, width) -> (rows, classes). Pooling halves a side, rounding down, twice."""
    first, second = channels
    return nn.Sequential(
        nn.Conv2d(1, first, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * (height // 4) * (width // 4), hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )

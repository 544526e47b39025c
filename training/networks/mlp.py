"""A multi-layer perceptron over the columns of a table: Linear and ReLU for each hidden layer, then Linear to the logits."""

from __future__ import annotations

from typing import Any

from torch import nn

from . import Plan


def plan(config: dict[str, Any]) -> Plan:
    features = config["features"]
    return Plan(
        input_name="features",
        shape=lambda columns: (columns,),
        features=tuple(features) if features is not None else None,
        scaled_by_column=True,
        build=lambda columns, classes: _build(columns, config["hidden"], classes),
    )


def _build(columns: int, hidden: list[int], classes: int) -> nn.Module:
    """(rows, columns) -> (rows, classes)."""
    layers: list[nn.Module] = []
    width = columns
    for next_width in hidden:
        layers += [nn.Linear(width, next_width), nn.ReLU()]
        width = next_width
    return nn.Sequential(*layers, nn.Linear(width, classes))

"""The networks of the recipes, each in a module of its own, and the plan that says how a table's rows become their input."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import nn


@dataclass(frozen=True)
class Plan:
    """`shape`: of one input, without the batch axis. `features`: the columns it is made of, None for those of the evaluation set.
    `build(columns, classes)`: the network from scaled inputs to logits; its initial weights come from torch's global generator."""

    input_name: str
    shape: Callable[[int], tuple[int, ...]]
    features: tuple[str, ...] | None
    scaled_by_column: bool
    build: Callable[[int, int], nn.Module]


def plan_of(network: str, config: dict[str, Any]) -> Plan:
    """`network`: a recipe's. Only that module is loaded, and only it is in the recipe's code hash."""
    module = importlib.import_module(f"{__name__}.{network}")
    return cast(Plan, module.plan(config))

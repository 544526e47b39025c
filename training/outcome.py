"""What goes into `training.run` and what comes out: the words that the worker and this package share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OnEvent = Callable[[dict[str, Any]], None]
ShouldStop = Callable[[], bool]


def ignore_event(_event: dict[str, Any]) -> None:
    """For who does not follow."""


def never_stop() -> bool:
    return False


@dataclass(frozen=True)
class Part:
    """One contributor's file, in plaintext.

    `commitment`: 32 bytes, the salted commitment that the registry holds for this file. When it is given the transcript names the file
    by it; without it by the file's SHA-256, which lets anyone who guesses the whole file confirm the guess.
    """

    dataset_id: int
    data: bytes
    commitment: bytes | None = None


@dataclass(frozen=True)
class Attribution:
    """`value`, `low <= value <= high`: in units of the utility (0.01 of "accuracy" is one row in a hundred)."""

    dataset_id: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """Everything a finished job leaves behind.

    `samples`: input name -> float32 array of the exported network's input shape, rows of the evaluation set.
    `transcript`, `onnx`: the same bytes for the same inputs, seed, device and versions.
    """

    metrics: dict[str, float]
    utility: str
    attribution: list[Attribution]
    onnx: bytes
    transcript: bytes
    samples: list[dict[str, NDArray[np.float32]]]
    card: dict[str, Any]

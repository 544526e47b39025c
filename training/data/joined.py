"""Joins the files of a job: one table of rows, each with its owner, in the order of dataset id and then of the file.

Rows that also stand in the evaluation set are left out unless the config keeps them: the held-out set is public, and who copied it into a
dataset would be paid for knowing the answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.canonical import sha256_hex
from training.config_schemas import MAX_CLASSES
from training.errors import BadConfig, BadData
from training.outcome import Part

from .csv_table import Table, normal_label, read_table

MIN_TRAINING_ROWS = 10
MIN_EVALUATION_ROWS = 10
MAX_PARTS = 64


@dataclass(frozen=True)
class Rows:
    """`features` float32 (rows, columns); `labels` int64 (rows,), index of the class; `owners` int64 (rows,), dataset id;
    `lines` int64 (rows,), line in the owner's file."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    owners: NDArray[np.int64]
    lines: NDArray[np.int64]

    def of(self, members: Sequence[int]) -> Rows:
        """The rows of these datasets, in the same order."""
        return self.where(np.isin(self.owners, np.asarray(members, dtype=np.int64)))

    def where(self, kept: NDArray[np.bool_]) -> Rows:
        return Rows(self.features[kept], self.labels[kept], self.owners[kept], self.lines[kept])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class PartInfo:
    """What the transcript says of a file. `rows`: in the file; `rows_left_out`: of these, also in the evaluation set."""

    dataset_id: int
    rows: int
    rows_left_out: int
    commitment: str | None
    sha256: str | None


@dataclass(frozen=True)
class Joined:
    """`positive`: index of the class whose ranking the AUC measures; None unless there are two classes."""

    training: Rows
    evaluation: Rows
    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    positive: int | None
    parts: tuple[PartInfo, ...]
    evaluation_sha256: str


def join(
    parts: Sequence[Part], evaluation: bytes, config: dict[str, Any], feature_names: tuple[str, ...] | None
) -> Joined:
    """`config`: as `Recipe.checked` gave it. `feature_names` None: the columns of the evaluation set. Raises: BadData, BadConfig."""
    parts = _in_order(parts)
    evaluation_sha256 = sha256_hex(evaluation)
    if evaluation_sha256 != config["evaluation_sha256"]:
        raise BadData(
            "its SHA-256 is not the one in the config",
            "Give the file that the config names, or name this one in the config",
            dataset_id=None,
        )
    target, others_allowed = config["target"], feature_names is not None
    held_out = read_table(
        evaluation, dataset_id=None, target=target, feature_names=feature_names, others_allowed=others_allowed
    )
    tables = [
        read_table(
            part.data,
            dataset_id=part.dataset_id,
            target=target,
            feature_names=held_out.feature_names,
            others_allowed=others_allowed,
        )
        for part in parts
    ]
    classes = _classes(config, held_out)
    evaluation_rows = _joined_rows([held_out], classes, config)
    everything = _joined_rows(tables, classes, config)
    left_out = (
        _overlap(everything, evaluation_rows)
        if config["evaluation_overlap"] == "leave_out"
        else np.zeros(len(everything), bool)
    )
    training = everything.where(~left_out)
    _require_enough(training, evaluation_rows, int(left_out.sum()))
    return Joined(
        training=training,
        evaluation=evaluation_rows,
        classes=classes,
        feature_names=held_out.feature_names,
        positive=_positive(config, classes),
        parts=tuple(_info(part, everything, left_out) for part in parts),
        evaluation_sha256=evaluation_sha256,
    )


def _in_order(parts: Sequence[Part]) -> list[Part]:
    if not parts:
        raise BadData("there is no dataset to train on", "Name at least one", dataset_id=None, where="the job")
    if len(parts) > MAX_PARTS:
        raise BadData(f"there are {len(parts)} datasets", f"Name at most {MAX_PARTS}", dataset_id=None, where="the job")
    ordered = sorted(parts, key=lambda part: part.dataset_id)
    for one, next_one in pairwise(ordered):
        if one.dataset_id == next_one.dataset_id:
            raise BadData("is named twice", "Name each dataset once", dataset_id=one.dataset_id)
    return ordered


def _classes(config: dict[str, Any], held_out: Table) -> tuple[str, ...]:
    """Without labels in the config: those of the evaluation set, which is public; a contributor's file never names a class."""
    if config["labels"] is not None:
        labels = tuple(normal_label(label) for label in config["labels"])
        if len(set(labels)) != len(labels) or "" in labels:
            raise BadConfig({"labels": "has an entry twice (1 and 1.0 are the same class), or a blank one"})
        return labels
    found = sorted(set(held_out.labels), key=_class_order)
    if not 2 <= len(found) <= MAX_CLASSES:
        raise BadData(
            f"there are {len(found)} classes",
            f"Use a target column and an evaluation set with 2 to {MAX_CLASSES} classes",
            dataset_id=None,
            column=config["target"],
        )
    return tuple(found)


def _class_order(label: str) -> tuple[int, float, str]:
    """Numbers first and by size, so that ten digits come as 0 to 9 and class 10 after class 9."""
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    return (0, number, label) if math.isfinite(number) else (1, 0.0, label)


def _joined_rows(tables: Sequence[Table], classes: tuple[str, ...], config: dict[str, Any]) -> Rows:
    index_of = {label: index for index, label in enumerate(classes)}
    for table in tables:
        for label, line in zip(table.labels, table.lines, strict=True):
            if label not in index_of:
                known = "the config's labels" if config["labels"] is not None else "the classes of the evaluation set"
                raise BadData(
                    f"the class is not among {known}",
                    "Correct it, leave the row out, or name all classes in the config (labels)",
                    dataset_id=table.dataset_id,
                    line=line,
                    column=config["target"],
                )
    return Rows(
        features=np.concatenate([table.features for table in tables]),
        labels=np.array([index_of[label] for table in tables for label in table.labels], dtype=np.int64),
        owners=np.concatenate([np.full(len(table.labels), table.dataset_id or 0, dtype=np.int64) for table in tables]),
        lines=np.array([line for table in tables for line in table.lines], dtype=np.int64),
    )


def _overlap(training: Rows, evaluation: Rows) -> NDArray[np.bool_]:
    """True where a training row equals, in features and class, a row of the evaluation set."""
    held_out = set(_keys(evaluation))
    return np.array([key in held_out for key in _keys(training)], dtype=bool)


def _keys(rows: Rows) -> list[bytes]:
    return [features.tobytes() + label.tobytes() for features, label in zip(rows.features, rows.labels, strict=True)]


def _require_enough(training: Rows, evaluation: Rows, left_out: int) -> None:
    if len(training) < MIN_TRAINING_ROWS or len(np.unique(training.labels)) < 2:
        because = f" ({left_out} more stand in the evaluation set and were left out)" if left_out else ""
        raise BadData(
            f"{len(training)} rows with {len(np.unique(training.labels))} classes are left to train on{because}",
            f"Training needs at least {MIN_TRAINING_ROWS} rows and two classes",
            dataset_id=None,
            where="the datasets together",
        )
    if len(evaluation) < MIN_EVALUATION_ROWS or len(np.unique(evaluation.labels)) < 2:
        raise BadData(
            f"has {len(evaluation)} rows with {len(np.unique(evaluation.labels))} classes",
            f"Measuring needs at least {MIN_EVALUATION_ROWS} rows and two classes",
            dataset_id=None,
        )


def _positive(config: dict[str, Any], classes: tuple[str, ...]) -> int | None:
    if config["positive"] is None:
        return 1 if len(classes) == 2 else None
    wanted = normal_label(config["positive"])
    if wanted not in classes or len(classes) != 2:
        raise BadConfig({"positive": "must be one of exactly two classes"})
    return classes.index(wanted)


def _info(part: Part, everything: Rows, left_out: NDArray[np.bool_]) -> PartInfo:
    mine = everything.owners == part.dataset_id
    return PartInfo(
        dataset_id=part.dataset_id,
        rows=int(mine.sum()),
        rows_left_out=int((mine & left_out).sum()),
        commitment=part.commitment.hex() if part.commitment is not None else None,
        sha256=sha256_hex(part.data) if part.commitment is None else None,
    )

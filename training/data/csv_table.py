"""Reads one CSV file strictly: a header line, the same cells in each line, numbers where numbers belong.

Nothing is guessed, filled in or skipped: what cannot be used is refused with its line and column. Column names in the refusals are those
that were asked for, never those of the file, which may lack a header line and so begin with somebody's data.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import BadData

# Sums and differences of two such numbers stay within float32.
MAX_MAGNITUDE = 1e30
MAX_LABEL_CHARACTERS = 200


@dataclass(frozen=True)
class Table:
    """`features`: float32 (rows, columns), in the order asked for. `labels`: the class of each row. `lines`: where each row ended."""

    dataset_id: int | None
    feature_names: tuple[str, ...]
    features: NDArray[np.float32]
    labels: tuple[str, ...]
    lines: tuple[int, ...]


def normal_label(text: str) -> str:
    """One text for one class: spreadsheets and data frames write class 1 also as 1.0."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return (
        str(int(number)) if text.isascii() and "_" not in text and number.is_integer() and abs(number) < 2**53 else text
    )


def read_table(
    data: bytes,
    *,
    dataset_id: int | None,
    target: str,
    feature_names: tuple[str, ...] | None,
    others_allowed: bool,
) -> Table:
    """`feature_names` None takes every column but the target, in the file's order. `others_allowed`: columns not asked for are not read.

    Raises: BadData.
    """
    rows = _rows(data, dataset_id)
    header_line, header = rows[0]
    names = [name.strip() for name in header]
    if names.count(target) != 1:
        problem = (
            f"there is no column '{target}'"
            if target not in names
            else f"there are {names.count(target)} columns '{target}'"
        )
        raise BadData(
            problem + " in the header line",
            f"The first line must name the columns, separated by commas, with the target column '{target}' among them",
            dataset_id=dataset_id,
            line=header_line,
        )
    if feature_names is None:
        feature_names = tuple(name for name in names if name != target)
        if not feature_names or "" in feature_names or len(set(feature_names)) != len(feature_names):
            raise BadData(
                "the header line needs a name of its own for each column, and at least one column beside the target",
                "Name every column differently",
                dataset_id=dataset_id,
                line=header_line,
            )
    _require_columns(names, target, feature_names, others_allowed, dataset_id, header_line)
    if len(rows) == 1:
        raise BadData("there is a header line and no row", "Add the rows", dataset_id=dataset_id)
    return _table(rows[1:], names, target, feature_names, dataset_id)


def _rows(data: bytes, dataset_id: int | None) -> list[tuple[int, list[str]]]:
    """Each line that is not blank, with its number. Blank lines are allowed at the end only."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadData("is not UTF-8 text", "Save the file as CSV in UTF-8", dataset_id=dataset_id, line=line) from None
    if not text.strip():
        raise BadData("is empty", "Give a CSV file with a header line and rows", dataset_id=dataset_id)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    blank_line: int | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                blank_line = blank_line or reader.line_num
                continue
            if blank_line is not None:
                raise BadData("the line is blank", "Remove blank lines", dataset_id=dataset_id, line=blank_line)
            rows.append((reader.line_num, row))
    except csv.Error:
        raise BadData(
            "is not valid CSV",
            "Check the quotation marks, and that no cell is longer than 131,072 characters",
            dataset_id=dataset_id,
            line=reader.line_num,
        ) from None
    if not rows:  # nothing but commas or blanks
        raise BadData("is empty", "Give a CSV file with a header line and rows", dataset_id=dataset_id)
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise BadData(
                f"has {len(row)} cells, the header line has {width}",
                "Give each line as many cells as the header line; quote cells that hold a comma",
                dataset_id=dataset_id,
                line=line,
            )
    return rows


def _require_columns(
    names: list[str],
    target: str,
    feature_names: tuple[str, ...],
    others_allowed: bool,
    dataset_id: int | None,
    line: int,
) -> None:
    for name in feature_names:
        if names.count(name) != 1:
            raise BadData(
                "the column is missing" if name not in names else f"the column is there {names.count(name)} times",
                "Every dataset of a job, and its evaluation set, needs each feature column once",
                dataset_id=dataset_id,
                line=line,
                column=name,
            )
    others = len(set(names) - {target, *feature_names})
    if others and not others_allowed:
        raise BadData(
            f"has {others} columns that the evaluation set does not have",
            "Use files with the same columns, or name the feature columns in the config (features)",
            dataset_id=dataset_id,
            line=line,
        )


def _table(
    rows: list[tuple[int, list[str]]],
    names: list[str],
    target: str,
    feature_names: tuple[str, ...],
    dataset_id: int | None,
) -> Table:
    places = [names.index(name) for name in feature_names]
    target_place = names.index(target)
    features = np.empty((len(rows), len(places)), dtype=np.float32)
    labels: list[str] = []
    for index, (line, row) in enumerate(rows):
        for column, place in enumerate(places):
            number = _number(row[place])
            if number is None:
                raise BadData(
                    "the cell is empty" if not row[place].strip() else "the cell is not a number that can be used",
                    f"Give each row a finite decimal number, below {MAX_MAGNITUDE:g}, in each feature column, or leave the row out",
                    dataset_id=dataset_id,
                    line=line,
                    column=feature_names[column],
                )
            features[index, column] = number
        label = normal_label(row[target_place])
        if not label or len(label) > MAX_LABEL_CHARACTERS:
            raise BadData(
                "the class is missing" if not label else "the class is too long",
                f"Give each row a class of at most {MAX_LABEL_CHARACTERS} characters, or leave the row out",
                dataset_id=dataset_id,
                line=line,
                column=target,
            )
        labels.append(label)
    features += 0.0  # -0.0 becomes 0.0, so that equal rows have equal bytes
    return Table(dataset_id, feature_names, features, tuple(labels), tuple(line for line, _ in rows))


def _number(cell: str) -> float | None:
    """None for what `float` accepts and a CSV file does not mean: nan, inf, 1_000, digits of other scripts."""
    try:
        number = float(cell)
    except ValueError:
        return None
    usable = math.isfinite(number) and abs(number) <= MAX_MAGNITUDE and "_" not in cell and cell.isascii()
    return number if usable else None

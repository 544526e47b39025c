"""What a dataset shows of itself before anybody may read it: its schema, statistics of each column, and a synthetic sample.

Made on the owner's machine from the CSV file; the four JSON texts are public and their hashes go on the chain. The sample is drawn column
by column from the statistics alone, so that no row of it is a row of the file. A value that fewer than RARE rows share is named nowhere:
it could point at a person. The page makes its own (frontend/src/lib/profile), in the same form, with other bins.
"""

from __future__ import annotations

import csv
import io
import math
import random
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .canonical import canonical_json

Json = dict[str, Any]
BINS = 10
MOCK_ROWS = 8
MAX_CATEGORIES = 20
RARE = 5
MAX_COLUMNS = 1000


class UnreadableTable(ValueError):
    """The file is no CSV table that can be described: the text says where and what to do."""


@dataclass(frozen=True)
class Description:
    """Canonical JSON of a dataset's public face, and its number of rows."""

    schema: bytes
    profile: bytes
    mock: bytes
    rows: int


def describe(table: bytes) -> Description:
    """Describe a CSV file with a header line. Raises UnreadableTable."""
    names, rows = read_table(table)
    columns = [_column(name, [row[i] for row in rows]) for i, name in enumerate(names)]
    rng = random.Random(0)
    sampled = [_sample(column, rng) for column in columns]
    return Description(
        schema=canonical_json({"columns": [{"name": c["name"], "type": c["type"]} for c in columns]}),
        profile=canonical_json({"rows": len(rows), "columns": columns}),
        mock=canonical_json({"columns": names, "rows": [list(row) for row in zip(*sampled, strict=True)]}),
        rows=len(rows),
    )


def card(
    *, title: str, description: str, task: str, target: str | None, collected: str, license: str, contact: str
) -> bytes:
    """The dataset's card, as canonical JSON."""
    return canonical_json(
        {
            "title": title,
            "description": description,
            "task": task,
            "target": target,
            "collected": collected,
            "license": license,
            "contact": contact,
        }
    )


def read_table(table: bytes) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of text. Raises UnreadableTable, naming the line."""
    try:
        text = table.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTable("The file is not UTF-8 text. Export it as CSV (UTF-8).") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    try:
        names = [name.strip() for name in next(reader)]
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                raise UnreadableTable(
                    f"Line {reader.line_num} has {len(row)} fields and the header has {len(names)}. Mend that line."
                )
            rows.append(row)
    except StopIteration as error:
        raise UnreadableTable("The file is empty. It needs a header line and at least one row.") from error
    except csv.Error as error:
        raise UnreadableTable(f"Line {reader.line_num} is not CSV: {error}.") from error
    if not rows:
        raise UnreadableTable("The file has a header and no rows.")
    if not all(names) or len(set(names)) != len(names):
        raise UnreadableTable("Every column needs a name of its own in the header line.")
    if len(names) > MAX_COLUMNS:
        raise UnreadableTable(f"The file has {len(names)} columns; at most {MAX_COLUMNS} can be described.")
    return names, rows


def _column(name: str, values: list[str]) -> Json:
    present = [value.strip() for value in values if value.strip()]
    base = {"name": name, "count": len(present), "missing": len(values) - len(present)}
    empty = {"min": None, "max": None, "mean": None, "std": None, "histogram": None, "top": None}
    distinct = set(present)
    if distinct and distinct <= {"true", "false", "True", "False"}:
        return {**base, **empty, "type": "boolean", "top": _top(present)}
    numbers = _numbers(present)
    if numbers:
        whole = all(number.is_integer() for number in numbers) and all("." not in v and "e" not in v.lower() for v in present)
        spread = statistics.pstdev(numbers)
        return {
            **base,
            **empty,
            "type": "integer" if whole else "number",
            "min": min(numbers),
            "max": max(numbers),
            "mean": statistics.fmean(numbers),
            "std": spread,
            "histogram": _histogram(numbers),
        }
    if distinct and len(distinct) <= MAX_CATEGORIES and len(distinct) < max(2, len(present)):
        return {**base, **empty, "type": "category", "top": _top(present)}
    return {**base, **empty, "type": "text"}


def _numbers(present: list[str]) -> list[float]:
    """All of them as finite numbers, or none."""
    try:
        numbers = [float(value) for value in present]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) and not any("_" in value for value in present) else []


def _top(present: list[str]) -> list[list[Any]]:
    """Values with their counts, most frequent first, without those that fewer than RARE rows share."""
    shared = [(value, count) for value, count in Counter(present).items() if count >= RARE]
    return [[value, count] for value, count in sorted(shared, key=lambda item: (-item[1], item[0]))]


def _histogram(numbers: list[float]) -> list[list[float]]:
    low, high = min(numbers), max(numbers)
    if low == high:
        return [[low, high, len(numbers)]]
    width = high / BINS - low / BINS  # divided first: the difference of two large numbers may not be finite
    counts = [0] * BINS
    for number in numbers:
        counts[min(BINS - 1, int((number - low) / width))] += 1
    return [[low + i * width, low + (i + 1) * width, count] for i, count in enumerate(counts)]


def _sample(column: Json, rng: random.Random) -> list[Any]:
    if column["histogram"]:
        bins = rng.choices(column["histogram"], weights=[count for _, _, count in column["histogram"]], k=MOCK_ROWS)
        drawn = [rng.uniform(low, high) for low, high, _ in bins]
        return [round(x) for x in drawn] if column["type"] == "integer" else [float(f"{x:.4g}") for x in drawn]
    if column["top"]:
        return rng.choices([v for v, _ in column["top"]], weights=[count for _, count in column["top"]], k=MOCK_ROWS)
    return [f"{column['name']} {index + 1}" for index in range(MOCK_ROWS)]

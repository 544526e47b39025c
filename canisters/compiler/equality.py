"""Does the compiled model compute what the trained one does? Both are run on the same samples and compared.

The other side is ONNX Runtime on one thread. Labels are compared too, where an output has at least two classes in its last axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnxruntime

from .ir import Array


@dataclass(frozen=True)
class EqualityReport:
    """`max_abs_error`: the largest difference of any value; infinite where one side alone is infinite or no number. `max_rel_error`: the
    largest difference over the largest magnitude of that output in that sample. `labels_agree`: share of rows with the same argmax.
    `cosine`: the smallest cosine between an output and its twin, the finite values of each seen as one vector."""

    samples: int
    max_abs_error: float
    max_rel_error: float
    mean_abs_error: float
    labels_agree: float
    cosine: float = 1.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def session(onnx_bytes: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])


def reference_outputs(onnx_bytes: bytes, samples: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    running = session(onnx_bytes)
    names = [output.name for output in running.get_outputs()]
    return [dict(zip(names, running.run(names, dict(sample)), strict=True)) for sample in samples]


def compared(expected: Sequence[Mapping[str, Array]], found: Sequence[Mapping[str, Array]]) -> EqualityReport:
    worst_abs = worst_rel = total = 0.0
    count = rows = agree = 0
    cosine = 1.0
    for wanted, got in zip(expected, found, strict=True):
        for name, value in wanted.items():
            a, b = np.asarray(value, np.float64), np.asarray(got[name], np.float64)
            difference = _difference(a, b)
            worst_abs = max(worst_abs, float(difference.max(initial=0.0)))
            finite = np.abs(a[np.isfinite(a)])
            scale = float(finite.max(initial=0.0))
            worst_rel = max(
                worst_rel, float(difference.max(initial=0.0)) / scale if scale else float(difference.max(initial=0.0))
            )
            total += float(difference.sum())
            count += difference.size
            cosine = min(cosine, _cosine(a, b))
            if a.ndim and a.shape[-1] > 1 and np.asarray(value).dtype.kind == "f":
                same = a.argmax(axis=-1) == b.argmax(axis=-1)
                rows += same.size
                agree += int(same.sum())
    return EqualityReport(
        len(expected), worst_abs, worst_rel, total / count if count else 0.0, agree / rows if rows else 1.0, cosine
    )


def _difference(a: Array, b: Array) -> Array:
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b)
    return np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))


def _cosine(a: Array, b: Array) -> float:
    """1 for two vectors of zeros, 0 when only one is."""
    both = np.isfinite(a) & np.isfinite(b)
    x, y = a[both], b[both]
    lengths = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    if 0.0 in lengths:
        return float(lengths[0] == lengths[1])
    # Rounding may leave a hair more than 1.
    return min(1.0, float(x @ y) / (lengths[0] * lengths[1]))

"""Weights in the order in which the kernels read them, made once when compiling: nothing is repacked on chain.

The layouts are described at the kernels that read them (kernels/dense_f32.h, dense_int8.h, conv_f32.h, conv_int8.h).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
INT8_MOST = 127
INT16_MOST = 32767


def _panels(columns: int, width: int) -> Iterator[tuple[int, int, int]]:
    """First column, columns and padded columns of each panel."""
    for first in range(0, columns, width):
        count = min(width, columns - first)
        yield first, count, -(-count // 4) * 4


def _padded(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Zeros behind the last axis, up to `size`."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, size - values.shape[-1])])


def dense_f32(weights: Floats, bias: Floats, width: int) -> bytes:
    """`weights` (k, n), `bias` (n)."""
    parts = []
    for first, count, padded in _panels(weights.shape[1], width):
        parts.append(_padded(bias[first : first + count], padded).tobytes())
        parts.append(np.ascontiguousarray(_padded(weights[:, first : first + count], padded)).tobytes())
    return b"".join(parts)


def quantised(weights: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """(k, n) to int8 and the step (n) of each column: weights are about int8 * step."""
    most = np.abs(weights).max(axis=0, initial=0)
    steps = np.where((most > 0) & np.isfinite(most), most / INT8_MOST, 1.0).astype(np.float32)
    return np.clip(np.rint(weights / steps), -INT8_MOST, INT8_MOST).astype(np.int8), steps


def int16_limit(k: int) -> int:
    """The largest magnitude of activations with which k products with int8 stay within int32."""
    return min(INT16_MOST, (2**31 - 1) // (INT8_MOST * max(k, 1)))


def _pairs(values: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """(k, n) to (ceil(k / 2), n, 2)."""
    even = np.pad(values, [(0, values.shape[0] % 2), (0, 0)])
    return even.reshape(-1, 2, values.shape[1]).transpose(0, 2, 1)


def dense_int8(weights: Floats, bias: Floats, width: int) -> bytes:
    """`weights` (k, n), `bias` (n)."""
    values, steps = quantised(weights)
    parts = []
    for first, count, padded in _panels(weights.shape[1], width):
        taken = slice(first, first + count)
        parts += [_padded(steps[taken], padded).tobytes(), _padded(bias[taken], padded).tobytes()]
        parts.append(np.ascontiguousarray(_pairs(_padded(values[:, taken], padded))).tobytes())
    return b"".join(parts)


def conv_pixels(weights: Floats, bias: Floats, groups: int) -> bytes:
    """`weights` (groups * oc, ic, taps), `bias` (groups * oc)."""
    channels = weights.shape[0] // groups
    parts = []
    for group in range(groups):
        at = 0
        while at < channels:
            count = next(size for size in (8, 4, 2, 1) if at + size <= channels)
            first = group * channels + at
            parts.append(bias[first : first + count].tobytes())
            parts.append(np.ascontiguousarray(weights[first : first + count].transpose(1, 2, 0)).tobytes())
            at += count
    return b"".join(parts)


def conv_channels(weights: Floats, bias: Floats, groups: int) -> bytes:
    """`weights` (groups * oc, ic, taps), `bias` (groups * oc)."""
    channels = weights.shape[0] // groups
    parts = []
    for group in range(groups):
        for first, count, padded in _panels(channels, 16):
            taken = slice(group * channels + first, group * channels + first + count)
            parts.append(_padded(bias[taken], padded).tobytes())
            parts.append(np.ascontiguousarray(_padded(weights[taken].transpose(1, 2, 0), padded)).tobytes())
    return b"".join(parts)


def conv_int8(weights: Floats, bias: Floats, groups: int) -> bytes:
    """`weights` (groups * oc, ic, taps), `bias` (groups * oc)."""
    total, inputs, taps = weights.shape
    channels = total // groups
    values, steps = quantised(weights.reshape(total, -1).T)
    # (oc, ic, taps) to (pairs of ic, taps, oc, 2)
    by_channel = values.T.reshape(total, inputs, taps)
    even = np.pad(by_channel, [(0, 0), (0, inputs % 2), (0, 0)]).reshape(total, -1, 2, taps)
    ordered = even.transpose(1, 3, 0, 2)
    parts = []
    for group in range(groups):
        for first, count, padded in _panels(channels, 16):
            taken = slice(group * channels + first, group * channels + first + count)
            parts += [_padded(steps[taken], padded).tobytes(), _padded(bias[taken], padded).tobytes()]
            block = np.pad(ordered[:, :, taken, :], [(0, 0), (0, 0), (0, padded - count), (0, 0)])
            parts.append(np.ascontiguousarray(block).tobytes())
    return b"".join(parts)

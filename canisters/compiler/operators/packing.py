"""Weights in the order in which the kernels read them, made once when compiling: nothing is repacked on chain.

The layouts are described at the kernels that read them (kernels/dense_f32.h, dense_int8.h, dense_int4.h, conv_f32.h, conv_int8.h).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
INT8_MOST = 127
INT16_MOST = 32767
INT4_GROUP, INT4_MOST = 32, 7
# What a message pays for each byte of weights that it reads, 80,000 for a page of 64 KiB.
CHARGE_PER_BYTE_READ = 80_000 / 65_536
CHARGE_PER_BYTE_WRITTEN = 2 * CHARGE_PER_BYTE_READ


def page_charge(weights_bytes: int) -> float:
    return CHARGE_PER_BYTE_READ * weights_bytes


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


def dense_int8(weights: Floats, bias: Floats, width: int, padded_k: int = 0) -> bytes:
    """`weights` (k, n), `bias` (n). Zeros behind k, up to `padded_k`."""
    values, steps = quantised(weights)
    values = np.pad(values, [(0, max(0, padded_k - values.shape[0])), (0, 0)])
    parts = []
    for first, count, padded in _panels(weights.shape[1], width):
        taken = slice(first, first + count)
        parts += [_padded(steps[taken], padded).tobytes(), _padded(bias[taken], padded).tobytes()]
        parts.append(np.ascontiguousarray(_pairs(_padded(values[:, taken], padded))).tobytes())
    return b"".join(parts)


def quantised_int4(weights: Floats) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.uint16]]:
    """(k, n), k a multiple of 32, to integers in -8..7 (groups, 32, n) and the bfloat16 step (groups, n) of each group of 32 along k.

    Of several steps near the largest weight over 7, each group takes the one with the least squared error."""
    groups = weights.reshape(-1, INT4_GROUP, weights.shape[1])
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(axis=1)[:, None], axis=1)[:, 0]
    best = np.full(extreme.shape, np.inf)
    steps = np.zeros(extreme.shape, np.uint16)
    found = np.zeros(groups.shape, np.int8)
    # The largest weight is -8 of the first steps, whose sign it turns, and 7 or less of the others.
    for divisor in (-8.0, -7.5, -7.0, -6.5, 7.0, 6.5, 8.0):
        step = _bfloat16(np.where(extreme == 0, 1.0, extreme / np.float32(divisor)).astype(np.float32))
        value = (step.astype(np.uint32) << 16).view(np.float32)
        # A weight so small that its step is nothing becomes 0.
        scale = np.where(value == 0, np.float32(np.inf), value)[:, None]
        rounded = np.clip(np.rint(groups / scale), -INT4_MOST - 1, INT4_MOST)
        error = ((rounded * value[:, None] - groups).astype(np.float64) ** 2).sum(axis=1)
        better = error < best
        best, steps = np.where(better, error, best), np.where(better, step, steps)
        found = np.where(better[:, None], rounded.astype(np.int8), found)
    return found, steps


def _bfloat16(values: Floats) -> npt.NDArray[np.uint16]:
    """The upper halves, rounded to nearest; finite values only."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def dense_int4(weights: Floats, bias: Floats) -> bytes:
    """`weights` (k, n), `bias` (n), both finite."""
    k, n = weights.shape
    padded = np.pad(weights, [(0, -k % INT4_GROUP), (0, -n % 64)])
    values, steps = quantised_int4(padded)
    groups = values.shape[0]
    # (groups, octet, l, pair, panel, four columns, column) to panels of (groups, l, four columns, column, pair) lanes of four nibbles.
    lanes = values.reshape(groups, 4, 4, 2, -1, 16, 4).transpose(4, 0, 2, 5, 6, 3, 1).astype(np.int32)
    nibbles = np.concatenate([lanes[..., :3] + 8, lanes[..., 3:]], axis=-1) & 15
    words = (nibbles << np.array([0, 4, 8, 12])).sum(axis=-1).astype("<u2")
    biases = np.pad(bias, (0, -n % 64)).reshape(-1, 64)
    scales = steps.reshape(groups, -1, 64).transpose(1, 0, 2).astype("<u2")
    parts = []
    for panel in range(words.shape[0]):
        parts.append(biases[panel].tobytes())
        for group in range(groups):
            parts += [scales[panel, group].tobytes(), words[panel, group].tobytes()]
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


def conv_pixels_int8(weights: Floats, bias: Floats, groups: int) -> bytes:
    """As `conv_pixels`, with a scale for each output channel, and pairs of input channels widened to int16."""
    total, inputs, taps = weights.shape
    channels = total // groups
    values, steps = quantised(weights.reshape(total, -1).T)
    even = np.pad(values.T.reshape(total, inputs, taps), [(0, 0), (0, inputs % 2), (0, 0)])
    ordered = even.reshape(total, -1, 2, taps).transpose(1, 3, 0, 2).astype(np.int16)  # (pairs, taps, oc, 2)
    parts = []
    for group in range(groups):
        at = 0
        while at < channels:
            count = next(size for size in (8, 4, 2, 1) if at + size <= channels)
            taken = slice(group * channels + at, group * channels + at + count)
            parts += [steps[taken].tobytes(), bias[taken].tobytes()]
            parts.append(np.ascontiguousarray(ordered[:, :, taken]).tobytes())
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

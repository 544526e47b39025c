"""DFT and STFT: Fourier transforms as products with constant matrices, which `passes.spectral` writes; `Frames` cuts a signal into pieces.

Source: ONNX Operators, DFT-17, -20; STFT-17. A complex number is the last axis, (real, imaginary). Lengths and steps are constants. A row times a matrix
of a few hundred columns is cheaper here than a fast transform, whose steps do not fill a vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, TensorType

from .gather import element
from .loops import contiguous, copy
from .registry import Kernel, Mode, Typing, axis_of, operator

_AXIS_IS_INPUT_SINCE = 20
_MAX_WEIGHTS = 1 << 24
_MAX_LENGTH = 1 << 13
_CHECK = "Check the model with onnx.checker"


@dataclass(frozen=True)
class Transform:
    """`size` numbers of `parts` (1 real, 2 complex) become `out` numbers of `parts_out`, by a transform of `length`."""

    axis: int
    size: int
    parts: int
    length: int
    inverse: bool
    onesided: bool

    @property
    def is_real(self) -> bool:
        return self.inverse and self.onesided

    @property
    def out(self) -> int:
        return self.length // 2 + 1 if self.onesided and not self.inverse else self.length

    @property
    def parts_out(self) -> int:
        return 1 if self.is_real else 2

    def matrix(self) -> Array:
        """float32 (size * parts, out * parts_out): what each single number becomes."""
        units = np.eye(self.size)
        signals = units if self.parts == 1 else np.stack([units, 1j * units], axis=1).reshape(-1, self.size)
        if self.is_real:
            return np.fft.irfft(signals, n=self.length, axis=1).astype(np.float32)
        found = (np.fft.ifft if self.inverse else np.fft.fft)(signals, n=self.length, axis=1)[:, : self.out]
        return np.stack([found.real, found.imag], axis=-1).reshape(len(signals), -1).astype(np.float32)


def transform_of(node: Node, typing: Typing, opset: int) -> Transform:
    """Of a DFT. Raises CannotCompile."""
    shape = typing.floats(node).shape
    if len(shape) < 2 or shape[-1] not in (1, 2):
        raise node.cannot(f"its input {typing.input(node)} holds neither real nor complex numbers", _CHECK)
    given = typing.integers(node, "", 2) if opset >= _AXIS_IS_INPUT_SINCE else (int(node.attributes.get("axis", 1)),)
    axis = axis_of(node, given[0] if given else -2, len(shape))
    inverse, onesided = bool(node.attributes.get("inverse", 0)), bool(node.attributes.get("onesided", 0))
    wanted = typing.integers(node, "", 1)
    usual = 2 * (shape[axis] - 1) if inverse and onesided else shape[axis]
    found = Transform(axis, shape[axis], shape[-1], wanted[0] if wanted else usual, inverse, onesided)
    if axis == len(shape) - 1 or found.length < 1 or found.size < 1:
        raise node.cannot(f"it transforms axis {axis} of {typing.input(node)} to the length {found.length}", _CHECK)
    _require_modest(node, found)
    return found


def _require_modest(node: Node, found: Transform) -> None:
    numbers = found.size * found.parts * found.out * found.parts_out
    if max(found.size, found.length) > _MAX_LENGTH or numbers > _MAX_WEIGHTS:
        raise node.cannot(
            f"it transforms {found.size} elements to the length {found.length}, by a matrix of {numbers} numbers",
            f"Transform pieces of at most {_MAX_LENGTH} elements, by {_MAX_WEIGHTS} numbers",
        )


def _infer_dft(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    shape = list(typing.input(node).shape)
    found = transform_of(node, typing, typing.opset)
    shape[found.axis], shape[-1] = found.out, found.parts_out
    return (TensorType("float32", tuple(shape)),)


# --- STFT ---


@dataclass(frozen=True)
class Pieces:
    """`count` frames of a signal, each `step` behind the one before."""

    count: int
    step: int
    transform: Transform


def pieces_of(node: Node, typing: Typing) -> Pieces:
    """Of an STFT. Raises CannotCompile."""
    signal = typing.floats(node)
    step, wanted = typing.integers(node, "", 1), typing.integers(node, "", 3)
    window = typing.floats(node, 2).shape if node.input(2) else None
    if len(signal.shape) != 3 or signal.shape[-1] not in (1, 2) or not step or step[0] < 1:
        raise node.cannot(f"its signal is {signal} and its step {step}", _CHECK)
    length = wanted[0] if wanted else window[0] if window else signal.shape[1]
    if not 1 <= length <= signal.shape[1] or (window is not None and window != (length,)):
        raise node.cannot(f"frames of {length} do not fit the signal {signal} or the window {window}", _CHECK)
    found = Transform(
        1, length, signal.shape[-1], length, inverse=False, onesided=bool(node.attributes.get("onesided", 1))
    )
    _require_modest(node, found)
    return Pieces(1 + (signal.shape[1] - length) // step[0], step[0], found)


def _infer_stft(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = pieces_of(node, typing)
    return (TensorType("float32", (typing.input(node).shape[0], found.count, found.transform.out, 2)),)


def _infer_frames(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    return (
        TensorType(
            found.dtype, (found.shape[0], int(node.attributes["count"]), int(node.attributes["length"]), found.shape[2])
        ),
    )


def _lower_frames(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """(batch, n, parts) -> (batch, count, length, parts), frames overlapping. Attributes: `step`, `count`, `length`."""
    signal, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    batch, number, part = contiguous(signal.shape)
    steps = (batch, number * int(node.attributes["step"]), number, part)
    return Kernel(copy(*element(signal), out.shape, "{x0}", 0, steps, "{y0}", 0, contiguous(out.shape)))


operator("DFT", since=17, infer=_infer_dft, lower=None, types=("float32", "int32", "int64"))
operator("STFT", since=17, infer=_infer_stft, lower=None, types=("float32", "int32", "int64"))
operator("Frames", infer=_infer_frames, lower=_lower_frames)

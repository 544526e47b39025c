"""Nested loops over tensors with given steps, as C text: what broadcasting and moving data have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence

Steps = tuple[int, ...]
_SHORT = 16  # a turn of the vector loops


def contiguous(shape: Sequence[int]) -> Steps:
    """Elements from one index of an axis to the next, row-major."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def strides_of(shape: Sequence[int], within: Sequence[int]) -> Steps:
    """Steps of a tensor broadcast to the shape `within`: 0 along the axes that it repeats."""
    padded = (1,) * (len(within) - len(shape)) + tuple(shape)
    steps = contiguous(padded)
    return tuple(0 if size == 1 else step for size, step in zip(padded, steps, strict=True))


def merged(shape: Sequence[int], ways: Sequence[Steps]) -> tuple[tuple[int, ...], list[Steps]]:
    """Fewest axes that visit the same elements in the same order: axes of size 1 dropped, neighbours joined where every way allows.

    The output itself is one more way, contiguous; it allows every join, since no axis is reordered. At least one axis is left."""
    sizes: list[int] = []
    found: list[list[int]] = [[] for _ in ways]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if sizes and all(steps[-1] == way[axis] * size for steps, way in zip(found, ways, strict=True)):
            sizes[-1] *= size
            for steps, way in zip(found, ways, strict=True):
                steps[-1] = way[axis]
        else:
            sizes.append(size)
            for steps, way in zip(found, ways, strict=True):
                steps.append(way[axis])
    if not sizes:
        return (1,), [(0,) for _ in ways]
    return tuple(sizes), [tuple(steps) for steps in found]


def indent(text: str, by: int = 2) -> str:
    return "\n".join(" " * by + line if line else line for line in text.split("\n"))


def nest(shape: Sequence[int], body: Sequence[str]) -> str:
    """`body` within loops n0 < shape[0], n1 < shape[1], ..."""
    text = "\n".join(body)
    for axis in reversed(range(len(shape))):
        text = f"ROLLED for (unsigned n{axis} = 0; n{axis} < {shape[axis]}; n{axis}++) {{{{\n{indent(text)}\n}}}}"
    return text


def address(base: str, start: int, steps: Sequence[int]) -> str:
    """`base` + start + steps[0] * n0 + ... in elements; steps may be negative."""
    text = base + (f" + {start}" if start else "")
    return text + "".join(
        f" {'-' if step < 0 else '+'} {abs(step)} * n{axis}" for axis, step in enumerate(steps) if step
    )


def copy(
    c_type: str,
    size_bytes: int,
    shape: Sequence[int],
    source: str,
    source_start: int,
    source_steps: Steps,
    target: str,
    target_start: int,
    target_steps: Steps,
) -> str:
    """Copies a block. Starts and steps count elements of `size_bytes`. The innermost loop is along the axis that makes it longest while one
    side's elements are neighbours."""  # fmt: skip
    if math.prod(shape) == 0:
        return ""
    sizes, (from_steps, to_steps) = merged(shape, [source_steps, target_steps])
    last = _innermost(sizes, from_steps, to_steps)
    sizes, from_steps, to_steps = (_moved(way, last) for way in (sizes, from_steps, to_steps))
    inner, from_step, to_step = sizes[-1], from_steps[-1], to_steps[-1]
    from_ = address(f"({c_type} *){source}", source_start, from_steps[:-1])
    to = address(f"({c_type} *){target}", target_start, to_steps[:-1])
    if from_step == 1 and to_step == 1:
        body = f"copy_bytes((uint8_t *)({to}), (uint8_t *)({from_}), {inner * size_bytes});"
    elif size_bytes == 4 and to_step == 1 and from_step >= 0:
        body = f"gather_32((uint32_t *)({to}), (uint32_t *)({from_}), {from_step}, {inner});"
    else:
        # A step without sign lets the C compiler put it into the instruction.
        to_text, from_text = (str(step) if step < 0 else f"{step}u" for step in (to_step, from_step))
        body = f"MOVE_EACH({c_type}, {to}, {to_text}, {from_}, {from_text}, {inner});"
    return nest(sizes[:-1], [body])


def _innermost(sizes: Sequence[int], from_steps: Steps, to_steps: Steps) -> int:
    """The last axis, unless it is short and the source's own last one is not."""
    last = len(sizes) - 1
    rivals = [axis for axis in range(last) if from_steps[axis] == 1 and sizes[axis] > sizes[last]]
    return rivals[-1] if from_steps[last] != 1 and sizes[last] < _SHORT and rivals else last


def _moved(way: Steps, last: int) -> Steps:
    return (*way[:last], *way[last + 1 :], way[last])

"""One value from the values at the same place of one to three tensors, broadcast against each other: the loops of all such operators.

Source: "Broadcasting in ONNX", multidirectional. Axes along which all inputs run the same way are merged first, so that the innermost loop
is as long as it can be; there each input either steps by one or stays where it is. The rule is an expression of {a}, {b} and {c}, which
stand for as many lanes as its loop works on at once: 4 of 32 bits, 2 of 64, 16 bytes, or one element of any type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from canisters.compiler.ir import C_TYPES, Node, TensorType

from .loops import merged, nest, strides_of
from .registry import Kernel


@dataclass(frozen=True)
class Lanes:
    """`loop`: the macro that stores. `load`, `splat`: of an element, when it steps and when it stays. `mask`, `mask_splat`: of a bool."""

    loop: str
    c_type: str = ""
    load: str = "{p}[i]"
    splat: str = "{p}[0]"
    mask: str = "{p}[i]"
    mask_splat: str = "{p}[0]"


WORDS = Lanes("EACH_F32", "float", "load({p} + i)", "load_splat({p})", "load_mask({p} + i)", "splat_mask({p})")
LONG_WORDS = replace(WORDS, loop="EACH_F32_LONG")
COMPARED_WORDS = replace(WORDS, loop="EACH_MASK")
PAIRS = Lanes(
    "EACH_F64", "double", "load_pair({p} + i)", "splat_pair({p})", "load_pair_mask({p} + i)", "splat_pair_mask({p})"
)
BYTES = Lanes("EACH_BYTES", "uint8_t", "wasm_v128_load({p} + i)", "wasm_v128_load8_splat({p})")
ELEMENTS = Lanes("EACH")


def broadcast(node: Node, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(*shapes))
    except ValueError:
        raise node.cannot(
            f"the shapes {', '.join(map(str, shapes))} do not broadcast", "Fix the symbolic axes to sizes that fit"
        ) from None


def each(
    out: TensorType,
    inputs: Sequence[TensorType],
    rule: str,
    lanes: Lanes,
    indices: Sequence[int] = (),
    target: str = "",
) -> Kernel:
    """`indices`: which of the node's inputs are {a}, {b}, {c}, if not the first ones. `target`: C's type of what is stored, if not that of
    the lanes."""
    if out.size == 0:
        return Kernel("")
    if len(inputs) == 1 and inputs[0].shape == out.shape:
        return _one(out, inputs[0], rule, lanes, target)
    shape, ways = merged(out.shape, [strides_of(type_.shape, out.shape) for type_ in inputs])
    lines, values = [], {}
    for letter, steps, type_, index in zip("abc", ways, inputs, indices or range(len(inputs)), strict=False):
        is_mask = type_.dtype == "bool" and lanes.mask != ELEMENTS.mask
        c_type = "uint8_t" if is_mask else lanes.c_type or C_TYPES[type_.dtype]
        start = f"({c_type} *){{x{index}}}" + _offset(steps)
        lines.append(f"const {c_type} *{letter} = {start};")
        if steps[-1]:
            values[letter] = (lanes.mask if is_mask else lanes.load).format(p=letter)
        elif lanes is ELEMENTS:
            values[letter] = lanes.splat.format(p=letter)
        else:
            kind = "f32x4" if lanes.c_type == "float" else "v128_t"
            lines.append(f"const {kind} {letter}4 = {(lanes.mask_splat if is_mask else lanes.splat).format(p=letter)};")
            values[letter] = f"{letter}4"
    to = f"({target or _stored(out, lanes)} *){{y0}}" + _offset(strides_of(shape, shape))
    lines.append(f"{lanes.loop}({to}, {shape[-1]}, {rule.format(**values)});")
    return Kernel(nest(shape[:-1], lines))


def _one(out: TensorType, found: TensorType, rule: str, lanes: Lanes, target: str) -> Kernel:
    """A function of a single tensor: one loop over all of it."""
    source = _pointer(lanes.c_type or C_TYPES[found.dtype], "{x0}")
    to = _pointer(target or _stored(out, lanes), "{y0}")
    value = rule.replace("{a}", lanes.load.format(p=source))
    return Kernel(f"{lanes.loop}({to}, {out.size}, {value});")


def _stored(out: TensorType, lanes: Lanes) -> str:
    return lanes.c_type if lanes.c_type and lanes.loop != "EACH_MASK" else C_TYPES[out.dtype]


def _pointer(c_type: str, place: str) -> str:
    return f"F32({place})" if c_type == "float" else f"(({c_type} *){place})"


def _offset(steps: Sequence[int]) -> str:
    return "".join(f" + {step} * n{axis}" for axis, step in enumerate(steps[:-1]) if step)


def wrapping(c_type: str, expression: str) -> str:
    """Arithmetic of small integers that wraps: C promotes them to signed ones, of which it says nothing beyond their range."""
    operands = {letter: f"(uint32_t){{{letter}}}" for letter in "ab"}
    return f"({c_type})({expression.format(**operands)})"

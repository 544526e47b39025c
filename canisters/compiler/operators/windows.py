"""Kernel sizes, strides, borders and dilations, as convolutions and poolings share them. One spatial axis is treated as two."""

from __future__ import annotations

from dataclasses import dataclass

from canisters.compiler.ir import Node

MAX_TAPS = 256


@dataclass(frozen=True)
class Window:
    """Sizes (rows, columns) of a 2-d window over a plane and where its border begins and ends."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]
    out: tuple[int, int]

    @property
    def has_border(self) -> bool:
        return any(self.before) or any(self.after)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    def needed(self, axis: int) -> int:
        """Elements of the bordered axis that the kernel reads."""
        return (self.out[axis] - 1) * self.strides[axis] + (self.kernel[axis] - 1) * self.dilations[axis] + 1


def windows_along(node: Node, size: int, before: int, after: int, reach: int, stride: int) -> int:
    """How many windows of `reach` elements fit along a bordered axis. Raises CannotCompile when none does."""
    span = size + before + after - reach
    if span < 0:
        raise node.cannot(f"its kernel reaches over {reach} elements and is larger than its input of {size}", "Give larger inputs")
    up = bool(node.attributes.get("ceil_mode", 0))
    count = (-(-span // stride) if up else span // stride) + 1
    # A window that would begin in the border behind the input is left out.
    return count - 1 if up and (count - 1) * stride >= size + before else count


def window(node: Node, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """`spatial`: the sizes behind batch and channel. Raises CannotCompile for more than two, and for windows that do not fit."""
    rank = len(spatial)
    if rank not in (1, 2) or len(kernel) != rank:
        raise node.cannot(f"it has {rank} spatial axes", "One or two are offered")
    strides = _pair(node, "strides", rank, 1)
    dilations = _pair(node, "dilations", rank, 1)
    size, kernel2 = _as_pair(spatial), _as_pair(kernel)
    if min(*strides, *dilations, *kernel2) < 1 or kernel2[0] * kernel2[1] > MAX_TAPS:
        raise node.cannot(
            f"its kernel {kernel} has strides {strides} and dilations {dilations}",
            f"At most {MAX_TAPS} taps are offered",
        )
    before, after = _borders(node, size, kernel2, strides, dilations, rank)
    if min(*before, *after) < 0:
        raise node.cannot("it has negative pads", "Cut with Slice instead")
    out = [
        windows_along(node, size[i], before[i], after[i], (kernel2[i] - 1) * dilations[i] + 1, strides[i])
        for i in (0, 1)
    ]
    return Window(size, kernel2, strides, dilations, before, after, (out[0], out[1]))


def shape_of(found: Window, rank: int) -> tuple[int, ...]:
    """The spatial sizes of the output."""
    return found.out if rank == 2 else found.out[1:]


def _as_pair(values: tuple[int, ...], default: int = 1) -> tuple[int, int]:
    return (values[0], values[1]) if len(values) == 2 else (default, values[0])


def _pair(node: Node, attribute: str, rank: int, default: int) -> tuple[int, int]:
    values = tuple(int(v) for v in node.attributes.get(attribute, (default,) * rank))
    if len(values) != rank:
        raise node.cannot(
            f"its {attribute} {list(values)} do not fit {rank} spatial axes", "Check the model with onnx.checker"
        )
    return _as_pair(values, default)


def _borders(node: Node, size: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int], dilations: tuple[int, int],
             rank: int) -> tuple[tuple[int, int], tuple[int, int]]:  # fmt: skip
    automatic = node.attributes.get("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        pads = tuple(int(v) for v in node.attributes.get("pads", (0,) * (2 * rank)))
        if len(pads) != 2 * rank:
            raise node.cannot(
                f"its pads {list(pads)} do not fit {rank} spatial axes", "Check the model with onnx.checker"
            )
        return _as_pair(pads[:rank], 0), _as_pair(pads[rank:], 0)
    if automatic == "VALID":
        return (0, 0), (0, 0)
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.cannot(f"its auto_pad is {automatic!r}", "Give explicit pads")
    before, after = [0, 0], [0, 0]
    for axis in (0, 1):
        out = -(-size[axis] // strides[axis])
        total = max(0, (out - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - size[axis])
        small, large = total // 2, total - total // 2
        before[axis], after[axis] = (small, large) if automatic == "SAME_UPPER" else (large, small)
    return (before[0], before[1]), (after[0], after[1])

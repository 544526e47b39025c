"""Windows over one to three spatial axes, as the general kernels take them (kernels/spaces.h), and the convolutions that need those: Conv
with three axes or with weights that are only known at run time (`ConvSpace`, made by `passes.general_conv`), and ConvTranspose.

Source: ONNX Operators, Conv-1, -11, -22; ConvTranspose-1, -11, -22.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import Graph, Node, TensorType

from .loops import indent
from .registry import Kernel, Mode, Typing, operator
from .windows import windows_along

Triple = tuple[int, int, int]
MAX_AXES = 3
PANEL = 16
_CHECK = "Check the model with onnx.checker"


@dataclass(frozen=True)
class Space:
    """Sizes of an image, of a window over it, and how many windows there are along each of three axes. Borders may be negative."""

    size: Triple
    kernel: Triple
    strides: Triple
    dilations: Triple
    before: Triple
    out: Triple
    after: Triple = (0, 0, 0)

    @property
    def taps(self) -> int:
        return math.prod(self.kernel)

    @property
    def plane(self) -> int:
        return math.prod(self.size)

    @property
    def outs(self) -> int:
        return math.prod(self.out)

    @property
    def literal(self) -> str:
        """A `struct space`, braces doubled."""
        parts = (self.size, self.kernel, self.strides, self.dilations, self.before, self.out)
        return f"(struct space){{{{{', '.join(f'{{{{{a}, {b}, {c}}}}}' for a, b, c in parts)}}}}}"


def axes_of_space(node: Node, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> int:
    """How many spatial axes there are. Raises CannotCompile."""
    rank = len(spatial)
    if not 1 <= rank <= MAX_AXES or len(kernel) != rank:
        raise node.cannot(f"it has {rank} spatial axes and a kernel {kernel}", f"One to {MAX_AXES} are offered")
    return rank


def numbers(node: Node, attribute: str, rank: int, default: int) -> tuple[int, ...]:
    values = tuple(int(v) for v in node.attributes.get(attribute) or (default,) * rank)
    if len(values) != rank:
        raise node.cannot(f"its {attribute} {list(values)} do not fit {rank} axes", _CHECK)
    return values


def space(node: Node, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> Space:
    """Of a convolution or pooling. Raises CannotCompile for windows that do not fit."""
    rank = axes_of_space(node, spatial, kernel)
    strides, dilations = numbers(node, "strides", rank, 1), numbers(node, "dilations", rank, 1)
    if min(*strides, *dilations, *kernel) < 1:
        raise node.cannot(f"its kernel {kernel} has strides {strides} and dilations {dilations}", _CHECK)
    pads = _borders(node, spatial, kernel, strides, dilations)
    before, after = pads[:rank], pads[rank:]
    out = [
        windows_along(node, spatial[i], before[i], after[i], (kernel[i] - 1) * dilations[i] + 1, strides[i])
        for i in range(rank)
    ]
    parts = ((spatial, 1), (kernel, 1), (strides, 1), (dilations, 1), (before, 0), (out, 1), (after, 0))
    return Space(*(_triple(part, one) for part, one in parts))


def _triple(values: tuple[int, ...] | list[int], default: int) -> Triple:
    padded = (default,) * (MAX_AXES - len(values)) + tuple(values)
    return (padded[0], padded[1], padded[2])


def _borders(
    node: Node, spatial: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[int, ...]:
    automatic = node.attributes.get("auto_pad", "NOTSET")
    rank = len(spatial)
    if automatic == "NOTSET":
        return numbers(node, "pads", 2 * rank, 0)
    if automatic == "VALID":
        return (0,) * (2 * rank)
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.cannot(f"its auto_pad is {automatic!r}", "Give explicit pads")
    totals = [
        max(0, (-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size)
        for size, taps, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True)
    ]
    return _split(totals, is_upper=automatic == "SAME_UPPER")


def _split(totals: list[int], *, is_upper: bool) -> tuple[int, ...]:
    """The larger half of an odd border goes behind the image for SAME_UPPER, before it otherwise."""
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (*small, *large) if is_upper else (*large, *small)


def transposed_space(node: Node, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> Space:
    """Of a transposed convolution: its output is the image, its input the windows. Raises CannotCompile."""
    rank = axes_of_space(node, spatial, kernel)
    strides, dilations = numbers(node, "strides", rank, 1), numbers(node, "dilations", rank, 1)
    extra = numbers(node, "output_padding", rank, 0)
    full = [
        stride * (size - 1) + more + (taps - 1) * dilation + 1
        for size, taps, stride, dilation, more in zip(spatial, kernel, strides, dilations, extra, strict=True)
    ]
    automatic = node.attributes.get("auto_pad", "NOTSET")
    given = node.attributes.get("output_shape")
    if given is not None or automatic in ("SAME_UPPER", "SAME_LOWER"):
        sizes = (
            numbers(node, "output_shape", rank, 0)
            if given is not None
            else tuple(s * i for s, i in zip(strides, spatial, strict=True))
        )
        totals = [whole - size for whole, size in zip(full, sizes, strict=True)]
        before = _split(totals, is_upper=automatic == "SAME_UPPER")[:rank]
    else:
        pads = numbers(node, "pads", 2 * rank, 0) if automatic == "NOTSET" else (0,) * (2 * rank)
        before = pads[:rank]
        sizes = tuple(whole - low - high for whole, low, high in zip(full, before, pads[rank:], strict=True))
    if min(*sizes, *strides, *dilations) < 1:
        raise node.cannot(f"its output would have the sizes {list(sizes)}", "Give larger inputs or smaller pads")
    return Space(
        *(
            _triple(part, one)
            for part, one in ((sizes, 1), (kernel, 1), (strides, 1), (dilations, 1), (before, 0), (spatial, 1))
        )
    )


def spatial_shape(sizes: Triple, rank: int) -> tuple[int, ...]:
    return sizes[MAX_AXES - rank :]


# --- shape rules ---


def infer_conv(node: Node, found: TensorType, weights: TensorType, dtype: str) -> tuple[TensorType, ...]:
    """Of Conv, ConvInteger and QLinearConv."""
    if len(found.shape) < 3 or len(weights.shape) != len(found.shape):
        raise node.cannot(
            f"its inputs are {found} and {weights}", "Give it batch, channels and one to three spatial axes"
        )
    groups = int(node.attributes.get("group", 1))
    if groups < 1 or found.shape[1] != weights.shape[1] * groups or weights.shape[0] % groups:
        raise node.cannot(f"{groups} groups of {weights} do not fit {found}", _CHECK)
    out = space(node, found.shape[2:], weights.shape[2:]).out
    return (TensorType(dtype, (found.shape[0], weights.shape[0], *spatial_shape(out, len(found.shape) - 2))),)


def _infer_transpose(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, weights = typing.floats(node, 0), typing.floats(node, 1)
    groups = int(node.attributes.get("group", 1))
    if len(found.shape) < 3 or len(weights.shape) != len(found.shape):
        raise node.cannot(
            f"its inputs are {found} and {weights}", "Give it batch, channels and one to three spatial axes"
        )
    if groups < 1 or found.shape[1] != weights.shape[0] or weights.shape[0] % groups:
        raise node.cannot(f"{groups} groups of {weights} do not fit {found}", _CHECK)
    channels = weights.shape[1] * groups
    if node.input(2) and typing.floats(node, 2).shape != (channels,):
        raise node.cannot(f"its bias is {typing.input(node, 2)}, not of {channels} channels", _CHECK)
    out = transposed_space(node, found.shape[2:], weights.shape[2:]).size
    return (TensorType("float32", (found.shape[0], channels, *spatial_shape(out, len(found.shape) - 2))),)


# --- lowering ---


def over_samples(
    batch: int, lines: list[str], x_step: int, y_step: int, c_type: str = "float", y_type: str = "float"
) -> str:
    """`lines` use x and y: the input and the output of one sample."""
    head = [
        f"const {c_type} *x = ({c_type} *){{x0}} + n0 * {x_step};",
        f"{y_type} *y = ({y_type} *){{y0}} + n0 * {y_step};",
    ]
    body = "\n".join(indent(line) for line in [*head, *lines])
    return f"ROLLED for (unsigned n0 = 0; n0 < {batch}; n0++) {{{{\n{body}\n}}}}"


def _lower_space(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape, weights = graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape
    if graph.type(node.outputs[0]).size == 0:
        return Kernel("")
    groups = int(node.attributes.get("group", 1))
    found = space(node, shape[2:], weights[2:])
    ic, oc = weights[1], weights[0] // groups
    bias = "F32({x2})" if node.input(2) else "0"
    line = f"conv_space_f32(x, F32({{x1}}), {bias}, y, F32({{s_panel}}), {found.literal}, {groups}, {ic}, {oc});"
    scratch = {"panel": (ic * found.taps + 1) * PANEL * 4}
    macs = shape[0] * groups * oc * ic * found.taps * found.outs
    code = over_samples(shape[0], [line], groups * ic * found.plane, groups * oc * found.outs)
    return Kernel(code, scratch=scratch, macs=macs, note="f32, windows gathered")


def _lower_transpose(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape, weights = graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape
    if graph.type(node.outputs[0]).size == 0:
        return Kernel("")
    groups = int(node.attributes.get("group", 1))
    found = transposed_space(node, shape[2:], weights[2:])
    ic, oc = weights[0] // groups, weights[1]
    m, bias = oc * found.taps, "F32({x2})" if node.input(2) else "0"
    scratch = {"panel": (ic + 1) * PANEL * 4, "products": m * PANEL * 4}
    packed: dict[str, bytes] = {}
    constant = graph.constant(node.inputs[1])
    before = ""
    if constant is None:
        # (groups, ic, m) to (groups, m, ic), once a run.
        scratch["weights"] = groups * m * ic * 4
        before = (
            f"ROLLED for (unsigned g = 0; g < {groups}; g++)\n  ROLLED for (unsigned i = 0; i < {m}; i++)\n"
            f"    ROLLED for (unsigned c = 0; c < {ic}; c++)\n"
            f"      F32({{s_weights}})[(g * {m} + i) * {ic} + c] = F32({{x1}})[(g * {ic} + c) * {m} + i];\n"
        )
    else:
        turned = constant.astype(np.float32).reshape(groups, ic, m).transpose(0, 2, 1)
        packed["weights"] = np.ascontiguousarray(turned).tobytes()
    source = "F32({s_weights})" if constant is None else "F32({w_weights})"
    line = f"conv_transpose_f32(x, {source}, {bias}, y, F32({{s_panel}}), F32({{s_products}}), {found.literal}, {groups}, {ic}, {oc});"
    code = before + over_samples(shape[0], [line], groups * ic * found.outs, groups * oc * found.plane)
    return Kernel(code, packed, scratch, shape[0] * groups * m * ic * found.outs, "f32, products scattered")


def _infer_space(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return infer_conv(node, typing.floats(node, 0), typing.floats(node, 1), "float32")


operator("ConvSpace", infer=_infer_space, lower=_lower_space)
operator("ConvTranspose", infer=_infer_transpose, lower=_lower_transpose)

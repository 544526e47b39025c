"""GridSample, AffineGrid, RoiAlign: images looked at in places that are only known when the network runs.

Source: ONNX Operators, GridSample-16, -20, -22; AffineGrid-20; RoiAlign-10, -16, -22. One to three spatial axes; in float32. The size of an affine
grid is a constant. A region with too many samples, or of a batch that is not there, fails the call.
"""

from __future__ import annotations

import math

import numpy as np

from canisters.compiler.ir import Graph, Node, TensorType

from .indices import failure
from .registry import Kernel, Mode, Typing, c_float, operator

_CHECK = "Check the model with onnx.checker"
_COUNTS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
_BORDERS = {"zeros": "ZEROS", "border": "BORDER", "reflection": "REFLECTION"}
_FLOAT = ("float32",)
_MAX_SAMPLES = 4096  # as in kernels/sampling.h

# --- GridSample ---


def _infer_grid(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    image, grid = typing.floats(node), typing.floats(node, 1)
    axes = len(image.shape) - 2
    if not 1 <= axes <= 3 or len(grid.shape) != axes + 2 or grid.shape[-1] != axes or grid.shape[0] != image.shape[0]:
        raise node.cannot(f"the grid {grid} does not fit {image}", "One to three spatial axes are offered")
    if (
        node.attributes.get("mode", "linear") not in _COUNTS
        or node.attributes.get("padding_mode", "zeros") not in _BORDERS
    ):
        raise node.cannot("its mode or padding_mode is unknown", _CHECK)
    out = TensorType("float32", (*image.shape[:2], *grid.shape[1:-1]))
    if 0 in image.shape[2:] and out.size:
        raise node.cannot(f"its image {image} has no elements", "Fix the symbolic axes to sizes of at least 1")
    return (out,)


def _lower_grid(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    image, grid, out = graph.type(node.inputs[0]), graph.type(node.inputs[1]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    spatial = (1,) * (5 - len(image.shape)) + image.shape[2:]
    sizes = (
        *image.shape[:2],
        *spatial,
        math.prod(grid.shape[1:-1]),
        grid.shape[-1],
        _COUNTS[node.attributes.get("mode", "linear")],
    )
    align = "true" if node.attributes.get("align_corners", 0) else "false"
    border = _BORDERS[node.attributes.get("padding_mode", "zeros")]
    return Kernel(
        f"grid_sample_f32(F32({{x0}}), F32({{x1}}), F32({{y0}}), {', '.join(map(str, sizes))}, {border}, {align});"
    )


# --- AffineGrid ---


def _grid_size(node: Node, typing: Typing) -> tuple[int, ...]:
    size = typing.integers(node, "", 1)
    if size is None or len(size) not in (4, 5) or min(size) < 0:
        raise node.cannot(f"its size is {size}", _CHECK)
    return size


def _infer_affine(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    theta, size = typing.floats(node), _grid_size(node, typing)
    axes = len(size) - 2
    if theta.shape != (size[0], axes, axes + 1):
        raise node.cannot(f"theta {theta} does not fit the size {list(size)}", _CHECK)
    return (TensorType("float32", (size[0], *size[2:], axes)),)


def _lower_affine(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """theta times (x, y, 1) or (x, y, z, 1) of every point; x runs fastest. One table of coordinates an axis."""
    out = graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    batches, *spatial, axes = out.shape
    align = bool(node.attributes.get("align_corners", 0))
    tables = {}
    for letter, size in zip("xyz", reversed(spatial), strict=False):
        tables[letter] = _coordinates(size, align=align).astype(np.float32).tobytes()
    loops, text = "", ""
    for letter, size in reversed(list(zip("xyz", reversed(spatial), strict=False))):
        loops += f"  ROLLED for (unsigned {letter} = 0; {letter} < {size}; {letter}++)\n"
    for row in range(axes):
        terms = [
            f"t[{row * (axes + 1) + i}] * F32({{w_{letter}}})[{letter}]"
            for i, letter in zip(range(axes), "xyz", strict=False)
        ]
        text += f"    *to++ = {' + '.join([*terms, f't[{row * (axes + 1) + axes}]'])};\n"
    code = f"""\
const float *t = F32({{x0}});
float *to = F32({{y0}});
ROLLED for (unsigned b = 0; b < {batches}; b++, t += {axes * (axes + 1)})
{loops}  {{{{
{text}  }}}}"""
    return Kernel(code, tables)


def _coordinates(size: int, *, align: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of the elements of an axis, -1 to 1: their middles, or the first and the last at the very ends."""
    if align:
        return np.linspace(-1.0, 1.0, size) if size > 1 else np.full(size, -1.0)
    return (2 * np.arange(size) + 1) / size - 1


# --- RoiAlign ---


def _infer_roi(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    image, regions, batch = typing.floats(node), typing.floats(node, 1), typing.input(node, 2)
    count = regions.shape[0] if regions.shape else 0
    if len(image.shape) != 4 or regions.shape != (count, 4) or batch != TensorType("int64", (count,)):
        raise node.cannot(f"the regions {regions} of {batch} do not fit {image}", _CHECK)
    sizes = tuple(int(node.attributes.get(name, 1)) for name in ("output_height", "output_width"))
    samples = int(node.attributes.get("sampling_ratio", 0))
    if min(sizes) < 1 or not 0 <= samples <= _MAX_SAMPLES:
        raise node.cannot(f"its output is {sizes[0]} x {sizes[1]} of {samples} samples", _CHECK)
    if node.attributes.get("mode", "avg") not in ("avg", "max"):
        raise node.cannot(f"its mode is {node.attributes['mode']!r}", "One of avg and max is offered")
    out = TensorType("float32", (count, image.shape[1], *sizes))
    if image.size == 0 and out.size:
        raise node.cannot(f"its image {image} has no elements", "Fix the symbolic axes to sizes of at least 1")
    return (out,)


def _lower_roi(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    image, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    # Since opset 16 coordinates are of half pixels unless the model says otherwise.
    usual = "half_pixel" if int(node.attributes["opset"]) >= 16 else "output_half_pixel"
    half = node.attributes.get("coordinate_transformation_mode", usual) == "half_pixel"
    text = failure(node, "a region lies in no batch or is too large")
    sizes = (*image.shape, out.shape[0], *out.shape[2:], int(node.attributes.get("sampling_ratio", 0)))
    scale, offset = c_float(float(node.attributes.get("spatial_scale", 1.0))), "0.5f" if half else "0.0f"
    is_max = "true" if node.attributes.get("mode", "avg") == "max" else "false"
    pointers = "F32({x0}), F32({x1}), I64({x2}), F32({y0})"
    return Kernel(
        f"roi_align_f32({pointers}, {', '.join(map(str, sizes))}, {scale}, {offset}, {is_max}, {text});",
        data_bytes=len(text),
    )


operator("GridSample", since=16, infer=_infer_grid, lower=_lower_grid, types=_FLOAT)
operator("AffineGrid", since=20, infer=_infer_affine, lower=_lower_affine, types=("float32", "int64"))
operator("RoiAlign", since=10, infer=_infer_roi, lower=_lower_roi, types=("float32", "int64"))

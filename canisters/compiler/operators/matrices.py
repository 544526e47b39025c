"""Det, LpNormalization, Col2Im: small things about whole matrices, rows and columns.

Source: ONNX Operators, Det-11, -22; LpNormalization-1, -22; Col2Im-18. A determinant is that of a triangular matrix, made in float64 with the largest
pivot; a row of length 0 stays 0.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import C_TYPES, FLOATS, PLAIN, Graph, Node, TensorType

from .loops import contiguous, nest
from .registry import Kernel, Mode, Typing, axis_of, operator

_FLOATS = ("float32", "float64")
_CHECK = "Check the model with onnx.checker"

# --- Det ---


def _infer_det(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node, allowed=_FLOATS)
    if len(found.shape) < 2 or found.shape[-1] != found.shape[-2]:
        raise node.cannot(f"its input {found} is no square matrix", _CHECK)
    return (TensorType(found.dtype, found.shape[:-2]),)


def _lower_det(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    n, c_type = found.shape[-1], C_TYPES[found.dtype]
    code = f"""\
ROLLED for (unsigned m = 0; m < {out.size}; m++) {{{{
  EACH((double *){{s_rows}}, {n * n}, (({c_type} *){{x0}})[m * {n * n} + i]);
  (({c_type} *){{y0}})[m] = ({c_type})determinant((double *){{s_rows}}, {n});
}}}}"""
    return Kernel(code, scratch={"rows": max(8, 8 * n * n)})


# --- LpNormalization ---


def _infer_lp(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node, allowed=_FLOATS)
    if int(node.attributes.get("p", 2)) not in (1, 2):
        raise node.cannot(f"its p is {node.attributes['p']}", "1 and 2 are offered")
    axis_of(node, int(node.attributes.get("axis", -1)), len(found.shape))
    return (found,)


def _lower_lp(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.size == 0:
        return Kernel("")
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(found.shape))
    sizes = math.prod(found.shape[:axis]), math.prod(found.shape[axis : axis + 1]), math.prod(found.shape[axis + 1 :])
    is_one = "true" if int(node.attributes.get("p", 2)) == 1 else "false"
    c_type, suffix = C_TYPES[found.dtype], "f32" if found.dtype == "float32" else "f64"
    return Kernel(
        f"lp_normalize_{suffix}(({c_type} *){{x0}}, ({c_type} *){{y0}}, {', '.join(map(str, sizes))}, {is_one});"
    )


# --- Col2Im ---


def _image(node: Node, typing: Typing) -> tuple[tuple[int, ...], tuple[int, ...], list[tuple[int, ...]]]:
    """Sizes of the image and of a block, then strides, dilations, pads before and pads after. Raises CannotCompile."""
    image, block = typing.integers(node, "", 1), typing.integers(node, "", 2)
    rank = len(image or ())
    if not image or not block or len(block) != rank:
        raise node.cannot(f"its image is {image} and its block {block}", _CHECK)
    given = [tuple(int(v) for v in node.attributes.get(name, (usual,) * count))
             for name, usual, count in (("strides", 1, rank), ("dilations", 1, rank), ("pads", 0, 2 * rank))]  # fmt: skip
    if (
        [len(values) for values in given] != [rank, rank, 2 * rank]
        or min((*image, *block, *given[0], *given[1])) < 1
        or min(given[2]) < 0
    ):
        raise node.cannot("its strides, dilations or pads do not fit", _CHECK)
    strides, dilations, pads = given
    return image, block, [strides, dilations, pads[:rank], pads[rank:]]


def _blocks(image: tuple[int, ...], block: tuple[int, ...], ways: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(
        (size + before + after - dilation * (taps - 1) - 1) // stride + 1
        for size, taps, stride, dilation, before, after in zip(image, block, *ways, strict=True)
    )


def _infer_image(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    image, block, ways = _image(node, typing)
    counts = _blocks(image, block, ways)
    fits = len(found.shape) == 3 and found.shape[1] % math.prod(block) == 0 and min(counts) > 0
    if not fits or found.shape[2] != math.prod(counts) or found.dtype == "bool":
        raise node.cannot(f"its columns {found} do not make up an image {list(image)}", _CHECK)
    return (TensorType(found.dtype, (found.shape[0], found.shape[1] // math.prod(block), *image)),)


def _lower_image(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """Each element of each column is added where its block lies on the image; what lies in the border is left out."""
    out = graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    image, block, ways = _image(node, Typing(graph.types, graph.constants, 0))
    strides, dilations, before, _ = ways
    counts, rank, c_type = _blocks(image, block, ways), len(image), C_TYPES[out.dtype]
    kept = c_type if out.dtype in FLOATS else "uint64_t"  # integers wrap
    shape = (out.shape[0] * out.shape[1], *block, *counts)
    lines = []
    for axis in range(rank):
        tap, at = f"n{1 + axis}", f"n{1 + rank + axis}"
        lines.append(f"const int p{axis} = (int)({strides[axis]} * {at} + {dilations[axis]} * {tap}) - {before[axis]};")
        lines.append(f"if (p{axis} < 0 || p{axis} >= {image[axis]}) continue;")
    target = " + ".join(f"{step} * (unsigned)p{axis}" for axis, step in enumerate(contiguous(image)))
    source = " + ".join(f"{step} * n{axis}" for axis, step in enumerate(contiguous(shape)))
    lines.append(f"{c_type} *const to = ({c_type} *){{y0}} + {math.prod(image)} * n0 + {target};")
    lines.append(f"*to = ({c_type})(({kept})*to + ({kept})(({c_type} *){{x0}})[{source}]);")
    return Kernel(f"fill_bytes(U8({{y0}}), 0, {out.size_bytes});\n{nest(shape, lines)}")


operator("Det", since=11, infer=_infer_det, lower=_lower_det, types=_FLOATS)
operator("LpNormalization", infer=_infer_lp, lower=_lower_lp, types=_FLOATS)
operator("Col2Im", since=18, infer=_infer_image, lower=_lower_image, types=(*PLAIN, "float64"))

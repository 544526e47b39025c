"""What the classifiers of ai.onnx.ml share: their attributes as arrays, integer labels, post transforms, and inputs of any numeric type."""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import C_TYPES, Array, Node, TensorType
from canisters.compiler.operators.registry import Typing

DOMAIN = "ai.onnx.ml"
NUMBERS = ("float32", "float64", "int64", "int32")
POSTS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")


def floats(node: Node, name: str) -> Array:
    """An attribute of finite floats, empty when it is left out. Raises CannotCompile."""
    found = np.asarray(node.attributes.get(name, ()), np.float32)
    if not np.isfinite(found).all():
        raise node.cannot(
            f"its {name} are not all finite", "Train the model again and look for NaN in its coefficients"
        )
    return found


def integers(node: Node, name: str) -> Array:
    return np.asarray(node.attributes.get(name, ()), np.int64)


def post_of(node: Node) -> str:
    found = str(node.attributes.get("post_transform", "NONE"))
    if found not in POSTS:
        raise node.cannot(f"its post_transform is {found!r}", f"It is one of {', '.join(POSTS)}")
    return found


def labels_of(node: Node, name: str) -> Array:
    """Class labels, at least two. Raises CannotCompile when they are strings."""
    if node.attributes.get("classlabels_strings"):
        raise node.cannot(
            "its class labels are strings",
            "Train with integer labels (sklearn.preprocessing.LabelEncoder) and keep the names outside",
        )
    found = integers(node, name)
    if found.size < 2:
        raise node.cannot(f"it has {found.size} class labels", "A classifier needs at least two")
    return found


def rows_of(node: Node, typing: Typing) -> tuple[int, int]:
    """Rows and features of input 0; one axis is one row."""
    found = typing.floats(node, 0, NUMBERS)
    if len(found.shape) not in (1, 2):
        raise node.cannot(f"its input is {found}", "Give it rows of features: two axes")
    return (1, found.shape[0]) if len(found.shape) == 1 else (found.shape[0], found.shape[1])


def classified(rows: int, scores: int) -> tuple[TensorType, ...]:
    return (TensorType("int64", (rows,)), TensorType("float32", (rows, scores)))


def row_in(dtype: str, wanted: str, features: int) -> tuple[str, str, dict[str, int]]:
    """C for row n0 of input 0 as `wanted` ("float32" or "float64"): a line to run before, the address, and scratch."""
    source = f"({C_TYPES[dtype]} *){{x0}} + n0 * {features}"
    if dtype == wanted:
        return "", f"({source})", {}
    c_type = C_TYPES[wanted]
    line = f"EACH(({c_type} *){{s_row}}, {features}, ({c_type})({source})[i]);"
    return line, f"(({c_type} *){{s_row}})", {"row": features * np.dtype(wanted).itemsize}


def each_row(rows: int, lines: list[str]) -> str:
    body = "\n".join("  " + line for line in lines if line)
    return f"ROLLED for (unsigned n0 = 0; n0 < {rows}; n0++) {{{{\n{body}\n}}}}"

"""LinearClassifier and LinearRegressor: one weighted sum a class or target.

Source: ai.onnx.ml, LinearClassifier-1, LinearRegressor-1. Sums are float32, as ONNX Runtime has them. A classifier with a single row of
coefficients is refused: whether its second score is 1 - s or -s depends on the runtime, and scikit-learn's exporter always writes both rows.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, TensorType
from canisters.compiler.operators.registry import Kernel, Mode, Typing, operator

from .scores import DOMAIN, NUMBERS, classified, each_row, floats, labels_of, post_of, row_in, rows_of


def packed_vectors(vectors: Array) -> bytes:
    """(n, features) as kernels/vectors.h reads them: groups of four side by side."""
    count, features = vectors.shape
    padded = np.zeros((-(-count // 4) * 4, features), np.float32)
    padded[:count] = vectors
    return np.ascontiguousarray(padded.reshape(-1, 4, features).transpose(0, 2, 1)).tobytes()


def _coefficients(node: Node, features: int, rows: int) -> Array:
    found = floats(node, "coefficients")
    if found.size != rows * features:
        raise node.cannot(
            f"its {found.size} coefficients are not {rows} rows of {features} features",
            "Give the input its true number of features",
        )
    return found.reshape(rows, features)


def _scores(
    node: Node, graph: Graph, coefficients: Array, intercepts: Array, to: str
) -> tuple[list[str], dict[str, bytes], dict[str, int]]:
    given = graph.type(node.inputs[0])
    rows, features = coefficients.shape
    line, row, scratch = row_in(given.dtype, "float32", features)
    bias = np.zeros(-(-rows // 4) * 4, np.float32)
    bias[:rows] = intercepts
    lines = [line, f"linear_scores({row}, F32({{w_vectors}}), F32({{w_bias}}), {to}, {features}, {rows});"]
    return lines, {"vectors": packed_vectors(coefficients), "bias": bias.tobytes()}, scratch


def _infer_classifier(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows, features = rows_of(node, typing)
    labels = labels_of(node, "classlabels_ints")
    if floats(node, "intercepts").size == 1:
        raise node.cannot(
            "it has a single row of coefficients", "Write one row for each class, as scikit-learn's exporter does"
        )
    _coefficients(node, features, len(labels))
    return classified(rows, len(labels))


def _lower_classifier(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    labels, post = labels_of(node, "classlabels_ints"), post_of(node)
    count = len(labels)
    coefficients, intercepts = _coefficients(node, features, count), floats(node, "intercepts")
    if intercepts.size not in (0, count):
        raise node.cannot(f"it has {intercepts.size} intercepts for {count} classes", "Write one for each class")
    scores = f"F32({{y1}}) + n0 * {count}"
    lines, weights, scratch = _scores(
        node, graph, coefficients, intercepts if intercepts.size else np.zeros(count), scores
    )
    lines += [
        f"I64({{y0}})[n0] = I64({{w_labels}})[place_of_largest({scores}, {count})];",
        f"post_transform({scores}, {count}, POST_{post});" if post != "NONE" else "",
    ]
    return Kernel(each_row(rows, lines), {**weights, "labels": labels.tobytes()}, scratch, macs=rows * features * count)


def _targets(node: Node) -> int:
    found = int(node.attributes.get("targets", 1))
    if not 1 <= found <= 1 << 20:
        raise node.cannot(f"it has {found} targets", "Check the model with onnx.checker")
    return found


def _infer_regressor(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows, features = rows_of(node, typing)
    _coefficients(node, features, _targets(node))
    return (TensorType("float32", (rows, _targets(node))),)


def _lower_regressor(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    targets, post, intercepts = _targets(node), post_of(node), floats(node, "intercepts")
    if intercepts.size not in (0, targets):
        raise node.cannot(f"it has {intercepts.size} intercepts for {targets} targets", "Write one for each target")
    if post not in ("NONE", "PROBIT") and targets == 1:
        raise node.cannot(
            f"its post_transform {post} of one target means different things to different runtimes",
            "Export it with NONE and put the function behind it",
        )
    to = f"F32({{y0}}) + n0 * {targets}"
    coefficients = _coefficients(node, features, targets)
    lines, weights, scratch = _scores(
        node, graph, coefficients, intercepts if intercepts.size else np.zeros(targets), to
    )
    lines.append(f"post_transform({to}, {targets}, POST_{post});" if post != "NONE" else "")
    return Kernel(each_row(rows, lines), weights, scratch, macs=rows * features * targets)


operator("LinearClassifier", domain=DOMAIN, since=1, infer=_infer_classifier, lower=_lower_classifier, types=NUMBERS)
operator("LinearRegressor", domain=DOMAIN, since=1, infer=_infer_regressor, lower=_lower_regressor, types=NUMBERS)

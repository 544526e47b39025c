"""SVMClassifier and SVMRegressor: kernels of the row with all support vectors, then votes of pairs, or a weighted sum.

Source: ai.onnx.ml, SVMClassifier-1, SVMRegressor-1; LIBSVM for votes and probabilities. The label is the class with most votes, also where
probabilities are given, as in LIBSVM and ONNX Runtime; scores of more than two classes without probabilities are those of the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, TensorType
from canisters.compiler.operators.registry import Kernel, Mode, Typing, c_float, operator

from .linear import packed_vectors
from .scores import DOMAIN, NUMBERS, classified, each_row, floats, integers, labels_of, post_of, row_in, rows_of

_KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")
_MAX_DEGREE = 32
_CHECK = "Export the model again; its lists do not belong together"


@dataclass(frozen=True)
class _Machine:
    """`vectors`: (count, features)."""

    vectors: Array
    arguments: str


def _machine(node: Node, features: int, count: int) -> _Machine:
    kind = str(node.attributes.get("kernel_type", "LINEAR"))
    if kind not in _KERNELS:
        raise node.cannot(f"its kernel_type is {kind!r}", f"It is one of {', '.join(_KERNELS)}")
    parameters = floats(node, "kernel_params")
    gamma, coef0, degree = (float(p) for p in (parameters if parameters.size >= 3 else (0.0, 0.0, 0.0)))
    if kind == "POLY" and not (degree.is_integer() and 0 <= degree <= _MAX_DEGREE):
        raise node.cannot(
            f"the degree of its polynomial is {degree}", f"Train with a whole number of at most {_MAX_DEGREE}"
        )
    vectors = floats(node, "support_vectors")
    if vectors.size != count * features:
        raise node.cannot(
            f"its support vectors have {vectors.size} values, not {count} times {features}",
            "Give the input its true number of features",
        )
    degree_ = int(degree) if kind == "POLY" else 0
    return _Machine(vectors.reshape(count, features), f"SVM_{kind}, {c_float(gamma)}, {c_float(coef0)}, {degree_}")


def _kernels(machine: _Machine, row: str) -> str:
    count, features = machine.vectors.shape
    return f"svm_kernels({row}, F32({{w_vectors}}), F32({{s_kernels}}), {features}, {count}, {machine.arguments});"


# --- classifier ---


def _counts(node: Node, labels: Array) -> Array:
    found = integers(node, "vectors_per_class")
    if not found.size:
        raise node.cannot(
            "it has no support vectors", "Export linear models as LinearClassifier (sklearn.svm.LinearSVC)"
        )
    if found.size != labels.size or found.min() < 0 or found.max() >= 1 << 31:
        raise node.cannot("its vectors_per_class do not belong to its classes", _CHECK)
    return found


def _score_count(node: Node, classes: int) -> int:
    return classes if floats(node, "prob_a").size or classes == 2 else classes * (classes - 1) // 2


def _infer_classifier(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows, _ = rows_of(node, typing)
    return classified(rows, _score_count(node, labels_of(node, "classlabels_ints").size))


def _lower_classifier(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    labels = labels_of(node, "classlabels_ints")
    classes, counts = labels.size, _counts(node, labels)
    vectors, pairs = int(counts.sum()), classes * (classes - 1) // 2
    machine = _machine(node, features, vectors)
    coefficients, rho, a, b = (floats(node, name) for name in ("coefficients", "rho", "prob_a", "prob_b"))
    if coefficients.size != (classes - 1) * vectors or rho.size < pairs or a.size != b.size or a.size not in (0, pairs):
        raise node.cannot("its coefficients, rho and probabilities do not belong to its classes", _CHECK)
    if post_of(node) != "NONE":
        raise node.cannot(
            f"its post_transform is {post_of(node)}", "Export it with NONE and put the function behind it"
        )
    line, row, scratch = row_in(graph.type(node.inputs[0]).dtype, "float32", features)
    scores = _score_count(node, classes)
    to = f"F32({{y1}}) + n0 * {scores}"
    vote = (
        f"svm_votes(F32({{s_kernels}}), F32({{w_coefficients}}), (const uint32_t *){{w_counts}}, F32({{w_rho}}), F32({{s_pairs}}), "
        f"(uint32_t *){{s_votes}}, {classes}, {vectors})"
    )
    lines = [line, _kernels(machine, row), f"I64({{y0}})[n0] = I64({{w_labels}})[{vote}];"]
    weights = {
        "vectors": packed_vectors(machine.vectors), "coefficients": coefficients.tobytes(), "counts": counts.astype(np.uint32).tobytes(),
        "rho": rho.tobytes(), "labels": labels.tobytes(),
    }  # fmt: skip
    scratch |= {"kernels": 4 * vectors, "pairs": 4 * pairs, "votes": 4 * classes}
    if a.size:
        square = 4 * classes * classes
        lines.append(
            f"svm_probabilities(F32({{s_pairs}}), F32({{w_a}}), F32({{w_b}}), F32({{s_shares}}), F32({{s_q}}), F32({{s_qp}}), {to}, {classes});"
        )
        weights |= {"a": a.tobytes(), "b": b.tobytes()}
        scratch |= {"shares": square, "q": square, "qp": 4 * classes}
    elif classes == 2:
        lines += ["F32({y1})[n0 * 2] = -F32({s_pairs})[0];", "F32({y1})[n0 * 2 + 1] = F32({s_pairs})[0];"]
    else:
        lines.append(f"copy_bytes(U8({to}), U8({{s_pairs}}), {4 * pairs});")
    return Kernel(
        each_row(rows, lines),
        weights,
        scratch,
        macs=rows * vectors * (features + classes - 1),
        note=f"{vectors} support vectors",
    )


# --- regressor ---


def _infer_regressor(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows, _ = rows_of(node, typing)
    return (TensorType("float32", (rows, 1)),)


def _lower_regressor(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    count = int(node.attributes.get("n_supports", 0))
    coefficients, rho = floats(node, "coefficients"), floats(node, "rho")
    if not 0 < count < 1 << 31:
        raise node.cannot(
            "it has no support vectors", "Export linear models as LinearRegressor (sklearn.svm.LinearSVR)"
        )
    if coefficients.size != count or rho.size < 1:
        raise node.cannot("its coefficients do not belong to its support vectors", _CHECK)
    if post_of(node) != "NONE":
        raise node.cannot(
            f"its post_transform is {post_of(node)}", "Export it with NONE and put the function behind it"
        )
    machine = _machine(node, features, count)
    line, row, scratch = row_in(graph.type(node.inputs[0]).dtype, "float32", features)
    value = f"(float)(svm_sum(F32({{w_coefficients}}), F32({{s_kernels}}), {count}) + (double){c_float(float(rho[0]))})"
    lines = [line, _kernels(machine, row), f"F32({{y0}})[n0] = {value};"]
    if int(node.attributes.get("one_class", 0)):
        lines.append("F32({y0})[n0] = F32({y0})[n0] > 0.0f ? 1.0f : -1.0f;")
    weights = {"vectors": packed_vectors(machine.vectors), "coefficients": coefficients.tobytes()}
    return Kernel(
        each_row(rows, lines),
        weights,
        {"kernels": 4 * count, **scratch},
        macs=rows * count * (features + 1),
        note=f"{count} support vectors",
    )


operator("SVMClassifier", domain=DOMAIN, since=1, infer=_infer_classifier, lower=_lower_classifier, types=NUMBERS)
operator("SVMRegressor", domain=DOMAIN, since=1, infer=_infer_regressor, lower=_lower_regressor, types=NUMBERS)

"""The operators of ai.onnx.ml against ONNX Runtime: trees of every kind, linear and support vector machines, features before and labels behind.

All cases of a test are one module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import CannotCompile, compile_model

from .cases import Case, differences, onnx_runtime, reference, run_together

pytestmark = pytest.mark.slow

F = np.float32
ML = "ai.onnx.ml"


def ml_model(
    op: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, tuple[int, Sequence[int]]],
    *,
    version: int = 3,
    constants: Mapping[str, np.ndarray] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """One node. `outputs`: element type and shape by name."""
    kept = dict(constants or {})
    node = helper.make_node(op, [*inputs, *kept], list(outputs), name="culprit", domain=ML, **attributes)
    graph = helper.make_graph(
        [node],
        "case",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in inputs.items()
        ],
        [helper.make_tensor_value_info(n, type_, shape) for n, (type_, shape) in outputs.items()],
        [numpy_helper.from_array(a, n) for n, a in kept.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(ML, version)], ir_version=10
    )


def case(name: str, model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], *, by_reference: bool = False) -> Case:
    return Case(name, model, inputs, (reference if by_reference else onnx_runtime)(model, inputs))


def agree(cases: Sequence[Case], **tolerance: float) -> None:
    assert differences(cases, run_together(cases), **tolerance) == []


# --- trees ---


def grown(
    rng: np.random.Generator, features: int, modes: Sequence[str], depth: int, trees: int
) -> dict[str, list[Any]]:
    """Node lists of random trees, leaves in `leaves` as (tree, node)."""
    found: dict[str, list[Any]] = {
        f"nodes_{k}": []
        for k in (
            "treeids",
            "nodeids",
            "featureids",
            "values",
            "modes",
            "truenodeids",
            "falsenodeids",
            "missing_value_tracks_true",
        )
    }
    found["leaves"] = []

    def node(tree: int, counter: list[int], level: int) -> int:
        number = counter[0]
        counter[0] += 1
        at = len(found["nodes_treeids"])
        for name in found:
            if name != "leaves":
                found[name].append(0)
        is_leaf = level == depth or (level and rng.random() < 0.2)
        found["nodes_treeids"][at], found["nodes_nodeids"][at] = tree, number
        found["nodes_modes"][at] = "LEAF" if is_leaf else str(rng.choice(modes))
        found["nodes_values"][at] = float(rng.integers(-3, 4)) / 2
        found["nodes_featureids"][at] = int(rng.integers(0, features))
        found["nodes_missing_value_tracks_true"][at] = int(rng.integers(0, 2))
        if is_leaf:
            found["leaves"].append((tree, number))
        else:
            found["nodes_truenodeids"][at] = node(tree, counter, level + 1)
            found["nodes_falsenodeids"][at] = node(tree, counter, level + 1)
        return number

    for tree in range(trees):
        node(tree, [0], 0)
    return found


def rows(rng: np.random.Generator, count: int, features: int, *, with_nan: bool = True) -> np.ndarray:
    """Values that often are the thresholds themselves."""
    found = (rng.integers(-4, 5, (count, features)) / 2).astype(F)
    found[0, :] = [np.inf, -np.inf, *([-0.0] * (features - 2))]
    if with_nan:
        found[1:3, :] = np.nan
    return found


ALL_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def regressor(
    seed: int, modes: Sequence[str], targets: int, *, with_nan: bool = True, dtype: type = F, **attributes: Any
) -> Case:
    rng = np.random.default_rng(seed)
    trees = grown(rng, 5, modes, 4, 6)
    if not with_nan:
        del trees["nodes_missing_value_tracks_true"]
    leaves = trees.pop("leaves")
    named = [
        (tree, number, target)
        for tree, number in leaves
        for target in range(targets)
        if targets < 3 or rng.random() < 0.7
    ]
    attributes |= {
        "target_treeids": [t for t, _, _ in named], "target_nodeids": [n for _, n, _ in named], "target_ids": [i for _, _, i in named],
        "target_weights": [float(w) for w in rng.standard_normal(len(named)).astype(F)], "n_targets": targets, **trees,
    }  # fmt: skip
    x = rows(rng, 12, 5, with_nan=with_nan).astype(dtype)
    model = ml_model("TreeEnsembleRegressor", {"x": x}, {"y": (TensorProto.FLOAT, (12, targets))}, **attributes)
    return case(f"{seed}: {modes} {targets} {attributes.get('aggregate_function')}", model, {"x": x})


def test_trees_of_every_comparison_and_aggregate_sum_like_onnx_runtime() -> None:
    cases = [regressor(seed, (mode,), 1) for seed, mode in enumerate(ALL_MODES)]
    cases += [
        regressor(10, ALL_MODES, 3),
        regressor(11, ("BRANCH_LEQ",), 1, with_nan=False, base_values=[0.25]),
        regressor(
            12, ("BRANCH_LT", "BRANCH_LEQ"), 2, with_nan=False, base_values=[0.25, -1.0], aggregate_function="AVERAGE"
        ),
        regressor(13, ALL_MODES, 3, aggregate_function="MIN"),
        regressor(14, ALL_MODES, 3, aggregate_function="MAX"),
        regressor(15, ALL_MODES, 1, aggregate_function="MIN"),
        regressor(16, ("BRANCH_LEQ",), 2, dtype=np.float64),
        regressor(17, ALL_MODES, 3, post_transform="SOFTMAX"),
        regressor(18, ALL_MODES, 2, post_transform="LOGISTIC"),
    ]

    agree(cases)


def classifier(seed: int, classes: int, ids: Sequence[int], *, positive: bool, **attributes: Any) -> Case:
    rng = np.random.default_rng(seed)
    trees = grown(rng, 4, ("BRANCH_LEQ",), 3, 5)
    leaves = trees.pop("leaves")
    named = [(tree, number, target) for tree, number in leaves for target in ids]
    weights = rng.standard_normal(len(named)).astype(F)
    attributes |= {
        "class_treeids": [t for t, _, _ in named], "class_nodeids": [n for _, n, _ in named], "class_ids": [i for _, _, i in named],
        "class_weights": [float(w) for w in (np.abs(weights) / 8 if positive else weights)], "classlabels_int64s": [3 * i - 1 for i in range(classes)], **trees,
    }  # fmt: skip
    x = rows(rng, 10, 4)
    outputs = {"label": (TensorProto.INT64, (10,)), "scores": (TensorProto.FLOAT, (10, classes))}
    model = ml_model("TreeEnsembleClassifier", {"x": x}, outputs, **attributes)
    # Where both of two classes have weights, ONNX Runtime's label is 0 or 1 whatever the labels are.
    return case(
        f"{seed}: {classes} of {ids} {positive} {attributes.get('post_transform')}",
        model,
        {"x": x},
        by_reference=classes == len(ids) == 2,
    )


def test_tree_classifiers_label_like_onnx_runtime() -> None:
    posts = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")
    cases = [classifier(i, 4, range(4), positive=False, post_transform=post) for i, post in enumerate(posts)]
    cases += [
        classifier(10, 4, range(4), positive=True, base_values=[0.1, 0.2, -0.3, 0.4]),
        classifier(11, 5, (1, 3), positive=False),
        classifier(12, 3, (2,), positive=True),
        classifier(13, 2, (0,), positive=True),
        classifier(14, 2, (0,), positive=False),
        classifier(15, 2, (0,), positive=False, post_transform="LOGISTIC", base_values=[-0.5]),
        classifier(16, 2, (0, 1), positive=False, post_transform="SOFTMAX"),
    ]

    agree(cases)


def tensor(array: Any, dtype: type = F) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array, dtype))


def ensemble_5(dtype: type, aggregate: int) -> Case:
    """A tree that is a single leaf, one that asks for members of sets, one of plain comparisons."""
    attributes = {
        "nodes_splits": tensor([0.5, 0.0, 0.0, 1.5, 0.0], dtype), "nodes_featureids": [0, 1, 0, 2, 1], "nodes_modes": tensor([0, 6, 0, 3, 6], np.uint8),
        "nodes_truenodeids": [1, 0, 3, 4, 5], "nodes_falsenodeids": [0, 1, 3, 2, 0], "nodes_trueleafs": [0, 1, 1, 0, 1], "nodes_falseleafs": [1, 1, 1, 1, 1],
        "leaf_targetids": [0, 1, 0, 1, 0, 1], "leaf_weights": tensor([1.5, -2.0, 4.0, 0.25, 7.0, -8.0], dtype), "tree_roots": [0, 2, 3],
        "membership_values": tensor([1.0, 2.5, np.nan, -1.0, 0.0, 3.0, np.nan], dtype), "n_targets": 2, "aggregate_function": aggregate,
    }  # fmt: skip
    x = np.array([[0.5, 2.5, 1.5], [0.4, 1.0, 2.0], [0.6, -1.0, 2.0], [-1.0, 0.0, 9.0], [0.0, 7.0, 1.4]], dtype)
    model = ml_model(
        "TreeEnsemble", {"x": x}, {"y": (helper.np_dtype_to_tensor_dtype(x.dtype), (5, 2))}, version=5, **attributes
    )
    return case(f"TreeEnsemble {dtype} {aggregate}", model, {"x": x})


def test_the_newest_form_of_trees_with_sets_of_members() -> None:
    agree([ensemble_5(dtype, aggregate) for dtype in (F, np.float64) for aggregate in range(4)])


def broken(**changes: Any) -> onnx.ModelProto:
    lists: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0], "nodes_values": [0.0, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.0, 2.0],
    }  # fmt: skip
    return ml_model(
        "TreeEnsembleRegressor",
        {"x": np.zeros((1, 2), F)},
        {"y": (TensorProto.FLOAT, (1, 1))},
        n_targets=1,
        **(lists | changes),
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nodes_truenodeids": [0, 0, 0]}, "hang on no root"),
        (
            {"nodes_modes": ["BRANCH_LEQ"] * 3, "nodes_truenodeids": [1, 2, 0], "nodes_falsenodeids": [1, 2, 0]},
            "no root",
        ),
        (
            {
                "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"],
                "nodes_truenodeids": [1, 2, 0],
                "nodes_falsenodeids": [1, 1, 0],
            },
            "two parents",
        ),
        ({"nodes_truenodeids": [7, 0, 0]}, "is missing"),
        ({"nodes_featureids": [2, 0, 0]}, "the input has 2"),
        ({"nodes_featureids": [-1, 0, 0]}, "the input has 2"),
        ({"nodes_values": [0.0]}, "differ in length"),
        ({"nodes_modes": ["BRANCH_ODD", "LEAF", "LEAF"]}, "of mode"),
        ({"nodes_nodeids": [0, 1, 1]}, "the same number"),
        ({"target_ids": [0, 9]}, "names target 9"),
        ({"target_ids": [0, -1]}, "names target -1"),
        ({"target_weights": [1.0, float("nan")]}, "no finite number"),
        ({"target_nodeids": [1, 77]}, "is missing"),
        ({"aggregate_function": "MEDIAN"}, "aggregate_function"),
        ({"post_transform": "SOFTMAX"}, "post_transform"),
        ({"base_values": [1.0, 2.0]}, "base values"),
    ],
)
def test_trees_that_are_none_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotCompile) as caught:
        compile_model(broken(**changes).SerializeToString())

    assert "culprit" in caught.value.node
    assert reason in caught.value.reason


def test_a_tree_as_deep_as_it_has_nodes_is_compiled() -> None:
    depth = 3000
    inner, leaf = list(range(depth)), list(range(depth, 2 * depth + 1))
    model = broken(
        nodes_treeids=[0] * (2 * depth + 1), nodes_nodeids=inner + leaf, nodes_featureids=[0] * (2 * depth + 1), nodes_values=[float(-i) for i in inner] + [0.0] * (depth + 1),
        nodes_modes=["BRANCH_LEQ"] * depth + ["LEAF"] * (depth + 1), nodes_truenodeids=[*range(1, depth), 2 * depth] + [0] * (depth + 1),
        nodes_falsenodeids=list(range(depth, 2 * depth)) + [0] * (depth + 1), target_treeids=[0] * (depth + 1), target_nodeids=leaf, target_ids=[0] * (depth + 1),
        target_weights=[float(i) for i in range(depth + 1)],
    )  # fmt: skip
    x = np.array([[-1234.5, 0.0]], F)

    agree([case("deep", model, {"x": x})])


# --- linear models, support vector machines ---


def linear(rng: np.random.Generator, classes: int, post: str) -> Case:
    x = rng.standard_normal((4, 7)).astype(F)
    outputs = {"label": (TensorProto.INT64, (4,)), "scores": (TensorProto.FLOAT, (4, classes))}
    attributes = {
        "coefficients": rng.standard_normal(7 * classes).tolist(),
        "intercepts": rng.standard_normal(classes).tolist(),
        "classlabels_ints": list(range(5, 5 + classes)),
    }
    return case(
        f"linear {classes} {post}",
        ml_model("LinearClassifier", {"x": x}, outputs, post_transform=post, **attributes),
        {"x": x},
    )


def svm(rng: np.random.Generator, kernel: str, counts: Sequence[int], *, with_probabilities: bool) -> Case:
    x = rng.standard_normal((5, 6)).astype(F)
    classes, vectors = len(counts), sum(counts)
    pairs = classes * (classes - 1) // 2
    attributes: dict[str, Any] = {
        "kernel_type": kernel, "kernel_params": [0.3, 0.2, 3.0], "vectors_per_class": list(counts), "support_vectors": rng.standard_normal(vectors * 6).tolist(),
        "coefficients": rng.standard_normal(vectors * (classes - 1)).tolist(), "rho": rng.standard_normal(pairs).tolist(), "classlabels_ints": list(range(classes)),
    }  # fmt: skip
    if with_probabilities:
        attributes |= {
            "prob_a": (-np.abs(rng.standard_normal(pairs))).tolist(),
            "prob_b": rng.standard_normal(pairs).tolist(),
        }
    scores = classes if with_probabilities or classes == 2 else pairs
    outputs = {"label": (TensorProto.INT64, (5,)), "scores": (TensorProto.FLOAT, (5, scores))}
    return case(
        f"{kernel} {counts} {with_probabilities}", ml_model("SVMClassifier", {"x": x}, outputs, **attributes), {"x": x}
    )


def svm_regressor(rng: np.random.Generator, kernel: str, one_class: int) -> Case:
    x = rng.standard_normal((5, 6)).astype(F)
    attributes = {
        "kernel_type": kernel, "kernel_params": [0.3, 0.2, 2.0], "n_supports": 9, "support_vectors": rng.standard_normal(54).tolist(),
        "coefficients": rng.standard_normal(9).tolist(), "rho": [0.5], "one_class": one_class,
    }  # fmt: skip
    return case(
        f"svr {kernel} {one_class}",
        ml_model("SVMRegressor", {"x": x}, {"y": (TensorProto.FLOAT, (5, 1))}, **attributes),
        {"x": x},
    )


def test_linear_and_support_vector_machines_answer_like_onnx_runtime() -> None:
    rng = np.random.default_rng(5)
    cases = [
        linear(rng, classes, post) for classes in (2, 3, 9) for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")
    ]
    kernels = ("LINEAR", "POLY", "RBF", "SIGMOID")
    cases += [svm(rng, kernel, (3, 2, 4, 5), with_probabilities=False) for kernel in kernels]
    cases += [
        svm(rng, "RBF", (3, 2), with_probabilities=False),
        svm(rng, "RBF", (3, 2), with_probabilities=True),
        svm(rng, "RBF", (3, 2, 4), with_probabilities=True),
    ]
    cases += [svm_regressor(rng, kernel, 0) for kernel in kernels] + [svm_regressor(rng, "RBF", 1)]

    agree(cases, rtol=2e-4, atol=2e-5)


# --- features and labels ---


def feature_case(op: str, x: np.ndarray, output: int, shape: Sequence[int] | None = None, **attributes: Any) -> Case:
    model = ml_model(op, {"x": x}, {"y": (output, x.shape if shape is None else shape)}, **attributes)
    return case(f"{op} {x.dtype} {attributes}", model, {"x": x})


def test_features_are_prepared_and_labels_mapped_like_onnx_runtime() -> None:
    rng = np.random.default_rng(6)
    x = rng.integers(-3, 4, (5, 6)).astype(F)
    x[2] = 0
    gaps = x.copy()
    gaps[1, :3] = np.nan
    whole = x.astype(np.int64)
    six = [float(i) / 4 for i in range(6)]
    cases = [
        feature_case("Scaler", x, TensorProto.FLOAT, offset=six, scale=six),
        feature_case("Scaler", whole, TensorProto.FLOAT, offset=[0.5], scale=[2.0]),
        feature_case("Scaler", x.astype(np.float64), TensorProto.FLOAT, offset=six, scale=[2.0] * 6),
        *(feature_case("Normalizer", a, TensorProto.FLOAT, norm=norm) for norm in ("L1", "L2") for a in (x, whole)),
        feature_case("Normalizer", np.abs(x) + 1, TensorProto.FLOAT, norm="MAX"),
        feature_case("Binarizer", x, TensorProto.FLOAT, threshold=1.0),
        feature_case("Imputer", gaps, TensorProto.FLOAT, imputed_value_floats=six, replaced_value_float=float("nan")),
        feature_case("Imputer", x, TensorProto.FLOAT, imputed_value_floats=[9.0], replaced_value_float=-2.0),
        feature_case("Imputer", whole, TensorProto.INT64, imputed_value_int64s=list(range(6)), replaced_value_int64=3),
        feature_case(
            "LabelEncoder",
            whole,
            TensorProto.INT64,
            keys_int64s=[2, -3, 0, 2],
            values_int64s=[7, 8, 9, 99],
            default_int64=-5,
        ),
        feature_case("LabelEncoder", whole, TensorProto.FLOAT, keys_int64s=[2, -3], values_floats=[0.5, 1.5]),
        feature_case("OneHotEncoder", whole, TensorProto.FLOAT, (5, 6, 3), cats_int64s=[-1, 2, 0], zeros=1),
        feature_case("OneHotEncoder", x, TensorProto.FLOAT, (5, 6, 3), cats_int64s=[-1, 2, 0], zeros=1),
    ]

    agree(cases)


def test_not_a_number_is_a_key_since_the_fourth_opset_only() -> None:
    x = np.array([[1.0, np.nan, -2.0, 3.0]], F)
    keys = {"keys_floats": [1.0, float("nan"), -2.0], "values_int64s": [5, 6, 7]}

    agree([feature_case("LabelEncoder", x, TensorProto.INT64, version=3, **keys)])
    agree([feature_case("LabelEncoder", x, TensorProto.INT64, version=4, **keys)])


def extractor(x: np.ndarray, index: np.ndarray, *, is_constant: bool) -> Case:
    given = {"x": x} if is_constant else {"x": x, "i": index}
    shape = ((1,) if x.ndim == 1 else x.shape[:-1]) + (index.size,)
    model = ml_model(
        "ArrayFeatureExtractor",
        given,
        {"y": (helper.np_dtype_to_tensor_dtype(x.dtype), shape)},
        constants={"i": index} if is_constant else {},
    )
    return case(f"extract {x.shape} {is_constant}", model, given)


def test_columns_are_taken_by_constant_and_by_computed_indices() -> None:
    x = np.arange(24, dtype=F).reshape(2, 3, 4)
    index = np.array([3, 0, 3, 1])

    agree(
        [
            extractor(a, index, is_constant=constant)
            for a in (x, x[0, 0], x[0].astype(np.int64))
            for constant in (True, False)
        ]
    )


def test_a_computed_index_outside_its_axis_reads_nothing_else() -> None:
    inside = extractor(np.arange(4, dtype=F), np.array([0, 3]), is_constant=False)
    outside = Case("outside", inside.model, {**inside.inputs, "i": np.array([-(1 << 40), 1 << 40])}, inside.expected)

    agree([outside])


@pytest.mark.parametrize(
    ("op", "x", "attributes", "reason"),
    [
        ("LabelEncoder", np.zeros((1, 2), np.int64), {"keys_int64s": [1], "values_strings": ["cat"]}, "its values are strings"),
        ("OneHotEncoder", np.zeros((1, 2), np.int64), {"cats_int64s": [1], "zeros": 0}, "it fails on a value that it has not seen"),
        ("Scaler", np.zeros((1, 2), F), {"offset": [1.0, 2.0, 3.0], "scale": [1.0]}, "3 offsets for 2 features"),
        ("Scaler", np.zeros((1, 2), F), {"offset": [float("nan")], "scale": [1.0]}, "not all finite"),
        ("LabelEncoder", np.zeros((1, 2), F), {"keys_int64s": [1], "values_int64s": [2]}, "its keys are int64"),
        ("ZipMap", np.zeros((1, 2), F), {"classlabels_int64s": [1, 2]}, "not offered"),
        ("LinearRegressor", np.zeros((1, 2), F), {"coefficients": [1.0], "targets": 1}, "are not 1 rows of 2"),
        ("SVMRegressor", np.zeros((1, 2), F), {"coefficients": [1.0], "rho": [0.0], "n_supports": 1 << 40, "support_vectors": [0.0]}, "no support vectors"),
        ("SVMRegressor", np.zeros((1, 2), F), {"coefficients": [1.0], "rho": [0.0], "n_supports": 1, "support_vectors": [0.0]}, "not 1 times 2"),
    ],
)  # fmt: skip
def test_what_has_no_answer_is_refused_with_what_to_do(
    op: str, x: np.ndarray, attributes: dict[str, Any], reason: str
) -> None:
    model = ml_model(op, {"x": x}, {"y": (TensorProto.FLOAT, (1, 2))}, **attributes)
    if op == "ZipMap":
        model.graph.output[0].type.CopyFrom(
            helper.make_sequence_type_proto(
                helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, ()))
            )
        )

    with pytest.raises(CannotCompile) as caught:
        compile_model(model.SerializeToString())

    assert reason in caught.value.reason
    assert caught.value.what_to_do


def test_labels_that_are_strings_are_refused_with_what_to_do() -> None:
    x = np.zeros((1, 2), F)
    outputs = {"label": (TensorProto.STRING, (1,)), "scores": (TensorProto.FLOAT, (1, 2))}
    model = ml_model(
        "LinearClassifier",
        {"x": x},
        outputs,
        coefficients=[1.0] * 4,
        intercepts=[0.0, 0.0],
        classlabels_strings=["cat", "dog"],
    )

    with pytest.raises(CannotCompile) as caught:
        compile_model(model.SerializeToString())

    assert "strings" in caught.value.reason
    assert "integer labels" in caught.value.what_to_do

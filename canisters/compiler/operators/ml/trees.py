"""TreeEnsembleClassifier, TreeEnsembleRegressor, TreeEnsemble: ensembles of decision trees.

Source: ai.onnx.ml, TreeEnsembleClassifier-1, -3, TreeEnsembleRegressor-1, -3, TreeEnsemble-5. Sums are kept in float64, in the order of the
trees. Two classes of which only the first has weights are one score, as ONNX Runtime has it: a share when all weights are positive,
otherwise a sign. Two classes that both have weights are compared like more than two.
"""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from canisters.compiler.ir import Array, Graph, Node, TensorType
from canisters.compiler.operators.registry import Kernel, Mode, Typing, c_double, operator

from .forest import EQ, GT, GTE, LEAF, LEQ, LT, MEMBER, MODES, NEQ, Forest, Packed, Weights, packed
from .scores import DOMAIN, NUMBERS, classified, each_row, integers, labels_of, post_of, row_in, rows_of

_CHECK = "Export the model again; these trees are broken"
_NODE_LISTS = ("nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_POSTS_5 = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_MODES_5 = (LEQ, LT, GTE, GT, EQ, NEQ, MEMBER)


def _values(node: Node, name: str) -> Array:
    """Floats of an attribute, or of its twin that holds a tensor."""
    tensor = node.attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        return np.ravel(_tensor(node, f"{name}_as_tensor"))
    return np.asarray(node.attributes.get(name, ()), np.float32)


def _tensor(node: Node, name: str) -> Array:
    found = numpy_helper.to_array(node.attributes[name])
    if found.dtype.name not in ("float32", "float64", "uint8"):
        raise node.cannot(f"its {name} are {found.dtype}", "Convert the model to float32")
    return np.asarray(found)


def _of_nodes(node: Node, kind: str, dtype: str) -> Forest:
    """The form of the older two operators: nodes named by tree and number, weights named by both again. `kind`: "class" or "target"."""
    trees, numbers, features, true_, false = (integers(node, name) for name in ("nodes_treeids", *_NODE_LISTS))
    modes = [
        str(m, "ascii", "replace") if isinstance(m, bytes) else str(m) for m in node.attributes.get("nodes_modes", ())
    ]
    thresholds = _values(node, "nodes_values")
    missing = integers(node, "nodes_missing_value_tracks_true")
    count = len(modes)
    if any(len(listed) != count for listed in (trees, numbers, features, true_, false, thresholds)) or len(
        missing
    ) not in (0, count):
        raise node.cannot("its lists of nodes differ in length", _CHECK)
    unknown = sorted(set(modes) - set(MODES))
    if unknown:
        raise node.cannot(f"a tree has a node of mode {unknown[0]!r}", _CHECK)
    names = {name: index for index, name in enumerate(zip(trees.tolist(), numbers.tolist(), strict=True))}
    if len(names) != count:
        raise node.cannot("two nodes of a tree have the same number", _CHECK)
    inner = [index for index in range(count) if modes[index] != "LEAF"]
    yes, no = [0] * count, [0] * count
    children = set()
    for index in inner:
        for into, child in ((yes, int(true_[index])), (no, int(false[index]))):
            key = (int(trees[index]), child)
            if key not in names:
                raise node.cannot(f"a node's child {child} is missing", _CHECK)
            into[index] = names[key]
            children.add(names[key])
    roots = [index for index in range(count) if index not in children]
    if len({int(trees[root]) for root in roots}) != len(roots) or len(roots) != len(set(trees.tolist())):
        raise node.cannot("a tree of it has no root, or several", _CHECK)
    return Forest(
        dtype, roots, [MODES[mode] for mode in modes], features.tolist(), thresholds, [bool(m) for m in missing] or [False] * count,
        yes, no, _weights(node, kind, names),
    )  # fmt: skip


def _weights(node: Node, kind: str, names: dict[tuple[int, int], int]) -> dict[int, Weights]:
    ids, trees, numbers = (integers(node, f"{kind}_{part}") for part in ("ids", "treeids", "nodeids"))
    weights = _values(node, f"{kind}_weights")
    if not len(ids) == len(trees) == len(numbers) == len(weights):
        raise node.cannot("its lists of weights differ in length", _CHECK)
    found: dict[int, list[tuple[int, float]]] = {}
    for target, tree, number, weight in zip(
        ids.tolist(), trees.tolist(), numbers.tolist(), weights.tolist(), strict=True
    ):
        if (tree, number) not in names:
            raise node.cannot(f"a weight belongs to node {number} of tree {tree}, which is missing", _CHECK)
        found.setdefault(names[tree, number], []).append((target, weight))
    return {index: tuple(pairs) for index, pairs in found.items()}


def _of_tensors(node: Node, dtype: str) -> Forest:
    """TreeEnsemble-5: inner nodes and leaves in two arrays; leaves come behind the inner nodes here."""
    splits, weights = np.ravel(_tensor(node, "nodes_splits")), np.ravel(_tensor(node, "leaf_weights"))
    features, true_, false, true_leafs, false_leafs, targets, roots = (
        integers(node, name).tolist()
        for name in ("nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs", "leaf_targetids", "tree_roots")
    )  # fmt: skip
    modes = np.ravel(_tensor(node, "nodes_modes")).tolist()
    missing = integers(node, "nodes_missing_value_tracks_true").tolist()
    count, leaves = len(modes), len(targets)
    lists = (splits, features, true_, false, true_leafs, false_leafs)
    if any(len(listed) != count for listed in lists) or len(missing) not in (0, count) or len(weights) != leaves:
        raise node.cannot("its lists of nodes differ in length", _CHECK)
    if any(not 0 <= mode < len(_MODES_5) for mode in modes) or any(not 0 <= root < count for root in roots):
        raise node.cannot("a tree has a node of unknown mode, or no root", _CHECK)

    def child(number: int, is_leaf: int) -> int:
        if not 0 <= number < (leaves if is_leaf else count):
            raise node.cannot(f"a node's child {number} is missing", _CHECK)
        return number + count if is_leaf else number

    yes = [child(number, is_leaf) for number, is_leaf in zip(true_, true_leafs, strict=True)]
    no = [child(number, is_leaf) for number, is_leaf in zip(false, false_leafs, strict=True)]
    # A tree that is one leaf: a root both of whose children are that leaf. It needs no comparison.
    starts = [yes[root] if yes[root] == no[root] and yes[root] >= count else root for root in roots]
    nothing = [0] * leaves
    return Forest(
        dtype, starts, [_MODES_5[mode] for mode in modes] + [LEAF] * leaves, features + nothing,
        np.concatenate([splits, np.zeros(leaves, splits.dtype)]), [bool(m) for m in missing or [0] * count] + [False] * leaves,
        yes + nothing, no + nothing, {count + leaf: ((targets[leaf], float(weights[leaf])),) for leaf in range(leaves)},
        _members(node, modes),
    )  # fmt: skip


def _members(node: Node, modes: list[int]) -> dict[int, tuple[float, ...]]:
    """Sets stand one after another in the order of their nodes, each closed by a NaN."""
    asking = [index for index, mode in enumerate(modes) if _MODES_5[mode] == MEMBER]
    if not asking:
        return {}
    values = np.ravel(_tensor(node, "membership_values")).tolist() if "membership_values" in node.attributes else []
    sets: list[tuple[float, ...]] = []
    current: list[float] = []
    for value in values:
        if value == value:
            current.append(value)
        else:
            sets.append(tuple(current))
            current = []
    if len(sets) != len(asking) or current:
        raise node.cannot(f"it has {len(sets)} sets of members for {len(asking)} nodes", _CHECK)
    return dict(zip(asking, sets, strict=True))


def _compared_in(node: Node, dtype: str, *names: str) -> str:
    """float64 when the input or any of the model's own numbers are."""
    tensors = [_tensor(node, name).dtype.name for name in names if name in node.attributes]
    return "float64" if "float64" in (dtype, *tensors) else "float32"


def _require_whole(node: Node, forest: Forest, shape: Packed) -> None:
    """In the older form every node belongs to a tree: one that no root leads to stands in a circle."""
    if node.op != "TreeEnsemble" and shape.nodes != len(forest.modes):
        raise node.cannot(f"{len(forest.modes) - shape.nodes} nodes of it hang on no root", _CHECK)


def _walk(forest: str, shape: Packed, row: str, aggregate: str) -> str:
    flags = f"{'true' if shape.has_kinds else 'false'}, {'true' if shape.is_listed else 'false'}, AGGREGATE_{aggregate}"
    lists = "(const uint32_t *){w_lists}" if shape.lists else "0"
    members = "(const uint32_t *){w_members}" if shape.members else "0"
    return (
        f"{forest}({row}, (const uint32_t *){{w_records}}, (const uint32_t *){{w_roots}}, {shape.trees}, {lists}, {members}, "
        f"(double *){{s_sums}}, {shape.feature_bits}, {flags});"
    )


def _kernel(rows: int, lines: list[str], shape: Packed, extra: dict[str, bytes], scratch: dict[str, int]) -> Kernel:
    weights = {"records": shape.records, "roots": shape.roots}
    weights |= {name: data for name, data in (("lists", shape.lists), ("members", shape.members)) if data}
    note = f"{shape.trees} trees, {shape.nodes} nodes"
    return Kernel(each_row(rows, lines), weights | extra, scratch, note=note)


# --- classifiers ---


def _infer_classifier(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows, _ = rows_of(node, typing)
    return classified(rows, len(labels_of(node, "classlabels_int64s")))


def _lower_classifier(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    given = graph.type(node.inputs[0])
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    labels, post, base = (
        labels_of(node, "classlabels_int64s"),
        post_of(node),
        _values(node, "base_values").astype(np.float64),
    )
    dtype = _compared_in(
        node, given.dtype, "nodes_values_as_tensor", "class_weights_as_tensor", "base_values_as_tensor"
    )
    forest = _of_nodes(node, "class", dtype)
    shape = packed(node, forest, features, len(labels))
    _require_whole(node, forest, shape)
    ids = set(integers(node, "class_ids").tolist())
    is_binary = len(labels) == 2 and ids == {0}
    # Of two classes with weights and base values each, ONNX Runtime and ONNX's reference make different scores.
    if len(base) not in ((0, 1) if is_binary else (0,) if len(labels) == 2 else (0, len(labels))):
        raise node.cannot(
            f"it has {len(base)} base values for {len(labels)} classes", "Add them to the weights of a tree"
        )
    if len(labels) == 2 and ids == {1}:
        raise node.cannot(
            "only its second class has weights", "Export it with weights for both classes, or for the first alone"
        )
    if is_binary and post not in ("NONE", "LOGISTIC"):
        raise node.cannot(f"it turns a single score into two by {post}", "Export it with weights for both classes")
    line, row, scratch = row_in(given.dtype, dtype, features)
    count = len(labels)
    scores = f"F32({{y1}}) + n0 * {count}"
    if is_binary:
        is_share = all(weight >= 0 for weights in forest.leaves.values() for _, weight in weights)
        start = c_double(float(base[0])) if len(base) else "0.0"
        best = f"binary_scores(*(double *){{s_sums}}, {start}, {scores}, {'true' if is_share else 'false'}, {'true' if post == 'LOGISTIC' else 'false'})"
        after = ""
    else:
        best = f"class_scores((double *){{s_sums}}, {'(double *){w_base}' if len(base) else '0'}, {scores}, {count})"
        after = f"post_transform({scores}, {count}, POST_{post});" if post != "NONE" else ""
    lines = [
        line,
        f"forest_start((double *){{s_sums}}, {count});",
        _walk(f"forest_f{dtype[-2:]}", shape, row, "SUM"),
        f"I64({{y0}})[n0] = I64({{w_labels}})[{best}];",
        after,
    ]
    extra = {"labels": labels.tobytes()} | ({"base": base.tobytes()} if len(base) and not is_binary else {})
    return _kernel(rows, lines, shape, extra, {"sums": 8 * count, **scratch})


# --- regressors ---


def _infer_regressor(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows, _ = rows_of(node, typing)
    targets = int(node.attributes.get("n_targets", 1))
    if not 1 <= targets <= 1 << 16:
        raise node.cannot(f"it has {targets} targets", _CHECK)
    dtype = typing.input(node).dtype if node.op == "TreeEnsemble" else "float32"
    if dtype not in ("float32", "float64"):
        raise node.cannot(f"its input is {dtype}", "Cast it to float32")
    return (TensorType(dtype, (rows, targets)),)


def _lower_regressor(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    given, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    targets = out.shape[1]
    if node.op == "TreeEnsemble":
        dtype = _compared_in(node, given.dtype, "nodes_splits", "leaf_weights")
        forest, base = _of_tensors(node, dtype), np.empty(0)
        aggregate = _named(node, "aggregate_function", _AGGREGATES, 1)
        post = _named(node, "post_transform", _POSTS_5, 0)
    else:
        dtype = _compared_in(
            node, given.dtype, "nodes_values_as_tensor", "target_weights_as_tensor", "base_values_as_tensor"
        )
        forest, base = _of_nodes(node, "target", dtype), _values(node, "base_values").astype(np.float64)
        aggregate, post = str(node.attributes.get("aggregate_function", "SUM")), post_of(node)
    if aggregate not in _AGGREGATES:
        raise node.cannot(f"its aggregate_function is {aggregate!r}", f"It is one of {', '.join(_AGGREGATES)}")
    if len(base) not in (0, targets):
        raise node.cannot(
            f"it has {len(base)} base values for {targets} targets", "Export it with one for each target, or none"
        )
    if post != "NONE" and (out.dtype != "float32" or (targets == 1 and post != "PROBIT")):
        raise node.cannot(f"its post_transform {post} of {targets} {out.dtype} means different things to different runtimes", "Export it with NONE and put the function behind it")  # fmt: skip
    shape = packed(node, forest, features, targets)
    _require_whole(node, forest, shape)
    line, row, scratch = row_in(given.dtype, dtype, features)
    share = c_double(1.0 / shape.trees) if aggregate == "AVERAGE" else "1.0"
    c_type = "float" if out.dtype == "float32" else "double"
    to = f"({c_type} *){{y0}} + n0 * {targets}"
    value = (
        f"({c_type})forest_score(((double *){{s_sums}})[i], {'(double *){w_base}' if len(base) else '0'}, i, {share})"
    )
    lines = [
        line,
        f"forest_start((double *){{s_sums}}, {targets});",
        _walk(f"forest_f{dtype[-2:]}", shape, row, "SUM" if aggregate == "AVERAGE" else aggregate),
        f"EACH({to}, {targets}, {value});",
        f"post_transform({to}, {targets}, POST_{post});" if post != "NONE" else "",
    ]
    return _kernel(rows, lines, shape, {"base": base.tobytes()} if len(base) else {}, {"sums": 8 * targets, **scratch})


def _named(node: Node, attribute: str, names: tuple[str, ...], default: int) -> str:
    number = int(node.attributes.get(attribute, default))
    if not 0 <= number < len(names):
        raise node.cannot(f"its {attribute} is {number}", f"It is below {len(names)}")
    return names[number]


operator(
    "TreeEnsembleClassifier", domain=DOMAIN, since=1, infer=_infer_classifier, lower=_lower_classifier, types=NUMBERS
)
operator("TreeEnsembleRegressor", domain=DOMAIN, since=1, infer=_infer_regressor, lower=_lower_regressor, types=NUMBERS)
operator("TreeEnsemble", domain=DOMAIN, since=5, infer=_infer_regressor, lower=_lower_regressor, types=NUMBERS)

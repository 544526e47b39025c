"""Decision trees of the three ONNX operators as one form, `Forest`, and that form as the records that kernels/trees.h walks.

Nothing a file says about its trees is believed: children must exist and have one parent, features must be there, weights must be numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from canisters.compiler.ir import Array, Node

LEAF = -1
LEQ, LT, GTE, GT, EQ, NEQ, MEMBER = range(7)
MODES = {
    "LEAF": LEAF,
    "BRANCH_LEQ": LEQ,
    "BRANCH_LT": LT,
    "BRANCH_GTE": GTE,
    "BRANCH_GT": GT,
    "BRANCH_EQ": EQ,
    "BRANCH_NEQ": NEQ,
}
_CHECK = "Export the model again; these trees are broken"
_SWAPPED = (GTE, GT, NEQ)
_FLAG_BITS = 3

Weights = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Forest:
    """One entry a node in every list; `yes` and `no`: the children. `leaves`: (target, weight) pairs by node. `dtype`: what is compared in."""

    dtype: str
    roots: list[int]
    modes: list[int]
    features: list[int]
    thresholds: Array
    nan_goes_yes: list[bool]
    yes: list[int]
    no: list[int]
    leaves: Mapping[int, Weights]
    members: Mapping[int, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Packed:
    """`is_listed`: leaves point into `lists`; otherwise each holds one weight, for the target that its tree's root names."""

    records: bytes
    roots: bytes
    lists: bytes
    members: bytes
    trees: int
    nodes: int
    feature_bits: int
    has_kinds: bool
    is_listed: bool


def packed(node: Node, forest: Forest, n_features: int, n_targets: int) -> Packed:
    """Raises CannotCompile for trees that are none, or that name features or targets that are not there."""
    _require_known(node, forest, n_features, n_targets)
    order, distances, starts = _ordered(node, forest)
    places = np.array(order, np.int64)
    modes = np.array(forest.modes, np.int64)[places]
    inner = modes != LEAF
    thresholds = np.array(forest.thresholds, forest.dtype)[places]
    below = inner & np.isin(modes, (LT, GTE))
    thresholds[below] = np.nextafter(thresholds[below], np.array(-np.inf, forest.dtype))
    flags = _flags(forest, modes, places)
    has_kinds = bool(flags.any())
    feature_bits = max(1, (n_features - 1).bit_length())
    shift = feature_bits + (_FLAG_BITS if has_kinds else 0)
    if max(distances, default=0) >= 1 << (32 - shift):
        raise node.cannot(
            f"a tree of it has more than {1 << (32 - shift)} nodes", "Train with a smaller max_depth or max_leaf_nodes"
        )
    features = np.where(inner, np.array(forest.features, np.int64)[places], 0)
    words = (np.array(distances, np.int64) << shift) | (features << (shift - feature_bits)) | flags
    payload = np.zeros(len(places), np.uint32)
    members = _sets(forest, order, payload)
    targets = _single_targets(forest, order, starts)
    lists = b"" if targets is not None else _lists(forest, order, payload)
    if targets is not None:
        for place, index in enumerate(order):
            if not inner[place]:
                thresholds[place] = forest.leaves[index][0][1]
    size = thresholds.dtype.itemsize // 4
    records = np.zeros((len(places), size + 1), np.uint32)
    records[:, :size] = thresholds.view(np.uint32).reshape(-1, size)
    points = payload.astype(bool) | (~inner if targets is None else np.zeros_like(inner)) | (modes == MEMBER)
    records[points, 0] = payload[points]
    records[:, size] = words.astype(np.uint32)
    roots = np.zeros((len(starts), 2), np.uint32)
    roots[:, 0] = np.array(starts) * (size + 1)
    roots[:, 1] = targets if targets is not None else 0
    return Packed(
        records.tobytes(),
        roots.tobytes(),
        lists,
        members,
        len(starts),
        len(order),
        feature_bits,
        has_kinds,
        targets is None,
    )


def _require_known(node: Node, forest: Forest, n_features: int, n_targets: int) -> None:
    if not forest.roots:
        raise node.cannot("it has no trees", _CHECK)
    for index, mode in enumerate(forest.modes):
        if mode != LEAF and not 0 <= forest.features[index] < n_features:
            raise node.cannot(
                f"a tree asks for feature {forest.features[index]}, and the input has {n_features}",
                "Give the input its true number of features",
            )
    for weights in forest.leaves.values():
        for target, weight in weights:
            if not 0 <= target < n_targets:
                raise node.cannot(f"a leaf names target {target} of {n_targets}", _CHECK)
            if not np.isfinite(weight):
                raise node.cannot("a leaf's weight is no finite number", "Train the model again without NaN")


def _ordered(node: Node, forest: Forest) -> tuple[list[int], list[int], list[int]]:
    """Nodes so that the child of a comparison that holds follows its parent; how far the other child is; where each tree starts."""
    order: list[int] = []
    distances: list[int] = []
    starts: list[int] = []
    seen = bytearray(len(forest.modes))
    for root in forest.roots:
        starts.append(len(order))
        pending = [(root, -1)]
        while pending:
            index, parent = pending.pop()
            if parent >= 0:
                distances[parent] = len(order) - parent
            order.append(index)
            distances.append(0)
            if forest.modes[index] == LEAF:
                continue
            if seen[index]:
                raise node.cannot("a node of a tree has two parents", _CHECK)
            seen[index] = 1
            yes, no = forest.yes[index], forest.no[index]
            if forest.modes[index] in _SWAPPED:
                yes, no = no, yes
            pending += [(no, len(order) - 1), (yes, -1)]
    return order, distances, starts


def _flags(forest: Forest, modes: Array, places: Array) -> Array:
    """Bit 0: NaN goes to the next record. Bits 1, 2: 0 for at most, 1 for equal, 2 for a member of a set."""
    goes_yes = np.array(forest.nan_goes_yes, bool)[places]
    swapped = np.isin(modes, (GTE, GT))
    # NaN is unequal to everything: after the swap it goes to the far child without any flag.
    nan = np.where(swapped, ~goes_yes, goes_yes & (modes != NEQ)) & (modes != LEAF)
    kind = np.where(np.isin(modes, (EQ, NEQ)), 1, np.where(modes == MEMBER, 2, 0))
    return np.asarray(nan.astype(np.int64) | kind << 1)


def _single_targets(forest: Forest, order: list[int], starts: list[int]) -> list[int] | None:
    """The one target of each tree, when every leaf has exactly one weight and all of a tree's are for the same target."""
    found = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        leaves = [forest.leaves.get(index, ()) for index in order[start:end] if forest.modes[index] == LEAF]
        targets = {weights[0][0] for weights in leaves if len(weights) == 1}
        if len(targets) != 1 or any(len(weights) != 1 for weights in leaves):
            return None
        found.append(targets.pop())
    return found


def _lists(forest: Forest, order: list[int], payload: Array) -> bytes:
    """Equal lists are kept once: most leaves of a classifier are pure."""
    data = bytearray()
    known: dict[Weights, int] = {}
    for place, index in enumerate(order):
        if forest.modes[index] != LEAF:
            continue
        weights = forest.leaves.get(index, ())
        if weights not in known:
            known[weights] = len(data) // 4
            data += np.uint32(len(weights)).tobytes()
            for target, weight in weights:
                data += np.uint32(target).tobytes() + np.array(weight, forest.dtype).tobytes()
        payload[place] = known[weights]
    return bytes(data)


def _sets(forest: Forest, order: list[int], payload: Array) -> bytes:
    data = bytearray()
    for place, index in enumerate(order):
        if forest.modes[index] == MEMBER:
            payload[place] = len(data) // 4
            values = np.array(forest.members[index], forest.dtype)
            data += np.uint32(values.size).tobytes() + values.tobytes()
    return bytes(data)

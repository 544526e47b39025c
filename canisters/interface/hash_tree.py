"""Hash trees: what a certificate signs, with the parts nobody asked for cut out.

`build` makes a balanced binary tree over sorted labels, `inserted` and `removed` change one label of a large tree, `prune` keeps only some
paths (and enough of their neighbours to prove that a label is absent), `lookup` finds a value or proves that there is none. Trees are
never changed in place, so one can be read while the next is made.
Source: interface specification, "Certification", "Lookup".
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MAX_DEPTH = 128


class MalformedTree(ValueError):
    """The value is not a hash tree, or its labels are not in order."""


def _domain(name: str) -> bytes:
    return bytes([len(name)]) + name.encode()


_EMPTY = hashlib.sha256(_domain("ic-hashtree-empty")).digest()
_FORK, _LABELED, _LEAF = _domain("ic-hashtree-fork"), _domain("ic-hashtree-labeled"), _domain("ic-hashtree-leaf")


@dataclass(frozen=True)
class Empty:
    @property
    def digest(self) -> bytes:
        return _EMPTY


@dataclass(frozen=True)
class Fork:
    left: Tree
    right: Tree

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(_FORK + self.left.digest + self.right.digest).digest()

    @cached_property
    def ends(self) -> tuple[bytes, bytes]:
        """The first and the last label below. Only for trees of labels with nothing pruned."""
        return _ends(self.left)[0], _ends(self.right)[1]


@dataclass(frozen=True)
class Labeled:
    label: bytes
    child: Tree

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(_LABELED + self.label + self.child.digest).digest()


@dataclass(frozen=True)
class Leaf:
    value: bytes

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(_LEAF + self.value).digest()


@dataclass(frozen=True)
class Pruned:
    digest: bytes


Tree = Empty | Fork | Labeled | Leaf | Pruned
Nested = bytes | Mapping[bytes, Any] | Empty | Fork | Labeled | Leaf | Pruned


@dataclass(frozen=True)
class Found:
    value: bytes


@dataclass(frozen=True)
class Absent:
    """The tree proves that nothing is there."""


@dataclass(frozen=True)
class Unknown:
    """That part of the tree was pruned: nothing can be said."""


def build(content: Nested) -> Tree:
    """A tree from nested dicts: bytes are leaves, dicts are labelled children, ready-made trees are taken as they are."""
    if isinstance(content, bytes):
        return Leaf(content)
    if isinstance(content, Mapping):
        return join([Labeled(label, build(content[label])) for label in sorted(content)])
    return content


def join(nodes: Sequence[Tree]) -> Tree:
    """A balanced tree of forks over `nodes`, which must be in the order of their labels."""
    if not nodes:
        return Empty()
    if len(nodes) == 1:
        return nodes[0]
    middle = (len(nodes) + 1) // 2
    return Fork(join(nodes[:middle]), join(nodes[middle:]))


def _ends(tree: Tree) -> tuple[bytes, bytes]:
    match tree:
        case Labeled(label, _):
            return label, label
        case Fork():
            return tree.ends
    raise MalformedTree("not a tree of labels")


def _bit_where_they_part(one: bytes, other: bytes) -> int:
    """The number of leading bits that two different labels of one length share."""
    difference = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return 8 * len(one) - difference.bit_length()


def inserted(tree: Tree, node: Labeled) -> Tree:
    """`tree` with `node` added, or put in the place of the one with its label. Work and depth follow the logarithm of its size.

    All labels have one length: forks part them at their first different bit, so the tree's form depends on its labels alone."""
    match tree:
        case Empty():
            return node
        case Labeled(label, _):
            return node if label == node.label else _forked(tree, node)
        case Fork(left, right):
            first, last = tree.ends
            fork_bit = _bit_where_they_part(first, last)
            if first != node.label and _bit_where_they_part(first, node.label) < fork_bit:
                return _forked(tree, node)
            if node.label[fork_bit // 8] >> (7 - fork_bit % 8) & 1:
                return Fork(left, inserted(right, node))
            return Fork(inserted(left, node), right)
    raise MalformedTree("not a tree of labels")


def _forked(tree: Tree, node: Labeled) -> Fork:
    return Fork(node, tree) if node.label < _ends(tree)[0] else Fork(tree, node)


def removed(tree: Tree, label: bytes) -> Tree:
    """`tree` without the node of that label; itself when there is none."""
    match tree:
        case Labeled(found, _) if found == label:
            return Empty()
        case Fork(left, right):
            if label <= _ends(left)[1]:
                rest, other = removed(left, label), right
                return tree if rest is left else other if isinstance(rest, Empty) else Fork(rest, other)
            other, rest = left, removed(right, label)
            return tree if rest is right else other if isinstance(rest, Empty) else Fork(other, rest)
    return tree


Paths = Iterable[Sequence[bytes]]


def prune(tree: Tree, paths: Paths) -> Tree:
    """Keep what `paths` lead to, whole subtrees included; where a label is missing, keep the labels on both its sides.

    Only what the paths touch is visited, so a certificate costs the same however much the tree holds."""
    by_label: dict[bytes, list[tuple[bytes, ...]]] = {}
    for path in paths:
        if not path:
            return tree
        by_label.setdefault(path[0], []).append(tuple(path[1:]))
    if not isinstance(tree, Labeled | Fork):
        return tree  # a path that goes on below a leaf: the leaf itself shows that nothing is there
    shown = {other for label in by_label for other in _at_or_beside(tree, label)}
    return _prune(tree, by_label, sorted(shown))


def _at_or_beside(tree: Tree, label: bytes) -> list[bytes]:
    """The label itself when it is there, else its neighbours."""
    before: bytes | None = None
    after: bytes | None = None
    while isinstance(tree, Fork):
        left_last, right_first = _ends(tree.left)[1], _ends(tree.right)[0]
        if label <= left_last:
            after, tree = right_first, tree.left
        else:
            before, tree = left_last, tree.right
    found = _ends(tree)[0]
    if found == label:
        return [found]
    return [other for other in ((found, after) if found < label else (before, found)) if other is not None]


def _prune(tree: Tree, wanted: dict[bytes, list[tuple[bytes, ...]]], shown: list[bytes]) -> Tree:
    """`shown`: the labels to be kept that lie below `tree`, in order."""
    if not shown:
        return Pruned(tree.digest)
    match tree:
        case Fork(left, right):
            at = bisect.bisect_right(shown, _ends(left)[1])
            return Fork(_prune(left, wanted, shown[:at]), _prune(right, wanted, shown[at:]))
        case Labeled(label, child):
            return Labeled(label, prune(child, wanted[label]) if label in wanted else Pruned(child.digest))
    return Pruned(tree.digest)


def lookup(tree: Tree, path: Sequence[bytes]) -> Found | Absent | Unknown:
    """What the tree says of `path`. Source: interface specification, "Lookup"."""
    for index, label in enumerate(path):
        found = _find_label(tree, label)
        if isinstance(found, Absent | Unknown):
            return found
        tree = found
        if index == len(path) - 1:
            break
    match tree:
        case Leaf(value):
            return Found(value)
        case Empty():
            return Absent()
        case Pruned():
            return Unknown()
        case _:
            return Absent()


def subtree(tree: Tree, path: Sequence[bytes]) -> Tree | None:
    """The node that `path` leads to, or None when it is absent or was pruned."""
    for label in path:
        found = _find_label(tree, label)
        if isinstance(found, Absent | Unknown):
            return None
        tree = found
    return tree


def labels_of(tree: Tree) -> list[bytes]:
    """The labels directly below `tree`, in order, as far as they were not pruned."""
    return [node.label for node in _labeled_nodes(tree)]


def _labeled_nodes(tree: Tree) -> list[Labeled]:
    match tree:
        case Labeled():
            return [tree]
        case Fork(left, right):
            return _labeled_nodes(left) + _labeled_nodes(right)
        case _:
            return []


def _find_label(tree: Tree, label: bytes) -> Tree | Absent | Unknown:
    """The child under `label`: labels are sorted, so two neighbours with nothing pruned between them prove an absence."""
    flat = _flatten(tree)
    gap_below = False  # something was pruned between the last smaller label and here
    for node in flat:
        match node:
            case Labeled(found, child) if found == label:
                return child
            case Labeled(found, _):
                if found > label:
                    return Unknown() if gap_below else Absent()
                gap_below = False
            case Pruned():
                gap_below = True
            case Leaf():
                return Absent()
    return Unknown() if gap_below else Absent()


def _flatten(tree: Tree) -> list[Tree]:
    match tree:
        case Fork(left, right):
            return _flatten(left) + _flatten(right)
        case Empty():
            return []
        case _:
            return [tree]


def to_cbor_value(tree: Tree) -> list[Any]:
    match tree:
        case Empty():
            return [0]
        case Fork(left, right):
            return [1, to_cbor_value(left), to_cbor_value(right)]
        case Labeled(label, child):
            return [2, label, to_cbor_value(child)]
        case Leaf(value):
            return [3, value]
        case Pruned(digest):
            return [4, digest]


def from_cbor_value(value: Any, depth: int = 0) -> Tree:
    """Read a tree. Raises MalformedTree, also when labels are not in strictly rising order (which could hide one behind another)."""
    tree = _read(value, depth)
    _require_order(tree)
    return tree


def _read(value: Any, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise MalformedTree("the tree is too deep")
    match value:
        case [0]:
            return Empty()
        case [1, left, right]:
            return Fork(_read(left, depth + 1), _read(right, depth + 1))
        case [2, bytes() as label, child]:
            return Labeled(label, _read(child, depth + 1))
        case [3, bytes() as leaf]:
            return Leaf(leaf)
        case [4, bytes() as digest] if len(digest) == 32:
            return Pruned(digest)
    raise MalformedTree("not a hash tree node")


def _require_order(tree: Tree) -> None:
    last: bytes | None = None
    for node in _labeled_nodes(tree):
        if last is not None and node.label <= last:
            raise MalformedTree("labels are not in order")
        last = node.label
        _require_order(node.child)

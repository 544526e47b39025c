"""Hash trees: what a certificate signs, with the parts nobody asked for cut out.

`build` makes a balanced binary tree over sorted labels, `prune` keeps only some paths (and enough of their neighbours to prove that a
label is absent), `reconstruct` gives the root hash, `lookup` finds a value or proves that there is none.
Source: interface specification, "Certification", "Lookup".
"""

from __future__ import annotations

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


def reconstruct(tree: Tree) -> bytes:
    """The root hash, 32 bytes."""
    return tree.digest


Paths = Iterable[Sequence[bytes]]


def prune(tree: Tree, paths: Paths) -> Tree:
    """Keep what `paths` lead to, whole subtrees included; where a label is missing, keep the labels on both its sides."""
    wanted = [tuple(path) for path in paths]
    if any(not path for path in wanted):
        return tree
    by_label: dict[bytes, list[tuple[bytes, ...]]] = {}
    for path in wanted:
        by_label.setdefault(path[0], []).append(path[1:])
    labels = [node.label for node in _labeled_nodes(tree)]
    shown: set[bytes] = set()
    for label in by_label:
        if label not in labels:
            before = [other for other in labels if other < label]
            after = [other for other in labels if other > label]
            shown.update(before[-1:] + after[:1])
    return _prune(tree, by_label, shown)


def _prune(tree: Tree, wanted: dict[bytes, list[tuple[bytes, ...]]], shown: set[bytes]) -> Tree:
    match tree:
        case Fork(left, right):
            kept_left, kept_right = _prune(left, wanted, shown), _prune(right, wanted, shown)
            if isinstance(kept_left, Pruned) and isinstance(kept_right, Pruned):
                return Pruned(tree.digest)
            return Fork(kept_left, kept_right)
        case Labeled(label, child) if label in wanted:
            return Labeled(label, prune(child, wanted[label]))
        case Labeled(label, child) if label in shown:
            return Labeled(label, Pruned(child.digest))
        case Leaf() if wanted:
            return tree  # a path that goes on below a leaf: the leaf itself shows that nothing is there
        case Empty():
            return tree
        case _:
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

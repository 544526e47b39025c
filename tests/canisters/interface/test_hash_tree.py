"""Hash trees: a pruned tree has the same root, shows what was asked, proves what is absent, and hides the rest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.interface import cbor, hash_tree
from canisters.interface.hash_tree import (
    Absent,
    Empty,
    Fork,
    Found,
    Labeled,
    Leaf,
    MalformedTree,
    Pruned,
    Tree,
    Unknown,
)

LABELS = st.binary(min_size=1, max_size=3)
CONTENTS = st.recursive(
    st.binary(max_size=4), lambda inner: st.dictionaries(LABELS, inner, min_size=1, max_size=5), max_leaves=20
)
NESTED = st.dictionaries(LABELS, CONTENTS, min_size=1, max_size=6)
PATHS = st.lists(st.lists(LABELS, min_size=1, max_size=3), max_size=4)
IDS = st.binary(min_size=2, max_size=2)


def at(content, path):
    for label in path:
        if not isinstance(content, dict) or label not in content:
            return None
        content = content[label]
    return content


@settings(deadline=None, max_examples=40)
@given(NESTED, PATHS)
def test_a_pruned_tree_has_the_same_root_and_answers_what_was_asked(content, paths):
    tree = hash_tree.build(content)

    pruned = hash_tree.from_cbor_value(cbor.loads(cbor.dumps(hash_tree.to_cbor_value(hash_tree.prune(tree, paths)))))

    assert pruned.digest == tree.digest
    for path in paths:
        value = at(content, path)
        found = hash_tree.lookup(pruned, path)
        if isinstance(value, bytes):
            assert found == Found(value)
        elif value is None:
            assert found == Absent()


@settings(deadline=None, max_examples=40)
@given(NESTED, PATHS)
def test_a_pruned_tree_never_says_what_is_not_so(content, paths):
    pruned = hash_tree.prune(hash_tree.build(content), paths)

    for first in content:
        for path in ([first], [first, b"x"], [first + b"\x00"], [first[:-1]]):
            found, value = hash_tree.lookup(pruned, path), at(content, path)
            if isinstance(found, Found):
                assert found.value == value
            elif isinstance(found, Absent):
                assert not isinstance(value, bytes)
            else:
                assert isinstance(found, Unknown)


def test_what_nobody_asked_for_is_hidden():
    tree = hash_tree.build({b"mine": b"shown", b"yours": b"secret", b"zeta": {b"deep": b"secret"}})

    pruned = hash_tree.prune(tree, [[b"mine"]])

    assert hash_tree.lookup(pruned, [b"mine"]) == Found(b"shown")
    assert hash_tree.lookup(pruned, [b"yours"]) == Unknown()
    assert b"secret" not in cbor.dumps(hash_tree.to_cbor_value(pruned))


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(IDS, st.binary(max_size=2), max_size=30), st.lists(IDS, max_size=10))
def test_labels_put_in_and_taken_out_one_by_one_give_the_tree_of_what_is_left(content, gone):
    tree: Tree = Empty()
    for label, value in content.items():
        tree = hash_tree.inserted(tree, Labeled(label, Leaf(b"first")))
        tree = hash_tree.inserted(tree, Labeled(label, Leaf(value)))
    before = tree
    for label in gone:
        tree = hash_tree.removed(tree, label)

    left = {label: value for label, value in content.items() if label not in gone}
    assert hash_tree.labels_of(tree) == sorted(left)
    for label in [*content, *gone]:
        expected = Found(left[label]) if label in left else Absent()
        assert hash_tree.lookup(tree, [label]) == expected
        pruned = hash_tree.prune(tree, [[label]])
        assert pruned.digest == tree.digest
        assert hash_tree.lookup(pruned, [label]) == expected
    assert hash_tree.labels_of(before) == sorted(content)  # the tree from before is as it was
    again: Tree = Empty()
    for label in sorted(left, reverse=True):
        again = hash_tree.inserted(again, Labeled(label, Leaf(left[label])))
    assert again.digest == tree.digest  # the order in which they came does not matter


def test_a_certificate_of_a_large_tree_is_small():
    tree: Tree = Empty()
    for number in range(4000):
        label = hashlib.sha256(number.to_bytes(4, "big")).digest()
        tree = hash_tree.inserted(tree, Labeled(label, hash_tree.build({b"status": b"replied"})))

    pruned = cbor.dumps(hash_tree.to_cbor_value(hash_tree.prune(tree, [[label]])))

    assert len(pruned) < 1500
    assert hash_tree.lookup(hash_tree.from_cbor_value(cbor.loads(pruned)), [label, b"status"]) == Found(b"replied")


def test_the_root_of_the_specifications_example():
    """Interface specification, "Certification", example."""
    leaf, labeled, fork, empty = Leaf, Labeled, Fork, Empty()
    tree = fork(
        fork(
            labeled(b"a", fork(fork(labeled(b"x", leaf(b"hello")), empty), labeled(b"y", leaf(b"world")))),
            labeled(b"b", leaf(b"good")),
        ),
        fork(labeled(b"c", empty), labeled(b"d", leaf(b"morning"))),
    )

    assert tree.digest.hex() == "eb5c5b2195e62d996b84c9bcc8259d19a83786a2f59e0878cec84c811f669aa0"
    assert hash_tree.lookup(tree, [b"a", b"y"]) == Found(b"world")
    assert hash_tree.lookup(tree, [b"aa"]) == Absent()
    assert hash_tree.lookup(tree, [b"c"]) == Absent()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [5],
        [1, [0]],
        [2, "text", [0]],
        [3],
        [4, b"short"],
        [1, [2, b"b", [3, b""]], [2, b"a", [3, b""]]],  # out of order: one label could hide behind another
        [1, [2, b"a", [3, b""]], [2, b"a", [3, b"x"]]],
    ],
)
def test_what_is_no_tree_or_out_of_order_is_refused(value):
    with pytest.raises(MalformedTree):
        hash_tree.from_cbor_value(value)


def test_a_tree_that_is_too_deep_is_refused():
    value: list = [0]
    for _ in range(200):
        value = [2, b"x", value]

    with pytest.raises(MalformedTree, match="deep"):
        hash_tree.from_cbor_value(value)


def test_a_pruned_part_proves_nothing():
    tree = Fork(Labeled(b"a", Leaf(b"1")), Pruned(bytes(32)))

    assert hash_tree.lookup(tree, [b"b"]) == Unknown()
    assert hash_tree.lookup(tree, [b"a"]) == Found(b"1")

"""What operators share that read or write at places known only at run time: the type of the indices, and what a call says that fails."""

from __future__ import annotations

from collections.abc import Sequence

from canisters.compiler.ir import Array, Node, TensorType

from .registry import Typing

WIDTHS = ("int32", "int64")


def index_type(node: Node, typing: Typing, index: int) -> TensorType:
    """The type of an input that holds indices. Raises CannotCompile."""
    found = typing.input(node, index)
    if found.dtype not in WIDTHS:
        raise node.cannot(f"its indices are {found.dtype}", "Cast them to int64 in the model")
    return found


def is_wide(type_: TensorType) -> str:
    return "true" if type_.dtype == "int64" else "false"


def failure(node: Node, said: str) -> str:
    """A C string that names the node. The name is the model's: only plain characters of it are shown, and none means anything to C."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in " ._/:-") else "?" for c in node.name)[:80]
    return f"\"{node.op} '{name}': {said}\""


def require_within(node: Node, indices: Array | None, size: int, axis: int) -> None:
    """Of indices that are constant, if they are. Raises CannotCompile."""
    if indices is not None and indices.size and not -size <= int(indices.min()) <= int(indices.max()) < size:
        wrong = next(int(i) for i in indices.ravel() if not -size <= i < size)
        raise node.cannot(
            f"the index {wrong} is outside axis {axis} of size {size}", "Check the model with onnx.checker"
        )


def require_elements(node: Node, sizes: Sequence[int], indices: TensorType) -> None:
    """Nothing can be at a place of an empty axis. Raises CannotCompile."""
    if indices.size and 0 in sizes:
        raise node.cannot("its indices are of an axis of size 0", "Fix the symbolic axes to sizes of at least 1")

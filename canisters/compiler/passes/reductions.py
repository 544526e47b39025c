"""Reduce*, GlobalAveragePool, GlobalMaxPool(x) -> ReduceBlock, one for each run of neighbouring axes.

Axes of size 1 belong to no run, so that most reductions are a single block. What is done to each element is done by the first block, what is
done to the result by the last.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node, Rewriting, TensorType
from canisters.compiler.operators.reduction import GLOBAL_POOLS, KINDS, Reduction, reduced_axes
from canisters.compiler.operators.registry import Typing


def reductions_to_blocks(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        if node.op in KINDS:
            _blocks(new, node, node.op, reduced_axes(node, Typing(graph.types, graph.constants, 0)))
        elif node.op in GLOBAL_POOLS:
            _blocks(new, node, GLOBAL_POOLS[node.op], tuple(range(2, len(graph.type(node.inputs[0]).shape))))
        else:
            new.keep(node)
    return new.done()


def _blocks(new: Rewriting, node: Node, op: str, axes: tuple[int, ...]) -> None:
    shape = list(new.type(node.inputs[0]).shape)
    dtype = new.type(node.inputs[0]).dtype
    rule = KINDS[op]
    count = math.prod(shape[axis] for axis in axes) if rule.is_mean else 1
    runs = _runs(shape, axes)
    name = node.inputs[0]
    for index, run in enumerate(runs):
        is_last = index == len(runs) - 1
        sizes = math.prod(shape[: run[0]]), math.prod(shape[run[0] : run[-1] + 1]), math.prod(shape[run[-1] + 1 :])
        for axis in run:
            shape[axis] = 1
        output = node.outputs[0] if is_last else new.tensor(f"{node.name}.part", TensorType(dtype, tuple(shape)))
        attributes = {
            "sizes": sizes,
            "kind": rule.kind,
            "before": "AS_IS" if index else rule.before,
            "after": rule.after if is_last else "TIMES",
            "count": count if is_last else 1,
        }
        made = Node(node.name if is_last else f"{node.name}.{index}", "ReduceBlock", (name,), (output,), attributes)
        if is_last:
            new.keep(made)
        else:
            new.add(made)
        name = output
    if not runs:
        _of_single_elements(new, node, rule, math.prod(shape))


def _runs(shape: list[int], axes: tuple[int, ...]) -> list[list[int]]:
    runs: list[list[int]] = []
    for axis in (axis for axis in axes if shape[axis] != 1):
        # Only axes of size 1 between two reduced ones: still one run.
        if runs and all(shape[between] == 1 for between in range(runs[-1][-1] + 1, axis)):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs


def _of_single_elements(new: Rewriting, node: Node, rule: Reduction, size: int) -> None:
    """Nothing is joined, but each element may become another."""
    if rule.before == "AS_IS" and rule.after == "TIMES":
        new.keep(Node(node.name, "View", node.inputs[:1], node.outputs))
        return
    attributes = {"sizes": (1, 1, size), "kind": rule.kind, "before": rule.before, "after": rule.after, "count": 1}
    new.keep(Node(node.name, "ReduceBlock", node.inputs[:1], node.outputs, attributes))

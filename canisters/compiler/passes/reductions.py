"""ReduceMean, ReduceSum, ReduceMax, ReduceMin, GlobalAveragePool, GlobalMaxPool(x) -> ReduceBlock, one for each run of neighbouring axes.

Axes of size 1 belong to no run, so that most reductions are a single block. The last run's factor makes a mean of the sum.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node, Rewriting, TensorType
from canisters.compiler.operators.reduction import GLOBAL_POOLS, KINDS, reduced_axes
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
    factor = 1.0 / math.prod(shape[axis] for axis in axes) if op == "ReduceMean" else 1.0
    runs: list[list[int]] = []
    for axis in (axis for axis in axes if shape[axis] != 1):
        # Only axes of size 1 between two reduced ones: still one run.
        if runs and all(shape[between] == 1 for between in range(runs[-1][-1] + 1, axis)):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    name = node.inputs[0]
    for index, run in enumerate(runs):
        last = index == len(runs) - 1
        for axis in run:
            shape[axis] = 1
        output = node.outputs[0] if last else new.tensor(f"{node.name}.part", TensorType("float32", tuple(shape)))
        attributes = {"first": run[0], "last": run[-1], "kind": KINDS[op], "factor": factor if last else 1.0}
        made = Node(node.name if last else f"{node.name}.{index}", "ReduceBlock", (name,), (output,), attributes)
        if last:
            new.keep(made)
        else:
            new.add(made)
        name = output
    if not runs:
        new.keep(Node(node.name, "View", node.inputs[:1], node.outputs))

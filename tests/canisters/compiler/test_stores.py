"""What the kernels write: their outputs and scratch, and not one byte else, whatever the shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from canisters.compiler import build_model
from canisters.compiler.cost import with_nodes_exported
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import STACK_BYTES, chunks, roots

from . import test_indexing, test_rearranging, test_reductions, test_resize
from .cases import prefix, together
from .test_operators import convolutions, movements, poolings, products, reductions, rows, views_and_casts


def strays(cases: list[Any], mode: str) -> list[str]:
    """Nodes that write elsewhere. All of the network runs first, so that what is read is there."""
    built = build_model(together(cases).SerializeToString(), mode)
    exported, names = with_nodes_exported(built.module.named)
    model = LocalModel(exported, chunks(built.plan.weights_data))
    model.run({prefix(i) + name: array for i, case in enumerate(cases) for name, array in case.inputs.items()})
    counted = [node for node in built.graph.nodes if built.kernels[node.name].code]
    shown = roots(built.graph)
    settled = model.canister.memory()
    noise = np.random.default_rng(0).integers(0, 256, settled.size, np.uint8)
    wrong = []
    for name, node in zip(names, counted, strict=True):
        allowed = np.zeros(model.canister.memory_bytes, bool)
        allowed[:STACK_BYTES] = True
        for output in node.outputs:
            start = built.plan.tensors[shown.get(output, output)]
            allowed[start : start + built.graph.type(output).size_bytes] = True
        for key, size in built.kernels[node.name].scratch.items():
            start = built.plan.scratch[node.name, key]
            allowed[start : start + size] = True
        # Everything in the arena that the node has no business with is noise, so that even what was there before would show.
        start, end = built.plan.arena
        free = np.flatnonzero(~(allowed | _inputs(built, node, shown, allowed.size))[start:end]) + start
        before = settled.copy()
        before[free] = noise[free]
        model.canister.write(0, before.tobytes())
        model.canister.run(name)
        changed = np.flatnonzero((before != model.canister.memory()) & ~allowed)
        if changed.size:
            wrong.append(f"{name}: writes {changed.size} bytes from {changed[0]} on")
    return wrong


def _inputs(built: Any, node: Any, shown: Any, size: int) -> np.ndarray:
    found = np.zeros(size, bool)
    for name in node.inputs:
        start = built.plan.tensors.get(shown.get(name, name))
        if start is not None:
            found[start : start + built.graph.type(name).size_bytes] = True
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["f32", "int8"])
@pytest.mark.parametrize("family", [convolutions, movements, poolings, products, reductions, rows, views_and_casts], ids=lambda family: family.__name__)
def test_a_kernel_writes_its_outputs_and_scratch_and_nothing_else(family: Any, mode: str) -> None:
    by_opset: dict[int, list[Any]] = {}
    for case in family():
        by_opset.setdefault(case.opset, []).append(case)

    assert [stray for cases in by_opset.values() for stray in strays(cases, mode)] == []


MOVING = [
    test_indexing.gathers,
    test_indexing.scatters,
    test_rearranging.borders,
    test_rearranging.orders,
    test_rearranging.shapes,
    test_reductions.extremes,
    test_resize.grids,
    test_resize.ways,
]


@pytest.mark.slow
@pytest.mark.parametrize("family", MOVING, ids=lambda family: family.__name__)
def test_what_moves_elements_writes_nothing_else(family: Any) -> None:
    by_opset: dict[int, list[Any]] = {}
    for case in family():
        by_opset.setdefault(case.opset, []).append(case)

    assert [stray for cases in by_opset.values() for stray in strays(cases, "f32")] == []

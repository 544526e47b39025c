"""The memory plan: nothing that is needed at the same time shares bytes, views are no copies, and room is used again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx import helper

from canisters.compiler import CannotCompile, frontend
from canisters.compiler.ir import Graph, verify
from canisters.compiler.memory import ALIGNMENT, MAX_MEMORY_BYTES, PAGE_BYTES, STACK_BYTES, Plan, plan_memory
from canisters.compiler.operators import REGISTRY, Kernel
from canisters.compiler.passes import PASSES

from .cases import Case, differences, make_model, onnx_runtime, run_together
from .networks import NETWORKS


def planned(model) -> tuple[Graph, dict[str, Kernel], Plan]:
    graph = frontend.load(model.SerializeToString())
    for step in PASSES:
        graph = step(graph)
        verify(graph, after=step.__name__)
    kernels = {node.name: REGISTRY[node.op].lower(node, graph, "f32") for node in graph.nodes}
    return graph, kernels, plan_memory(graph, kernels, 8192)


def random_network(seed: int):
    """Sums and products of tensors of several sizes, each reading any two made before."""
    rng = np.random.default_rng(seed)
    nodes, made = [], ["x"]
    for i in range(30):
        a, b = rng.choice(made, 2)
        kind = rng.integers(4)
        if kind == 0:
            nodes.append(helper.make_node("Add", [a, b], [f"t{i}"]))
        elif kind == 1:
            nodes.append(helper.make_node("Relu", [a], [f"t{i}"]))
        elif kind == 2:
            nodes.append(helper.make_node("Identity", [a], [f"t{i}"]))
        else:
            nodes += [
                helper.make_node("Concat", [a, b], [f"w{i}"], axis=0),
                helper.make_node("ReduceMean", [f"w{i}", "axes"], [f"t{i}"], keepdims=1),
            ]
        made.append(f"t{i}")
    return make_model(
        nodes,
        {"x": rng.standard_normal((1, 37)).astype(np.float32)},
        {"axes": np.array([0])},
        [made[-1], made[len(made) // 2]],
    )


@pytest.mark.parametrize("seed", range(12))
def test_no_two_tensors_that_are_needed_together_overlap(seed: int) -> None:
    _, _, plan = planned(random_network(seed))

    for a, b in itertools.combinations(plan.blocks, 2):
        together = a.first <= b.last and b.first <= a.last
        apart = a.address + a.size_bytes <= b.address or b.address + b.size_bytes <= a.address
        assert apart or not together, (a, b)


def test_random_networks_compute_what_onnx_runtime_does() -> None:
    rng = np.random.default_rng(0)
    models = [random_network(seed) for seed in range(12)]
    inputs = {"x": rng.standard_normal((1, 37)).astype(np.float32)}
    cases = [Case(f"network {seed}", model, inputs, onnx_runtime(model, inputs)) for seed, model in enumerate(models)]

    assert differences(cases, run_together(cases), rtol=1e-4) == []


def test_every_block_lies_in_the_arena_and_is_aligned() -> None:
    for network in NETWORKS.values():
        _, _, plan = planned(network())

        for block in plan.blocks:
            assert plan.arena[0] <= block.address
            assert block.address + block.size_bytes + 64 <= plan.arena[1]
            assert block.address % ALIGNMENT == 0
        assert STACK_BYTES < plan.arena[0] < plan.arena[1] <= plan.weights_base
        assert plan.weights_base % PAGE_BYTES == 0
        assert all(address % ALIGNMENT == 0 for address in plan.weights.values())


def test_a_view_is_the_same_place() -> None:
    graph, _, plan = planned(NETWORKS["cnn"]())
    view = next(node for node in graph.nodes if node.op == "View")

    assert plan.tensors[view.inputs[0]] == plan.tensors[view.outputs[0]]


def test_a_chain_uses_two_places_in_turn() -> None:
    nodes = [helper.make_node("Exp", [f"t{i}"], [f"t{i + 1}"]) for i in range(20)]
    model = make_model(nodes, {"t0": np.zeros((100, 100), np.float32)}, {}, ["t20"])

    _, _, plan = planned(model)

    assert plan.arena[1] - plan.arena[0] <= 2 * 40_000 + 1024


def test_inputs_outlive_the_message_and_outputs_the_run() -> None:
    graph, _, plan = planned(NETWORKS["mlp"]())
    blocks = {block.name: block for block in plan.blocks}

    assert blocks["message"].first == blocks["message"].last == blocks["tensor features"].first == -1
    assert blocks["tensor probabilities"].last == len(graph.nodes)


def test_what_does_not_fit_a_canister_is_refused() -> None:
    graph, kernels, _ = planned(NETWORKS["mlp"]())

    with pytest.raises(CannotCompile, match="MiB of memory"):
        plan_memory(graph, kernels, MAX_MEMORY_BYTES)

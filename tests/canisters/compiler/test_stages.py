"""A model over several canisters: where it is cut, that all stages together compute the same bits, and what the cut costs."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from canisters.client import CallRejected, RequestRefused
from canisters.client.contracts import service
from canisters.client.management import Management
from canisters.client.typed.inference import Inference
from canisters.compiler import (
    BadFolder,
    BadInput,
    CannotCompile,
    CompiledModel,
    CompiledStages,
    compile_model,
    compile_stages,
    frontend,
    pipeline,
    run_model,
)
from canisters.compiler.__main__ import main
from canisters.compiler.checking import random_sample
from canisters.compiler.cost import PAGE_READ
from canisters.compiler.ir import Graph, verify
from canisters.compiler.local import LocalModel, array_of, tensor_blob
from canisters.compiler.memory import MESSAGE_OVERHEAD_BYTES, PAGE_BYTES
from canisters.compiler.operators import Kernel
from canisters.compiler.partition import Limits, cuts, estimated, live_tensors, stage_graphs
from canisters.compiler.stages import LocalStages, compile_graph_in_stages
from canisters.deploy_model import deploy_model, deploy_stages
from canisters.interface.candid import encode

from . import decoders, language_models
from .cases import make_model
from .networks import cnn

F = np.float32


def prepared(model) -> tuple[Graph, dict[str, Kernel]]:
    graph = pipeline.rewritten(frontend.load(model.SerializeToString()))
    return graph, pipeline.lowered(graph, "f32")


def layers(width: int = 8, depth: int = 6):
    """Dense layers one after the other; the first one's answer is added to the last one's and is an output as well."""
    rng = np.random.default_rng(depth)
    weights = {f"w{i}": (rng.standard_normal((width, width)) / width**0.5).astype(F) for i in range(depth)}
    nodes = []
    for i in range(depth):
        nodes.append(helper.make_node("MatMul", [f"t{i}", f"w{i}"], [f"d{i}"]))
        nodes.append(helper.make_node("Tanh", [f"d{i}"], [f"t{i + 1}"]))
    nodes.append(helper.make_node("Add", ["t1", f"t{depth}"], ["sum"]))
    nodes.append(helper.make_node("Mul", ["sum", "gain"], ["y"]))
    inputs = {"t0": np.zeros((2, width), F), "gain": np.zeros((2, 1), F)}
    return make_model(nodes, inputs, weights, ["y", "t1"])


def worst(graph: Graph, kernels, costs, places, limits: Limits) -> float:
    """The dearest stage of a cut, and infinity where a limit is passed: said once more, plainly."""
    live = live_tensors(graph)
    sent = [sum(graph.type(n).size_bytes + MESSAGE_OVERHEAD_BYTES for n in names) for names in live]
    found = []
    for first, end in itertools.pairwise([0, *places, len(graph.nodes)]):
        weights = sum(len(data) for node in graph.nodes[first:end] for data in kernels[node.name].weights.values())
        coded = any(kernels[node.name].code for node in graph.nodes[first:end])
        too_much = any(sent[p] > limits.cut_bytes for p in (first, end) if 0 < p < len(graph.nodes))
        cost = sum(costs[first:end]) + weights / PAGE_BYTES * PAGE_READ + 2 * (sent[first] + sent[end])
        found.append(np.inf if too_much or not coded else cost)
    return max(found)


# --- where it is cut ---


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_no_cut_whose_dearest_stage_is_about_as_cheap_sends_fewer_bytes(seed: int, count: int) -> None:
    graph, kernels = prepared(layers())
    rng = np.random.default_rng(seed)
    costs = [float(rng.integers(1, 100_000)) if kernels[node.name].code else 0.0 for node in graph.nodes]
    live = live_tensors(graph)

    def sent(places) -> int:
        return sum(graph.type(name).size_bytes + MESSAGE_OVERHEAD_BYTES for place in places for name in live[place])

    places = cuts(graph, kernels, costs, count)

    every = list(itertools.combinations(range(1, len(graph.nodes)), count - 1))
    dearest = {other: worst(graph, kernels, costs, other, Limits()) for other in every}
    near = [other for other in every if dearest[other] <= 1.1 * min(dearest.values())]
    assert tuple(places) in near
    assert sent(places) == min(map(sent, near))


def test_a_cut_is_made_only_where_little_enough_passes() -> None:
    wide, narrow = np.zeros((4, 4000), F), np.zeros((4000, 4), F)
    nodes = [
        helper.make_node("Exp", ["x"], ["a"]),
        helper.make_node("MatMul", ["a", "down"], ["b"]),
        helper.make_node("MatMul", ["b", "up"], ["c"]),
        helper.make_node("Exp", ["c"], ["y"]),
    ]
    graph, kernels = prepared(make_model(nodes, {"x": wide}, {"down": narrow, "up": wide}, ["y"]))

    places = cuts(graph, kernels, estimated(graph, kernels, "f32"), 2, Limits(cut_bytes=10_000))

    assert live_tensors(graph)[places[0]] == ("b",)
    with pytest.raises(CannotCompile, match="at only 1 places at most 9 KiB pass between two nodes"):
        cuts(graph, kernels, estimated(graph, kernels, "f32"), 3, Limits(cut_bytes=10_000))


def test_a_stage_holds_no_more_than_a_canister() -> None:
    graph, kernels = prepared(layers(width=1024, depth=6))  # 4 MiB a layer
    costs = estimated(graph, kernels, "f32")
    limits = Limits(memory_bytes=14 << 20)

    with pytest.raises(CannotCompile, match="no cut into 2 stages keeps each within 14 MiB"):
        cuts(graph, kernels, costs, 2, limits)

    for part in stage_graphs(graph, cuts(graph, kernels, costs, 3, limits)):
        assert sum(len(data) for node in part.nodes for data in kernels[node.name].weights.values()) < 10 << 20


def test_more_stages_than_nodes_or_canisters_are_refused() -> None:
    graph, kernels = prepared(layers())
    costs = estimated(graph, kernels, "f32")

    for count, words in ((65, "1 to 64"), (0, "1 to 64"), (40, "nodes to compute")):
        with pytest.raises(CannotCompile, match=words):
            cuts(graph, kernels, costs, count)


def test_a_tensor_that_is_needed_later_passes_through_the_stages_between() -> None:
    graph, kernels = prepared(layers())

    parts = stage_graphs(graph, cuts(graph, kernels, estimated(graph, kernels, "f32"), 4))

    for part in parts:
        verify(part, after="cutting")
    for before, after in itertools.pairwise(parts):
        assert before.outputs == after.inputs
    assert (parts[0].inputs, parts[-1].outputs) == (graph.inputs, graph.outputs)
    # The gain is only used at the end, and the first layer's answer there and by the caller.
    assert all("gain" in part.outputs for part in parts[:-1])
    assert all("t1" in part.outputs for part in parts[1:])
    assert [node for part in parts for node in part.nodes] == list(graph.nodes)
    assert sum(len(part.constants) for part in parts) < 2 * len(graph.constants)


# --- the same bits ---


@pytest.fixture(scope="module")
def halves() -> CompiledStages:
    return compile_stages(layers().SerializeToString(), 2)


def test_all_stages_together_compute_the_same_bits(halves: CompiledStages) -> None:
    data = layers().SerializeToString()
    sample = random_sample(frontend.load(data), 3)
    stages = LocalStages(halves)

    found = stages.run(sample)

    expected = run_model(compile_model(data), sample)
    assert {name: array.tobytes() for name, array in found.items()} == {n: a.tobytes() for n, a in expected.items()}
    assert all(used > 0 for used in stages.used())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["f32", "int8"])
def test_a_convolutional_network_in_three_stages_is_the_same_network(mode: str) -> None:
    data = cnn(size=12).SerializeToString()
    sample = random_sample(frontend.load(data), 4)

    stages = compile_stages(data, 3, mode=mode)  # type: ignore[arg-type]

    found, expected = LocalStages(stages).run(sample), run_model(compile_model(data, mode=mode), sample)  # type: ignore[arg-type]
    assert found["probabilities"].tobytes() == expected["probabilities"].tobytes()


@pytest.mark.slow
def test_a_stage_refuses_what_the_whole_would_refuse(halves: CompiledStages) -> None:
    with pytest.raises(BadInput, match="stage 1 of 2: input .* is expected, not float32"):
        LocalStages(halves).run({"t0": np.zeros((2, 7), F), "gain": np.zeros((2, 1), F)})


# --- what it costs ---


@pytest.mark.slow
def test_the_figures_say_what_the_split_costs(halves: CompiledStages) -> None:
    first, second = halves.charges()
    split = halves.split_cost()

    assert halves.whole is not None
    assert split["instructions"] == first.instructions + second.instructions
    assert split["more_instructions"] == split["instructions"] - halves.whole.total > 0
    # By the price list: an update 5 M and a cycle an instruction; the call between 260 K and 1,000 a byte of request and answer.
    answer = sum(t.nbytes for t in (np.zeros((2, 8), F), np.zeros((2, 8), F)))
    assert first.cycles == 5_000_000 + first.instructions
    assert second.cycles == 5_000_000 + second.instructions + 260_000 + 1_000 * (second.bytes_in + answer)
    assert split["bytes_between"] == first.bytes_out == second.bytes_in


@pytest.mark.slow
def test_what_no_canister_holds_is_cut_by_estimated_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = prepared(layers(width=256, depth=4))  # 256 KiB a layer
    monkeypatch.setattr("canisters.compiler.memory.MAX_MEMORY_BYTES", 1 << 20)
    with pytest.raises(CannotCompile, match="several canisters"):
        pipeline.build_rewritten({"": graph}, "f32")

    stages = compile_graph_in_stages(graph, 2)

    assert stages.whole is None
    assert "more_cycles" not in stages.split_cost()
    assert all(stage.cost.memory_bytes <= 1 << 20 for stage in stages.stages)


@pytest.mark.slow
def test_a_stage_that_no_message_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canisters.compiler.stages.MAX_UPDATE", 1000)

    with pytest.raises(CannotCompile, match="stage 1: it takes .* Ask for more stages"):
        compile_stages(layers().SerializeToString(), 2)


# --- as a folder, and from the command line ---


@pytest.mark.slow
def test_stages_are_saved_and_loaded_as_a_whole(halves: CompiledStages, tmp_path: Path) -> None:
    halves.save(tmp_path / "out")

    loaded = CompiledStages.load(tmp_path / "out")

    assert loaded.stages == halves.stages
    assert loaded.whole == halves.whole
    assert CompiledModel.load(tmp_path / "out/stage1") == halves.stages[1]
    (tmp_path / "out/stage1").rename(tmp_path / "out/stage0/x")
    with pytest.raises(BadFolder, match="compile"):
        CompiledStages.load(tmp_path / "out")


@pytest.mark.slow
def test_stages_of_two_models_are_not_taken_for_one(halves: CompiledStages, tmp_path: Path) -> None:
    halves.save(tmp_path / "out")
    CompiledStages(halves.stages[::-1], None).stages[0].save(tmp_path / "out/stage0")

    with pytest.raises(BadFolder, match="do not belong together"):
        CompiledStages.load(tmp_path / "out")


@pytest.mark.slow
def test_the_command_line_cuts_runs_and_says_what_it_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = layers().SerializeToString()
    sample = random_sample(frontend.load(data), 5)
    (tmp_path / "m.onnx").write_bytes(data)
    np.savez(tmp_path / "in.npz", **sample)
    out = str(tmp_path / "out")

    assert main(["compile", str(tmp_path / "m.onnx"), "--out", out, "--stages", "2"]) == 0
    assert "more than one canister" in capsys.readouterr().out
    assert main(["run", out, "--inputs", str(tmp_path / "in.npz"), "--outputs", str(tmp_path / "o.npz")]) == 0
    assert "stage 1:" in capsys.readouterr().out
    assert main(["cost", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert main(["explain", out]) == 0

    assert [stage["folder"] for stage in told["stages"]] == ["stage0", "stage1"]
    assert told["split"]["bytes_between"] == told["stages"][0]["bytes_out"]
    assert (tmp_path / "out/stage1/memory.svg").exists()
    with np.load(tmp_path / "o.npz") as outputs:
        assert np.array_equal(outputs["y"], run_model(compile_model(data), sample)["y"])


# --- on a network ---


@dataclass(frozen=True)
class Cut:
    """The convolutional network in three stages, and what it should answer."""

    compiled: CompiledStages
    sample: dict[str, np.ndarray]
    expected: np.ndarray


@pytest.fixture(scope="module")
def cut() -> Cut:
    data = cnn(size=12).SerializeToString()
    sample = random_sample(frontend.load(data), 6)
    return Cut(compile_stages(data, 3), sample, run_model(compile_model(data), sample)["probabilities"])


class OnChain:
    """The same in canisters of their own."""

    def __init__(self, chain: Any, cut: Cut) -> None:
        self.compiled, self.sample, self.expected = cut.compiled, cut.sample, cut.expected
        self.chain, self.owner = chain, chain.agent()
        self.ids = [chain.create(self.owner) for _ in range(3)]
        deploy_stages(self.owner, self.compiled.stages, self.ids)

    def ask(self, agent: Any = None, stage: int = 0) -> Any:
        canister = Inference(agent or self.owner, self.ids[stage])
        return canister.infer_blob({"inputs": [tensor_blob(name, array) for name, array in self.sample.items()]})

    def answer(self) -> np.ndarray:
        answered = self.ask()
        assert "Ok" in answered, answered
        (output,) = answered["Ok"]["outputs"]
        assert output["name"] == "probabilities"
        return array_of(output)


@pytest.fixture
def on_chain(chain: Any, cut: Cut) -> OnChain:
    return OnChain(chain, cut)


@pytest.mark.slow
def test_three_canisters_answer_as_one_and_each_knows_its_neighbours(on_chain: OnChain) -> None:
    first, second, third = on_chain.ids

    answer = on_chain.answer()

    assert answer.tobytes() == on_chain.expected.tobytes()
    links = [Inference(on_chain.owner, canister_id).stage() for canister_id in on_chain.ids]
    assert links == [
        {"next": second, "accept": None},
        {"next": third, "accept": first},
        {"next": None, "accept": second},
    ]
    assert deploy_stages(on_chain.owner, on_chain.compiled.stages, on_chain.ids)[0].canister_id == first


@pytest.mark.slow
def test_a_stopped_stage_fails_the_request_and_a_restarted_one_answers_again(on_chain: OnChain) -> None:
    management = Management(on_chain.owner)

    management.stop(on_chain.ids[2])
    failed = on_chain.ask()
    management.start(on_chain.ids[2])

    assert failed["Err"].startswith("stage 2 of 3: stage 3 did not answer: ")
    assert "stopped" in failed["Err"]
    assert on_chain.answer().tobytes() == on_chain.expected.tobytes()


@pytest.mark.slow
def test_a_stage_can_be_replaced_and_its_links_outlive_the_upgrade(on_chain: OnChain) -> None:
    other = cnn(size=12)
    for tensor in other.graph.initializer:
        if tensor.name == "b3":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[::-1].copy(), "b3"))
    data = other.SerializeToString()
    replaced = compile_stages(data, 3)
    same = [a.wasm == b.wasm for a, b in zip(replaced.stages, on_chain.compiled.stages, strict=True)]
    assert same.count(False) == 1
    changed = same.index(False)

    deploy_model(on_chain.owner, replaced.stages[changed], on_chain.ids[changed])

    expected = run_model(compile_model(data), on_chain.sample)["probabilities"]
    assert on_chain.answer().tobytes() == expected.tobytes() != on_chain.expected.tobytes()


@pytest.mark.slow
def test_strangers_reach_no_stage_and_wrong_inputs_stop_at_the_first(on_chain: OnChain) -> None:
    stranger = on_chain.chain.agent()

    for stage in range(3):
        with pytest.raises((CallRejected, RequestRefused)):
            on_chain.ask(stranger, stage)
        with pytest.raises((CallRejected, RequestRefused)):
            Inference(stranger, on_chain.ids[stage]).stage_connect({"next": None, "accept": stranger.principal})
    # Another canister of the same owner is no controller of it, and not the stage before.
    Inference(on_chain.owner, on_chain.ids[0]).stage_connect({"next": on_chain.ids[2], "accept": None})
    assert "only a controller" in on_chain.ask()["Err"]
    on_chain.sample = {"image": np.zeros((1, 1, 11, 12), F)}

    said = on_chain.ask()["Err"]
    assert said.startswith("stage 1 of 3: input 'image': float32 [1, 1, 12, 12]")
    assert Inference(on_chain.owner, on_chain.ids[2]).stage()["accept"] == on_chain.ids[1]


@pytest.mark.slow
def test_a_stage_without_its_weights_says_which_one_it_is(chain: Any, halves: CompiledStages) -> None:
    owner = chain.agent()
    ids = [chain.create(owner) for _ in range(2)]
    deploy_stages(owner, halves.stages, ids)
    argument = encode(service("inference").init, ({"release_hash": bytes(32)},))

    Management(owner).install(ids[1], halves.stages[1].wasm, argument, mode="reinstall")
    Inference(owner, ids[1]).stage_connect({"next": None, "accept": ids[0]})
    sample = random_sample(frontend.load(layers().SerializeToString()), 7)
    said = Inference(owner, ids[0]).infer_blob({"inputs": [tensor_blob(name, array) for name, array in sample.items()]})

    assert said["Err"].startswith("stage 2 of 2: 1 of 1 chunks of the weights are missing")


@pytest.mark.slow
def test_a_llama_shaped_model_in_four_canisters_gives_the_same_tokens_as_in_one(
    chain: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config, text, length = decoders.LLAMA, [3, 1, 4], 16
    tensors = language_models.tensors_of(config)
    data = decoders.llama_onnx(config, tensors, length)
    stages = compile_stages(data, 4)
    owner = chain.agent()
    ids = [chain.create(owner) for _ in range(4)]
    deploy_stages(owner, stages.stages, ids)
    whole = compile_model(data)
    one = LocalModel(whole.wasm, whole.weight_chunks)

    def ask(tokens: np.ndarray) -> np.ndarray:
        answer = Inference(owner, ids[0]).infer_blob({"inputs": [tensor_blob("tokens", tokens)]})
        return array_of(answer["Ok"]["outputs"][0])

    made = decoders.greedy(ask, text, 6, length)

    assert made == decoders.greedy(lambda tokens: one.run({"tokens": tokens})["logits"], text, 6, length)
    assert made == language_models.greedy(config, tensors, text, 6)  # torch's own
    split = stages.split_cost()
    with capsys.disabled():
        print(
            f"\n4 stages: {split['more_instructions']:,} instructions and {split['more_cycles']:,} cycles more than one canister, "
            f"{split['bytes_between']:,} bytes between them"
        )
    assert 0 < split["more_instructions"] < 0.25 * stages.whole.total


@pytest.mark.slow
def test_the_deploy_verb_takes_stages(
    halves: CompiledStages, replica: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves.save(tmp_path / "out")
    command = ["deploy", str(tmp_path / "out"), "--network", replica.url]

    assert [main(command), main(command)] == [0, 0]
    assert main([*command, "--canister", "aaaaa-aa"]) == 1

    said = capsys.readouterr()
    assert said.out.count("created for stage") == 2
    assert said.out.count("connected") == 2
    assert "output y: float32 (2, 8)" in said.out
    assert "2 canisters are needed" in said.err

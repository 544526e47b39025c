"""One module for several sizes of a network: each computes what it would alone, weights are kept once, and the shapes decide which one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from canisters.client.typed.inference import Inference
from canisters.compiler import BadInput, CannotCompile, CompiledModel, compile_model, frontend, pipeline, run_model
from canisters.compiler.__main__ import main
from canisters.compiler.local import LocalModel, array_of, tensor_blob
from canisters.compiler.memory import plan_variants
from canisters.deploy_model import deploy_model

from .cases import make_model

F = np.float32
SIZES = {"one": {"batch": 1}, "four": {"batch": 4}, "eight": {"batch": 8}}


def network(width: int = 64) -> bytes:
    """x (batch, width), gain (batch, 1) -> y (batch, width): two dense layers between additions, of any batch."""
    rng = np.random.default_rng(7)
    weights = {
        "w1": (rng.standard_normal((width, width)) / width**0.5).astype(F),
        "w2": (rng.standard_normal((width, width)) / width**0.5).astype(F),
        "table": rng.standard_normal((1, width)).astype(F),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], ["c"]),
        helper.make_node("Add", ["c", "table"], ["d"]),
        helper.make_node("Mul", ["d", "gain"], ["e"]),
        helper.make_node("Add", ["e", "x"], ["y"]),
    ]
    proto = make_model(nodes, {"x": np.zeros((2, width), F), "gain": np.zeros((2, 1), F)}, weights, ["y"])
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del proto.graph.value_info[:]
    return proto.SerializeToString()


def sample(batch: int, width: int = 64) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(batch)
    return {"x": rng.standard_normal((batch, width)).astype(F), "gain": rng.standard_normal((batch, 1)).astype(F)}


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return compile_model(network(), variants=SIZES)


@pytest.fixture(scope="module")
def model(compiled: CompiledModel) -> LocalModel:
    return LocalModel(compiled.wasm, compiled.weight_chunks)


@pytest.fixture(scope="module")
def alone() -> dict[str, CompiledModel]:
    return {name: compile_model(network(), axes=axes) for name, axes in SIZES.items()}


def test_variants_share_addresses_but_no_message_is_overwritten_by_the_inputs_it_brings() -> None:
    graphs = [pipeline.rewritten(frontend.load(network(), axes)) for axes in SIZES.values()]
    plans = plan_variants([(graph, pipeline.lowered(graph, "f32")) for graph in graphs], 8192)

    assert len({(plan.weights_base, plan.end, plan.arena, plan.message) for plan in plans}) == 1
    assert len({plan.weights_data for plan in plans}) == 1
    for plan in plans:
        start, size = plan.message
        assert start + size <= plan.arena[1]
        for block in plan.blocks:
            assert plan.arena[0] <= block.address < block.address + block.size_bytes <= plan.arena[1]
            if block.first == -1 and block.name != "message":
                assert block.address + block.size_bytes <= start or start + size <= block.address


@pytest.mark.slow
@pytest.mark.parametrize("order", [["one", "four", "eight"], ["eight", "one", "four", "one"]])
def test_each_variant_computes_what_it_would_alone(
    model: LocalModel, alone: dict[str, CompiledModel], order: list[str]
) -> None:
    for name in order:
        given = sample(SIZES[name]["batch"])

        found = model.run(given)

        assert found["y"].tobytes() == run_model(alone[name], given)["y"].tobytes()


def test_what_fits_no_variant_is_refused_with_the_shapes_of_all(model: LocalModel) -> None:
    with pytest.raises(BadInput) as error:
        model.run(sample(3))

    said = str(error.value)
    for name, axes in SIZES.items():
        assert f"float32 [{axes['batch']}, 64], {axes['batch'] * 256} bytes in variant {name}" in said
    assert "not float32 [3, 64], 768 bytes" in said


@pytest.mark.slow
def test_inputs_of_two_variants_are_not_mixed(model: LocalModel) -> None:
    mixed = {"x": sample(4)["x"], "gain": sample(8)["gain"]}

    with pytest.raises(BadInput, match=r"\[8, 64\], 2048 bytes in variant eight is expected, not float32 \[4, 64\]"):
        model.run(mixed)
    expected = model.run(sample(4))["y"]
    with pytest.raises(BadInput):
        model.run(mixed)
    assert np.array_equal(model.run(sample(4))["y"], expected)


@pytest.mark.slow
def test_equal_weights_are_stored_once(compiled: CompiledModel, alone: dict[str, CompiledModel]) -> None:
    told = {variant["name"]: variant["weights_bytes"] for variant in compiled.interface["variants"]}
    apart = sum(one.interface["weights_bytes"] for one in alone.values())

    # Rows of four and of eight read the same panels. A single row may read panels of its own.
    assert compiled.interface["weights_bytes"] <= told["one"] + told["four"]
    assert told["four"] == told["eight"]
    assert apart - compiled.interface["weights_bytes"] >= told["eight"]


@pytest.mark.slow
def test_one_arena_is_as_large_as_the_largest_variant_needs(
    compiled: CompiledModel, alone: dict[str, CompiledModel]
) -> None:
    def arena(model: CompiledModel) -> int:
        start, end = model.interface["memory"]["activations"]
        return end - start

    assert arena(compiled) < max(map(arena, alone.values())) + 4096


@pytest.mark.slow
def test_each_variant_has_its_cost(compiled: CompiledModel, alone: dict[str, CompiledModel]) -> None:
    assert list(compiled.variant_costs) == list(SIZES)
    for name, cost in compiled.variant_costs.items():
        assert cost.macs == alone[name].cost.macs
        assert cost.kernel_instructions == pytest.approx(alone[name].cost.kernel_instructions, rel=0.05)
    assert compiled.cost == compiled.variant_costs["one"]


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes(compiled: CompiledModel) -> None:
    again = compile_model(network(), variants=SIZES)

    assert (again.wasm, again.weight_chunks) == (compiled.wasm, compiled.weight_chunks)


def test_variants_that_cannot_be_are_refused() -> None:
    cases: list[tuple[dict[str, dict[str, int]], str]] = [
        ({}, "there are 0"),
        ({f"v{i}": {"batch": i + 1} for i in range(17)}, "there are 17"),
        ({"One": {"batch": 1}}, "cannot be called that"),
        ({"a; }": {"batch": 1}}, "cannot be called that"),
        ({"one": {"batch": 1, "rows": 1}}, "no input has an axis 'rows'"),
        ({"one": {}}, "no fixed size"),
        ({"one": {"batch": 2}, "two": {"batch": 2}}, "variants one and two take the same shapes"),
    ]

    for variants, words in cases:
        with pytest.raises(CannotCompile, match=words):
            compile_model(network(), variants=variants)


@pytest.mark.slow
def test_a_folder_and_the_command_line_keep_variants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.onnx").write_bytes(network())
    np.savez(tmp_path / "in.npz", **sample(8))
    out = str(tmp_path / "out")

    code = main(
        ["compile", str(tmp_path / "m.onnx"), "--out", out, "--variant", "one:batch=1", "--variant", "eight:batch=8"]
    )

    assert code == 0
    assert "one inference of eight" in capsys.readouterr().out
    assert main(["run", out, "--inputs", str(tmp_path / "in.npz"), "--outputs", str(tmp_path / "o.npz")]) == 0
    assert main(["cost", out]) == 0
    assert main(["explain", out]) == 0
    said = capsys.readouterr().out
    assert "--- variant eight ---" in said
    assert "activations of variant one" in said
    assert list(CompiledModel.load(tmp_path / "out").variant_costs) == ["one", "eight"]
    for wrong in ("eight", "eight:batch", ":batch=1", "eight:batch=0", "eight:"):
        with pytest.raises(SystemExit) as ended:
            main(["compile", str(tmp_path / "m.onnx"), "--out", out, "--variant", wrong])
        assert ended.value.code == 2


@pytest.mark.slow
def test_a_canister_of_several_variants_describes_and_answers_them(chain: Any, compiled: CompiledModel) -> None:
    owner = chain.agent()
    deployed = deploy_model(owner, compiled, chain.create(owner))
    canister = Inference(owner, deployed.canister_id)

    answers = {}
    for name, axes in SIZES.items():
        given = sample(axes["batch"])
        answer = canister.infer_blob({"inputs": [tensor_blob(key, value) for key, value in given.items()]})
        answers[name] = array_of(answer["Ok"]["outputs"][0])

    described = canister.describe()["variants"]
    assert [(variant["name"], variant["inputs"][0]["shape"]) for variant in described] == [
        ("one", [1, 64]),
        ("four", [4, 64]),
        ("eight", [8, 64]),
    ]
    for name, axes in SIZES.items():
        assert np.array_equal(answers[name], run_model(compiled, sample(axes["batch"]))["y"])

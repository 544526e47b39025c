"""The whole way from ONNX to a module: equal answers, the same bytes every time, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from canisters.compiler import CompiledModel, compare_with_onnxruntime, compile_model, run_model
from canisters.compiler import wasm as w
from canisters.compiler.build import build_module
from canisters.compiler.errors import BuildFailed
from canisters.compiler.kinds import TENSORS
from canisters.compiler.memory import CHUNK_BYTES, Block, Plan

from .cases import node_case
from .networks import branches, cnn, mlp

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compiled_mlp() -> CompiledModel:
    return compile_model(mlp().SerializeToString())


def samples(name: str, *shape: int, count: int = 8) -> list[dict[str, np.ndarray]]:
    return [{name: np.random.default_rng(i).standard_normal(shape).astype(np.float32)} for i in range(count)]


@pytest.mark.parametrize(
    ("network", "given"), [(mlp, ("features", 1, 30)), (cnn, ("image", 1, 1, 8, 8)), (branches, ("x", 3, 5))]
)
def test_a_network_answers_like_onnx_runtime(network, given) -> None:
    data = network().SerializeToString()

    report = compare_with_onnxruntime(data, compile_model(data), samples(*given))

    assert report.max_abs_error < 1e-6
    assert (report.samples, report.labels_agree) == (8, 1.0)


def test_a_comparison_sees_a_difference(compiled_mlp: CompiledModel) -> None:
    other = mlp(hidden=17).SerializeToString()

    report = compare_with_onnxruntime(other, compiled_mlp, samples("features", 1, 30))

    assert report.max_abs_error > 0.01


def test_a_model_run_once_needs_nothing_but_itself(compiled_mlp: CompiledModel) -> None:
    found = run_model(compiled_mlp, {"features": np.zeros((1, 30), np.float32)})

    assert found["probabilities"].shape == (1, 2)
    assert found["probabilities"].sum() == pytest.approx(1.0)


def test_the_same_model_gives_the_same_bytes_in_another_process(tmp_path: Path, repository: Path) -> None:
    data = cnn().SerializeToString()
    (tmp_path / "cnn.onnx").write_bytes(data)
    here = compile_model(data, mode="int8")

    command = [
        sys.executable,
        "-m",
        "canisters.compiler",
        "compile",
        str(tmp_path / "cnn.onnx"),
        "--out",
        str(tmp_path / "deep/out"),
        "--quantize",
        "int8",
    ]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=repository,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONHASHSEED": "7"},
    )

    out = tmp_path / "deep/out"
    assert (out / "module.wasm").read_bytes() == here.wasm == compile_model(data, mode="int8").wasm
    assert (out / "weights/000").read_bytes() == here.weight_chunks[0]
    assert json.loads((out / "cost.json").read_text()) == here.cost.as_json()
    assert json.loads((out / "interface.json").read_text()) == here.interface


def test_neither_path_nor_version_of_this_machine_is_in_the_module(compiled_mlp: CompiledModel) -> None:
    for word in (b"/home", b"/tmp", b"/root", b"clang", b"zig", str(Path(__file__).parents[3]).encode()):
        assert word not in compiled_mlp.wasm


def test_a_module_has_the_canisters_doors_and_imports_only_the_system_api(compiled_mlp: CompiledModel) -> None:
    assert {entry.name for entry in w.exports(compiled_mlp.wasm)} == TENSORS.exports
    assert {source for source, _, _ in w.imports(compiled_mlp.wasm)} == {"ic0"}
    assert [w.custom_name(part) for part in w.sections(compiled_mlp.wasm) if part.number == w.CUSTOM] == [
        "icp:public candid:service"
    ]


def test_chunks_make_up_the_whole(compiled_mlp: CompiledModel) -> None:
    big = compile_model(
        node_case(
            "MatMul", [np.zeros((1, 700), np.float32), np.ones((700, 1000), np.float32)], constants=(1,)
        ).model.SerializeToString()
    )

    assert [len(chunk) for chunk in big.weight_chunks[:-1]] == [CHUNK_BYTES] * 2
    assert sum(map(len, big.weight_chunks)) == big.interface["weights_bytes"] == 1000 * 701 * 4
    assert b"".join(compiled_mlp.wasm_chunks) == compiled_mlp.wasm


def test_a_network_without_weights_has_no_chunks() -> None:
    case = node_case("Relu", [np.array([-1, 2], np.float32)])

    compiled = compile_model(case.model.SerializeToString())

    assert compiled.weight_chunks == ()
    assert run_model(compiled, case.inputs)["y0"].tolist() == [0, 2]


# --- what it costs ---


@pytest.mark.parametrize(
    # A network of 500 products is made small rather than fast: its pages cost sixty times what it computes.
    ("network", "mode", "per_mac"),
    [(mlp, "f32", 8.5), (mlp, "int8", 8.5), (cnn, "f32", 2.05), (cnn, "int8", 1.35)],
)
def test_a_small_network_stays_within_its_budget_of_instructions(network, mode: str, per_mac: float) -> None:
    cost = compile_model(network().SerializeToString(), mode=mode).cost

    assert 0 < cost.per_mac <= per_mac
    assert cost.module_bytes < 50_000


@pytest.mark.parametrize(
    ("m", "mode", "per_mac"), [(48, "f32", 1.85), (48, "int8", 0.65), (1, "f32", 2.0), (1, "int8", 0.80)]
)
def test_a_matrix_product_stays_within_its_budget_of_instructions(m: int, mode: str, per_mac: float) -> None:
    case = node_case("MatMul", [np.zeros((m, 768), np.float32), np.ones((768, 768), np.float32)], constants=(1,))

    cost = compile_model(case.model.SerializeToString(), mode=mode).cost  # type: ignore[arg-type]

    assert 0 < cost.per_mac <= per_mac


def test_a_small_network_touches_one_page_and_its_weights(compiled_mlp: CompiledModel) -> None:
    cost = compiled_mlp.cost

    assert (cost.pages_read, cost.pages_written) == (2, 1)
    assert cost.page_charges == 3 * 16 * 5_000
    assert cost.total == cost.instructions + cost.page_charges
    assert cost.kernel_instructions == sum(function.instructions for function in cost.functions) < cost.instructions


# --- what must not go wrong unseen ---


def _plan(start: int) -> Plan:
    return Plan(
        {}, {}, {}, (Block("message", 64, -1, -1, start),), (start, start + 64), 1 << 16, b"", (start, 64), 1 << 16
    )


INTERFACE = "#define CHUNKS 0\n"


def test_c_that_does_not_compile_is_our_fault_and_says_so() -> None:
    with pytest.raises(BuildFailed, match="the C compiler refused"):
        build_module("void model_run(void) { this is no C }", INTERFACE, _plan(1 << 15))

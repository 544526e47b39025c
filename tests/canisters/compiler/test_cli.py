"""`python -m canisters.compiler`: each verb as a person types it, what it leaves behind, and what it says when it cannot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import helper

import canisters.deploy_model as deploy_module
from canisters.client import ChainAgent, KeyIdentity
from canisters.client.contracts import contract
from canisters.client.typed.inference import Inference
from canisters.compiler import BadFolder, CompiledModel, compile_model, run_model
from canisters.compiler.__main__ import main
from canisters.compiler.charges import MAX_QUERY, MAX_UPDATE, Charges
from canisters.compiler.checking import random_sample
from canisters.compiler.frontend import load
from canisters.compiler.kinds import SLICED, TENSORS
from canisters.compiler.local import array_of, tensor_blob
from canisters.compiler.wasm import exports
from canisters.deploy import CannotDeploy
from canisters.deploy_model import deploy_model, release_hash
from canisters.interface.principal import Principal

from . import language_models
from .cases import make_model
from .networks import mlp

pytestmark = pytest.mark.slow

FILES = ["cost.json", "interface.json", "model.c", "module.wasm", "passes.txt", "weights"]
FEATURES = np.linspace(-2, 2, 30, dtype=np.float32).reshape(1, 30)


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return compile_model(mlp().SerializeToString())


@pytest.fixture
def folder(compiled: CompiledModel, tmp_path: Path) -> Path:
    compiled.save(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "m.onnx").write_bytes(mlp().SerializeToString())
    return tmp_path / "m.onnx"


def inputs_file(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def dynamic_mlp() -> bytes:
    """The same network with an open first axis, called batch."""
    proto = mlp()
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del proto.graph.value_info[:]
    return proto.SerializeToString()


def refused(arguments: list[Any], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """What a verb that cannot do its work says: one line."""
    try:
        ended = main([str(argument) for argument in arguments])
    except SystemExit as error:
        ended = error.code
    said = capsys.readouterr().err
    assert ended == code, said
    assert len(said.splitlines()) == 1
    return said


# --- compile ---


def test_compile_writes_a_folder_that_loads_as_what_the_api_gives(
    model: Path, compiled: CompiledModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["compile", str(model), "--out", str(tmp_path / "deep/out")])

    assert code == 0
    assert sorted(path.name for path in (tmp_path / "deep/out").iterdir()) == FILES
    assert "multiply-accumulates" in capsys.readouterr().out
    assert CompiledModel.load(tmp_path / "deep/out") == compiled
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep/out"]


def test_compiling_again_replaces_the_earlier_result_as_a_whole(model: Path, folder: Path) -> None:
    (folder / "weights/007").write_bytes(b"of another model")

    assert main(["compile", str(model), "--out", str(folder), "--quantize", "int8"]) == 0

    assert CompiledModel.load(folder).interface["mode"] == "int8"
    assert [path.name for path in (folder / "weights").iterdir()] == ["000"]


def test_a_shape_or_an_axis_fixes_what_the_model_leaves_open(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(dynamic_mlp())
    by_shape = ["compile", str(tmp_path / "m.onnx"), "--out", str(tmp_path / "a"), "--shape", "features=4,30"]
    by_axis = ["compile", str(tmp_path / "m.onnx"), "--out", str(tmp_path / "b"), "--axis", "batch=4"]

    assert [main(by_shape), main(by_axis)] == [0, 0]

    assert CompiledModel.load(tmp_path / "a") == CompiledModel.load(tmp_path / "b")
    assert CompiledModel.load(tmp_path / "a").interface["inputs"][0]["shape"] == [4, 30]


def test_an_input_can_be_made_part_of_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = {"x": np.zeros(6, np.float32), "to": np.zeros(2, np.int64)}
    model = make_model([helper.make_node("Reshape", ["x", "to"], ["y"])], inputs, {}, ["y"])
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.save(tmp_path / "to.npy", np.array([2, 3]))
    np.savez(tmp_path / "two.npz", to=np.array([2, 3]))
    constant = ["--const", f"to={tmp_path / 'to.npy'}"]

    assert main(["compile", str(tmp_path / "m.onnx"), "--out", str(tmp_path / "out"), *constant]) == 0
    assert main(["check", str(tmp_path / "m.onnx"), *constant]) == 0
    capsys.readouterr()

    assert [t["name"] for t in CompiledModel.load(tmp_path / "out").interface["inputs"]] == ["x"]
    wrong = ["compile", tmp_path / "m.onnx", "--out", tmp_path / "no", "--const"]
    assert "numpy.save" in refused([*wrong, f"to={tmp_path / 'two.npz'}"], capsys)
    assert "nowhere.npy" in refused([*wrong, f"to={tmp_path / 'nowhere.npy'}"], capsys)
    assert "other" in refused([*wrong, f"other={tmp_path / 'to.npy'}"], capsys)


def test_what_compile_cannot_do_it_says_in_one_line_and_leaves_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    out = ["--out", tmp_path / "out"]

    assert "no ONNX model" in refused(["compile", tmp_path / "bad.onnx", *out], capsys)
    assert "none.onnx" in refused(["compile", tmp_path / "none.onnx", *out], capsys)
    assert "no earlier result" in refused(["compile", model, "--out", tmp_path / "mine"], capsys)
    assert "choose another" in refused(["compile", model, "--out", tmp_path / "link"], capsys)
    assert "choose another" in refused(["compile", model, "--out", model], capsys)
    assert "Symbolic axes here" in refused(["compile", model, *out, "--axis", "batch=1"], capsys)
    assert "no such input" in refused(["compile", model, *out, "--shape", "image=1"], capsys)
    assert "fixed to 30, not 31" in refused(["compile", model, *out, "--shape", "features=1,31"], capsys)
    assert "2 axes, and 1 sizes" in refused(["compile", model, *out, "--shape", "features=1"], capsys)

    assert not (tmp_path / "out").exists()
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.onnx", "link", "m.onnx", "mine"]


def test_bad_use_ends_with_two(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempts: list[list[Any]] = [
        [],
        ["frobnicate"],
        ["compile", model],
        ["compile", model, "--out", tmp_path / "out", "--axis", "batch"],
        ["compile", model, "--out", tmp_path / "out", "--axis", "batch=0"],
        ["compile", model, "--out", tmp_path / "out", "--axis", "a=1", "--axis", "a=2"],
        ["compile", model, "--out", tmp_path / "out", "--shape", "features=1,-30"],
        ["compile", model, "--out", tmp_path / "out", "--quantize", "int3"],
        ["compile", tmp_path, "--out", tmp_path / "out"],
        ["run", tmp_path],
    ]

    for attempt in attempts:
        refused(attempt, capsys, code=2)


# --- saving and loading ---


def test_a_damaged_folder_is_refused_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    def damaged(name: str, data: bytes | None) -> str:
        kept = (folder / name).read_bytes()
        (folder / name).unlink() if data is None else (folder / name).write_bytes(data)
        with pytest.raises(BadFolder, match="compile") as error:
            CompiledModel.load(folder)
        (folder / name).write_bytes(kept)
        return str(error.value)

    assert "module.wasm" in damaged("module.wasm", None)
    assert "belong together" in damaged("module.wasm", b"\0asm")
    assert "weights/000" in damaged("weights/000", None)
    assert "belong together" in damaged("weights/000", b"short")
    assert "interface.json is damaged" in damaged("interface.json", b"{")
    assert "interface.json is damaged" in damaged("interface.json", b"[]")
    assert "another compiler" in damaged("cost.json", b"{}")
    assert "another compiler" in damaged("interface.json", b"{}")
    with pytest.raises(BadFolder, match="compile one first"):
        CompiledModel.load(tmp_path / "nowhere")


def test_a_save_that_fails_leaves_the_earlier_result(
    folder: Path, compiled: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        compiled.save(folder)

    assert CompiledModel.load(folder) == compiled
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


# --- run ---


def test_run_computes_what_the_api_computes_and_counts(
    folder: Path, compiled: CompiledModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = inputs_file(tmp_path / "in.npz", features=FEATURES)

    code = main(["run", str(folder), "--inputs", str(given), "--outputs", str(tmp_path / "deep/out.npz")])

    said = capsys.readouterr().out
    with np.load(tmp_path / "deep/out.npz") as outputs:
        assert outputs.files == ["probabilities"]
        assert np.array_equal(outputs["probabilities"], run_model(compiled, {"features": FEATURES})["probabilities"])
    assert code == 0
    assert "probabilities: float32 (1, 2)" in said
    assert abs(int(re.search(r"([\d,]+) instructions", said)[1].replace(",", "")) - compiled.cost.instructions) < 500


def test_run_refuses_what_does_not_fit(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--outputs", tmp_path / "out.npz"]
    (tmp_path / "text.npz").write_text("no arrays")
    np.save(tmp_path / "one.npy", FEATURES)
    objects = np.empty(1, object)
    np.savez(tmp_path / "objects.npz", features=objects)
    cases = {
        "expected, not float32 [1, 7]": inputs_file(tmp_path / "a.npz", features=FEATURES[:, :7]),
        "expected, not float64": inputs_file(tmp_path / "b.npz", features=FEATURES.astype(np.float64)),
        "input 'other'": inputs_file(tmp_path / "c.npz", other=FEATURES),
        "expected, not nothing": inputs_file(tmp_path / "d.npz"),
        "numpy.savez": tmp_path / "text.npz",
        "holds one array": tmp_path / "one.npy",
        "no .npz of plain arrays": tmp_path / "objects.npz",
        "No such file": tmp_path / "nowhere.npz",
    }

    for words, given in cases.items():
        assert words in refused(["run", folder, "--inputs", given, *out], capsys)
    assert not (tmp_path / "out.npz").exists()


def test_outputs_of_any_name_are_written(tmp_path: Path) -> None:
    names = ["file", "allow_pickle", "a/b"]
    nodes = [helper.make_node("Relu", ["x"], [name]) for name in names]
    compile_model(make_model(nodes, {"x": np.zeros(3, np.float32)}, {}, names).SerializeToString()).save(tmp_path / "m")
    given = inputs_file(tmp_path / "in.npz", x=np.array([-1, 0, 2], np.float32))

    assert main(["run", str(tmp_path / "m"), "--inputs", str(given), "--outputs", str(tmp_path / "out.npz")]) == 0

    with np.load(tmp_path / "out.npz") as outputs:
        assert {name: outputs[name].tolist() for name in outputs.files} == {key: [0.0, 0.0, 2.0] for key in names}


def test_a_network_over_several_messages_runs_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    weights = {name: (rng.standard_normal((256, 256)) / 16).astype(np.float32) for name in ("a", "b", "c")}
    nodes = [helper.make_node("MatMul", [x, w], [y]) for x, w, y in (("x", "a", "p"), ("p", "b", "q"), ("q", "c", "y"))]
    inputs = {"x": rng.standard_normal((64, 256)).astype(np.float32)}
    data = make_model(nodes, inputs, weights, ["y"]).SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data)
    given, out = inputs_file(tmp_path / "in.npz", **inputs), tmp_path / "out"
    command = ["compile", tmp_path / "m.onnx", "--out", out, "--slice-instructions"]

    assert "split the layer" in refused([*command, "6000000"], capsys)
    assert not out.exists()
    assert main([str(argument) for argument in [*command, "16000000"]]) == 0
    assert main(["run", str(out), "--inputs", str(given), "--outputs", str(tmp_path / "o.npz")]) == 0

    exported = {entry.name for entry in exports(CompiledModel.load(out).wasm)}
    assert exported == SLICED.exports != TENSORS.exports
    with np.load(tmp_path / "o.npz") as outputs:
        assert np.array_equal(outputs["y"], run_model(compile_model(data), inputs)["y"])


# --- language models ---


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = language_models.config_of("qwen2")
    folder = tmp_path_factory.mktemp("checkpoint") / "qwen2"
    return language_models.saved(folder, config, language_models.tensors_of(config))


def test_a_language_models_folder_compiles_and_makes_tokens(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = language_models.config_of("qwen2")
    given = inputs_file(tmp_path / "in.npz", tokens=np.array([3, 1, 4, 1, 5]))
    out, answer = str(tmp_path / "out"), tmp_path / "o.npz"

    assert main(["compile", str(checkpoint), "--out", out, "--context", "32", "--slots", "2"]) == 0
    assert main(["run", out, "--inputs", str(given), "--outputs", str(answer), "--count", "8"]) == 0

    said = capsys.readouterr().out
    with np.load(answer) as outputs:
        made = outputs["tokens"].tolist()
    assert made == language_models.greedy(config, language_models.tensors_of(config), [3, 1, 4, 1, 5], 8)
    assert "qwen2: 2 sessions of up to 32 tokens" in said
    assert "tokens: int64 (8,)" in said


def test_what_a_language_model_does_not_take_is_refused(
    checkpoint: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", tmp_path / "out"]

    assert "--axis is for .onnx files" in refused(["compile", checkpoint, *out, "--axis", "a=1"], capsys, code=2)
    assert "int4 is not offered" in refused(["compile", checkpoint, *out, "--quantize", "int4"], capsys, code=2)
    assert "context" in refused(["compile", checkpoint, *out, "--context", "100000"], capsys)
    assert "for language models" in refused(["compile", model, *out, "--slots", "2"], capsys, code=2)
    assert not (tmp_path / "out").exists()

    main(["compile", str(checkpoint), "--out", str(tmp_path / "out")])
    capsys.readouterr()
    run = ["run", tmp_path / "out", "--outputs", tmp_path / "o.npz", "--inputs"]
    for index, tokens in enumerate([np.array([], np.int64), np.zeros((1, 2), np.int64), np.zeros(2), np.array([-1])]):
        refused([*run, inputs_file(tmp_path / f"{index}.npz", tokens=tokens)], capsys)
    assert "language model" in refused(["explain", tmp_path / "out"], capsys)
    assert "UnknownToken" in refused([*run, inputs_file(tmp_path / "big.npz", tokens=np.array([10_000]))], capsys)


# --- check ---


def test_check_agrees_with_onnxruntime_on_random_and_given_inputs(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = inputs_file(tmp_path / "in.npz", features=FEATURES)

    code = main(["check", str(model), "--inputs", str(given), "--random", "2"])

    assert code == 0
    assert "3 samples against ONNX Runtime" in capsys.readouterr().out


def test_check_ends_with_one_when_the_answers_differ(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", str(model), "--quantize", "int8", "--tolerance", "1e-9"])

    assert code == 1
    assert "DIFFERENT: the largest relative error is" in capsys.readouterr().out


def test_check_refuses_inputs_that_are_not_the_models(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = inputs_file(tmp_path / "in.npz", features=FEATURES[0])

    assert "float32 (1, 30) is expected" in refused(["check", model, "--inputs", wrong], capsys)


def test_random_indices_stay_inside_the_table_that_they_point_into() -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["ids", "axes"], ["wide"]),
        helper.make_node("Gather", ["table", "wide"], ["y"], axis=0),
    ]
    table = {"table": np.arange(10, dtype=np.float32).reshape(5, 2), "axes": np.array([0])}
    graph = load(make_model(nodes, {"ids": np.zeros(200, np.int64)}, table, ["y"]).SerializeToString())

    sample = random_sample(graph, 0)

    assert set(sample["ids"].tolist()) == {0, 1, 2, 3, 4}
    assert np.array_equal(sample["ids"], random_sample(graph, 0)["ids"])


def test_compile_says_how_accurate_it_is_on_a_sample_of_ones_own(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = inputs_file(tmp_path / "in.npz", features=FEATURES)
    command = ["compile", model, "--out", tmp_path / "out", "--quantize", "int8", "--sample"]

    code = main([str(argument) for argument in [*command, given]])

    said = capsys.readouterr().out
    assert code == 0
    assert "1 samples against ONNX Runtime" in said
    assert "smallest cosine" in said
    assert "features" in refused([*command, inputs_file(tmp_path / "wrong.npz", other=FEATURES)], capsys)
    refused([*command, given, "--stages", "2"], capsys, code=2)


# --- cost and explain ---


def test_cost_tells_instructions_cycles_and_how_many_calls_fit(
    folder: Path, compiled: CompiledModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", str(folder)]) == 0
    said = capsys.readouterr().out
    assert main(["cost", str(folder), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)

    charges = Charges.of(compiled.cost, compiled.interface)
    assert f"{compiled.cost.total:,} instructions in its own message" in said
    assert all(function.name in said for function in compiled.cost.functions)
    assert figures["charges"]["in_query"] == charges.in_query
    # One more than fits would pass the limit; the last that fits does not.
    for limit, fit in ((MAX_QUERY, charges.in_query), (MAX_UPDATE, charges.in_update)):
        assert charges.first + (fit - 1) * charges.further <= limit < charges.first + fit * charges.further
    # By the price list: 5 M for an update and one for each instruction, 1.2 M and 2,000 a byte from outside; 260 K and 1,000 within.
    assert charges.ingress_cycles == 5_000_000 + compiled.cost.total + 1_200_000 + 2_000 * 120
    assert charges.call_cycles == 5_000_000 + compiled.cost.total + 260_000 + 1_000 * (120 + 8)


def test_explain_shows_the_graph_before_and_after_each_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["explain", str(folder)])

    said = capsys.readouterr().out
    assert code == 0
    assert "load: 6 nodes" in said
    assert re.search(r"- .*= Relu\(", said)
    assert re.search(r"\+ .*= Dense\(.*activation=", said)
    assert "stack and data" in said
    assert "#" * 8 in said


def test_the_memory_map_is_a_drawing_of_every_block(folder: Path, compiled: CompiledModel) -> None:
    main(["explain", str(folder)])

    drawing = ElementTree.parse(folder / "memory.svg")
    titles = [title.text or "" for title in drawing.iter("{http://www.w3.org/2000/svg}title")]
    blocks = compiled.interface["memory"]["blocks"]
    assert len(titles) == len(blocks)
    assert all(any(title.startswith(f"{block['name']}:") for title in titles) for block in blocks)


def test_names_of_a_model_cannot_steer_a_terminal_or_break_the_drawing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b[31mred\n== load ==\n</svg>"
    nodes = [helper.make_node("Relu", ["x"], [evil], name="\x1b]0;title\x07")]
    compiled = compile_model(make_model(nodes, {"x": np.zeros(3, np.float32)}, {}, [evil]).SerializeToString())
    compiled.save(tmp_path / "m")

    assert CompiledModel.load(tmp_path / "m") == compiled
    assert main(["explain", str(tmp_path / "m")]) == 0
    assert main(["cost", str(tmp_path / "m")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said
    ElementTree.parse(tmp_path / "m/memory.svg")


# --- deploy ---


def test_deploy_puts_a_model_on_a_network_and_may_be_run_again(
    folder: Path, replica: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["deploy", str(folder), "--network", replica.url]

    assert [main(command), main(command)] == [0, 0]

    said = capsys.readouterr().out
    state = folder.with_name("out.deployment")
    ids = json.loads((state / "canisters.json").read_text())[replica.root_key.hex()]
    assert said.count("created for model") == 1
    assert "has the module" in said
    assert "has its weights" in said
    with ChainAgent(replica.url, replica.root_key, KeyIdentity.load(state / "deployer.pem")) as agent:
        canister = Inference(agent, Principal.from_text(ids["model"]))
        answer = canister.infer_blob({"inputs": [tensor_blob("features", FEATURES)]})["Ok"]
        assert bytes(canister.describe()["release_hash"]) == release_hash(CompiledModel.load(folder))
    expected = run_model(CompiledModel.load(folder), {"features": FEATURES})["probabilities"]
    assert np.array_equal(array_of(answer["outputs"][0]), expected)


def test_a_model_with_a_door_for_http_is_opened_by_deploy(
    model: Path, folder: Path, tmp_path: Path, replica: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "with"

    assert main(["compile", str(model), "--out", str(out), "--http"]) == 0
    assert main(["deploy", str(out), "--network", replica.url, "--open-http"]) == 0
    assert "open to everybody" in capsys.readouterr().out
    ids = json.loads((tmp_path / "with.deployment/canisters.json").read_text())[replica.root_key.hex()]
    host = f"{ids['model']}.localhost"
    answer = httpx.get(replica.url, headers={"Host": host})

    assert answer.status_code == 200
    assert "features" in answer.text
    assert "compile it with --http" in refused(["deploy", folder, "--network", replica.url, "--open-http"], capsys)
    refused(["compile", model, "--out", tmp_path / "no", "--http", "--stages", "2"], capsys, code=2)


def test_deploy_takes_language_models(
    checkpoint: Path, tmp_path: Path, replica: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    assert main(["compile", str(checkpoint), "--out", str(out), "--slots", "1", "--quantize", "int8"]) == 0
    assert main(["deploy", str(out), "--network", replica.url]) == 0

    assert "answers at" in capsys.readouterr().out
    state = tmp_path / "out.deployment"
    ids = json.loads((state / "canisters.json").read_text())[replica.root_key.hex()]
    with ChainAgent(replica.url, replica.root_key, KeyIdentity.load(state / "deployer.pem")) as agent:
        canister = contract("language", agent, ids["model"])
        options = {"seed": 0, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "max_tokens": 0}
        assert "Ok" in canister.session_open(options)
        assert canister.describe()["sealed"]


def test_a_language_model_is_cut_and_deployed_in_stages(
    checkpoint: Path, tmp_path: Path, replica: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out, config = tmp_path / "out", language_models.config_of("qwen2")

    assert main(["compile", str(checkpoint), "--out", str(out), "--stages", "2", "--slots", "1"]) == 0
    assert main(["deploy", str(out), "--network", replica.url]) == 0
    capsys.readouterr()
    assert "use deploy" in refused(["cost", out], capsys)
    assert "layers" in refused(["compile", checkpoint, "--out", tmp_path / "no", "--stages", "9"], capsys)

    state = tmp_path / "out.deployment"
    ids = json.loads((state / "canisters.json").read_text())[replica.root_key.hex()]
    with ChainAgent(replica.url, replica.root_key, KeyIdentity.load(state / "deployer.pem")) as agent:
        canister = contract("language", agent, ids["stage0"])
        options = {"seed": 0, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "max_tokens": 0}
        asked = {"session": canister.session_open(options)["Ok"]["session"], "max_instructions": 0}
        canister.prompt({**asked, "length": 0, "tokens": [3, 1, 4]})
        made = canister.generate({**asked, "length": 3, "count": 5})["Ok"]["tokens"]
    assert made == language_models.greedy(config, language_models.tensors_of(config), [3, 1, 4], 5)


def test_an_upload_that_was_interrupted_goes_on_where_it_stood(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = np.random.default_rng(0).standard_normal((600, 1000)).astype(np.float32)
    compiled = compile_model(
        make_model([node], {"x": np.zeros((1, 600), np.float32)}, {"w": weights}, ["y"]).SerializeToString()
    )
    agent = chain.agent()
    canister_id = chain.create(agent)
    sent: list[int] = []
    upload = deploy_module._upload

    def dies_at_the_second(canister: Any, index: int, data: bytes) -> None:
        sent.append(index)
        if len(sent) == 2:
            raise KeyboardInterrupt
        upload(canister, index, data)

    monkeypatch.setattr(deploy_module, "_upload", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        deploy_model(agent, compiled, canister_id)
    between = Inference(agent, canister_id).health()
    deployed = deploy_model(agent, compiled, canister_id)

    assert (between["sealed"], between["chunks_present"]) == (False, 1)
    assert sent == [0, 1, 1, 2]
    assert deployed.description["sealed"]


def test_nobody_deploys_into_a_canister_of_somebody_else(
    folder: Path, compiled: CompiledModel, chain: Any, replica: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = chain.create(chain.agent())

    with pytest.raises(CannotDeploy, match="refused to install"):
        deploy_model(chain.agent(), compiled, theirs)
    said = refused(["deploy", folder, "--network", replica.url, "--canister", theirs], capsys)

    assert "not deployed" in said


def test_deploy_says_what_is_wrong_with_a_network_a_key_or_a_record(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.pem").write_text("no key")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/canisters.json").write_text("{")
    away = ["deploy", folder, "--network", "http://localhost:1"]

    assert "cannot be reached" in refused(away, capsys)
    assert "root key" in refused(["deploy", folder, "--network", "https://example.org"], capsys)
    assert "no.pem" in refused([*away, "--root-key", "ic", "--identity", tmp_path / "no.pem"], capsys)
    assert "canisters.json" in refused([*away, "--root-key", "ic", "--state", tmp_path / "state"], capsys)
    assert "compile one first" in refused(["deploy", tmp_path, "--network", "http://localhost:1"], capsys)
    refused([*away, "--canister", "nonsense"], capsys, code=2)
    refused([*away, "--root-key", "xyz"], capsys, code=2)


def test_the_library_does_not_know_the_chain() -> None:
    """Only the command line may reach it: a program that compiles needs no client."""
    program = (
        "import sys, canisters.compiler; print([m for m in sys.modules if m.startswith(('canisters.client', 'ic.'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

"""Files made to do harm are refused without any: in bounded time and memory, with words, and nothing outside the model's folder is read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import CannotCompile, CompilerError, compile_model, pipeline
from canisters.compiler.frontend import load
from canisters.compiler.frontends import onnx_file
from canisters.compiler.frontends.onnx_file import onnx_bytes_of

from .cases import make_model
from .hostile_files import FILES
from .networks import cnn, mlp

F = np.float32
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.canisters.compiler.hostile_files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_file_made_to_do_harm_is_refused_in_bounded_time_and_memory(
    outcomes: dict[str, dict[str, Any]], name: str
) -> None:
    found = outcomes[name]

    assert found["became"].startswith("refused: ")
    assert found["seconds"] < 20
    assert found["mib"] < 1400


# --- bytes that were tampered with ---

MODELS = tuple(m.SerializeToString() for m in (mlp(6, 4, 3), cnn(4, 4, 3)))


def refused_or_planned(data: bytes) -> None:
    """All of the compiler but zig. Anything else than a refusal or a plan is a fault."""
    try:
        graph = pipeline.rewritten(load(data))
        kernels = pipeline.lowered(graph, "f32")
        pipeline.plan_variants([(graph, kernels)], 1 << 16)
    except CannotCompile:
        return


@pytest.mark.slow
@pytest.mark.timeout(120)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    data=st.sampled_from(MODELS),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.integers(0, 400),
)
def test_bytes_changed_at_random_are_refused_or_make_a_model(
    data: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    changed = bytearray(data[: len(data) - end] if end < 40 else data)
    for place, byte in changes:
        # Most of a model is weights: the first half of the changes goes where its structure is.
        changed[place % (300 if place % 2 else len(changed))] = byte

    refused_or_planned(bytes(changed))


ODD = st.sampled_from([0, 1, -1, 2, 3, 7, -128, 1 << 20, 1 << 31, -(1 << 31), 1 << 40, (1 << 63) - 1, -(1 << 63)])
NODES: dict[str, tuple[list[tuple[int, ...]], dict[str, int]]] = {
    # shapes of the inputs; attributes to set, and how many numbers each has (0 for a single one)
    "Conv": ([(1, 2, 5, 5), (2, 2, 3, 3)], {"pads": 4, "strides": 2, "dilations": 2, "group": 0, "kernel_shape": 2}),
    "MaxPool": ([(1, 2, 5, 5)], {"pads": 4, "strides": 2, "dilations": 2, "kernel_shape": 2, "ceil_mode": 0}),
    "AveragePool": ([(1, 2, 5, 5)], {"pads": 4, "strides": 2, "kernel_shape": 2, "count_include_pad": 0}),
    "Transpose": ([(2, 3, 4)], {"perm": 3}),
    "Softmax": ([(2, 3)], {"axis": 0}),
    "Concat": ([(2, 3), (2, 3)], {"axis": 0}),
    "Flatten": ([(2, 3)], {"axis": 0}),
    "LayerNormalization": ([(2, 3), (3,)], {"axis": 0, "stash_type": 0}),
    "ArgMax": ([(2, 3)], {"axis": 0, "select_last_index": 0, "keepdims": 0}),
    "Gemm": ([(2, 3), (3, 4)], {"transA": 0, "transB": 0}),
    "Cast": ([(2, 3)], {"to": 0}),
    "Gather": ([(2, 3), (2,)], {"axis": 0}),
    "Split": ([(4, 3)], {"axis": 0, "num_outputs": 0}),
    "ConvTranspose": ([(1, 2, 5, 5), (2, 2, 3, 3)], {"pads": 4, "strides": 2, "output_padding": 2, "output_shape": 2, "group": 0}),
    "DepthToSpace": ([(1, 8, 2, 2)], {"blocksize": 0}),
    "LSTM": ([(3, 1, 4), (1, 8, 4), (1, 8, 2)], {"hidden_size": 0, "layout": 0}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(120)
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    op=st.sampled_from(sorted(NODES)),
    numbers=st.lists(ODD, min_size=16, max_size=16),
    kept=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_attributes_that_no_valid_model_has_are_refused_or_make_a_model(
    op: str, numbers: list[int], kept: list[bool]
) -> None:
    shapes, attributes = NODES[op]
    left = iter(numbers)
    chosen = {
        name: [next(left) for _ in range(count)] if count else next(left)
        for (name, count), keep in zip(attributes.items(), kept, strict=False)
        if keep
    }
    names = [f"x{i}" for i in range(len(shapes))]
    index = {"Gather": 1}.get(op)
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.INT64 if i == index else TensorProto.FLOAT, s)
        for i, (n, s) in enumerate(zip(names, shapes, strict=True))
        if not i or i == index
    ]
    weights = [
        numpy_helper.from_array(np.ones(s, F), n)
        for i, (n, s) in enumerate(zip(names, shapes, strict=True))
        if i and i != index
    ]
    node = helper.make_node(op, names, ["y"], **chosen)
    graph = helper.make_graph(
        [node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n",))], weights
    )

    refused_or_planned(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), -0.0, 3e38, 1e-45])
def test_attributes_that_are_no_number_make_c_all_the_same(number: float) -> None:
    nodes = [
        helper.make_node("LeakyRelu", ["x"], ["a"], alpha=number),
        helper.make_node("HardSigmoid", ["a"], ["b"], alpha=number, beta=number),
        helper.make_node("LayerNormalization", ["b", "s"], ["y"], epsilon=number),
    ]

    refused_or_planned(make_model(nodes, {"x": np.zeros((2, 3), F)}, {"s": np.ones(3, F)}, ["y"]).SerializeToString())


EVIL = [
    'a"b',
    "a\nb",
    "a\rb",
    "*/ abort(); /*",
    "a\\",
    "??/",
    "%s{x0}{{}}",
    "#include <x>",
    "\u2028\u202e",
    "\0a",
    "x" * 5000,
    "é" * 300,
    "int",
    "T_x",
    " ",
]


def test_names_from_the_model_are_never_code() -> None:
    """Every kind of name that a model gives: of nodes, tensors, constants, the graph, its documentation."""
    nodes, inputs, constants = [], {}, {}
    for i, evil in enumerate(EVIL):
        given, weight, made = f"{evil}{i}in", f"{evil}{i}w", f"{evil}{i}out"
        inputs[given], constants[weight] = np.zeros((1, 3), F), np.full((3, 2), i, F)
        nodes.append(helper.make_node("MatMul", [given, weight], [made], name=evil, doc_string=evil))
    model = make_model(nodes, inputs, constants, [node.output[0] for node in nodes])
    model.graph.name = model.graph.doc_string = model.producer_name = "*/ \\\n#error"

    compiled = compile_model(model.SerializeToString())

    assert [info["name"] for info in compiled.interface["inputs"]] == list(inputs)
    code = [line.split("//")[0] for line in compiled.c_source.splitlines()]
    assert not re.search(r"\babort\b|#error|#include <x>|%s|\?\?/|\*/", "\n".join(code))


# --- weights in other files ---


def outside(folder: Path, location: str, *, size: int = 3, **entries: str) -> Path:
    """x + w, where w lies in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[size], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (3,)) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [tensor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_model_are_put_inside(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "w.bin").write_bytes(b"skip" + np.array([1, 2, 3], F).tobytes() + b"rest")

    model = onnx.load_from_string(onnx_bytes_of(outside(tmp_path, "deep/w.bin", offset="4", length="12")))

    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == [1, 2, 3]
    assert load(model.SerializeToString()).nodes


def test_a_model_without_other_files_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(MODELS[0])

    assert onnx_bytes_of(path) == MODELS[0]


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../secret",
        "a/../../secret",
        "..",
        ".",
        "",
        "sub",
        "link",
        "folder/secret",
        "C:\\secret",
        "..\\secret",
        "\\\\host\\share",
        "secret\0",
        "/dev/zero",
    ],
)
def test_files_outside_the_folder_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "folder").symlink_to(tmp_path)

    with pytest.raises(CannotCompile) as caught:
        onnx_bytes_of(outside(home, location))

    assert "folder" in caught.value.reason
    assert caught.value.what_to_do == "Put it beside the model"


def test_a_pipe_beside_the_model_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CannotCompile, match="no file"):
        onnx_bytes_of(outside(tmp_path, "pipe"))


@pytest.mark.parametrize(
    ("entries", "size", "reason"),
    [
        ({"offset": "-4"}, 3, "names the place"),
        ({"offset": "1e3"}, 3, "names the place"),
        ({"offset": "9" * 40}, 3, "names the place"),
        ({"offset": "8"}, 3, "ends at byte 16"),
        ({"length": "16"}, 3, "needs 12"),
        ({}, 1 << 40, "needs more than"),
        ({}, -3, "cannot be in another file"),
    ],
)
def test_places_that_are_not_there_are_refused(tmp_path: Path, entries: dict[str, str], size: int, reason: str) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))

    with pytest.raises(CannotCompile) as caught:
        onnx_bytes_of(outside(tmp_path, "w.bin", size=size, **entries))

    assert reason in caught.value.reason


def test_a_missing_file_and_a_file_that_is_too_large_are_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CannotCompile, match="cannot be read: No such file"):
        onnx_bytes_of(outside(tmp_path, "w.bin"))

    path = tmp_path / "model.onnx"
    monkeypatch.setattr(onnx_file, "MAX_MODEL_BYTES", 10)
    with pytest.raises(CompilerError, match="At most 10 are taken"):
        onnx_bytes_of(path)

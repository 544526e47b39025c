"""What cannot be compiled is refused with the node's name, the reason and what to do; what is hostile, before it costs anything."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from canisters.compiler import CannotCompile, compile_model
from canisters.compiler.frontend import load

from .cases import make_model, node_case
from .networks import mlp

F = np.float32


def refusal(model: onnx.ModelProto | bytes, axes: dict[str, int] | None = None) -> CannotCompile:
    with pytest.raises(CannotCompile) as caught:
        compile_model(model if isinstance(model, bytes) else model.SerializeToString(), axes=axes)
    assert caught.value.node
    assert caught.value.what_to_do
    return caught.value


def one_node(
    op: str, *shapes: tuple[int, ...], dtype: int = TensorProto.FLOAT, domain: str = "", **attributes: Any
) -> onnx.ModelProto:
    names = [f"x{i}" for i in range(len(shapes))]
    node = helper.make_node(op, names, ["y"], name="culprit", domain=domain, **attributes)
    inputs = [helper.make_tensor_value_info(name, dtype, shape) for name, shape in zip(names, shapes, strict=True)]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", dtype, ("n",))])
    imports = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (one_node("RandomNormalLike", (3,)), "this operator is not offered"),
        (one_node("NonZero", (3,)), "is only known at run time"),
        (one_node("FastGelu", (3,), domain="com.microsoft"), "the domain 'com.microsoft' is not part of ONNX"),
        (one_node("Relu", (3,), dtype=TensorProto.STRING), "it is object"),
        (one_node("Add", (3,), (3,), dtype=TensorProto.FLOAT8E4M3FN), "is float8_e4m3fn, which is not computed here"),
        (one_node("Add", (3,), (4,)), "do not broadcast"),
        (one_node("MatMul", (3, 4), (5, 6)), "do not multiply"),
        (one_node("Concat", (3, 4), (5, 6), axis=0), "differ in more than axis 0"),
        (one_node("Transpose", (3, 4), perm=[0, 0]), "is no order of 2 axes"),
        (one_node("Softmax", (3, 4), axis=7), "axis 7 is outside"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(model: onnx.ModelProto, reason: str) -> None:
    found = refusal(model)

    assert reason in found.reason
    assert "culprit" in found.node or "x0" in found.node


def test_training_nodes_are_refused_with_what_to_do() -> None:
    dropout = helper.make_node("Dropout", ["x", "ratio", "trains"], ["y"], name="culprit")
    constants = {"ratio": np.array(0.5, F), "trains": np.array(True)}
    case = make_model([dropout], {"x": np.zeros((1, 2), F)}, constants, ["y"])

    assert refusal(case).what_to_do == "Export the network in evaluation mode (network.eval())"


def test_a_symbolic_axis_needs_a_size() -> None:
    model = one_node("Relu", ("batch", 3))  # type: ignore[arg-type]

    assert "'batch'" in refusal(model).reason
    assert refusal(model).what_to_do == "Give it one: axes={'batch': 1}"
    assert "no input has an axis 'bath'" in refusal(model, {"batch": 1, "bath": 2}).reason
    assert "the size 0" in refusal(model, {"batch": 0}).reason
    assert compile_model(model.SerializeToString(), axes={"batch": 2}).interface["inputs"][0]["shape"] == [2, 3]


def test_chains_of_shapes_fold_away() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["first"]),
        helper.make_node("Unsqueeze", ["first", "zero1"], ["row"]),
        helper.make_node("Concat", ["row", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {"zero": np.array(0), "zero1": np.array([0]), "rest": np.array([-1])}

    graph = load(make_model(nodes, {"x": np.zeros((2, 3, 4), F)}, constants, ["y"]).SerializeToString())

    assert [node.op for node in graph.nodes] == ["Reshape"]
    assert graph.type("y").shape == (2, 12)


# --- hostile files ---


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"\xff" * 1000, b"PK\x03\x04", mlp().SerializeToString()[:-40]])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    assert refusal(data).node in ("the file", "the model")


def test_data_in_another_file_is_refused() -> None:
    model = mlp()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")

    assert "in another file" in refusal(model).reason


def test_data_in_another_file_within_a_node_is_refused() -> None:
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    node = helper.make_node("Constant", [], ["c"], name="hidden", value=tensor)
    add = helper.make_node("Add", ["x0", "c"], ["y"])
    graph = helper.make_graph(
        [node, add], "g", [helper.make_tensor_value_info("x0", 1, (3,))], [helper.make_tensor_value_info("y", 1, (3,))]
    )

    assert refusal(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def test_a_cycle_is_refused() -> None:
    nodes = [helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, (3,))], [helper.make_tensor_value_info("b", 1, (3,))]
    )

    assert refusal(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (1 << 62, 4), (-5, 3)])
def test_an_absurd_input_is_refused_at_once(shape: tuple[int, ...]) -> None:
    started = time.monotonic()

    refusal(one_node("Relu", shape))

    assert time.monotonic() - started < 5


def test_an_initializer_that_claims_more_than_it_holds_is_refused() -> None:
    model = mlp()
    model.graph.initializer[0].dims[:] = [1 << 30, 1 << 30]

    assert refusal(model)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Expand", {"a": np.zeros(1, F), "b": np.array([1 << 20, 1 << 20])}),
        ("Tile", {"a": np.zeros(1, F), "b": np.array([1 << 40])}),
        ("ConstantOfShape", {"b": np.array([1 << 36])}),
        ("Range", {"a": np.array(0), "b": np.array(1 << 40), "c": np.array(1)}),
        ("Pad", {"a": np.zeros(1, F), "b": np.array([1 << 34, 1 << 34])}),
    ],
)
def test_a_small_model_that_makes_a_huge_constant_is_refused(op: str, inputs: dict[str, np.ndarray]) -> None:
    nodes = [helper.make_node(op, list(inputs), ["big"], name="bomb"), helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, (3,))], [helper.make_tensor_value_info("y", 1, (3,))],
        [onnx.numpy_helper.from_array(array, name) for name, array in inputs.items()],
    )  # fmt: skip

    found = refusal(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))

    assert "it would make a constant" in found.reason


def test_weights_beyond_a_canisters_memory_are_refused() -> None:
    wide = node_case("MatMul", [np.zeros((1, 2), F), np.zeros((2, 3), F)], constants=(1,)).model
    model = onnx.ModelProto.FromString(wide.SerializeToString())
    for _ in range(1):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1 << 28

    assert "GiB" in refusal(model).what_to_do


def test_names_from_the_model_cannot_reach_into_the_c() -> None:
    evil = '*/ int x = system("rm"); // \\\n #include "/etc/passwd" %s {x0} {{'
    nodes = [helper.make_node("Relu", [evil], ['y\u00e9?"\\'], name=evil + "\u2028")]

    compiled = compile_model(make_model(nodes, {evil: np.zeros(3, F)}, {}, ['y\u00e9?"\\']).SerializeToString())

    assert compiled.interface["inputs"][0]["name"] == evil
    assert '#include "/etc' not in "\n".join(
        line for line in compiled.c_source.splitlines() if not line.startswith("//")
    )

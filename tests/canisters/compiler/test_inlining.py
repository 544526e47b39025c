"""Graphs within graphs: branches, loops and ONNX's own definitions are laid out flat, and what cannot be is refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import CannotCompile, frontend, pipeline
from canisters.compiler.equality import reference_outputs
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL

pytestmark = pytest.mark.slow
X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)


def graph(name: str, nodes: Sequence[onnx.NodeProto], inputs: Sequence[tuple[str, int, Sequence[int | str]]], outputs: Sequence[tuple[str, int, int]],
          constants: dict[str, np.ndarray] | None = None) -> onnx.GraphProto:  # fmt: skip
    return helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*given) for given in inputs],
        [
            helper.make_tensor_value_info(key, kind, [f"{key}{axis}" for axis in range(rank)])
            for key, kind, rank in outputs
        ],
        [numpy_helper.from_array(array, key) for key, array in (constants or {}).items()],
    )


def model(of: onnx.GraphProto, opset: int = 18) -> bytes:
    made = helper.make_model(of, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return bytes(made.SerializeToString())


def answers(onnx_bytes: bytes, inputs: dict[str, np.ndarray], **given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    built = pipeline.build_graph(frontend.load(onnx_bytes, **given))
    return LocalModel(built.module.wasm, chunks(built.plan.weights_data)).run(inputs)


def branches() -> tuple[onnx.GraphProto, onnx.GraphProto]:
    """Two branches that capture x and an outer weight, one with a weight of its own; both use the same inner names."""
    then = graph(
        "then",
        [helper.make_node("Mul", ["x", "inner"], ["t"]), helper.make_node("Add", ["t", "outer"], ["r"])],
        [],
        [("r", FLOAT, 2)],
        {"inner": np.array([2, 3, 4], np.float32)},
    )
    other = graph(
        "else",
        [helper.make_node("Neg", ["x"], ["t"]), helper.make_node("Identity", ["t"], ["r"])],
        [],
        [("r", FLOAT, 2)],
    )
    return then, other


def with_if(condition: Sequence[onnx.NodeProto], inputs: Sequence[tuple[str, int, Sequence[int | str]]]) -> bytes:
    then, other = branches()
    first = helper.make_node("If", ["c"], ["a"], name="first", then_branch=then, else_branch=other)
    second = helper.make_node("If", ["c"], ["b"], name="second", then_branch=then, else_branch=other)
    nodes = [*condition, first, second, helper.make_node("Add", ["a", "b"], ["y"])]
    return model(graph("g", nodes, inputs, [("y", FLOAT, 2)], {"outer": np.array([10], np.float32)}))


def test_a_branch_is_chosen_by_a_condition_on_a_shape() -> None:
    size = numpy_helper.from_array(np.array(6), "v")
    condition = [
        helper.make_node("Size", ["x"], ["n"]),
        helper.make_node("Constant", [], ["six"], value=size),
        helper.make_node("Equal", ["n", "six"], ["c"]),
    ]
    onnx_bytes = with_if(condition, [("x", FLOAT, ["rows", 3])])

    taken = answers(onnx_bytes, {"x": X}, axes={"rows": 2})
    other = answers(onnx_bytes, {"x": X[:1]}, axes={"rows": 1})

    assert np.array_equal(taken["y"], 2 * (X * np.array([2, 3, 4], np.float32) + 10))
    assert np.array_equal(other["y"], -2 * X[:1])


def test_a_condition_known_only_at_run_time_picks_between_both_branches() -> None:
    onnx_bytes = with_if([], [("x", FLOAT, [2, 3]), ("c", BOOL, [1])])
    built = pipeline.build_graph(frontend.load(onnx_bytes))
    running = LocalModel(built.module.wasm, chunks(built.plan.weights_data))

    for flag in (True, False):
        given = {"x": X, "c": np.array([flag])}

        assert np.array_equal(running.run(given)["y"], reference_outputs(onnx_bytes, [given])[0]["y"])


def test_an_input_is_fixed_when_compiling() -> None:
    onnx_bytes = with_if([], [("x", FLOAT, [2, 3]), ("c", BOOL, [1])])

    loaded = frontend.load(onnx_bytes, constants={"c": np.array([False])})

    assert loaded.inputs == ("x",)
    assert {node.op for node in loaded.nodes} == {"Neg", "Identity", "Add"}


@pytest.mark.parametrize(
    ("constants", "reason"),
    [
        ({"d": np.array([True])}, "no such input"),
        ({"c": np.array([1.0])}, "it is float64"),
        ({"c": np.array([True, False])}, r"it is bool \(2\)"),
    ],
)
def test_a_fixed_input_that_does_not_fit_is_refused(constants: dict[str, np.ndarray], reason: str) -> None:
    onnx_bytes = with_if([], [("x", FLOAT, [2, 3]), ("c", BOOL, [1])])

    with pytest.raises(CannotCompile, match=reason):
        frontend.load(onnx_bytes, constants=constants)


def test_a_fixed_input_gives_its_symbolic_axes_their_sizes() -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    onnx_bytes = model(graph("g", nodes, [("a", FLOAT, ["n"]), ("b", FLOAT, ["n"])], [("y", FLOAT, 1)]))

    loaded = frontend.load(onnx_bytes, constants={"b": np.ones(5, np.float32)})

    assert loaded.type("y").shape == (5,)


def test_branches_of_different_shapes_need_a_known_condition() -> None:
    then = graph("then", [helper.make_node("Identity", ["x"], ["r"])], [], [("r", FLOAT, 2)])
    other = graph("else", [helper.make_node("Transpose", ["x"], ["r"])], [], [("r", FLOAT, 2)])
    node = helper.make_node("If", ["c"], ["y"], name="choice", then_branch=then, else_branch=other)
    onnx_bytes = model(graph("g", [node], [("x", FLOAT, [2, 3]), ("c", BOOL, [])], [("y", FLOAT, 2)]))

    with pytest.raises(
        CannotCompile, match=r"If 'choice': its condition is only known at run time.*\(2, 3\) and float32 \(3, 2\)"
    ):
        frontend.load(onnx_bytes)


def loop(
    body: Sequence[onnx.NodeProto],
    outputs: Sequence[tuple[str, int, int]],
    constants: dict[str, np.ndarray],
    results: int,
) -> bytes:
    inner = graph("body", body, [("i", INT, []), ("going", BOOL, []), ("v", FLOAT, [2, 3])], outputs)
    node = helper.make_node("Loop", ["count", "start", "x"], ["y", "rows"][:results], name="loop", body=inner)
    return model(graph("g", [node], [("x", FLOAT, [2, 3])], [("y", FLOAT, 2), ("rows", FLOAT, 1)][:results], constants))


STEPS = [
    helper.make_node("Cast", ["i"], ["f"], to=FLOAT),
    helper.make_node("Add", ["v", "f"], ["next"]),
    helper.make_node("ReduceSum", ["next"], ["row"], keepdims=0),
]


def test_a_loop_of_known_length_is_repeated_and_its_rows_are_stacked() -> None:
    body = [helper.make_node("Identity", ["going"], ["goes"]), *STEPS]
    known = {"count": np.array(4), "start": np.array(True)}
    onnx_bytes = loop(body, [("goes", BOOL, 0), ("next", FLOAT, 2), ("row", FLOAT, 0)], known, 2)

    found, expected = answers(onnx_bytes, {"x": X}), reference_outputs(onnx_bytes, [{"x": X}])[0]

    assert np.allclose(found["y"], expected["y"])
    assert np.allclose(found["rows"], expected["rows"], atol=1e-6)


def test_a_loop_ends_when_its_condition_says_so() -> None:
    two = numpy_helper.from_array(np.array(2), "v")
    body = [
        helper.make_node("Constant", [], ["two"], value=two),
        helper.make_node("Less", ["i", "two"], ["goes"]),
        *STEPS[:2],
    ]
    known = {"count": np.array(100), "start": np.array(True)}
    onnx_bytes = loop(body, [("goes", BOOL, 0), ("next", FLOAT, 2)], known, 1)

    found = answers(onnx_bytes, {"x": X})

    assert np.allclose(found["y"], reference_outputs(onnx_bytes, [{"x": X}])[0]["y"])


def test_a_loop_that_would_be_very_long_is_refused() -> None:
    body = [helper.make_node("Identity", ["going"], ["goes"]), *STEPS]
    known = {"count": np.array(1 << 40), "start": np.array(True)}
    onnx_bytes = loop(body, [("goes", BOOL, 0), ("next", FLOAT, 2), ("row", FLOAT, 0)], known, 2)

    with pytest.raises(CannotCompile, match="Loop 'loop': it repeats more than 256 times"):
        frontend.load(onnx_bytes)


def test_loops_in_loops_end_with_a_refusal_and_not_with_the_machine() -> None:
    nodes = [helper.make_node("Identity", ["going0"], ["goes0"]), helper.make_node("Neg", ["v0"], ["next0"])]
    for depth in range(8):
        given = [(f"i{depth}", INT, []), (f"going{depth}", BOOL, []), (f"v{depth}", FLOAT, [2, 3])]
        body = graph("body", nodes, given, [(f"goes{depth}", BOOL, 0), (f"next{depth}", FLOAT, 2)])
        outer = helper.make_node("Loop", ["count", "", f"v{depth + 1}"], [f"next{depth + 1}"], body=body)
        nodes = [helper.make_node("Identity", [f"going{depth + 1}"], [f"goes{depth + 1}"]), outer]
    last = helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)
    onnx_bytes = model(graph("g", [last], [("x", FLOAT, [2, 3])], [("y", FLOAT, 2)], {"count": np.array(200)}))

    with pytest.raises(CannotCompile, match="laid out flat it has more than"):
        frontend.load(onnx_bytes)


def test_scan_runs_both_ways() -> None:
    body = graph(
        "body",
        [helper.make_node("Add", ["sum", "row"], ["next"]), helper.make_node("Mul", ["next", "row"], ["out"])],
        [("sum", FLOAT, [3]), ("row", FLOAT, [3])],
        [("next", FLOAT, 1), ("out", FLOAT, 1)],
    )
    node = helper.make_node("Scan", ["zero", "x"], ["y", "rows"], body=body, num_scan_inputs=1, scan_input_directions=[1],
                            scan_output_directions=[1], scan_output_axes=[-1])  # fmt: skip
    onnx_bytes = model(
        graph(
            "g",
            [node],
            [("x", FLOAT, [2, 3])],
            [("y", FLOAT, 1), ("rows", FLOAT, 2)],
            {"zero": np.zeros(3, np.float32)},
        )
    )

    found, expected = answers(onnx_bytes, {"x": X}), reference_outputs(onnx_bytes, [{"x": X}])[0]

    assert np.allclose(found["y"], expected["y"])
    assert np.allclose(found["rows"], expected["rows"])


def test_weights_of_an_inner_graph_in_another_file_are_refused() -> None:
    then, other = branches()
    then.initializer[0].data_location = TensorProto.EXTERNAL
    entry = then.initializer[0].external_data.add()
    entry.key, entry.value = "location", "../secrets"
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    given = [("x", FLOAT, [2, 3]), ("c", BOOL, [])]
    onnx_bytes = model(graph("g", [node], given, [("y", FLOAT, 2)], {"outer": np.array([1], np.float32)}))

    with pytest.raises(CannotCompile, match="its data is in another file"):
        frontend.load(onnx_bytes)


def test_an_operator_that_onnx_defines_by_others_is_written_out() -> None:
    nodes = [helper.make_node("MeanVarianceNormalization", ["x"], ["y"], axes=[1], name="mvn")]
    onnx_bytes = model(graph("g", nodes, [("x", FLOAT, [2, 3])], [("y", FLOAT, 2)]))

    found = answers(onnx_bytes, {"x": X})

    assert np.allclose(found["y"], reference_outputs(onnx_bytes, [{"x": X}])[0]["y"], atol=1e-5)

"""Gather, Scatter and their kin against ONNX's reference and plain numpy; indices outside an axis, known when compiled or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper

from canisters.compiler import CannotCompile
from canisters.compiler.errors import BadInput
from canisters.compiler.frontend import load
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks
from canisters.compiler.pipeline import build_model

from .cases import Case, differences, make_model, node_case, onnx_runtime, prefix, run_together, together

TYPES = (np.float32, np.float64, np.float16, np.int64, np.int8, np.uint16, np.bool_)


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return (np.arange(np.prod(shape, dtype=int)) % 97).reshape(shape).astype(dtype)


def gathers() -> Iterator[Case]:
    for dtype in TYPES:
        yield node_case(
            "Gather", [numbers(4, 3, dtype=dtype), np.array([[2, -1], [0, -4]])], name=f"Gather {dtype.__name__}"
        )
    for axis in (0, 1, 2, -1):
        for indices in (np.array([0, 1, -2, 1], np.int32), np.array(1), np.zeros((0,), np.int64)):
            yield node_case(
                "Gather", [numbers(2, 3, 5), indices], name=f"Gather axis {axis} {indices.shape}", axis=axis
            )
    for indices in ([1, 3, 5], [5, 3, 1], [0], [2, 2, 2], [3, 0, 4], [-1, -2], []):
        yield node_case(
            "Gather", [numbers(6, 2), np.array(indices, np.int64)], name=f"Gather constant {indices}", constants=(1,)
        )
    yield node_case("Gather", [numbers(3, 40), np.array([2, 0])], name="Gather long runs")
    yield node_case("Gather", [numbers(6, 2), np.array([4, 0])], name="Gather from a constant table", constants=(0,))
    for axis in (0, 1, -1):
        places = np.array([[[1, -1], [0, 0], [1, 0]], [[0, 1], [-2, 1], [1, 1]]])
        yield node_case(
            "GatherElements",
            [numbers(2, 3, 2), places % 2 if axis == 0 else places],
            name=f"GatherElements {axis}",
            axis=axis,
        )
    yield node_case("GatherElements", [numbers(5), np.array([4, -5], np.int32)], name="GatherElements of a row")
    for batch, shape in ((0, (2, 1)), (0, (3, 2)), (0, (1, 3)), (1, (2, 4, 1)), (1, (2, 2)), (2, (2, 3, 1))):
        places = np.random.default_rng(0).integers(-2, 2, shape)
        yield node_case("GatherND", [numbers(2, 3, 4), places], name=f"GatherND {batch} {shape}", batch_dims=batch)
    for dtype in (np.int8, np.bool_):
        yield node_case(
            "GatherND", [numbers(3, 4, dtype=dtype), np.array([[2, 1], [0, 3]])], name=f"GatherND {dtype.__name__}"
        )
    for axis in (0, 1, None):
        chosen = {} if axis is None else {"axis": axis}
        yield node_case(
            "Compress",
            [numbers(3, 4), np.array([False, True, True])],
            name=f"Compress {axis}",
            constants=(1,),
            **chosen,
        )


def scatters() -> Iterator[Case]:
    x, updates = numbers(3, 4) + 1, numbers(2, 4) - 3
    places = np.array([[0, 2, -1, 1], [1, -3, 0, 2]])
    for reduction in ("none", "add", "mul", "max", "min"):
        for axis in (0, 1):
            yield node_case(
                "ScatterElements",
                [x, places, updates],
                name=f"ScatterElements {reduction} {axis}",
                axis=axis,
                reduction=reduction,
            )
        for dtype in (np.float64, np.int64, np.uint8):
            given = [x.astype(dtype), places, np.abs(updates).astype(dtype)]
            yield node_case(
                "ScatterElements", given, name=f"ScatterElements {reduction} {dtype.__name__}", reduction=reduction
            )
        for shape in ((2, 1), (3, 2), (1, 1)):
            at = np.random.default_rng(1).integers(-3, 3, shape)
            new = numbers(*shape[:-1], *(3, 4, 5)[shape[-1] :]) - 9
            yield node_case(
                "ScatterND", [numbers(3, 4, 5), at, new], name=f"ScatterND {reduction} {shape}", reduction=reduction
            )
    for reduction in ("max", "min"):
        given = [
            np.array([2.0, np.nan, 3.0], np.float32),
            np.array([[0], [1], [2]]),
            np.array([np.nan, 1.0, 4.0], np.float32),
        ]
        yield node_case("ScatterND", given, name=f"ScatterND {reduction} of no numbers", reduction=reduction)
    yield node_case("ScatterND", [x.astype(bool), np.array([[1]]), np.ones((1, 4), bool)], name="ScatterND bool")
    yield node_case(
        "ScatterElements",
        [x, np.zeros((0, 4), np.int64), np.zeros((0, 4), np.float32)],
        name="ScatterElements of nothing",
    )
    yield node_case("Scatter", [x, places, updates], name="Scatter", opset=10, axis=0, judge=onnx_runtime)
    for mode, at in (("linear", [0, 2]), ("circular", [3, 7])):
        given = [numbers(2, 3, 4, 5), numbers(2, 3, 2, 5) - 50, np.array(at)]
        yield node_case("TensorScatter", given, name=f"TensorScatter {mode}", opset=24, mode=mode)


@pytest.mark.slow
@pytest.mark.parametrize("family", [gathers, scatters], ids=lambda family: family.__name__)
def test_elements_come_from_and_go_to_the_places_that_onnx_says(family: Callable[[], Iterator[Case]]) -> None:
    cases = list(family())

    found = run_together(cases)

    assert len({case.name for case in cases}) == len(cases) > 20
    assert differences(cases, found) == []


# --- places that are not there ---


def readers() -> Iterator[tuple[Case, np.ndarray]]:
    """Nodes that read or write at given places, and for each a value of its second or third input that names one outside."""
    x = numbers(3, 4)
    yield node_case("Gather", [x, np.array([0, 2])], name="Gather"), np.array([0, 3])
    yield node_case("Gather", [x, np.array([0], np.int32)], name="Gather int32"), np.array([-4], np.int32)
    yield (
        node_case("GatherElements", [x, np.array([[0, 2, 1, 0]])], name="GatherElements"),
        np.array([[0, 2, 1, 2**40]]),
    )
    yield node_case("GatherND", [x, np.array([[2, 3]])], name="GatherND"), np.array([[2, 4]])
    yield (
        node_case("ScatterElements", [x, np.array([[1]]), numbers(1, 1)], name="ScatterElements"),
        np.array([[-(2**63)]]),
    )
    yield node_case("ScatterND", [x, np.array([[1]]), numbers(1, 4)], name="ScatterND"), np.array([[3]])
    for mode, bad in (("linear", 2), ("circular", -1)):
        given = [numbers(1, 3, 4), numbers(1, 2, 4), np.array([1])]
        yield node_case("TensorScatter", given, name=f"TensorScatter {mode}", opset=24, mode=mode), np.array([bad])
    yield node_case("ReverseSequence", [x, np.array([3, 1, 2, 3])], name="ReverseSequence"), np.array([3, 1, 4, 3])
    yield (
        node_case("RoiAlign", [numbers(1, 1, 4, 4), numbers(1, 4), np.array([0])], name="RoiAlign", output_height=2),
        np.array([1]),
    )


@pytest.mark.slow
def test_a_place_outside_fails_the_call_in_words_and_the_next_call_is_answered() -> None:
    found = [(replace_opset(case), bad) for case, bad in readers()]
    cases = [case for case, _ in found]
    built = build_model(together(cases).SerializeToString())
    model = LocalModel(built.module.wasm, chunks(built.plan.weights_data))
    good = {prefix(i) + name: array for i, case in enumerate(cases) for name, array in case.inputs.items()}

    for index, (case, bad) in enumerate(found):
        name = next(n for n, a in case.inputs.items() if (a.dtype, a.shape) == (bad.dtype, bad.shape))
        with pytest.raises(BadInput) as refused:
            model.run({**good, prefix(index) + name: bad})

        assert case.name.split()[0] in str(refused.value)
        assert "outside" in str(refused.value) or "longer" in str(refused.value) or "no batch" in str(refused.value)

    answers = model.run(good)
    assert differences(cases, {case.name: {"y0": answers[f"{prefix(i)}y0"]} for i, case in enumerate(cases)}) == []


def replace_opset(case: Case) -> Case:
    """All of one version, so that they fit into one graph."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.opset_import[0].version = 24
    return replace(case, model=model)


@pytest.mark.parametrize("op", ["Gather", "GatherElements", "ScatterElements"])
def test_a_constant_place_outside_is_refused_when_compiling(op: str) -> None:
    inputs = [numbers(3, 4), np.array([[0, 3, 0, 0]]), numbers(1, 4)]
    node = helper.make_node(op, ["x", "i", "u"][: 3 if "Scatter" in op else 2], ["y"], name="culprit")
    given = {"x": inputs[0], **({"u": inputs[2]} if "Scatter" in op else {})}

    with pytest.raises(CannotCompile) as refused:
        load(make_model([node], given, {"i": inputs[1]}, ["y"]).SerializeToString())

    assert refused.value.reason == "the index 3 is outside axis 0 of size 3"
    assert "culprit" in refused.value.node


@pytest.mark.parametrize("op", ["Gather", "GatherND"])
def test_an_empty_axis_has_no_places(op: str) -> None:
    node = helper.make_node(op, ["x", "i"], ["y"])

    with pytest.raises(CannotCompile, match="axis of size 0"):
        load(make_model([node], {"x": numbers(0, 4), "i": np.array([0])}, {}, ["y"]).SerializeToString())


def test_a_condition_that_decides_the_shape_must_be_constant() -> None:
    node = helper.make_node("Compress", ["x", "c"], ["y"], axis=0)

    with pytest.raises(CannotCompile, match="decides a shape and is only known at run time"):
        load(make_model([node], {"x": numbers(2, 4), "c": np.array([True, False])}, {}, ["y"]).SerializeToString())


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("NonZero", [numbers(2, 3)]),
        ("Unique", [numbers(4)]),
        ("Range", [np.array(0), np.array(5), np.array(1)]),
        ("ConstantOfShape", [np.array([2, 3])]),
        ("HannWindow", [np.array(8)]),
        ("NonMaxSuppression", [numbers(1, 4, 4), numbers(1, 1, 4)]),
    ],
)
def test_what_has_as_many_elements_as_its_values_say_is_refused_with_what_to_do(
    op: str, inputs: list[np.ndarray]
) -> None:
    model = make_model([], {f"x{i}": array for i, array in enumerate(inputs)}, {}, [])
    model.graph.node.append(helper.make_node(op, [f"x{i}" for i in range(len(inputs))], ["y"], name="culprit"))
    model.graph.output.append(helper.make_empty_tensor_value_info("y"))
    model.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(1 if op == "HannWindow" else 7, ["n"]))

    with pytest.raises(CannotCompile) as refused:
        load(model.SerializeToString())

    assert refused.value.reason == "input 0 ('x0') decides a shape and is only known at run time"
    assert "constant" in refused.value.what_to_do

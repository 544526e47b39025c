"""Reductions, places of extremes, softmax and its kin: every type, axis and empty set, against ONNX's reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
import pytest
from onnx import helper

from canisters.compiler import CannotCompile
from canisters.compiler.frontend import load

from .cases import Case, differences, make_model, node_case, onnx_runtime, reference, run_together

JOINED = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare")
LOGARITHMIC = ("ReduceLogSum", "ReduceLogSumExp")


def values(*shape: int, dtype: type = np.float32, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    found = np.random.default_rng(sum(shape)).uniform(low, high, shape)
    return (np.trunc(found * 5) if np.issubdtype(dtype, np.integer) else found).astype(dtype)


def over_axes() -> Iterator[Case]:
    for op in (*JOINED, *LOGARITHMIC):
        low = 0.1 if op == "ReduceLogSum" else -2.0
        for axes in ([1], [0, 2], [-1], [0, 1, 2, 3], [3, 1], [2]):
            for keeps in (0, 1):
                given = [values(2, 3, 1, 5, low=low), np.array(axes)]
                yield node_case(op, given, name=f"{op} {axes} {keeps}", constants=(1,), keepdims=keeps)
        yield node_case(op, [values(3, 37, low=low), np.array([1])], name=f"{op} of a long row", constants=(1,))
        yield node_case(op, [values(2, 9, 7, low=low), np.array([1])], name=f"{op} of columns", constants=(1,))
        yield node_case(op, [values(3, 4, low=low)], name=f"{op} of all")
        yield node_case(op, [values(3, 4, low=low)], name=f"{op} of none", noop_with_empty_axes=1)
        yield node_case(op, [values(3, 1, 4, low=low), np.array([1])], name=f"{op} of single ones", constants=(1,))
        yield node_case(op, [np.array(1.5, np.float32)], name=f"{op} of a number", judge=onnx_runtime)
        yield node_case(op, [values(2, 5, low=low)], name=f"{op} opset 11", opset=11, axes=[-1], judge=onnx_runtime)


def of_types() -> Iterator[Case]:
    for op in (*JOINED, *LOGARITHMIC):
        dtypes = (
            (np.float64, np.float16) if op in LOGARITHMIC else (np.float64, np.float16, np.int32, np.int64, np.uint64)
        )
        for dtype in dtypes:
            x = (
                np.abs(values(3, 2, 4, dtype=dtype))
                if op == "ReduceLogSum" or dtype is np.uint64
                else values(3, 2, 4, dtype=dtype)
            )
            if op == "ReduceMean" and np.issubdtype(dtype, np.integer):
                x = x * 8  # what a mean of integers is rounded to is left open
            judge = in_single if dtype is np.float16 else same_type
            for axes in ([1], [0, 2]):
                yield node_case(
                    op, [x, np.array(axes)], name=f"{op} {dtype.__name__} {axes}", constants=(1,), judge=judge
                )
    for op in ("ReduceMax", "ReduceMin"):
        for dtype in (np.int8, np.uint8, np.bool_):
            x = values(4, 3, dtype=np.int64).astype(dtype)
            yield node_case(op, [x, np.array([0])], name=f"{op} {dtype.__name__}", constants=(1,))


def in_single(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Halves are joined in float32; the reference rounds after each step."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for value in (*wide.graph.input, *wide.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    found = reference(wide, {name: array.astype(np.float32) for name, array in inputs.items()})
    return {name: array.astype(np.float16) for name, array in found.items()}


def same_type(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The reference widens squares of int32."""
    return {name: array.astype(inputs["x0"].dtype) for name, array in reference(model, inputs).items()}


def of_nothing() -> Iterator[Case]:
    for op in (*JOINED, *LOGARITHMIC):
        if op != "ReduceMean":
            yield node_case(
                op, [np.zeros((2, 0, 3), np.float32), np.array([1])], name=f"{op} of no numbers", constants=(1,)
            )
        yield node_case(op, [np.zeros((0, 3), np.float32), np.array([1])], name=f"{op} into nothing", constants=(1,))
    for op in ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"):
        yield node_case(op, [np.zeros((2, 0), np.int32), np.array([1])], name=f"{op} of no integers", constants=(1,))


def at_the_edges() -> Iterator[Case]:
    odd = np.array(
        [[np.nan, 1, 2, 9, 9], [1, np.inf, -np.inf, 3, np.inf], [-np.inf] * 5, [np.inf] * 5, [-0.0, 0, 0, 0, -0.0]],
        np.float32,
    )
    for dtype in (np.float32, np.float64):
        for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"):
            for axis in (0, 1):
                yield node_case(
                    op,
                    [odd.astype(dtype), np.array([axis])],
                    name=f"{op} {dtype.__name__} at the edges {axis}",
                    constants=(1,),
                )
        large = np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, 0], [-np.inf, -np.inf], [np.nan, 0]], dtype)
        given = [large, np.array([1])]
        yield node_case(
            "ReduceLogSumExp", given, name=f"ReduceLogSumExp {dtype.__name__} large", constants=(1,), judge=log_sum_exp
        )
    wide = np.array([[2**31 - 1, 1], [-(2**31), -1]], np.int32)
    yield node_case("ReduceSum", [wide, np.array([1])], name="ReduceSum wraps", constants=(1,))
    yield node_case(
        "ReduceMax", [np.array([[-(2**63), 2**63 - 1]]), np.array([1])], name="ReduceMax int64", constants=(1,)
    )


def log_sum_exp(_model: object, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The reference takes the largest off even when it is infinite, and so has no number."""
    with np.errstate(all="ignore"):
        return {"y0": np.logaddexp.reduce(inputs["x0"], axis=1, keepdims=True)}


def extremes() -> Iterator[Case]:
    ties = np.array([[1, 5, 5, 2], [7, 7, 7, 7], [0, 1, 1, 3]])
    no_numbers = np.array([[1, np.nan, 3, np.nan], [-np.inf, -np.inf, 0, 0], [np.nan, 1, 2, 3]])
    for op in ("ArgMax", "ArgMin"):
        for dtype in (np.float64, np.int64, np.int32, np.int8, np.uint8, np.uint64, np.float16):
            for last in (0, 1):
                yield node_case(
                    op, [ties.astype(dtype)], name=f"{op} {dtype.__name__} {last}", axis=1, select_last_index=last
                )
        yield node_case(op, [no_numbers], name=f"{op} of no numbers", axis=1)
        yield node_case(op, [ties.astype(np.int64)], name=f"{op} of columns", axis=0, keepdims=0)
        yield node_case(op, [np.zeros((0, 3), np.float32)], name=f"{op} into nothing", axis=1)
    for dtype in (np.float32, np.float64, np.float16):
        for axis in (0, 1, -1):
            yield node_case(
                "Hardmax", [values(3, 4, 5, dtype=dtype)], name=f"Hardmax {dtype.__name__} {axis}", axis=axis
            )
        for op in ("Softmax", "LogSoftmax"):
            judge = in_single if dtype is np.float16 else None
            yield node_case(op, [values(3, 4, 5, dtype=dtype)], name=f"{op} {dtype.__name__}", axis=1, judge=judge)
    yield node_case("Softmax", [no_numbers], name="Softmax of no numbers", axis=1)
    yield node_case("Hardmax", [values(2, 3, 4)], name="Hardmax opset 11", opset=11, axis=1, judge=onnx_runtime)
    for axis in (0, 1, -1):
        for p in (1, 2):
            for dtype in (np.float32, np.float64):
                x = values(3, 5, 6, dtype=dtype)
                x[:, 2, :] = 0
                yield node_case(
                    "LpNormalization",
                    [x],
                    name=f"LpNormalization {axis} {p} {dtype.__name__}",
                    axis=axis,
                    p=p,
                    judge=lp_norm(axis, p),
                )


def lp_norm(axis: int, p: int) -> Callable[..., dict[str, np.ndarray]]:
    """The reference adds numbers, not their sizes, when p is 1."""

    def judge(_model: object, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = inputs["x0"]
        size = (np.abs(x) ** p).sum(axis=axis, keepdims=True) ** (1 / p)
        with np.errstate(all="ignore"):
            return {"y0": np.where(size == 0, 0, x / size).astype(x.dtype)}

    return judge


FAMILIES = [over_axes, of_types, of_nothing, at_the_edges, extremes]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_what_is_joined_is_what_onnx_says(family: Callable[[], Iterator[Case]]) -> None:
    cases = list(family())

    found = run_together(cases)

    assert len({case.name for case in cases}) == len(cases) > 10
    assert differences(cases, found, rtol=2e-5) == []


@pytest.mark.parametrize(
    ("op", "x", "reason"),
    [
        ("ReduceSum", np.zeros((2, 2), np.bool_), "bool"),
        ("ReduceLogSum", np.zeros((2, 2), np.int64), "int64"),
        ("ReduceMean", np.zeros((2, 0), np.int64), "mean of no integers"),
        ("ArgMax", np.zeros((2, 0), np.float32), "no elements"),
    ],
)
def test_what_has_no_meaning_is_refused(op: str, x: np.ndarray, reason: str) -> None:
    attributes = {"axis": 1} if op == "ArgMax" else {"axes": [1]}

    with pytest.raises(CannotCompile) as refused:
        load(
            make_model(
                [helper.make_node(op, ["x"], ["y"], **attributes)], {"x": x}, {}, ["y"], opset=12
            ).SerializeToString()
        )

    assert reason in str(refused.value)


def test_axes_that_are_only_known_at_run_time_are_refused() -> None:
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"])
    model = make_model([node], {"x": values(2, 3), "axes": np.array([1])}, {}, ["y"])
    model.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [2, 1]))

    with pytest.raises(CannotCompile, match=r"input 1 \('axes'\) decides a shape and is only known at run time"):
        load(model.SerializeToString())

"""Repeating, padding, reordering, ordering and marking against ONNX's reference: every element type, empty and single axes, values at run time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import helper

from canisters.compiler import CannotCompile
from canisters.compiler.frontend import load

from .cases import Arrays, Case, differences, make_model, node_case, run_together

TYPES = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int16, np.uint8, np.bool_)


def numbers(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return (np.arange(np.prod(shape, dtype=int)) % 97).reshape(shape).astype(dtype)


def shuffled(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(0).permutation(numbers(*shape, dtype=dtype).ravel()).reshape(shape)


def of_types() -> Iterator[Case]:
    for dtype in TYPES:
        name = np.dtype(dtype).name
        x = numbers(3, 4, dtype=dtype)
        yield node_case("Tile", [x, np.array([2, 3])], name=f"Tile {name}", constants=(1,))
        yield node_case("Trilu", [x], name=f"Trilu {name}")
        yield node_case("Transpose", [x], name=f"Transpose {name}")
        yield node_case("Concat", [x, x], name=f"Concat {name}", axis=1)
        yield node_case(
            "Slice",
            [x, np.array([2]), np.array([0]), np.array([1]), np.array([-1])],
            name=f"Slice {name}",
            constants=(1, 2, 3, 4),
        )
        yield node_case("Expand", [x[:, :1].copy(), np.array([3, 5])], name=f"Expand {name}", constants=(1,))
        yield node_case("Reshape", [x, np.array([2, 6])], name=f"Reshape {name}", constants=(1,))
        yield node_case("ReverseSequence", [x, np.array([3, 0, 1, 2])], name=f"ReverseSequence {name}")
        yield node_case("DepthToSpace", [numbers(1, 8, 2, 3, dtype=dtype)], name=f"DepthToSpace {name}", blocksize=2)
        yield node_case("CenterCropPad", [x, np.array([5, 2])], name=f"CenterCropPad {name}", constants=(1,))
        if dtype is not np.bool_:
            given = [x, np.array([1, 0, 0, 2]), np.array(7, dtype)]
            yield node_case("Pad", given, name=f"Pad {name}", constants=(1, 2), judge=padded)
            yield node_case("Pad", given, name=f"Pad {name} at run time", constants=(1,), judge=padded)
        yield node_case("EyeLike", [x], name=f"EyeLike {name}", k=1)
        values = np.array([0, 1], dtype)
        yield node_case(
            "OneHot",
            [np.array([1, -1, 0, 7]), np.array(3), values],
            name=f"OneHot {name}",
            constants=(1,),
            judge=one_hot,
        )


def padded(model: Any, inputs: Arrays) -> Arrays:
    """Bfloat16 is more than the reference's numpy pads."""
    constants = {tensor.name: helper_array(tensor) for tensor in model.graph.initializer} | dict(inputs)
    (before, left, after, right), value = constants["x1"], constants["x2"]
    out = np.full(np.add(constants["x0"].shape, (before + after, left + right)), value, constants["x0"].dtype)
    out[before : out.shape[0] - after, left : out.shape[1] - right] = constants["x0"]
    return {"y0": out}


def helper_array(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)


def one_hot(model: Any, inputs: Arrays) -> Arrays:
    off, on = inputs["x2"]
    places = np.where(inputs["x0"] < 0, inputs["x0"] + 3, inputs["x0"])
    return {"y0": np.where(places[:, None] == np.arange(3), on, off).astype(inputs["x2"].dtype)}


def borders() -> Iterator[Case]:
    for mode in ("constant", "reflect", "edge", "wrap"):
        for pads in ([0, 1, 0, 2], [1, 0, 1, 0], [2, 3, 1, 3], [5, 9, 4, 7]):
            yield node_case(
                "Pad", [numbers(3, 4), np.array(pads)], name=f"Pad {mode} {pads}", constants=(1,), mode=mode
            )
        yield node_case(
            "Pad",
            [numbers(2, 3, 4, 5), np.array([0, 0, 1, 2, 0, 0, 2, 1])],
            name=f"Pad {mode} image",
            constants=(1,),
            mode=mode,
        )
        given = [numbers(2, 3, 4), np.array([1, 2]), None, np.array([-1])]
        yield node_case("Pad", given, name=f"Pad {mode} of one axis", constants=(1, 3), mode=mode)
        yield node_case(
            "Pad",
            [numbers(1, 3), np.array([2, 0, 1, 0])],
            name=f"Pad {mode} of a single one",
            constants=(1,),
            mode=mode,
        )
    given = [np.zeros((0, 3), np.float32), np.array([1, 0, 1, 0]), np.array(4, np.float32)]
    yield node_case("Pad", given, name="Pad of nothing", constants=(1, 2))


def orders() -> Iterator[Case]:
    for dtype in (np.float32, np.float64, np.int64, np.int8, np.uint32, np.float16):
        name = np.dtype(dtype).name
        for largest in (0, 1):
            for axis, k in ((0, 2), (1, 5), (2, 1), (-1, 7)):
                given = [shuffled(3, 5, 7, dtype=dtype), np.array([k])]
                yield node_case(
                    "TopK",
                    given,
                    name=f"TopK {name} {largest} {axis}",
                    constants=(1,),
                    outputs=2,
                    largest=largest,
                    axis=axis,
                )
        for op, opset in (("CumSum", 20), ("CumProd", 26)):
            for exclusive in (0, 1):
                for reverse in (0, 1):
                    given = [
                        np.abs(shuffled(2, 4, 3, dtype=dtype)) % 3 + 1
                        if op == "CumProd"
                        else shuffled(2, 4, 3, dtype=dtype),
                        np.array(1),
                    ]
                    flags = {"exclusive": exclusive, "reverse": reverse}
                    if dtype not in (np.int8, np.float16):
                        yield node_case(
                            op,
                            [g.astype(dtype) if i == 0 else g for i, g in enumerate(given)],
                            name=f"{op} {name} {flags}",
                            constants=(1,),
                            opset=opset,
                            **flags,
                        )
    ties = np.array([[1, np.nan, 1, 3, 3, np.nan, -np.inf, np.inf, -0.0, 0.0]], np.float32)
    for largest in (0, 1):
        for k in (1, 4, 10):
            yield node_case(
                "TopK",
                [ties, np.array([k])],
                name=f"TopK of equals {largest} {k}",
                constants=(1,),
                outputs=2,
                largest=largest,
            )
        yield node_case(
            "TopK",
            [shuffled(1, 1000), np.array([40])],
            name=f"TopK of many {largest}",
            constants=(1,),
            outputs=2,
            largest=largest,
        )
    yield node_case("TopK", [ties, np.array([0])], name="TopK of none", constants=(1,), outputs=2)


def shapes() -> Iterator[Case]:
    for upper in (0, 1):
        for k in (-9, -2, -1, 0, 1, 3, 9, 2**62):
            x = numbers(2, 4, 3) + 1
            yield node_case(
                "Trilu",
                [x, np.array(k)],
                name=f"Trilu {upper} {k}",
                constants=(1,),
                upper=upper,
                judge=triangle(upper, k),
            )
            yield node_case(
                "Trilu", [x, np.array(k)], name=f"Trilu {upper} {k} at run time", upper=upper, judge=triangle(upper, k)
            )
    for mode in ("DCR", "CRD"):
        yield node_case("DepthToSpace", [numbers(2, 18, 2, 3)], name=f"DepthToSpace {mode}", blocksize=3, mode=mode)
    yield node_case("SpaceToDepth", [numbers(2, 3, 4, 6)], name="SpaceToDepth", blocksize=2)
    for shape, counts in (((2, 3), [1, 1]), ((2, 3), [0, 2]), ((4,), [5]), ((1, 2, 1), [3, 1, 4])):
        yield node_case("Tile", [numbers(*shape), np.array(counts)], name=f"Tile {shape} {counts}", constants=(1,))
    for axis in (0, 1, -1):
        given = [np.array([[0, 2], [5, -3]], np.float32), np.array(3), np.array([-1.0, 2.0], np.float32)]
        yield node_case("OneHot", given, name=f"OneHot {axis}", constants=(1,), axis=axis)
    for batch, time in ((0, 1), (1, 0)):
        given = [numbers(3, 3, 5), np.array([1, 3, 2])]
        yield node_case("ReverseSequence", given, name=f"ReverseSequence {batch}", batch_axis=batch, time_axis=time)
    for wanted in ([2, 3], [9, 1], [4, 6], [3, 8]):
        given = [numbers(3, 5, 6), np.array(wanted)]
        yield node_case("CenterCropPad", given, name=f"CenterCropPad {wanted}", constants=(1,), axes=[0, -1])
    for k in (-3, -1, 0, 2, 5):
        yield node_case("EyeLike", [numbers(3, 4)], name=f"EyeLike {k}", k=k, dtype=7)
    for n in (1, 2, 5):
        yield node_case("Det", [np.random.default_rng(n).normal(size=(3, n, n)).astype(np.float32)], name=f"Det {n}")
    yield node_case("Det", [np.array([[0.0, 1.0], [1.0, 0.0]])], name="Det that needs a pivot")
    yield node_case("Det", [np.ones((2, 2), np.float32)], name="Det of no rank")
    for way in ({}, {"strides": [2, 1]}, {"pads": [1, 0, 1, 0]}, {"dilations": [2, 2]}):
        strides, pads, dilations = way.get("strides", [1, 1]), way.get("pads", [0] * 4), way.get("dilations", [1, 1])
        counts = [(5 + pads[a] + pads[a + 2] - dilations[a] * (2 - 1) - 1) // strides[a] + 1 for a in (0, 1)]
        given = [shuffled(2, 3 * 4, counts[0] * counts[1]), np.array([5, 5]), np.array([2, 2])]
        yield node_case("Col2Im", given, name=f"Col2Im {way}", constants=(1, 2), **way)


def triangle(upper: int, k: int) -> Callable[[Any, Arrays], Arrays]:
    """Numpy's own numbers end at 2^31 here and there."""
    return lambda _model, inputs: {"y0": (np.triu if upper else np.tril)(inputs["x0"], min(k, 100))}


FAMILIES = [of_types, borders, orders, shapes]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_elements_end_where_onnx_says(family: Callable[[], Iterator[Case]]) -> None:
    cases = list(family())

    found = run_together(cases)

    assert len({case.name for case in cases}) == len(cases) > 20
    assert differences(cases, found) == []


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [
        ("Tile", [numbers(2, 2), np.array([1])], {}, "do not fit"),
        ("Tile", [numbers(2), np.array([-1])], {}, "do not fit"),
        ("Pad", [numbers(2, 2), np.array([0, 0, -3, 0])], {}, "cuts more than there is"),
        ("Pad", [numbers(0, 2), np.array([1, 0, 0, 0])], {"mode": "edge"}, "that has none"),
        ("Pad", [numbers(2, 2), np.array([1, 0])], {}, "2 pads do not fit 2 axes"),
        ("Pad", [numbers(2), np.array([2**40, 0])], {"mode": "edge"}, "its border is"),
        ("TopK", [numbers(3), np.array([4])], {}, "takes 4 of the 3 elements"),
        ("CumSum", [numbers(3), np.array(1)], {}, "axis 1 is outside"),
        ("OneHot", [numbers(3), np.array(-1), numbers(2)], {}, "its values are"),
        ("Col2Im", [numbers(1, 4, 9), np.array([5, 5]), np.array([2, 2])], {}, "do not make up an image"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    op: str, inputs: list[np.ndarray], attributes: dict[str, Any], reason: str
) -> None:
    outputs = ["y", "z"] if op == "TopK" else ["y"]
    node = helper.make_node(op, [f"x{i}" for i in range(len(inputs))], outputs, name="culprit", **attributes)
    names = {f"x{i}": array for i, array in enumerate(inputs)}
    given = {"x0": names.pop("x0")}

    with pytest.raises(CannotCompile) as refused:
        load(_unchecked([node], given, names, outputs))

    assert reason in refused.value.reason
    assert "culprit" in refused.value.node


def _unchecked(nodes: list[Any], inputs: Arrays, constants: Arrays, outputs: list[str]) -> bytes:
    """A model whose outputs are of unknown shape, so that only the compiler judges the node."""
    model = make_model([], inputs, constants, [])
    model.graph.node.extend(nodes)
    model.graph.output.extend(helper.make_tensor_value_info(name, 1, ["?"]) for name in outputs)
    return model.SerializeToString()

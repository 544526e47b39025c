"""Convolutions, poolings and normalisations beyond the common ones, in wasm against ONNX Runtime: three axes, weights at run time, indices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from onnx import helper

from canisters.compiler import CannotCompile, build_model

from .cases import Arrays, Case, differences, node_case, onnx_runtime, run_together


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).uniform(-1, 1, shape).astype(np.float32)


def convolutions() -> Iterator[Case]:
    for label, x, w, attributes in (
        ("1 axis", (2, 3, 11), (4, 3, 3), {"strides": [2], "pads": [1, 2]}),
        ("2 axes in groups", (1, 4, 7, 6), (6, 2, 3, 2), {"group": 2, "dilations": [2, 1]}),
        ("3 axes", (2, 2, 4, 5, 6), (3, 2, 2, 3, 2), {"strides": [1, 2, 1], "pads": [0, 1, 1, 1, 0, 1]}),
        ("3 axes, same", (1, 2, 5, 4, 7), (3, 2, 3, 2, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 1, 3]}),
    ):
        for kept in ((1, 2), (1,), ()):
            yield node_case("Conv", [values(*x), values(*w), values(w[0])], name=f"Conv {label} {kept}", constants=kept, judge=onnx_runtime,
                            **attributes)  # fmt: skip
    yield node_case(
        "Conv",
        [values(1, 1, 20, 20), values(1, 1, 17, 17)],
        name="Conv with many taps",
        constants=(1,),
        judge=onnx_runtime,
    )


def transposed() -> Iterator[Case]:
    for label, x, w, attributes in (
        ("1 axis", (2, 3, 5), (3, 4, 3), {"strides": [2], "pads": [1, 0]}),
        (
            "2 axes in groups",
            (1, 4, 5, 3),
            (4, 3, 3, 2),
            {"group": 2, "dilations": [2, 1], "output_padding": [1, 0], "strides": [2, 1]},
        ),
        ("2 axes of a large plane", (1, 2, 9, 7), (2, 1, 2, 2), {"strides": [2, 2]}),
        ("3 axes", (1, 2, 3, 2, 4), (2, 2, 2, 3, 2), {"strides": [1, 2, 2]}),
        ("same upper", (1, 2, 4, 5), (2, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        (
            "a given shape",
            (1, 1, 3, 3),
            (1, 2, 3, 3),
            {"output_shape": [10, 8], "strides": [3, 2], "output_padding": [1, 1]},
        ),
    ):
        for kept in ((1, 2), ()):
            bias = values(w[1] * int(attributes.get("group", 1)))
            yield node_case("ConvTranspose", [values(*x), values(*w), bias], name=f"ConvTranspose {label} {kept}", constants=kept,
                            judge=onnx_runtime, **attributes)  # fmt: skip


def poolings() -> Iterator[Case]:
    volume, plane = values(2, 2, 5, 4, 7), values(1, 3, 7, 6)
    around = {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [1, 1, 0, 0, 1, 1]}
    for op in ("MaxPool", "AveragePool", "LpPool"):
        yield node_case(op, [volume], name=f"{op} 3 axes", judge=onnx_runtime, **around)
        yield node_case(
            op, [plane], name=f"{op} ceil", judge=onnx_runtime, kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1
        )
    yield node_case(
        "AveragePool", [volume], name="AveragePool counts its border", judge=onnx_runtime, count_include_pad=1, **around
    )
    yield node_case("LpPool", [plane], name="LpPool of the third power", judge=onnx_runtime, kernel_shape=[2, 2], p=3)
    yield node_case("GlobalLpPool", [plane], name="GlobalLpPool", judge=onnx_runtime)
    for order in (0, 1):
        yield node_case("MaxPool", [plane], name=f"MaxPool with indices {order}", outputs=2, judge=onnx_runtime, kernel_shape=[2, 2], strides=[2, 1],
                        pads=[1, 0, 0, 1], dilations=[2, 1], storage_order=order)  # fmt: skip
    yield node_case("MaxPool", [volume], name="MaxPool with indices, 3 axes", outputs=2, judge=onnx_runtime, **around)
    for dtype in (np.int8, np.uint8):
        whole = np.random.default_rng(1).integers(0, 100, (1, 2, 5, 5)).astype(dtype)
        yield node_case(
            "MaxPool",
            [whole],
            name=f"MaxPool {dtype.__name__}",
            judge=onnx_runtime,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        )
    odd = plane.copy()
    odd[0, 0, 2, 2], odd[0, 1, 3, 3] = np.nan, -np.inf
    yield node_case("MaxPool", [odd], name="MaxPool of no numbers", outputs=2, judge=nan_first, kernel_shape=[2, 2])
    even = values(1, 3, 8, 6)
    halved = node_case("MaxPool", [even], outputs=2, judge=onnx_runtime, kernel_shape=[2, 2], strides=[2, 2])
    pooled, at = halved.expected["y0"], halved.expected["y1"]
    yield node_case("MaxUnpool", [pooled, at], name="MaxUnpool", kernel_shape=[2, 2], strides=[2, 2])
    larger = np.array([1, 3, 9, 8])
    yield shaped(
        node_case(
            "MaxUnpool",
            [pooled, at, larger],
            name="MaxUnpool, larger",
            constants=(2,),
            kernel_shape=[2, 2],
            strides=[2, 2],
        )
    )


def shaped(case: Case) -> Case:
    """With its outputs' shapes, where ONNX's inference finds none."""
    for output in case.model.graph.output:
        expected = case.expected[output.name]
        output.type.CopyFrom(
            helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(expected.dtype), expected.shape)
        )
    return case


def nan_first(_model: object, inputs: Arrays) -> Arrays:
    """A window with a NaN gives NaN and the index of the first one; ONNX says nothing of it."""
    x = inputs["x0"][0]
    best, where = np.empty((1, 3, 6, 5), np.float32), np.empty((1, 3, 6, 5), np.int64)
    for c, i, j in np.ndindex(3, 6, 5):
        window = x[c, i : i + 2, j : j + 2].ravel()
        at = int(np.argmax(window))  # numpy's argmax, too, takes the first NaN
        best[0, c, i, j], where[0, c, i, j] = window[at], c * 42 + (i + at // 2) * 6 + j + at % 2
    return {"y0": best, "y1": where}


def normalizations() -> Iterator[Case]:
    x = values(2, 6, 3, 5)
    yield node_case(
        "InstanceNormalization",
        [x, values(6), values(6, seed=1)],
        name="InstanceNormalization",
        constants=(1, 2),
        judge=onnx_runtime,
    )
    group = node_case(
        "GroupNormalization",
        [x, values(6), values(6, seed=1)],
        name="GroupNormalization",
        constants=(1, 2),
        opset=21,
        num_groups=3,
    )
    yield shaped(group)
    for size in (1, 3, 7):
        yield node_case("LRN", [x], name=f"LRN {size}", judge=onnx_runtime, size=size, alpha=0.3, beta=0.6, bias=1.5)
    yield node_case("RMSNormalization", [x, values(3, 5)], name="RMSNormalization", constants=(1,), opset=23, axis=2)
    yield node_case("RMSNormalization", [x, values(1)], name="RMSNormalization by one number", constants=(1,), opset=23)
    yield node_case(
        "LayerNormalization",
        [x, values(5), values(5)],
        name="LayerNormalization with its mean",
        outputs=3,
        judge=onnx_runtime,
    )
    numbers = [values(6), values(6, seed=1), values(6, seed=2), np.abs(values(6, seed=3)) + 0.1]
    yield node_case("BatchNormalization", [x, *numbers], name="BatchNormalization at run time", judge=onnx_runtime)
    yield node_case(
        "BatchNormalization",
        [x, *numbers],
        name="BatchNormalization in training",
        outputs=3,
        training_mode=1,
        momentum=0.7,
    )
    yield node_case("Dropout", [x], name="Dropout with its mask", outputs=2, opset=13)


@pytest.mark.slow
def test_layers_in_every_form_are_those_of_onnx_runtime() -> None:
    cases = [*convolutions(), *transposed(), *poolings(), *normalizations()]

    found = run_together(cases)

    assert differences(cases, found, rtol=2e-5, atol=5e-6) == []


def test_an_index_that_lies_outside_writes_nothing() -> None:
    x, at = values(1, 1, 2, 2), np.array([0, 15, 16, -1]).reshape(1, 1, 2, 2)
    case = node_case("MaxUnpool", [x, at], kernel_shape=[2, 2], strides=[2, 2], judge=lambda *_: {})

    found = run_together([Case("unpool", case.model, case.inputs, {"y0": x})])["unpool"]["y0"].ravel()

    assert list(found[[0, 15]]) == list(x.flat[:2])
    assert not found[1:15].any()


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [
        ("Conv", [(1, 2, 3, 3, 3, 3), (1, 2, 1, 1, 1, 1)], {}, "4 spatial axes"),
        ("ConvTranspose", [(1, 3, 4), (2, 3, 3)], {}, "do not fit"),
        ("ConvTranspose", [(1, 2, 4), (2, 3, 1)], {"pads": [2, 2]}, "would have the sizes"),
        ("MaxPool", [(1, 2, 4)], {"kernel_shape": [5]}, "larger than its input"),
        ("LRN", [(1, 2, 4)], {"size": 0}, "looks at 0 channels"),
    ],
)
def test_layers_that_do_not_fit_are_refused(
    op: str, inputs: list[tuple[int, ...]], attributes: dict[str, object], reason: str
) -> None:
    case = node_case(op, [values(*shape) for shape in inputs], judge=lambda *_: {}, **attributes)

    with pytest.raises(CannotCompile, match=reason):
        build_model(case.model.SerializeToString())

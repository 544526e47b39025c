"""Each operator against ONNX's own reference, over shapes that leave tails, repeat axes and cross tiles. One build for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from .cases import Case, differences, node_case, onnx_runtime, run_together

SIZES = [(1,), (3,), (4,), (17,), (2, 3, 5), (1, 1, 1), (33, 2)]


def values(*shape: int, seed: int = 0, low: float = -3.0, high: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).uniform(low, high, shape).astype(np.float32)


def elementwise() -> Iterator[Case]:
    for op in (
        "Relu",
        "Sigmoid",
        "Tanh",
        "Erf",
        "Exp",
        "Neg",
        "Abs",
        "Reciprocal",
        "HardSigmoid",
        "HardSwish",
        "Floor",
        "Ceil",
    ):
        yield from (node_case(op, [values(*s)], name=f"{op} {s}") for s in SIZES)
    for op in ("Sqrt", "Log"):
        yield from (node_case(op, [values(*s, low=0.01)], name=f"{op} {s}") for s in SIZES)
    for alpha in (0.01, 0.3):
        yield node_case("LeakyRelu", [values(7)], name=f"LeakyRelu {alpha}", alpha=alpha)
    for how in ("none", "tanh"):
        yield node_case("Gelu", [values(19)], name=f"Gelu {how}", approximate=how)
    for low, high in ((-1.0, 1.0), (0.0, None), (None, 2.0), (2.0, -2.0), (None, None)):
        limits = [None if limit is None else np.array(limit, np.float32) for limit in (low, high)]
        yield node_case("Clip", [values(9), *limits], name=f"Clip {low} {high}", constants=(1, 2))
    yield node_case("Clip", [np.arange(-5, 5), np.array(-2), np.array(3)], name="Clip int64", constants=(1, 2))
    for exponent in (-1.0, 0.5, 1.0, 2.0, 3.0):
        yield node_case(
            "Pow", [values(7, low=0.1), np.array(exponent, np.float32)], name=f"Pow {exponent}", constants=(1,)
        )


def edges() -> Iterator[Case]:
    extremes = np.array(
        [
            0.0,
            -0.0,
            np.inf,
            -np.inf,
            np.nan,
            88.7,
            88.8,
            -87.4,
            -103.9,
            -104.1,
            1e-40,
            -1e-40,
            3e38,
            -3e38,
            0.625,
            1e-10,
        ],
        np.float32,
    )
    for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Neg", "Abs", "Reciprocal", "Erf"):
        yield node_case(op, [extremes], name=f"{op} at the edges")
    positive = np.array([0.0, -0.0, np.inf, np.nan, -1.0, -np.inf, 1e-40, 1e-38, 1.0, 3e38], np.float32)
    for op in ("Sqrt", "Log"):
        yield node_case(op, [positive], name=f"{op} at the edges")
    for op in ("Softmax", "LogSoftmax"):
        yield node_case(
            op,
            [np.array([[1e4, -1e4, 0], [3e38, 3e38, -3e38]], np.float32)],
            name=f"{op} of large numbers",
            judge=onnx_runtime,
        )
        yield node_case(
            op, [np.array([[np.nan, 0, 1], [np.inf, 0, 1], [-np.inf, 0, 1]], np.float32)], name=f"{op} of no numbers"
        )
    odd = np.array([[np.nan, 1, 2, 9, 9], [1, np.inf, -np.inf, 3, np.inf], [-np.inf] * 5], np.float32)
    for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean"):
        yield node_case(op, [odd, np.array([1])], name=f"{op} of no numbers", constants=(1,))
    for op in ("Max", "Min", "Div", "Mul"):
        yield node_case(op, [extremes, extremes[::-1].copy()], name=f"{op} of no numbers")


def broadcasting() -> Iterator[Case]:
    pairs = [
        ((4,), (4,)),
        ((3, 5), (5,)),
        ((3, 5), (3, 1)),
        ((3, 1), (1, 5)),
        ((2, 3, 4), (1,)),
        ((), (2, 3)),
        ((2, 1, 3, 1), (1, 4, 1, 5)),
        ((1, 1), (1, 1)),
        ((5, 17), (5, 17)),
    ]
    for op in ("Add", "Sub", "Mul", "Div", "Min", "Max"):
        for a, b in pairs:
            yield node_case(op, [values(*a), values(*b, seed=9, low=0.5)], name=f"{op} {a} {b}")
        for dtype in (np.int64, np.int32, np.uint8):
            yield node_case(
                op, [np.arange(6, dtype=dtype).reshape(2, 3), np.array([1, 2, 3], dtype)], name=f"{op} {dtype.__name__}"
            )
    yield node_case("Max", [values(3), values(2, 3), values(2, 1, seed=5)], name="Max of three")
    yield node_case("Add", [values(3, 4), values(4)], name="Add of a constant", constants=(1,))


def products() -> Iterator[Case]:
    for m, k, n in (
        (1, 1, 1),
        (1, 30, 64),
        (1, 64, 33),
        (1, 7, 3),
        (2, 8, 16),
        (3, 9, 17),
        (5, 33, 7),
        (8, 16, 20),
        (13, 31, 37),
        (16, 8, 32),
    ):
        x, w, b = values(m, k), values(k, n, seed=1), values(n, seed=2)
        yield node_case("Gemm", [x, w, b], name=f"Gemm {m} {k} {n}", constants=(1, 2))
        yield node_case("MatMul", [x, w], name=f"MatMul constant {m} {k} {n}", constants=(1,))
        yield node_case("MatMul", [x, w], name=f"MatMul {m} {k} {n}")
    x, w = values(4, 6), values(6, 5)
    yield node_case(
        "Gemm", [x, w.T.copy(), values(5)], name="Gemm transB", constants=(1, 2), transB=1, alpha=0.5, beta=2.0
    )
    yield node_case("Gemm", [x.T.copy(), w, values(4, 1)], name="Gemm transA, column", constants=(1, 2), transA=1)
    yield node_case("Gemm", [x, w, np.array(2.0, np.float32)], name="Gemm scalar", constants=(1, 2))
    yield node_case("Gemm", [x, w], name="Gemm without C", constants=(1,))
    yield node_case(
        "Gemm",
        [x.T.copy(), w.T.copy(), values(4, 5)],
        name="Gemm of what is not known",
        transA=1,
        transB=1,
        alpha=0.5,
        beta=0.25,
    )
    for a, b in (
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((2, 3, 4), (2, 4, 3)),
        ((1, 4), (3, 4, 2)),
    ):
        yield node_case("MatMul", [values(*a), values(*b, seed=4)], name=f"MatMul {a} {b}")
    yield node_case("MatMul", [values(2, 3, 4), values(4, 5)], name="MatMul of a stack", constants=(1,))


def convolutions() -> Iterator[Case]:
    def conv(name: str, x: tuple[int, ...], w: tuple[int, ...], *, bias: bool = True, **attributes: Any) -> Case:
        arrays = [values(*x), values(*w, seed=3), *([values(w[0], seed=5)] if bias else [])]
        return node_case(
            "Conv", arrays, name=f"Conv {name} {x} {w} {attributes}", constants=(1, 2)[: len(arrays) - 1], **attributes
        )

    for size in (1, 2, 3, 5, 8, 9, 16, 17, 33):
        yield conv("same", (1, 2, size, size), (5, 2, 3, 3), pads=[1] * 4)
    for stride in (1, 2, 3, 4):
        for pads in ([0] * 4, [1] * 4, [2, 0, 1, 3]):
            yield conv("strided", (1, 3, 11, 13), (9, 3, 3, 3), strides=[stride, stride], pads=pads)
    yield conv("one by one", (1, 19, 5, 6), (17, 19, 1, 1))
    yield conv("one by one, strided", (1, 4, 8, 9), (6, 4, 1, 1), strides=[2, 3])
    yield conv("five by five", (1, 2, 12, 12), (4, 2, 5, 5), pads=[2] * 4)
    yield conv("seven by seven", (1, 1, 9, 20), (3, 1, 7, 7), pads=[3] * 4, strides=[1, 2])
    yield conv("dilated", (1, 2, 14, 15), (4, 2, 3, 3), dilations=[2, 3], pads=[2, 3, 2, 3])
    yield conv("dilated and strided", (1, 2, 14, 15), (4, 2, 3, 3), dilations=[3, 2], strides=[2, 3])
    yield conv("depthwise", (1, 6, 9, 9), (6, 1, 3, 3), group=6, pads=[1] * 4)
    yield conv("depthwise, strided", (1, 5, 10, 9), (5, 1, 3, 3), group=5, pads=[1] * 4, strides=[2, 2])
    yield conv("groups", (1, 6, 7, 7), (9, 2, 3, 3), group=3)
    yield conv("batch", (3, 2, 6, 6), (4, 2, 3, 3), pads=[1, 0, 0, 1])
    yield conv("narrow", (1, 16, 4, 4), (32, 16, 3, 3), pads=[1] * 4)
    yield conv("narrow, strided", (2, 8, 7, 3), (20, 8, 3, 3), pads=[1] * 4, strides=[2, 2])
    yield conv("to a point", (1, 7, 3, 3), (11, 7, 3, 3))
    yield conv("rows and columns", (1, 2, 3, 40), (4, 2, 1, 5), pads=[0, 2, 0, 2])
    yield conv("one axis", (2, 3, 21), (5, 3, 4), pads=[1, 2], strides=[2])
    yield conv("long rows", (1, 2, 60), (5, 2, 25), pads=[12, 12])
    yield conv("very long rows", (1, 3, 4, 90), (4, 3, 2, 40), strides=[2, 3], pads=[1, 20, 0, 20])
    yield conv("very long rows, few places", (1, 3, 3, 45), (8, 3, 3, 43))
    yield conv("high", (1, 1, 40, 6), (3, 1, 31, 3), strides=[1, 1])
    yield conv("without bias", (1, 3, 8, 8), (8, 3, 3, 3), bias=False)
    for automatic in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        yield conv("automatic", (1, 2, 8, 9), (3, 2, 2, 3), auto_pad=automatic, strides=[2, 2])


def poolings() -> Iterator[Case]:
    for op in ("MaxPool", "AveragePool"):
        for kernel, strides, pads in (
            ([2, 2], [2, 2], [0] * 4),
            ([3, 3], [2, 2], [1] * 4),
            ([3, 2], [1, 1], [0, 1, 2, 0]),
            ([2, 3], [3, 3], [0] * 4),
            ([5, 5], [1, 5], [2] * 4),
            ([1, 1], [2, 4], [0] * 4),
        ):
            for up in (0, 1):
                yield node_case(
                    op,
                    [values(2, 3, 9, 11)],
                    name=f"{op} {kernel} {strides} {pads} {up}",
                    judge=onnx_runtime,
                    kernel_shape=kernel,
                    strides=strides,
                    pads=pads,
                    ceil_mode=up,
                )
        yield node_case(op, [values(1, 2, 13)], name=f"{op} one axis", kernel_shape=[3], strides=[2])
    yield node_case(
        "AveragePool",
        [values(1, 2, 6, 6)],
        name="AveragePool counting the border",
        kernel_shape=[3, 3],
        pads=[1] * 4,
        count_include_pad=1,
    )
    yield node_case("MaxPool", [values(1, 2, 9, 9)], name="MaxPool dilated", kernel_shape=[2, 2], dilations=[3, 2])
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        yield from (
            node_case(op, [values(*s)], name=f"{op} {s}", judge=onnx_runtime)
            for s in ((1, 3, 4, 4), (2, 5, 7), (1, 2, 3, 2, 2), (2, 3, 1, 1))
        )


def reductions() -> Iterator[Case]:
    for op in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"):
        for axes in ([0], [1], [2], [-1], [0, 2], [0, 1, 2], [1, 2]):
            for keeps in (0, 1):
                yield node_case(
                    op, [values(3, 5, 18), np.array(axes)], name=f"{op} {axes} {keeps}", constants=(1,), keepdims=keeps
                )
        yield node_case(op, [values(2, 1, 3), np.array([0, 2])], name=f"{op} across one", constants=(1,))
        yield node_case(op, [values(3, 4)], name=f"{op} of all")
        yield node_case(op, [values(3, 4)], name=f"{op} of none", noop_with_empty_axes=1)
        yield node_case(op, [values(3, 4, 5)], name=f"{op} opset 11", opset=11, axes=[1], keepdims=0)
    for op in ("ArgMax", "ArgMin"):
        ties = np.array([[1, 5, 5, 2], [7, 7, 7, 7], [0, -1, -1, 3]], np.float32)
        for axis in (0, 1, -1):
            for last in (0, 1):
                yield node_case(
                    op, [ties], name=f"{op} {axis} {last}", axis=axis, select_last_index=last, keepdims=last
                )


def rows() -> Iterator[Case]:
    for op in ("Softmax", "LogSoftmax"):
        for shape, axis in (
            ((1, 10), -1),
            ((4, 3), 0),
            ((2, 5, 7), 1),
            ((2, 5, 7), -1),
            ((3, 1), 1),
            ((6,), 0),
            ((2, 3, 4, 5), 2),
        ):
            yield node_case(op, [values(*shape)], name=f"{op} {shape} {axis}", axis=axis)
        yield node_case(op, [values(2, 3, 4)], name=f"{op} opset 11", opset=11, axis=1, judge=onnx_runtime)
    for shape, axis in (((2, 10), -1), ((3, 4, 5), -1), ((3, 4, 5), 1), ((2, 33), 1)):
        inner = shape[axis:]
        yield node_case(
            "LayerNormalization",
            [values(*shape), values(*inner, seed=1), values(*inner, seed=2)],
            name=f"LayerNormalization {shape} {axis}",
            axis=axis,
            constants=(1, 2),
        )
    yield node_case(
        "LayerNormalization", [values(2, 6), values(6)], name="LayerNormalization without shift", epsilon=0.1
    )
    for shape in ((2, 3, 4, 4), (3, 5), (1, 4, 7)):
        c = shape[1]
        statistics = [values(c, seed=1), values(c, seed=2), values(c, seed=3), values(c, seed=4, low=0.1)]
        yield node_case(
            "BatchNormalization",
            [values(*shape), *statistics],
            name=f"BatchNormalization {shape}",
            constants=(1, 2, 3, 4),
        )


def movements() -> Iterator[Case]:
    for shape, order in (
        ((2, 3), [1, 0]),
        ((2, 3, 4), [0, 2, 1]),
        ((2, 3, 4), [2, 0, 1]),
        ((1, 3, 1, 5), [3, 2, 1, 0]),
        ((2, 3, 4, 5), [0, 2, 1, 3]),
    ):
        yield node_case("Transpose", [values(*shape)], name=f"Transpose {shape} {order}", perm=order)
    for dtype in (np.int64, np.int8, np.bool_):
        yield node_case("Transpose", [np.arange(12).reshape(3, 4).astype(dtype)], name=f"Transpose {dtype.__name__}")
    for axis in (0, 1, -1):
        yield node_case("Concat", [values(2, 3, 4), values(2, 3, 4, seed=1)], name=f"Concat {axis}", axis=axis)
        yield node_case("Split", [values(4, 6, 8)], name=f"Split {axis}", axis=axis, outputs=2, num_outputs=2)
    yield node_case(
        "Split", [values(7), np.array([2, 1, 4])], name="Split in unequal parts", constants=(1,), outputs=3
    )
    for starts, ends, axes, steps in (
        ([1], [3], [0], [1]),
        ([-3], [100], [1], [2]),
        ([5], [-100], [1], [-2]),
        ([3, 0], [0, 5], [0, 1], [-1, 3]),
        ([0], [-1], [1], [1]),
    ):
        given = [np.array(a) for a in (starts, ends, axes, steps)]
        yield node_case(
            "Slice", [values(4, 6), *given], name=f"Slice {starts} {ends} {axes} {steps}", constants=(1, 2, 3, 4)
        )
    for pads in ([1, 0, 0, 2], [0, 3, 1, 1], [-1, 1, 0, -2]):
        yield node_case(
            "Pad",
            [values(3, 4), np.array(pads), np.array(7.5, np.float32)],
            name=f"Pad {pads}",
            constants=(1, 2),
            judge=onnx_runtime,
        )
    yield node_case("Pad", [np.arange(4), np.array([2, 1]), np.array(-9)], name="Pad int64", constants=(1, 2))
    for shape in ((3, 4), (2, 1, 4), (3, 1)):
        yield node_case("Expand", [values(3, 1), np.array(shape)], name=f"Expand {shape}", constants=(1,))


def views_and_casts() -> Iterator[Case]:
    x = values(2, 3, 4)
    for shape in ([6, 4], [-1], [0, -1], [2, 1, 12]):
        yield node_case("Reshape", [x, np.array(shape)], name=f"Reshape {shape}", constants=(1,))
    yield from (node_case("Flatten", [x], name=f"Flatten {axis}", axis=axis) for axis in (0, 1, 2, 3, -1))
    yield node_case("Squeeze", [values(1, 3, 1), np.array([0])], name="Squeeze 0", constants=(1,))
    yield node_case("Squeeze", [values(1, 3, 1)], name="Squeeze all")
    yield node_case("Unsqueeze", [x, np.array([0, -1])], name="Unsqueeze", constants=(1,))
    yield node_case("Identity", [x], name="Identity")
    yield node_case("Dropout", [x], name="Dropout")
    numbers = np.array([-2.7, -0.5, 0.0, 0.5, 1.5, 99.9], np.float32)
    for to, dtype in ((7, "int64"), (6, "int32"), (9, "bool"), (1, "float32")):
        yield node_case("Cast", [numbers], name=f"Cast float32 to {dtype}", to=to)
        yield node_case("Cast", [np.arange(-3, 3)], name=f"Cast int64 to {dtype}", to=to)
    yield node_case("Cast", [np.array([True, False])], name="Cast bool to float32", to=1)


FAMILIES = [
    elementwise,
    edges,
    broadcasting,
    products,
    convolutions,
    poolings,
    reductions,
    rows,
    movements,
    views_and_casts,
]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_operator_of_the_family_computes_what_onnx_says(family: Any) -> None:
    cases = list(family())

    found = run_together(cases)

    assert len({case.name for case in cases}) == len(cases) > 5
    assert differences(cases, found, rtol=2e-5, atol=2e-5) == []


def test_one_of_each_family_computes_what_onnx_says() -> None:
    cases = [case for family in FAMILIES for case in list(family())[:2]]

    assert differences(cases, run_together(cases), rtol=2e-5, atol=2e-5) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", [products, convolutions], ids=lambda family: family.__name__)
def test_int8_stays_within_two_per_cent_of_the_largest_value(family: Any) -> None:
    cases = [case for case in family() if case.model.graph.initializer]

    found = run_together(cases, mode="int8")

    for case in cases:
        for name, expected in case.expected.items():
            assert np.abs(found[case.name][name] - expected).max() <= 0.02 * np.abs(expected).max(), case.name


def test_int8_sums_do_not_overflow_at_the_largest_values() -> None:
    k = 40_000
    signs = np.where(np.arange(k) % 2 == 0, 1, 1).astype(np.float32)
    case = node_case("MatMul", [signs[None, :], np.tile(signs[:, None], (1, 8))], constants=(1,), name="all ones")

    found = run_together([case], mode="int8")["all ones"]["y0"]

    assert np.allclose(found, k, rtol=1e-3)

"""Quantised operators in wasm against ONNX Runtime, and its reference where that has no kernel: steps by axis and block, exact products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from canisters.compiler import CannotCompile, build_model

from .cases import Case, differences, node_case, onnx_runtime, run_together

TYPES = (np.int8, np.uint8)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).uniform(-4, 4, shape).astype(np.float32)


def whole(dtype: Any, *shape: int, seed: int = 0) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed + sum(shape)).integers(limits.min, limits.max + 1, shape).astype(dtype)


def one(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def steps(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(0.01, 0.1, shape).astype(np.float32)


def conversions() -> Iterator[Case]:
    # Halves of a step, both ends of the range and far beyond.
    odd = np.array([0.5, 1.5, -0.5, -1.5, 2.5, 126.5, 127.5, -128.5, 255.5, 1e9, -1e9, 1e-40], np.float32)
    for dtype in (*TYPES, np.int16, np.uint16):
        name = dtype.__name__
        zero = np.array(3, dtype)
        yield node_case("QuantizeLinear", [odd, one(1), zero], name=f"to {name} at the edges", opset=21)
        yield node_case("QuantizeLinear", [numbers(2, 3, 5), one(0.03), zero], name=f"to {name}", opset=21)
        yield node_case(
            "QuantizeLinear", [numbers(2, 3, 5), steps(3), whole(dtype, 3) // 4], name=f"to {name} by axis", opset=21
        )
        yield node_case(
            "QuantizeLinear",
            [numbers(4, 7), steps(7), whole(dtype, 7) // 4],
            name=f"to {name} by column",
            opset=21,
            axis=-1,
        )
        yield node_case("DequantizeLinear", [whole(dtype, 2, 3, 5), one(0.03), zero], name=f"from {name}", opset=21)
        yield node_case(
            "DequantizeLinear",
            [whole(dtype, 2, 3, 5), steps(3), whole(dtype, 3)],
            name=f"from {name} by axis",
            opset=21,
        )
        yield node_case(
            "DequantizeLinear", [whole(dtype, 4, 7), steps(7)], name=f"from {name} by column", opset=21, axis=1
        )
        for axis, shape in ((0, (2, 6)), (1, (4, 2))):
            yield node_case("QuantizeLinear", [numbers(4, 6), steps(*shape), whole(dtype, *shape) // 4], name=f"to {name} in blocks {axis}", opset=21,
                            axis=axis, block_size=(2, 3)[axis])  # fmt: skip
            yield node_case("DequantizeLinear", [whole(dtype, 4, 6), steps(*shape), whole(dtype, *shape)], name=f"from {name} in blocks {axis}",
                            opset=21, axis=axis, block_size=(2, 3)[axis])  # fmt: skip
    yield node_case("DequantizeLinear", [whole(np.int32, 9) // 1000, one(0.5)], name="from int32", opset=21)
    yield node_case(
        "QuantizeLinear", [numbers(9), one(0.1)], name="without a zero point", opset=21, output_dtype=TensorProto.INT8
    )
    for index, values in enumerate((numbers(3, 7), np.abs(numbers(5)), -np.abs(numbers(5)))):
        yield node_case(
            "DynamicQuantizeLinear", [values], name=f"dynamic {index}", outputs=3, opset=20, judge=onnx_runtime
        )


def products() -> Iterator[Case]:
    for a in TYPES:
        for b in TYPES:
            label = f"{a.__name__} x {b.__name__}"
            zeros = [whole(a, 1).reshape(()), whole(b, 1, seed=1).reshape(())]
            for m, k, n in ((1, 7, 5), (3, 64, 17), (13, 33, 40)):
                yield node_case(
                    "MatMulInteger",
                    [whole(a, m, k), whole(b, k, n), *zeros],
                    name=f"{label} {m} {k} {n}",
                    constants=(1, 3),
                    opset=20,
                )
            yield node_case(
                "MatMulInteger", [whole(a, 5, 9), whole(b, 9, 6), *zeros], name=f"{label} at run time", opset=20
            )
            yield node_case(
                "MatMulInteger", [whole(a, 2, 3, 8), whole(b, 2, 8, 5)], name=f"{label} in batches", opset=20
            )
            yield node_case(
                "MatMulInteger",
                [whole(a, 5, 9), whole(b, 9, 6), zeros[0], whole(b, 6)],
                name=f"{label} by column",
                opset=20,
            )
            yield node_case("QLinearMatMul", [whole(a, 6, 20), one(0.02), zeros[0], whole(b, 20, 9), steps(9) / 10, whole(b, 9) // 9,
                                              one(0.05), np.array(9, a)], name=f"{label} quantised", constants=(3, 4, 5), opset=20,
                            judge=scaled_product)  # fmt: skip
            if b is np.int8 or a is np.uint8:
                yield node_case("ConvInteger", [whole(np.uint8, 2, 3, 6, 7), whole(b, 4, 3, 3, 2), np.array(7, np.uint8)], name=f"convolved {label}",
                                constants=(1,), opset=20, pads=[1, 0, 1, 1], strides=[1, 2], judge=onnx_runtime)  # fmt: skip
    # ONNX Runtime's own kernel saturates sums of pairs on some processors, so the reference judges.
    weights = whole(np.int8, 6, 2, 3, 3)
    given = [whole(np.uint8, 1, 4, 6, 6), one(0.02), np.array(100, np.uint8), weights, steps(6), np.zeros(6, np.int8), one(0.9),
             np.array(120, np.uint8), whole(np.int32, 6) // (1 << 20)]  # fmt: skip
    for kept in ((3, 4, 5, 8), ()):
        yield node_case(
            "QLinearConv", given, name=f"QLinearConv {kept}", constants=kept, opset=20, group=2, pads=[1, 1, 1, 1]
        )


def scaled_product(_model: object, inputs: Any) -> dict[str, np.ndarray]:
    """In float64, one rounding at the end; constants of the model are its own."""
    from onnx import numpy_helper

    known = {t.name: numpy_helper.to_array(t) for t in _model.graph.initializer}  # type: ignore[attr-defined]
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = ({**inputs, **known}[f"x{i}"] for i in range(8))
    real = (a.astype(np.float64) - a_zero) @ (b.astype(np.float64) - b_zero) * a_scale * b_scale
    limits = np.iinfo(y_zero.dtype)
    return {"y0": np.clip(np.rint(real / y_scale) + y_zero, limits.min, limits.max).astype(y_zero.dtype)}


@pytest.mark.slow
def test_quantised_operators_are_those_of_onnx() -> None:
    conversion, product = list(conversions()), list(products())

    found = run_together([*conversion, *product])

    exact = [
        case for case in (*conversion, *product) if not case.name.endswith("quantised") and "QLinear" not in case.name
    ]
    assert differences(exact, found, rtol=1e-6, atol=0) == []
    # A product that falls on the middle between two steps in float64 may fall beside it in float32.
    rounded = [case for case in product if case not in exact]
    assert differences(rounded, found, rtol=0, atol=1) == []


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [
        ("QuantizeLinear", [numbers(2, 3), steps(2)], {}, "do not fit axis 1"),
        ("QuantizeLinear", [numbers(4, 6), steps(3, 6)], {"block_size": 2, "axis": 0}, "in blocks of 2"),
        ("DequantizeLinear", [whole(np.int8, 4), one(1), np.array(1, np.uint8)], {}, "its zero point uint8"),
        ("MatMulInteger", [whole(np.int8, 2, 3), whole(np.int8, 3, 2), whole(np.int8, 5)], {}, "zero points"),
    ],
)
def test_quantised_operators_that_do_not_fit_are_refused(
    op: str, inputs: list[np.ndarray], attributes: dict[str, Any], reason: str
) -> None:
    case = node_case(op, inputs, opset=21, judge=lambda *_: {}, **attributes)

    with pytest.raises(CannotCompile, match=reason):
        build_model(case.model.SerializeToString())

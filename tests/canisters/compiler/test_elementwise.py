"""Types and elementwise operators against numpy or ONNX's reference: shapes that leave tails, every element type, the edges of each rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from canisters.compiler import CannotCompile, compile_model
from canisters.compiler.frontend import load
from canisters.compiler.ir import CODES, HALVES, INTEGERS, SIGNED, UNSIGNED

from .cases import Arrays, Case, differences, make_model, node_case, run_together
from .test_stores import strays

F, D = np.float32, np.float64
INF, NAN = np.inf, np.nan
EXTREMES = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, INF, -INF, NAN, 1e-40, -1e-40, 3e38, -3e38, 7.0], F
)
SHAPES = [
    ((4,), (4,)),
    ((3, 5), (5,)),
    ((3, 17), (3, 1)),
    ((3, 1), (1, 5)),
    ((), (2, 3)),
    ((2, 1, 3, 1), (1, 4, 1, 5)),
    ((0, 3), (1, 3)),
    ((33,), (33,)),
]


def uniform(*shape: int, seed: int = 0, dtype: Any = F) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).uniform(-3, 3, shape).astype(dtype)


def whole(*shape: int, seed: int = 0, dtype: Any = np.int64, low: int = 0, high: int = 90) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).integers(low, high, shape).astype(dtype)


def numpy_says(rule: Callable[..., Any]) -> Callable[[Any, Arrays], Arrays]:
    """The expected output by a rule of numpy, where ONNX's reference does not go."""

    def judge(_model: Any, inputs: Arrays) -> Arrays:
        with np.errstate(all="ignore"):
            return {"y0": np.asarray(rule(*inputs.values()))}

    return judge


def comparisons() -> Iterator[Case]:
    for op in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"):
        for a, b in SHAPES:
            yield node_case(op, [whole(*a, dtype=F, high=3), whole(*b, seed=9, dtype=F, high=3)], name=f"{op} {a} {b}")
        yield node_case(op, [EXTREMES, EXTREMES[::-1].copy()], name=f"{op} at the edges")
        for dtype in (D, *map(np.dtype, INTEGERS)):
            name = np.dtype(dtype).name
            yield node_case(
                op, [whole(19, dtype=dtype, high=4), whole(19, seed=5, dtype=dtype, high=4)], name=f"{op} {name}"
            )
    yield node_case("Equal", [whole(19, dtype=bool, high=2), whole(1, dtype=bool, high=2)], name="Equal bool")
    yield node_case("Less", [np.array([-1, 5]), np.array([2**63 - 1, -(2**63)])], name="Less int64 at the edges")


def logic() -> Iterator[Case]:
    for op in ("And", "Or", "Xor"):
        for a, b in SHAPES:
            yield node_case(
                op, [whole(*a, dtype=bool, high=2), whole(*b, seed=9, dtype=bool, high=2)], name=f"{op} {a} {b}"
            )
        for dtype in INTEGERS:
            x, y = whole(18, dtype=dtype), whole(18, seed=5, dtype=dtype)
            yield node_case(f"Bitwise{op}", [x, y], name=f"Bitwise{op} {dtype}")
    yield node_case("Not", [whole(37, dtype=bool, high=2)])
    for dtype in INTEGERS:
        yield node_case("BitwiseNot", [whole(18, dtype=dtype)], name=f"BitwiseNot {dtype}")
    for dtype in UNSIGNED:
        for direction in ("LEFT", "RIGHT"):
            width = 8 * np.dtype(dtype).itemsize
            x = np.array([1, 200, 255, 255, 77], dtype)
            by = np.array([0, 1, width - 1, width, 200], dtype)
            shift = np.left_shift if direction == "LEFT" else np.right_shift
            yield node_case(
                "BitShift", [x, by], name=f"BitShift {direction} {dtype}", direction=direction, judge=numpy_says(shift)
            )


def arithmetic() -> Iterator[Case]:
    for dtype in (*INTEGERS, "float64"):
        low = -20 if dtype in SIGNED or dtype == "float64" else 0
        a, b = whole(3, 7, dtype=dtype, low=low, high=20), whole(7, seed=5, dtype=dtype, low=1, high=20)
        for op, rule in {
            "Add": np.add,
            "Sub": np.subtract,
            "Mul": np.multiply,
            "Max": np.maximum,
            "Min": np.minimum,
        }.items():
            yield node_case(op, [a, b], name=f"{op} {dtype}", judge=numpy_says(rule))
        truncated = numpy_says(lambda x, y: np.trunc(x / y).astype(x.dtype) if x.dtype.kind != "f" else x / y)
        yield node_case("Div", [a, b], name=f"Div {dtype}", judge=truncated)
        yield node_case("Mod", [a, b], name=f"Mod {dtype}", fmod=int(dtype == "float64"))
        yield node_case(
            "Mod", [a, -b if low else b], name=f"Mod of the other sign {dtype}", fmod=int(dtype == "float64")
        )
        yield node_case("Mod", [a, -b if low else b], name=f"fmod {dtype}", fmod=1, judge=numpy_says(np.fmod))
        for other in ("float32", "int32", "int64", "float64"):
            if dtype in ("int32", "int64", "float64"):
                small = np.abs(a) % 5
                yield node_case("Pow", [small, whole(7, dtype=other, high=4)], name=f"Pow {dtype} {other}")
    for op in ("Sum", "Mean", "Max", "Min"):
        dtypes = (F, D) if op in ("Sum", "Mean") else (F, D, np.int32, np.uint8)
        for dtype in dtypes:
            parts = [whole(*shape, dtype=dtype, seed=i) for i, shape in enumerate([(3, 5), (5,), (3, 1), ()])]
            yield node_case(op, parts, name=f"{op} of four {np.dtype(dtype).name}")
        yield node_case(op, [uniform(7)], name=f"{op} of one")
    for op in ("Add", "Div", "Max"):
        yield node_case(op, [EXTREMES.astype(D), EXTREMES[::-1].astype(D)], name=f"{op} float64 at the edges")


def where_mod_and_pow_at_the_edges() -> Iterator[Case]:
    for dtype in ("int32", "int64", "int8"):
        lowest = np.iinfo(dtype).min
        a, b = np.array([lowest, 7, -7, 0, lowest], dtype), np.array([-1, 0, 0, 0, 1], dtype)
        expected = {"Div": [lowest, 0, 0, 0, lowest], "Mod": [0, 0, 0, 0, 0]}
        for op, wanted in expected.items():
            yield node_case(
                op, [a, b], name=f"{op} by zero {dtype}", judge=lambda _m, _i, w=wanted, t=dtype: {"y0": np.array(w, t)}
            )
    big = np.array([1e30, 5.5, -5.5, 1e-45, 3e38, INF, 1.0, NAN, 1.0, -0.0, 0.3], F)
    by = np.array([3.7, 2.0, 2.0, 1e-45, 1e-38, 2.0, INF, 1.0, 0.0, 3.0, 0.1], F)
    yield node_case("Mod", [big, by], name="fmod of floats", fmod=1, judge=numpy_says(np.fmod))
    yield node_case("Mod", [big[:7], by[:7]], name="fmod of doubles", fmod=1, judge=numpy_says(np.fmod))
    grid = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, INF, -INF, NAN, 1e-20, -3.0], F)
    bases, exponents = (np.ascontiguousarray(m.reshape(-1)) for m in np.meshgrid(grid, grid))
    with np.errstate(all="ignore"):
        powers = np.power(bases.astype(D), exponents.astype(D)).astype(F)
    yield node_case("Pow", [bases, exponents], name="Pow at the edges", judge=lambda _m, _i: {"y0": powers})
    for shapes in (((3, 1), (1, 5), (3, 5)), ((4,), (4,), ()), ((1,), (2, 9), (9,)), ((2, 0), (2, 0), (1,))):
        for dtype in ("float32", "float64", "int64", "int32", "uint8", "bool", "float16", "int16"):
            c, x, y = (
                whole(*shapes[0], dtype=bool, high=2),
                whole(*shapes[1], dtype=dtype, high=2),
                whole(*shapes[2], seed=3, dtype=dtype),
            )
            yield node_case("Where", [c, x, y], name=f"Where {shapes} {dtype}")
    kept = np.array([NAN, -0.0, INF, 1.0], F)
    yield node_case("Where", [np.array([1, 1, 0, 0], bool), kept, kept[::-1].copy()], name="Where keeps NaN")


def checks_for_no_numbers() -> Iterator[Case]:
    for dtype in (F, D, np.float16):
        with np.errstate(all="ignore"):
            x = np.resize(EXTREMES, 37).astype(dtype)
        yield node_case("IsNaN", [x], name=f"IsNaN {np.dtype(dtype).name}")
        for positive in (0, 1):
            for negative in (0, 1):
                yield node_case(
                    "IsInf",
                    [x],
                    name=f"IsInf {positive} {negative} {np.dtype(dtype).name}",
                    detect_positive=positive,
                    detect_negative=negative,
                )


def parameters() -> Iterator[Case]:
    activations: dict[str, list[dict[str, Any]]] = {
        "Elu": [{}, {"alpha": 0.3}], "Selu": [{}, {"alpha": 2.0, "gamma": 0.5}], "Celu": [{}, {"alpha": 0.7}], "ThresholdedRelu": [{}, {"alpha": -0.5}],
        "Shrink": [{}, {"lambd": 1.5, "bias": 1.0}], "HardSigmoid": [{}, {"alpha": 0.5, "beta": 0.2}], "LeakyRelu": [{}, {"alpha": 0.3}],
        "Mish": [{}], "Softplus": [{}], "Softsign": [{}],
    }  # fmt: skip
    for op, ways in activations.items():
        for how in ways:
            for dtype in (F, D, np.float16):
                yield node_case(op, [uniform(21, dtype=dtype)], name=f"{op} {how} {np.dtype(dtype).name}", **how)
            yield node_case(op, [np.zeros((0, 3), F)], name=f"{op} {how} of nothing", **how)
    for dtype in (F, D):
        # The reference takes the sixth to be a float32.
        judge = numpy_says(lambda x: (x * np.clip(x / 6 + 0.5, 0, 1)).astype(x.dtype))
        yield node_case("HardSwish", [uniform(21, dtype=dtype)], name=f"HardSwish {np.dtype(dtype).name}", judge=judge)
    for alpha in (1.0, 1.7):
        judge = numpy_says(lambda x, a=alpha: (x / (1 + np.exp(-F(a) * x))).astype(x.dtype))
        yield node_case("Swish", [uniform(21)], name=f"Swish {alpha}", opset=24, judge=judge, alpha=alpha)
    edges = np.array([0.0, -0.0, 1e-7, -1e-7, -1e-3, 200.0, -200.0], F)
    exact = np.expm1(np.minimum(edges, 0).astype(D)).astype(F)
    yield node_case(
        "Elu", [edges], name="Elu at the edges", judge=lambda _m, _i: {"y0": np.where(edges < 0, exact, edges)}
    )
    soft = (np.maximum(edges, 0) + np.log1p(np.exp(-np.abs(edges.astype(D))))).astype(F)
    yield node_case("Softplus", [edges], name="Softplus at the edges", judge=lambda _m, _i: {"y0": soft})
    for dtype in (F, D, np.int32, np.uint64):
        x = whole(3, 4, 5, dtype=dtype, low=0 if dtype == np.uint64 else -9, high=9)
        yield node_case("PRelu", [x, whole(4, 1, dtype=dtype, high=3)], name=f"PRelu {np.dtype(dtype).name}")
    for dtype in ("float32", "float64", "float16", *INTEGERS):
        x = whole(23, dtype=dtype, low=0 if dtype in UNSIGNED else -20, high=40)
        low, high = np.array(3, dtype), np.array(17, dtype)
        for name, limits in (("both", [low, high]), ("low", [low]), ("high", [None, high]), ("crossed", [high, low])):
            yield node_case("Clip", [x, *limits], name=f"Clip {name} {dtype}")
            yield node_case("Clip", [x, *limits], name=f"Clip {name} known {dtype}", constants=(1, 2)[: len(limits)])
    for op in ("Abs", "Neg", "Sign", "Relu"):
        for dtype in (*SIGNED, "float64", "float16"):
            yield node_case(op, [whole(9, dtype=dtype, low=-9)], name=f"{op} {dtype}")
    for dtype in UNSIGNED:
        for op in ("Abs", "Sign"):
            yield node_case(op, [whole(9, dtype=dtype)], name=f"{op} {dtype}")
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, 2.51, 1e9, -0.0, INF, NAN], F)
    for dtype in (F, D):
        yield node_case("Round", [halves.astype(dtype)], name=f"Round {np.dtype(dtype).name}")
        yield node_case("Sign", [EXTREMES.astype(dtype)], name=f"Sign at the edges {np.dtype(dtype).name}")


def functions_at_the_edges() -> Iterator[Case]:
    rules = {
        "Sin": np.sin, "Cos": np.cos, "Tan": np.tan, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh,
        "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh, "Exp": np.exp, "Log": np.log, "Sqrt": np.sqrt, "Tanh": np.tanh,
        "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
        "Erf": np.vectorize(math.erf, otypes=[D]), "Softsign": lambda x: x / (1 + np.abs(x)), "Neg": np.negative, "Abs": np.abs,
    }  # fmt: skip
    for op, rule in rules.items():
        for dtype in (F, D):
            judge = numpy_says(lambda x, r=rule: r(x.astype(D)).astype(x.dtype))
            yield node_case(
                op, [EXTREMES.astype(dtype)], name=f"{op} at the edges {np.dtype(dtype).name}", opset=22, judge=judge
            )


@pytest.mark.slow
def test_odd_functions_keep_the_sign_of_zero() -> None:
    ops = ("Sin", "Tan", "Asin", "Atan", "Sinh", "Asinh", "Atanh", "Tanh", "Softsign", "Round", "Floor", "Ceil")
    cases = [
        node_case(op, [np.array([-0.0, 0.0], dtype)], name=f"{op} {dtype.__name__}") for op in ops for dtype in (F, D)
    ]

    found = run_together(cases)

    assert [case.name for case in cases if list(np.signbit(found[case.name]["y0"])) != [True, False]] == []


def casts() -> Iterator[Case]:
    """All pairs of types; floats within the range of the integer, since what lies beyond is open."""
    kinds = ("float32", "float64", *HALVES, *INTEGERS, "bool", *CODES)
    for source in kinds:
        for target in kinds:
            bits = {"int4": (-8, 8), "uint4": (0, 16), "int2": (-2, 2), "uint2": (0, 4), "bool": (0, 2)}
            lows, highs = zip(
                *(bits.get(name, (0 if name in (*UNSIGNED, "float8_e8m0fnu") else -6, 7)) for name in (source, target)),
                strict=True,
            )
            x = whole(21, low=max(lows), high=min(highs)).astype(np.dtype(source))
            if "e8m0" in source + target:
                x = np.array([1, 2, 4, 1, 2], np.dtype(source)) if min(highs) > 4 else np.ones(5, np.dtype(source))
            judge = numpy_says(
                lambda a, t=target: (
                    a.astype(np.float32).astype(np.dtype(t)) if a.dtype.name in CODES else a.astype(np.dtype(t))
                )
            )
            to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
            yield node_case("Cast", [x], name=f"Cast {source} {target}", to=to, opset=25, judge=judge)
    wide = np.concatenate(
        [
            np.geomspace(1e-9, 1e5, 301),
            -np.geomspace(1e-9, 1e5, 300),
            [0.0, -0.0, INF, -INF, NAN, 65519.9, 65520, 5.96e-8, 2.98e-8],
        ]
    )
    for target in HALVES:
        for dtype in (F, D):
            to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
            judge = numpy_says(lambda a, t=target: a.astype(np.dtype(t)))
            yield node_case(
                "Cast",
                [wide.astype(dtype)],
                name=f"Cast {dtype.__name__} to {target}, all magnitudes",
                to=to,
                judge=judge,
            )
    every = np.arange(65536, dtype=np.uint16)
    for source in HALVES:
        yield node_case(
            "Cast",
            [every.view(np.dtype(source))],
            name=f"Cast every {source}",
            to=TensorProto.FLOAT,
            judge=numpy_says(lambda a: a.astype(F)),
        )
    to_integer = np.array([2.9, -2.9, 0.0, NAN, 1e3], F)
    for dtype in ("int32", "int64", "int16"):
        judge = numpy_says(lambda a, t=dtype: np.nan_to_num(np.trunc(a), nan=0.0).astype(t))
        yield node_case(
            "Cast",
            [to_integer],
            name=f"Cast cut off to {dtype}",
            to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)),
            judge=judge,
        )
    yield node_case(
        "Cast", [np.array([0.0, -0.0, NAN, 1e-45, -3], F)], name="Cast to bool at the edges", to=TensorProto.BOOL
    )
    yield node_case("CastLike", [uniform(5), np.zeros(1, np.float16)], name="CastLike", opset=20)


def small_floats() -> Iterator[Case]:
    x = np.concatenate(
        [np.geomspace(1e-6, 1e6, 500), -np.geomspace(1e-6, 1e6, 500), np.arange(-20, 20) / 4, [0.0, -0.0]]
    ).astype(F)
    ends = np.array([INF, -INF, NAN, 1e9, -1e9], F)
    for target in CODES:
        if not target.startswith("float"):
            continue
        dtype = np.dtype(target)
        to = helper.np_dtype_to_tensor_dtype(dtype)
        if target == "float8_e8m0fnu":
            powers = np.array([0.3, 1.0, 1.49, 1.5, 3.0, 1e30, 2.0**127], F)
            for mode, shift in (("up", np.ceil), ("down", np.floor)):
                wanted = np.exp2(shift(np.log2(powers))).astype(dtype)
                yield node_case(
                    "Cast",
                    [powers],
                    name=f"Cast {target} {mode}",
                    to=to,
                    opset=24,
                    round_mode=mode,
                    judge=lambda _m, _i, w=wanted: {"y0": w},
                )
            continue
        largest = float(ml_dtypes.finfo(dtype).max)
        held = numpy_says(lambda a, t=dtype, m=largest: np.clip(a, -m, m).astype(t))
        yield node_case("Cast", [x], name=f"Cast {target}", to=to, judge=held, opset=23)
        if target != "float4_e2m1fn":
            yield node_case("Cast", [ends], name=f"Cast {target} held", to=to, judge=held)
            open_ended = numpy_says(lambda a, t=dtype: a.astype(t))
            yield node_case(
                "Cast", [np.concatenate([x, ends])], name=f"Cast {target} open", to=to, judge=open_ended, saturate=0
            )


@pytest.mark.slow
def test_each_operator_agrees_on_every_type_shape_and_edge() -> None:
    families = (
        comparisons,
        logic,
        arithmetic,
        where_mod_and_pow_at_the_edges,
        checks_for_no_numbers,
        parameters,
        functions_at_the_edges,
    )
    cases = [case for family in families for case in family()]

    found = run_together(cases)

    of_type = {"float16": 2e-3, "float64": 1e-12}
    tolerances = {
        case.name: next((of_type[name] for name in of_type if case.name.endswith(name)), 1e-5) for case in cases
    }
    wrong = [
        differences([case], found, rtol=tolerances[case.name], atol=min(2e-6, tolerances[case.name])) for case in cases
    ]
    assert [line for lines in wrong for line in lines] == []


@pytest.mark.slow
def test_casts_agree_bit_by_bit() -> None:
    cases = [*casts(), *small_floats()]

    found = run_together(cases)

    wrong = []
    for case in cases:
        got, expected = found[case.name]["y0"], case.expected["y0"]
        is_no_number = (got != got) & (expected != expected)
        same = got.view(np.uint8).reshape(got.size, -1) == expected.view(np.uint8).reshape(got.size, -1)
        if got.dtype != expected.dtype or not (same.all(1) | is_no_number.ravel()).all():
            at = int(np.flatnonzero(~(same.all(1) | is_no_number.ravel()))[0])
            wrong.append(
                f"{case.name}: {got.ravel()[at]}, expected {expected.ravel()[at]}, of {next(iter(case.inputs.values())).ravel()[at]}"
            )
    assert wrong == []


@pytest.mark.slow
def test_an_elementwise_kernel_writes_its_output_and_nothing_else() -> None:
    def some() -> Iterator[Case]:
        """What has tails: one of each loop."""
        for size in (1, 2, 3, 16, 17, 31):
            for dtype in (F, D, np.float16, np.int32, np.uint8):
                yield node_case("Add", [whole(size, dtype=dtype), whole(1, dtype=dtype)], name="Add")
                yield node_case("Less", [whole(size, dtype=dtype), whole(size, dtype=dtype)], name="Less")
                yield node_case(
                    "Where",
                    [whole(size, dtype=bool, high=2), whole(1, dtype=dtype), whole(size, dtype=dtype)],
                    name="Where",
                )
                for to in (TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.BOOL, TensorProto.FLOAT8E5M2):
                    yield node_case("Cast", [whole(size, dtype=dtype)], name="Cast", to=to, judge=lambda _m, _i: {})
            yield node_case("And", [whole(size, dtype=bool, high=2), whole(2, size, dtype=bool, high=2)], name="And")
            yield node_case("Sin", [uniform(size)], name="Sin")

    assert strays(list(some()), "f32") == []


# --- types, without a build ---


def test_halves_are_computed_in_float32_and_rounded_once() -> None:
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Transpose", ["b"], ["y"]),
    ]
    model = make_model(nodes, {"x": np.zeros((2, 3), np.float16)}, {"w": np.ones(3, np.float16)}, ["y"])

    graph = load(model.SerializeToString())

    needed = {"y"}
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
    used = [node.op for node in graph.nodes if needed.intersection(node.outputs)]
    assert graph.type("y").dtype == "float16"
    assert used == ["Cast", "Add", "Relu", "Transpose", "Cast"]


@pytest.mark.parametrize(("op", "dtype"), [("Add", ml_dtypes.float8_e4m3fn), ("Sqrt", np.int32)])
def test_a_type_that_an_operator_does_not_take_is_refused_by_name(op: str, dtype: Any) -> None:
    x = np.zeros((1, 2, 3), dtype)
    model = make_model(
        [helper.make_node(op, ["x"] * (2 if op == "Add" else 1), ["y"], name="culprit")], {"x": x}, {}, ["y"]
    )

    with pytest.raises(CannotCompile) as caught:
        compile_model(model.SerializeToString())

    assert "culprit" in caught.value.node or "the model" in caught.value.node
    assert caught.value.what_to_do

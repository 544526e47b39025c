"""The kernels of dense layers and convolutions, each way that the compiler may choose: values within the bounds that rounding gives, tails of
every size, sums that come close to overflowing, and no store outside what is theirs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from onnx import helper

from canisters.compiler import build_model, compare_with_onnxruntime, compile_model
from canisters.compiler.cost import measured as measured_cost
from canisters.compiler.local import LocalModel
from canisters.compiler.operators import convolution, dense, packing

from .cases import Case, differences, make_model, node_case, onnx_runtime, run_together, together
from .test_operators import convolutions, values
from .test_stores import strays

# Below, at and above what the kernels take at once: 4 lanes, 8 and 16 steps, groups of 32, panels of 16 and 64.
SIZES_K = (1, 7, 16, 31, 33, 64, 100)
SIZES_N = (1, 3, 16, 63, 64, 65, 130)
ROWS = (1, 2, 7, 9)
INT4_LIMIT = 8191


def products(rows: tuple[int, ...] = ROWS) -> Iterator[Case]:
    for m, k, n in itertools.product(rows, SIZES_K, SIZES_N):
        if (k + n + m) % 3 == 0:  # a third of them, spread over all sizes
            yield node_case("MatMul", [values(m, k), values(k, n, seed=1)], name=f"{m} {k} {n}", constants=(1,))


def fused(activation: str, **attributes: Any) -> list[Case]:
    found = []
    for m, k, n in ((1, 40, 70), (3, 33, 20)):
        constants = {"w": values(k, n, seed=1), "b": values(n, seed=2)}
        inner = ["d", "low", "high"] if activation == "Clip" else ["d"]
        if activation == "Clip":
            constants |= {"low": np.array(-1.5, np.float32), "high": np.array(6.0, np.float32)}
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["d"]), helper.make_node(activation, inner, ["y"], **attributes)]
        given = {"x": values(m, k)}
        model = make_model(nodes, given, constants, ["y"])
        found.append(Case(f"{activation} {m}", model, given, onnx_runtime(model, given)))
    return found


def dequantised(mode: str, k: int, weights: np.ndarray) -> np.ndarray:
    """(k, n) as the mode's kernel sees them."""
    if mode == "int8":
        whole, steps = packing.quantised(weights)
        return whole.astype(np.float64) * steps
    whole, steps = packing.quantised_int4(np.pad(weights, [(0, -k % 32), (0, 0)]))
    return (whole * (steps.astype(np.uint32) << 16).view(np.float32)[:, None]).reshape(-1, weights.shape[1])[:k].astype(np.float64)


def outside_bounds(case: Case, found: np.ndarray, mode: str) -> str | None:
    """The kernel's own weights times activations that are each at most half a step off, and float32's error of the few sums after."""
    x = case.inputs["x0"].astype(np.float64)
    weights = next(iter(case.model.graph.initializer))
    w = np.frombuffer(weights.raw_data, np.float32).reshape(list(weights.dims))
    m, (k, n) = x.shape[0], w.shape
    taken = mode
    if mode == "int4" and (k < 32 or dense.int4_cost(m, k, n) >= dense.f32_cost(m, k, n)):
        taken = "int8"
    if taken == "int8" and dense.int8_cost(m, k, n) >= dense.f32_cost(m, k, n):
        taken = "f32"
    if taken == "f32":
        return None if np.allclose(found, x @ w, rtol=1e-5, atol=1e-5) else f"{case.name}: f32 is off"
    near = dequantised(taken, k, w)
    limit = INT4_LIMIT if taken == "int4" else packing.int16_limit(k)
    step = np.abs(x).max(axis=1, keepdims=True) / limit
    bound = 0.5001 * step * np.abs(near).sum(axis=0) + 1e-5 * (np.abs(x) @ np.abs(near)) + 1e-6
    error = np.abs(found - x @ near)
    return None if (error <= bound).all() else f"{case.name} in {taken}: {float((error / bound).max()):.3f} of the bound"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["f32", "int8", "int4"])
def test_a_product_is_within_what_rounding_allows(mode: str) -> None:
    cases = list(products())

    found = run_together(cases, mode=mode)

    faults = [outside_bounds(case, found[case.name]["y0"], mode) for case in cases]
    assert [fault for fault in faults if fault] == []


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "tolerance"), [("f32", 1e-5), ("int8", 0.5), ("int4", 5.0)])
def test_activations_are_taken_in_by_every_kernel(mode: str, tolerance: float) -> None:
    cases = [*fused("Relu"), *fused("LeakyRelu", alpha=0.2), *fused("Clip")]

    found = run_together(cases, mode=mode)

    assert differences(cases, found, rtol=1e-5, atol=tolerance) == []
    assert all(found[case.name]["y"].min() == 0 for case in cases if case.name.startswith("Relu"))
    assert all(found[case.name]["y"].min() >= -1.5 and found[case.name]["y"].max() <= 6 for case in cases if case.name.startswith("Clip"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_the_largest_sums_do_not_overflow(mode: str) -> None:
    k, n = 4096, 66
    signs = np.where(np.random.default_rng(0).random((k, n)) < 0.5, -1, 1).astype(np.float32)
    signs[:, 0], signs[:, 1] = 1, -1
    x = np.ones((1, k), np.float32)
    case = node_case("MatMul", [x, signs], constants=(1,))

    found = run_together([case], mode=mode)[case.name]["y0"]

    # Weights are all of one magnitude, so that neither they nor the activations are rounded by more than the step's own rounding.
    assert np.abs(found - x @ signs).max() <= 0.01 * k
    assert found[0, 0] == pytest.approx(k, rel=0.01)
    assert found[0, 1] == pytest.approx(-k, rel=0.01)


def test_int4_weights_are_rounded_to_the_nearest_of_sixteen() -> None:
    rng = np.random.default_rng(0)
    weights = (rng.standard_normal((64, 5)) * np.array([1.0, 1e-3, 1e20, 1e-41, 0.0])).astype(np.float32)

    whole, steps = packing.quantised_int4(weights)

    value = (steps.astype(np.uint32) << 16).view(np.float32)[:, None]
    off = np.abs(whole * value - weights.reshape(2, 32, 5))
    assert whole.min() >= -8
    assert whole.max() <= 7
    # Half a step, but for the one that is clipped at the end where there are only seven.
    assert (off[..., :3] <= 1.51 * np.abs(value[..., :3])).all()
    assert np.median(off[..., :3] / np.abs(value[..., :3])) < 0.3
    assert (whole[..., 4] == 0).all()


@pytest.mark.slow
def test_rows_keep_infinities_and_no_numbers_in_f32() -> None:
    x = values(1, 40)
    weights = values(40, 70, seed=1)
    x[0, 3], weights[3, 5] = np.inf, -1.0
    weights[4, 6] = np.nan
    case = node_case("Gemm", [x, weights, values(70, seed=2)], constants=(1, 2))
    clipped = fused("Clip")[0]

    found = run_together([case, clipped])

    assert differences([case, clipped], found, atol=1e-5) == []
    assert np.isinf(found["Gemm"]["y0"]).any()
    assert np.isnan(found["Gemm"]["y0"]).any()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["f32", "int8", "int4"])
def test_one_row_and_many_read_the_same_weights(mode: str) -> None:
    weights = values(40, 128, seed=1)

    panels = []
    for rows in (1, 9):
        built = build_model(node_case("MatMul", [values(rows, 40), weights], constants=(1,)).model.SerializeToString(), mode)
        (kernel,) = built.kernels.values()
        panels.append(kernel.weights["panels"])

    assert panels[0] == panels[1]


# --- convolutions, each way ---


def filters() -> Iterator[Case]:
    """Each channel on its own, and pixels alone: planes of every width about the tiles' own."""
    for size in (1, 2, 5, 7, 8, 14, 33):
        for stride in (1, 2):
            arrays = [values(1, 3, size, size + 1), values(3, 1, 3, 3, seed=1), values(3, seed=2)]
            yield node_case("Conv", arrays, name=f"filter {size} {stride}", constants=(1, 2), group=3, pads=[1] * 4, strides=[stride] * 2)
    for kernel, stride in ((5, 1), (5, 2), (2, 3), (3, 4)):
        arrays = [values(2, 4, 13, 11), values(4, 1, kernel, kernel, seed=1)]
        yield node_case("Conv", arrays, name=f"filter of {kernel} {stride}", constants=(1,), group=4, pads=[kernel // 2] * 4, strides=[stride] * 2)
    yield node_case("Conv", [values(1, 4, 30), values(4, 1, 7, seed=1)], name="filter a row", constants=(1,), group=4, pads=[3, 3])
    yield node_case("Conv", [values(1, 2, 9, 9), values(2, 1, 3, 3, seed=1)], name="filter in place", constants=(1,), group=2, dilations=[2, 3])
    for inputs, outputs, size in ((1, 1, 1), (5, 9, 7), (16, 15, 4), (33, 8, 9), (130, 4, 3), (96, 6, 5)):
        yield node_case("Conv", [values(1, inputs, size, size), values(outputs, inputs, 1, 1, seed=1), values(outputs, seed=2)],
                        name=f"alone {inputs} {outputs} {size}", constants=(1, 2))  # fmt: skip


def bounded() -> Case:
    """Clip between two convolutions: the second knows how large its input can be."""
    constants = {"w": values(5, 3, 1, 1), "low": np.array(0.0, np.float32), "high": np.array(6.0, np.float32), "v": values(7, 5, 3, 3, seed=1)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        helper.make_node("Clip", ["a", "low", "high"], ["b"], name="clip"),
        helper.make_node("Conv", ["b", "v"], ["y"], name="second", pads=[1] * 4),
    ]
    given = {"x": values(1, 3, 9, 10)}
    model = make_model(nodes, given, constants, ["y"])
    return Case("bounded", model, given, onnx_runtime(model, given))


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Any:
    """only("pixels"): every convolution that can be computed in that way is."""
    choose = convolution.cheapest

    def force(way: str) -> None:
        def chosen(costs: Mapping[str, float]) -> str:
            return way if way in costs else choose(costs)

        monkeypatch.setattr(convolution, "cheapest", chosen)

    return force


WAYS = ("pixels", "channels", "depthwise", "int8 channels", "int8 pixels")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_a_convolution_computes_it(way: str, only: Any) -> None:
    cases = [*filters(), *itertools.islice(convolutions(), 3, None, 4), bounded()]
    only(way)

    found = run_together(cases, mode="int8" if "int8" in way else "f32")

    # Values are about 3 * sqrt(products), 96 of them at most; an int8 weight is off by at most 1 in 254.
    rtol, atol = (0.02, 0.6) if "int8" in way else (1e-4, 1e-4)
    assert differences(cases, found, rtol=rtol, atol=atol) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_a_convolution_writes_only_what_is_its_own(way: str, only: Any) -> None:
    only(way)

    assert strays([*filters(), bounded()], "int8" if "int8" in way else "f32") == []


@pytest.mark.slow
def test_rows_write_only_what_is_theirs() -> None:
    cases = [*products((1, 3)), *fused("Relu"), *fused("LeakyRelu", alpha=0.2)]

    assert strays(cases, "int4") == []
    assert strays([case for case in cases if case.name.startswith("1 ")], "f32") == []


def layer(inputs: int, outputs: int, size: int, kernel: int, stride: int, groups: int = 1) -> Case:
    arrays = [values(1, inputs, size, size), values(outputs, inputs // groups, kernel, kernel, seed=1)]
    return node_case("Conv", arrays, name=f"{inputs} {outputs} {size} {kernel} {stride} {groups}", constants=(1,),
                     group=groups, pads=[kernel // 2] * 4, strides=[stride] * 2)  # fmt: skip


@pytest.mark.slow
def test_the_way_that_is_taken_is_about_the_cheapest(only: Any) -> None:
    layers = [layer(1, 8, 28, 3, 1), layer(3, 16, 32, 3, 2), layer(24, 64, 28, 1, 1), layer(96, 24, 7, 1, 1), layer(8, 8, 14, 3, 2, 8)]
    chosen = {mode: totals(layers, mode) for mode in ("f32", "int8")}

    measured = []
    for way in WAYS:
        only(way)
        measured.append(totals(layers, "int8" if "int8" in way else "f32"))

    # A layer that cannot be computed in some way is in the cheapest other one.
    least_f32 = [min(costs) for costs in zip(*measured[:3], strict=True)]
    least = [min(costs) for costs in zip(*measured, strict=True)]
    assert [case.name for case, got, best in zip(layers, chosen["f32"], least_f32, strict=True) if got > 1.1 * best] == []
    assert [case.name for case, got, best in zip(layers, chosen["int8"], least, strict=True) if got > 1.1 * best] == []


def totals(layers: list[Case], mode: str) -> list[float]:
    """What each layer costs, measured, with its share of the charges for the pages of its weights and scratch."""
    built = build_model(together(layers).SerializeToString(), mode)
    cost = measured_cost(built.module, built.graph, built.kernels, built.plan)
    found = []
    for function, node in zip(cost.functions, (n for n in built.graph.nodes if built.kernels[n.name].code), strict=True):
        kernel = built.kernels[node.name]
        charges = packing.page_charge(sum(map(len, kernel.weights.values()))) + sum(kernel.scratch.values()) * packing.CHARGE_PER_BYTE_WRITTEN
        found.append(function.instructions + charges)
    return found


# --- repeated layers ---


@pytest.mark.slow
def test_layers_of_one_shape_are_compiled_once() -> None:
    def stack(depth: int) -> Case:
        constants = {f"w{i}": (values(48, 48, seed=i) / 12).astype(np.float32) for i in range(depth)}
        nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"], name=f"layer {i}") for i in range(depth)]
        given = {"x0": values(2, 48)}
        model = make_model(nodes, given, constants, [f"x{depth}"])
        return Case(f"{depth} layers", model, given, onnx_runtime(model, given))

    few, many = stack(2), stack(8)

    built = [build_model(case.model.SerializeToString()) for case in (few, many)]

    assert len(built[1].module.wasm) - len(built[0].module.wasm) < 1500
    assert built[1].source.count("SHARED void") == 1
    for case in (few, many):
        assert differences([case], run_together([case]), rtol=1e-4, atol=1e-4) == []


@pytest.mark.slow
def test_the_accuracy_of_few_bits_is_reported() -> None:
    case = node_case("MatMul", [values(1, 256), values(256, 64, seed=1)], constants=(1,))
    data = case.model.SerializeToString()
    samples = [{"x0": values(1, 256, seed=seed)} for seed in range(8)]

    reports = [compare_with_onnxruntime(data, compile_model(data, mode=mode), samples) for mode in ("f32", "int8", "int4")]  # type: ignore[arg-type]

    errors = [report.mean_abs_error for report in reports]
    assert errors[0] < errors[1] < errors[2]
    assert reports[0].cosine > 0.999999
    assert 0.9999 < reports[1].cosine < 1
    assert 0.98 < reports[2].cosine < reports[1].cosine


@pytest.mark.slow
def test_int4_costs_less_alone_in_a_message_and_takes_about_half_the_room_of_int8() -> None:
    data = node_case("MatMul", [values(1, 512), values(512, 512, seed=1)], constants=(1,)).model.SerializeToString()

    int8, int4 = (compile_model(data, mode=mode).cost for mode in ("int8", "int4"))  # type: ignore[arg-type]

    assert int4.total < int8.total
    assert int4.weights_bytes < 0.58 * int8.weights_bytes


@pytest.mark.slow
def test_a_model_of_one_row_runs_through_its_doors_in_int4() -> None:
    case = node_case("MatMul", [values(1, 64), values(64, 10, seed=1)], constants=(1,))
    compiled = compile_model(case.model.SerializeToString(), mode="int4")

    found = LocalModel(compiled.wasm, compiled.weight_chunks).run(case.inputs)

    assert found["y0"].shape == (1, 10)
    assert compiled.interface["mode"] == "int4"

"""Resize, Upsample, GridSample, AffineGrid and RoiAlign: every mode, against ONNX's reference and ONNX Runtime."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from onnx import helper

from canisters.compiler import CannotCompile
from canisters.compiler.frontend import load
from canisters.compiler.operators.resampling import COORDINATES

from .cases import Arrays, Case, differences, make_model, node_case, onnx_runtime, run_together

REGION = np.array([0.0, 0.0, 0.1, -0.2, 1.0, 1.0, 0.8, 1.3], np.float32)
NO_REGION = np.array([], np.float32)


def values(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-3, 3, shape).astype(dtype)


def scaled(x: np.ndarray, scales: list[float], name: str, **way: Any) -> Case:
    judge = way.pop("judge", None)
    given = [x, way.pop("region", NO_REGION), np.array(scales, np.float32)]
    return node_case("Resize", given, name=f"Resize {name}", constants=(1, 2), judge=judge, **way)


def sized(x: np.ndarray, sizes: list[int], name: str, **way: Any) -> Case:
    return node_case("Resize", [x, None, None, np.array(sizes)], name=f"Resize {name}", constants=(3,), **way)


def ways() -> Iterator[Case]:
    image = values(1, 2, 4, 5)
    for mode, coordinates in itertools.product(("nearest", "linear", "cubic"), COORDINATES):
        if coordinates == "tf_half_pixel_for_nn":
            continue
        way = {"mode": mode, "coordinate_transformation_mode": coordinates}
        if coordinates == "tf_crop_and_resize":
            way |= {"region": REGION, "extrapolation_value": 9.5}
        for scales in ([1, 1, 2, 3], [1, 1, 0.6, 0.45], [1, 1, 1.7, 0.7]):
            yield scaled(image, scales, f"{mode} {coordinates} {scales}", **way)
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        for coordinates in ("half_pixel", "asymmetric", "align_corners"):
            yield sized(
                image,
                [1, 2, 7, 3],
                f"{nearest} {coordinates}",
                nearest_mode=nearest,
                coordinate_transformation_mode=coordinates,
            )
    for mode in ("linear", "cubic"):
        for scales in ([1, 1, 0.4, 0.3], [1, 1, 2.5, 0.6]):
            yield scaled(image, scales, f"{mode} antialias {scales}", mode=mode, antialias=1)
        yield scaled(
            image, [1, 1, 0.6, 2], f"{mode} without the outside", mode=mode, exclude_outside=1, cubic_coeff_a=-0.5
        )
    for policy in ("stretch", "not_larger", "not_smaller"):
        given = [image, None, None, np.array([7, 8])]
        yield node_case(
            "Resize",
            given,
            name=f"Resize {policy}",
            constants=(3,),
            axes=[2, 3],
            keep_aspect_ratio_policy=policy,
            mode="linear",
        )
    given = [image, None, None, np.array([8, 3])]
    yield node_case("Resize", given, name="Resize of other axes", constants=(3,), axes=[3, 1], mode="linear")


def forms() -> Iterator[Case]:
    for dtype in (np.float64, np.float16, np.int64, np.uint8):
        yield sized((np.abs(values(1, 1, 3, 4)) * 3).astype(dtype), [1, 1, 5, 9], f"nearest {np.dtype(dtype).name}")
    yield sized(values(1, 1, 3, 4, dtype=np.float64), [1, 1, 5, 9], "linear float64", mode="linear")
    for shape, sizes in (((5,), [9]), ((2, 3), [4, 3]), ((1, 1, 2, 3, 4), [1, 1, 3, 2, 7]), ((2, 1), [2, 4])):
        yield sized(values(*shape), sizes, f"linear {shape}", mode="linear")
    yield sized(values(1, 2, 3), [1, 2, 3], "of the same size", mode="linear")
    yield sized(values(1, 2, 3), [1, 0, 3], "to nothing", mode="linear")
    yield scaled(values(1, 1, 9, 37), [1, 1, 2, 2], "of rows", mode="linear")
    for op, opset in (("Resize", 10), ("Upsample", 9)):
        for mode, scales in (("nearest", [1, 1, 2, 3]), ("linear", [1, 1, 2, 3]), ("nearest", [1, 1, 1.5, 2.5])):
            given = [values(1, 2, 3, 4), np.array(scales, np.float32)]
            yield node_case(
                op,
                given,
                name=f"{op} opset {opset} {mode} {scales}",
                opset=opset,
                constants=(1,),
                mode=mode,
                judge=onnx_runtime,
            )
    given = [values(1, 2, 4, 4), np.array([1, 1, 0.6, 0.6], np.float32)]
    yield node_case(
        "Resize", given, name="Resize opset 10 down", opset=10, constants=(1,), mode="nearest", judge=onnx_runtime
    )
    half = {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor", "judge": onnx_runtime}
    yield scaled(values(1, 1, 4, 6), [1, 1, 0.5, 1.5], "tf_half_pixel_for_nn", opset=11, **half)


def grids() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    for align, border, mode in itertools.product(
        (0, 1), ("zeros", "border", "reflection"), ("linear", "nearest", "cubic")
    ):
        way = {"align_corners": align, "padding_mode": border, "mode": mode}
        grid = rng.uniform(-1.6, 1.6, (2, 3, 4, 2)).astype(np.float32)
        yield node_case("GridSample", [values(2, 3, 4, 5), grid], name=f"GridSample {way}", **way)
        space = rng.uniform(-1.3, 1.3, (1, 2, 2, 3, 3)).astype(np.float32)
        if mode != "cubic":
            yield node_case("GridSample", [values(1, 2, 3, 4, 5), space], name=f"GridSample of space {way}", **way)
    yield node_case(
        "GridSample",
        [values(1, 1, 1, 1), np.array([[[[0.3, -5], [0, 0]]]], np.float32)],
        name="GridSample of a single one",
    )
    far = np.array([[[[1e30, 0], [-1e30, 0], [3e9, 3e9]]]], np.float32)
    yield node_case("GridSample", [values(1, 1, 3, 3), far], name="GridSample far away", padding_mode="border")
    yield node_case(
        "GridSample",
        [values(1, 2, 3, 3), np.zeros((1, 0, 2, 2), np.float32)],
        name="GridSample of nothing",
        judge=empty(1, 2, 0, 2),
    )
    old = [values(1, 1, 3, 3), rng.uniform(-1, 1, (1, 2, 2, 2)).astype(np.float32)]
    yield node_case("GridSample", old, name="GridSample opset 16", opset=16, mode="bilinear", judge=onnx_runtime)
    for align in (0, 1):
        for size in ([2, 3, 4, 5], [2, 3, 2, 3, 4]):
            theta = rng.normal(size=(2, len(size) - 2, len(size) - 1)).astype(np.float32)
            yield node_case(
                "AffineGrid",
                [theta, np.array(size)],
                name=f"AffineGrid {align} {size}",
                constants=(1,),
                align_corners=align,
            )
    regions = np.array([[0, 0, 9, 9], [3, 2, 7, 4], [-5, -5, 30, 30], [4, 4, 4, 4]], np.float32)
    for mode, ratio, half in itertools.product(("avg", "max"), (0, 2), ("half_pixel", "output_half_pixel")):
        way = {
            "mode": mode,
            "sampling_ratio": ratio,
            "coordinate_transformation_mode": half,
            "output_height": 3,
            "output_width": 2,
        }
        given = [values(2, 2, 10, 8), regions, np.array([0, 1, 0, 1])]
        yield node_case("RoiAlign", given, name=f"RoiAlign {mode} {ratio} {half}", spatial_scale=0.8, **way)


def empty(*shape: int) -> Callable[[Any, Arrays], Arrays]:
    return lambda _model, _inputs: {"y0": np.zeros(shape, np.float32)}


FAMILIES = [ways, forms, grids]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_images_are_resized_and_sampled_as_onnx_says(family: Callable[[], Iterator[Case]]) -> None:
    cases = list(family())

    found = run_together(cases)

    assert len({case.name for case in cases}) == len(cases) > 15
    assert differences(cases, found, rtol=1e-4, atol=2e-5) == []


@pytest.mark.slow
def test_a_region_that_asks_for_too_many_samples_fails_the_call() -> None:
    huge = [values(1, 1, 4, 4), np.array([[0, 0, 1e9, 1]], np.float32), np.array([0])]
    case = node_case("RoiAlign", huge, name="RoiAlign", judge=empty(1, 1, 1, 1))

    with pytest.raises(Exception, match="too large"):
        run_together([case])


@pytest.mark.parametrize(
    ("constants", "attributes", "reason"),
    [
        ({"s": np.array([1, 1, -2, 2], np.float32)}, {}, "do not fit"),
        ({"s": np.array([2, 2], np.float32)}, {}, "do not fit 4 axes"),
        ({"s": np.array([1, 1, np.nan, 2], np.float32)}, {}, "do not fit"),
        ({"s": np.array([1, 1, np.inf, 2], np.float32)}, {}, "do not fit"),
        ({"s": np.array([0, 0, 1e9, 0], np.float32)}, {}, "it makes 2000000000 of 2 elements"),
        ({"s": np.array([1, 1, 2, 2], np.float32)}, {"mode": "sharp"}, "its mode is 'sharp'"),
        ({}, {}, "decides a shape and is only known at run time"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(constants: Arrays, attributes: dict[str, Any], reason: str) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], name="culprit", **attributes)
    inputs = {"x": values(1, 1, 2, 2)} | ({} if constants else {"s": np.ones(4, np.float32)})
    model = make_model([], inputs, constants, [])
    model.graph.node.append(node)
    model.graph.output.append(helper.make_tensor_value_info("y", 1, ["?"] * 4))

    with pytest.raises(CannotCompile) as refused:
        load(model.SerializeToString())

    assert reason in refused.value.reason


def test_linear_resizing_of_integers_is_refused_with_what_to_do() -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear")
    given = {"x": np.zeros((1, 1, 2, 2), np.int32)}, {"s": np.array([1, 1, 2, 2], np.float32)}

    with pytest.raises(CannotCompile, match="Cast it to float32 in the model"):
        load(make_model([node], *given, ["y"]).SerializeToString())

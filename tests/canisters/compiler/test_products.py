"""Einsum, DFT and STFT: what becomes matrix products, and what stays loops; against ONNX's reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import helper

from canisters.compiler import CannotCompile
from canisters.compiler.frontend import load
from canisters.compiler.passes.einsum import einsum_to_products

from .cases import Arrays, Case, differences, make_model, node_case, run_together

SIZES = {"i": 3, "j": 4, "k": 5, "l": 2, "b": 2, "h": 3, "q": 4, "d": 5, "I": 6}
# As matrix products, and as loops.
PRODUCTS = [
    "ij,jk->ik", "ij,jk", "ij,kj->ik", "bhqd,bhkd->bhqk", "bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "ij,jk,kl->il", "bij,jk->bik", "ijk,jk->i", "ik,kj->ji",
    "ij, jk -> ki", "b...i,bij->b...j", "iI,Ij->ij", "i,i->", "ijk,ijk->k", "i...,i...->...",
]  # fmt: skip
LOOPS = [
    "i,j->ij",
    "ii->i",
    "ii",
    "ijk->kji",
    "ij->",
    "ij,ij->ij",
    "i,i,i->i",
    "...ij->...ji",
    "ij,k->ijk",
    "iij,j->i",
    ",i->i",
]


def operands(equation: str, dtype: Any = np.float32) -> list[np.ndarray]:
    terms = equation.replace(" ", "").split("->")[0].split(",")
    rng = np.random.default_rng(len(equation))
    shapes = [
        [size for label in term.replace("...", ".") for size in ([3, 2] if label == "." else [SIZES[label]])]
        for term in terms
    ]
    return [np.round(rng.uniform(-4, 4, shape)).astype(dtype) for shape in shapes]


def equations() -> Iterator[Case]:
    for equation in (*PRODUCTS, *LOOPS):
        yield node_case("Einsum", operands(equation), name=f"Einsum {equation}", equation=equation)
    for dtype in (np.float64, np.int32, np.float16):
        yield node_case("Einsum", operands("ij,jk->ik", dtype), name=f"Einsum {dtype.__name__}", equation="ij,jk->ik")
    yield node_case("Einsum", operands("ij,jk->ki"), name="Einsum with weights", equation="ij,jk->ki", constants=(1,))
    stretched = [np.ones((3, 1), np.float32) * 2, operands("jk")[0]]
    yield node_case("Einsum", stretched, name="Einsum that stretches", equation="ij,jk->ik")
    yield node_case(
        "Einsum",
        [np.zeros((3, 0), np.float32), np.zeros((0, 2), np.float32)],
        name="Einsum of nothing",
        equation="ij,jk->ik",
    )


def spectra() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    for parts in (1, 2):
        x = rng.normal(size=(2, 6, 5, parts)).astype(np.float32)
        for axis in (0, 1, 2, -2, -3):
            yield node_case("DFT", [x, None, np.array(axis)], name=f"DFT {parts} {axis}", constants=(2,))
        for length in (3, 6, 9):
            for flags in ({}, {"inverse": 1}, {"onesided": 1}):
                if parts == 2 and "onesided" in flags:
                    continue
                yield node_case(
                    "DFT",
                    [x, np.array(length), np.array(1)],
                    name=f"DFT {parts} of {length} {flags}",
                    constants=(1, 2),
                    **flags,
                )
        yield node_case("DFT", [x], name=f"DFT {parts} opset 17", opset=17, axis=2)
    half = np.fft.rfft(rng.normal(size=(2, 8)), axis=1)
    halves = np.stack([half.real, half.imag], -1).astype(np.float32)
    yield node_case(
        "DFT", [halves, np.array(8), np.array(1)], name="DFT back to real", constants=(1, 2), inverse=1, onesided=1
    )
    signal, window = rng.normal(size=(2, 40, 1)).astype(np.float32), np.hanning(16).astype(np.float32)
    for constants in ((1, 2, 3), (1, 3)):
        for onesided in (0, 1):
            given = [signal, np.array(5), window, np.array(16)]
            yield node_case("STFT", given, name=f"STFT {constants} {onesided}", constants=constants, onesided=onesided)
    yield node_case("STFT", [signal, np.array(12), None, np.array(16)], name="STFT without a window", constants=(1, 3))
    both = rng.normal(size=(1, 20, 2)).astype(np.float32)
    yield node_case(
        "STFT",
        [both, np.array(4), np.ones(8, np.float32), np.array(8)],
        name="STFT of complex numbers",
        constants=(1, 2, 3),
        onesided=0,
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", [equations, spectra], ids=lambda family: family.__name__)
def test_sums_of_products_are_what_onnx_says(family: Any) -> None:
    cases = list(family())

    found = run_together(cases)

    assert len({case.name for case in cases}) == len(cases) > 15
    assert differences(cases, found, rtol=2e-5, atol=1e-5) == []


@pytest.mark.parametrize("equation", PRODUCTS)
def test_a_sum_over_what_two_tensors_share_is_a_matrix_product(equation: str) -> None:
    case = node_case("Einsum", operands(equation), equation=equation)

    ops = [node.op for node in einsum_to_products(load(case.model.SerializeToString())).nodes]

    assert "Einsum" not in ops
    assert ops.count("MatMul") == equation.split("->")[0].count(",")


@pytest.mark.parametrize("equation", LOOPS)
def test_what_is_no_matrix_product_stays(equation: str) -> None:
    case = node_case("Einsum", operands(equation), equation=equation)

    assert [node.op for node in einsum_to_products(load(case.model.SerializeToString())).nodes] == ["Einsum"]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [
        ("Einsum", operands("ij,jk"), {"equation": "ij,ik->jk"}, "has the sizes 3 and 4"),
        ("Einsum", operands("ij"), {"equation": "ij->im"}, "labels that no input has"),
        ("Einsum", operands("ij"), {"equation": "i.j->i"}, "does not fit"),
        ("Einsum", operands("ij"), {"equation": "ijk->i"}, "does not fit the shape"),
        ("DFT", [np.zeros((2, 3, 3), np.float32)], {}, "neither real nor complex"),
        ("DFT", [np.zeros((1, 9000, 1), np.float32)], {}, "by a matrix of"),
        ("DFT", [np.zeros((1, 1 << 20, 1), np.float32), np.array(1)], {}, "it transforms 1048576 elements"),
        ("STFT", [np.zeros((1, 9, 1), np.float32), np.array(0)], {}, "its step"),
        (
            "STFT",
            [np.zeros((1, 9, 1), np.float32), np.array(1), np.ones(10, np.float32)],
            {},
            "frames of 10 do not fit",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    op: str, inputs: list[np.ndarray], attributes: dict[str, Any], reason: str
) -> None:
    names: Arrays = {f"x{i}": array for i, array in enumerate(inputs)}
    constants = {name: array for name, array in names.items() if op != "Einsum" and name != "x0"}
    model = make_model([], {name: array for name, array in names.items() if name not in constants}, constants, [])
    model.graph.node.append(helper.make_node(op, list(names), ["y"], name="culprit", **attributes))
    model.graph.output.append(helper.make_tensor_value_info("y", 1, ["?"]))

    with pytest.raises(CannotCompile) as refused:
        load(model.SerializeToString())

    assert reason in refused.value.reason
    assert "culprit" in refused.value.node

"""Single products and small networks: what inference costs on chain, in instructions of the Internet Computer, and how large modules are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper

from canisters.compiler import MODES, CompiledModel, compile_model
from tests.canisters.compiler.cases import make_model
from tests.canisters.compiler.networks import cnn, mlp

from .figure import Figure


def product(m: int, k: int = 768, n: int = 768) -> onnx.ModelProto:
    weights = np.random.default_rng(0).standard_normal((k, n)).astype(np.float32)
    return make_model([helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], {"x": np.zeros((m, k), np.float32)}, {"w": weights}, ["y"])


def wide() -> onnx.ModelProto:
    """784-512-256-10, the network of the design notes."""
    sizes = [784, 512, 256, 10]
    rng = np.random.default_rng(0)
    constants, nodes, last = {}, [], "x"
    for i, (k, n) in enumerate(itertools.pairwise(sizes)):
        constants |= {f"w{i}": (rng.standard_normal((k, n)) / k**0.5).astype(np.float32), f"b{i}": np.zeros(n, np.float32)}
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"d{i}"], name=f"dense{i}"))
        last = f"d{i}"
        if i < 2:
            nodes.append(helper.make_node("Relu", [last], [f"r{i}"], name=f"relu{i}"))
            last = f"r{i}"
    nodes.append(helper.make_node("Softmax", [last], ["y"], name="softmax"))
    return make_model(nodes, {"x": np.zeros((1, 784), np.float32)}, constants, ["y"])


# Name, network, goals of instructions per multiply-accumulate by mode, goal of the module's size. Limits: 1.5 in f32, 0.5 in int8.
NETWORKS = (
    ("mlp", mlp(), {}, 10_000),
    ("mlp_784", wide(), {}, 10_000),
    ("cnn", cnn(), {}, 50_000),
    ("cnn_28", cnn(size=28), {}, 50_000),
    ("gemm_48x768x768", product(48), {"f32": 1.85, "int8": 0.65}, None),
    ("gemv_768x768", product(1), {}, None),
)  # fmt: skip


def figures() -> Iterator[Figure]:
    for name, model, goals, module_goal in NETWORKS:
        compiled = {mode: compile_model(model.SerializeToString(), mode=mode) for mode in MODES}  # type: ignore[arg-type]
        for mode in MODES:
            yield from _of(f"compiler.{name}.{mode}", compiled[mode], goals.get(mode), module_goal)
        plain, small = compiled["f32"].cost, compiled["int8"].cost
        yield Figure(f"compiler.{name}.int8_over_f32.total", round(small.total / plain.total, 4), "ratio", None)
        yield Figure(f"compiler.{name}.int8_over_f32.kernels", round(small.kernel_instructions / plain.kernel_instructions, 4), "ratio", None)


def _of(name: str, compiled: CompiledModel, goal: float | None, module_goal: float | None) -> Iterator[Figure]:
    cost = compiled.cost
    yield Figure(f"{name}.total", cost.total, "instructions", None)
    yield Figure(f"{name}.executed", cost.instructions, "instructions", None)
    yield Figure(f"{name}.page_charges", cost.page_charges, "instructions", None)
    yield Figure(f"{name}.per_mac", round(cost.per_mac, 4), "instructions", goal)
    yield Figure(f"{name}.module", cost.module_bytes, "bytes", module_goal)
    yield Figure(f"{name}.weights", cost.weights_bytes, "bytes", None)

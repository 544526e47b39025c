"""Each rewrite: what it takes in, what it leaves alone, and that the graph still means the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import pytest
from onnx import helper

from canisters.compiler import frontend
from canisters.compiler.errors import BuildFailed
from canisters.compiler.ir import Graph, Node, TensorType, verify
from canisters.compiler.passes import PASSES

from .cases import Case, differences, make_model, reference, run_together
from .networks import cnn, mlp

F = np.float32


def rewritten(model) -> Graph:
    graph = frontend.load(model.SerializeToString())
    for step in PASSES:
        graph = step(graph)
        verify(graph, after=step.__name__)
    return graph


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(F)


def test_a_cnn_becomes_a_handful_of_kernels() -> None:
    graph = rewritten(cnn())

    assert ops(graph) == ["Conv", "MaxPool", "Conv", "ReduceBlock", "View", "Dense", "Softmax"]
    assert [node.attributes["activation"].kind for node in graph.nodes if node.op == "Conv"] == ["RELU", "RELU"]


def test_an_mlp_becomes_a_handful_of_kernels() -> None:
    assert ops(rewritten(mlp())) == ["Sub", "Div", "Dense", "Dense", "Softmax"]


def case(
    name: str, nodes: Sequence[onnx.NodeProto], x: np.ndarray, constants: dict[str, np.ndarray], *outputs: str
) -> Case:
    model = make_model(nodes, {"x": x}, constants, outputs or ["y"])
    return Case(name, model, {"x": x}, reference(model, {"x": x}))


CONSTANTS = {
    "w": values(4, 4),
    "row": values(4, seed=1),
    "matrix": values(3, 4, seed=2),
    "scalar": np.array(2.0, F),
    "column": values(3, 1, seed=3),
}
X = values(3, 4, seed=9)


def biases() -> Iterator[tuple[Case, list[str]]]:
    for names, expected in (
        (["row"], ["Dense"]),
        (["scalar"], ["Dense"]),
        (["row", "row"], ["Dense"]),
        (["matrix"], ["Dense", "Add"]),
        (["column"], ["Dense", "Add"]),
        (["row", "matrix", "row"], ["Dense", "Add", "Add"]),
    ):
        nodes = [helper.make_node("MatMul", ["x", "w"], ["t0"])]
        nodes += [helper.make_node("Add", [name, f"t{i}"], [f"t{i + 1}"]) for i, name in enumerate(names)]
        yield case(f"{' and '.join(names)} added to every row", nodes, X, CONSTANTS, f"t{len(names)}"), expected


def shared() -> Iterator[tuple[Case, list[str]]]:
    product = helper.make_node("MatMul", ["x", "w"], ["t"])
    twice = [
        product,
        helper.make_node("Add", ["t", "row"], ["a"]),
        helper.make_node("Relu", ["t"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    yield case("a product that is read twice keeps its own value", twice, X, CONSTANTS), ["Dense", "Add", "Relu", "Add"]
    yield (
        case(
            "a product that is an output keeps its own value",
            [product, helper.make_node("Relu", ["t"], ["y"])],
            X,
            CONSTANTS,
            "y",
            "t",
        ),
        ["Dense", "Relu"],
    )
    ended = [
        product,
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("Add", ["r", "row"], ["a"]),
        helper.make_node("Mul", ["a", "row"], ["m"]),
        helper.make_node("Tanh", ["m"], ["y"]),
    ]
    yield case("an activation ends what a product takes in", ended, X, CONSTANTS), ["Dense", "Add", "Mul", "Tanh"]
    named = [
        helper.make_node("ReduceMean", ["x", "axes"], ["a"], name="n", keepdims=1),
        helper.make_node("Relu", ["a"], ["b"], name="n.0"),
        helper.make_node("Exp", ["b"], ["n.part"], name="n.1"),
        helper.make_node("Neg", ["n.part"], ["y"], name=""),
    ]
    expected = ["ReduceBlock", "ReduceBlock", "Relu", "Exp", "Neg"]
    yield (
        case("names that a pass would choose stay apart", named, values(2, 3, 4), {"axes": np.array([0, 2])}),
        expected,
    )


def channels() -> Iterator[tuple[Case, list[str]]]:
    image = values(2, 2, 5, 5)
    constants = {
        "k": values(6, 2, 3, 3),
        "s": values(6),
        "t": values(6, seed=1),
        "m": values(6, seed=2),
        "v": np.abs(values(6, seed=3)) + F(0.1),
    }
    norm = ["s", "t", "m", "v"]
    last = [helper.make_node("Conv", ["x", "k"], ["c"]), helper.make_node("BatchNormalization", ["c", *norm], ["y"])]
    yield case("a normalisation behind a convolution goes into it", last, image, constants), ["Conv"]
    first = [helper.make_node("BatchNormalization", ["x", *norm], ["c"]), helper.make_node("Conv", ["c", "k"], ["y"])]
    short = {name: array if name == "k" else array[:2] for name, array in constants.items()}
    yield case("a normalisation before a convolution stays", first, image, short), ["Affine", "Conv"]
    scaled = [
        helper.make_node("Conv", ["x", "one"], ["c"]),
        helper.make_node("Mul", ["c", "each"], ["d"]),
        helper.make_node("Mul", ["all", "d"], ["y"]),
    ]
    scales = {"one": values(3, 2, 1, 1), "each": values(3, 1, 1), "all": values(5, 5)}
    yield case("a scale a channel goes into the weights, one a pixel does not", scaled, image, scales), ["Conv", "Mul"]


def gelus() -> Iterator[tuple[Case, list[str]]]:
    constants = {
        "root": np.array(2**0.5, F),
        "inverse": np.array(0.5**0.5, F),
        "one": np.array(1.0, F),
        "half": np.array(0.5, F),
        "two": np.array(2.0, F),
    }
    divided, multiplied = (
        helper.make_node("Div", ["x", "root"], ["a"]),
        helper.make_node("Mul", ["inverse", "x"], ["a"]),
    )
    gate = [helper.make_node("Erf", ["a"], ["b"]), helper.make_node("Add", ["one", "b"], ["c"])]
    half_last = [helper.make_node("Mul", ["x", "c"], ["d"]), helper.make_node("Mul", ["d", "half"], ["y"])]
    half_first = [helper.make_node("Mul", ["x", "half"], ["d"]), helper.make_node("Mul", ["d", "c"], ["y"])]
    x = values(9)
    yield case("gelu by division", [divided, *gate, *half_last], x, constants), ["Gelu"]
    yield case("gelu by a factor", [multiplied, *gate, *half_last], x, constants), ["Gelu"]
    yield case("gelu with its half first", [divided, *gate, *half_first], x, constants), ["Gelu"]
    other = helper.make_node("Div", ["x", "two"], ["a"])
    yield (
        case("what only looks like gelu stays", [other, *gate, *half_last], x, constants),
        ["Div", "Erf", "Add", "Mul", "Mul"],
    )


REWRITES = [*biases(), *shared(), *channels(), *gelus()]


@pytest.mark.parametrize(("given", "expected"), REWRITES, ids=[given.name for given, _ in REWRITES])
def test_a_rewrite_takes_what_it_may_and_leaves_the_rest(given: Case, expected: list[str]) -> None:
    assert ops(rewritten(given.model)) == expected


def test_every_rewritten_graph_still_means_the_same() -> None:
    cases = [given for given, _ in REWRITES]

    assert differences(cases, run_together(cases), rtol=1e-4, atol=1e-5) == []


def test_what_nobody_reads_is_left_out() -> None:
    nodes = [
        helper.make_node("Exp", ["x"], ["unused"]),
        helper.make_node("MatMul", ["unused", "w"], ["more"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    graph = rewritten(make_model(nodes, {"x": np.zeros((3, 4), F)}, CONSTANTS, ["y"]))

    assert ops(graph) == ["Relu"]
    assert graph.constants == {}


@pytest.mark.parametrize(
    ("nodes", "fault"),
    [
        ((Node("a", "Relu", ("z",), ("y",)),), "reads z, which nothing has made"),
        ((Node("a", "Relu", ("x",), ("t",)),), "nothing makes the output y"),
        ((Node("a", "Relu", ("x",), ("y",)), Node("b", "Relu", ("x",), ("y",))), "makes y a second time"),
        ((Node("a", "Relu", ("x",), ("y",)), Node("a", "Relu", ("x",), ("t",))), "2 nodes are called a"),
        ((Node("a", "Relu", ("x",), ("y",)), Node("b", "Relu", ("x",), ("q",))), "makes q without a type"),
    ],
)
def test_a_broken_graph_is_found_out(nodes: tuple[Node, ...], fault: str) -> None:
    kind = TensorType("float32", (1,))
    graph = Graph(("x",), ("y",), nodes, {"x": kind, "y": kind, "t": kind}, {})

    with pytest.raises(BuildFailed, match=f"after the test: .*{fault}"):
        verify(graph, after="the test")

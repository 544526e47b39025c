"""Models made to do harm: absurd sizes, circles, depths, bombs. `python -m tests.canisters.compiler.hostile_files` tries each in a process of
its own that may take 3 GiB of memory and 60 s of processor, and prints a line of JSON for it: name, what became of it, seconds, MiB.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import CannotCompile, compile_model

F = np.float32
HUGE = 1 << 62


def value(name: str, shape: Sequence[int | str], type_: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
    outputs: Sequence[str] = ("y",),
) -> bytes:
    """`x` (3) in, `y` out, unless said otherwise."""
    given = [value("x", (3,))] if inputs is None else inputs
    graph = helper.make_graph(list(nodes), "g", given, [value(name, ("n",)) for name in outputs], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def constant(name: str, array: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def claiming(dims: Sequence[int], data: bytes = bytes(16)) -> bytes:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, raw_data=data, dims=dims)
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [tensor])


def in_a_node(dims: Sequence[int]) -> bytes:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    return model([helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("Add", ["x", "w"], ["y"])])


def sparse() -> bytes:
    tensor = helper.make_sparse_tensor(
        helper.make_tensor("v", 1, [1], [1.0]), helper.make_tensor("i", 7, [1], [5]), [1 << 40]
    )
    return model(
        [helper.make_node("Constant", [], ["w"], sparse_value=tensor), helper.make_node("Add", ["x", "w"], ["y"])]
    )


def doubling(first: str, steps: int) -> bytes:
    """Each tensor is the last one twice."""
    names = [first, *(f"c{i}" for i in range(steps))]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=0) for a, b in itertools.pairwise(names)]
    return model([*nodes, helper.make_node("Relu", [names[-1]], ["y"])], [constant("w", np.ones(1024, F))])


def outer(op: str) -> bytes:
    nodes = [
        helper.make_node(op, ["a", "b"], ["c"]),
        helper.make_node("ReduceMax", ["c"], ["m"], keepdims=0),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    return model(nodes, [constant("a", np.ones((1 << 17, 1), F)), constant("b", np.ones((1, 1 << 17), F))])


def many_modest() -> bytes:
    nodes = [helper.make_node("Expand", ["one", "size"], [f"e{i}"]) for i in range(200)]
    nodes += [helper.make_node("Gather", ["e0", "zero"], ["first"]), helper.make_node("Add", ["x", "first"], ["y"])]
    return model(
        nodes, [constant("one", np.ones(1, F)), constant("size", np.array([60_000_000])), constant("zero", np.array(0))]
    )


def sized(op: str, **inputs: Any) -> bytes:
    nodes = [helper.make_node(op, list(inputs), ["big"]), helper.make_node("Identity", ["x"], ["y"])]
    return model(nodes, [constant(name, array) for name, array in inputs.items()])


def slow_to_compute() -> bytes:
    nodes = [
        helper.make_node("Resize", ["a", "", "s"], ["c"], mode="linear"),
        helper.make_node("ReduceMax", ["c"], ["m"], keepdims=0),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    return model(nodes, [constant("a", np.ones((1, 1, 64, 64), F)), constant("s", np.array([1, 1, 700, 700], F))])


def long_chain(nodes: int) -> bytes:
    names = ["x", *(f"t{i}" for i in range(nodes)), "y"]
    return model([helper.make_node("Relu", [a], [b]) for a, b in itertools.pairwise(names)])


def deep(levels: int) -> bytes:
    """If within If, written byte by byte: no library would."""

    def part(number: int, data: bytes) -> bytes:
        size, left = bytearray(), len(data)
        while left >= 128:
            size.append(left & 127 | 128)
            left >>= 7
        return bytes([number << 3 | 2, *size, left]) + data

    graph = b""
    for _ in range(levels):
        branch = part(1, b"then_branch") + b"\xa0\x01\x05" + part(6, graph)
        graph = part(1, part(4, b"If") + part(1, b"x") + part(2, b"y") + part(5, branch))
    return (
        b"\x08\x0a"
        + part(7, graph + part(11, part(1, b"x")) + part(12, part(1, b"y")))
        + part(8, part(1, b"") + b"\x10\x14")
    )


def endless() -> bytes:
    inputs = [value("i", (), TensorProto.INT64), value("go", (), TensorProto.BOOL), value("v", (3,))]
    outputs = [value("on", (), TensorProto.BOOL), value("w", (3,))]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["w"])], "b", inputs, outputs
    )
    return model(
        [helper.make_node("Loop", ["m", "t", "x"], ["y"], body=body)],
        [constant("m", np.array(1 << 60)), constant("t", np.array(True))],
    )


def loop_of_loops(depth: int) -> bytes:
    """100 times 100 times 100 ... times."""

    def body(level: int) -> onnx.GraphProto:
        names = [f"{part}{level}" for part in ("i", "go", "v", "on", "w")]
        inner = (
            [helper.make_node("Loop", ["m", "t", names[2]], [names[4]], body=body(level - 1))]
            if level
            else [helper.make_node("Add", [names[2], names[2]], [names[4]])]
        )
        ends = [value(names[3], (), TensorProto.BOOL), value(names[4], (3,))]
        starts = [value(names[0], (), TensorProto.INT64), value(names[1], (), TensorProto.BOOL), value(names[2], (3,))]
        return helper.make_graph(
            [helper.make_node("Identity", [names[1]], [names[3]]), *inner], f"b{level}", starts, ends
        )

    node = helper.make_node("Loop", ["m", "t", "x"], ["y"], body=body(depth))
    return model([node], [constant("m", np.array(100)), constant("t", np.array(True))])


def ranks(count: int) -> bytes:
    return model([helper.make_node("Reshape", ["x", "s"], ["y"])], [constant("s", np.array([3] + [1] * count))])


def convolution(**attributes: Any) -> bytes:
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    return model([node], [constant("w", np.ones((2, 2, 3, 3), F))], inputs=[value("x", (1, 2, 5, 5))])


def circle() -> bytes:
    return model(
        [
            helper.make_node("Relu", ["b"], ["a"]),
            helper.make_node("Add", ["a", "x"], ["b"]),
            helper.make_node("Relu", ["b"], ["y"]),
        ]
    )


FILES: dict[str, Callable[[], bytes]] = {
    "negative sizes whose product is positive": lambda: claiming([-1, -16]),
    "a negative size": lambda: claiming([-4]),
    "sizes beyond 64 bits": lambda: claiming([1 << 40, 1 << 40]),
    "2 GiB claimed in 16 bytes": lambda: claiming([1 << 29]),
    "one element too few": lambda: claiming([5]),
    "nothing times a lot": lambda: claiming([0, 1 << 50], b""),
    "2 GiB claimed in a node": lambda: in_a_node([1 << 29]),
    "a sparse tensor of 4 TiB": sparse,
    "constants that double": lambda: doubling("w", 40),
    "tensors that double": lambda: doubling("x", 40),
    "an outer product": lambda: outer("MatMul"),
    "a broadcast sum": lambda: outer("Add"),
    "many modest constants": many_modest,
    "ConstantOfShape": lambda: sized("ConstantOfShape", s=np.array([1 << 36])),
    "Tile": lambda: sized("Tile", a=np.zeros(1, F), b=np.array([1 << 40])),
    "Range": lambda: sized("Range", a=np.array(0), b=np.array(1 << 40), c=np.array(1)),
    "OneHot": lambda: sized("OneHot", a=np.zeros(1 << 10, np.int64), b=np.array(1 << 40), c=np.array([0.0, 1.0], F)),
    "HannWindow": lambda: sized("HannWindow", a=np.array(1 << 40)),
    "MelWeightMatrix": lambda: sized("MelWeightMatrix", a=np.array(1 << 20), b=np.array(1 << 30), c=np.array(16000), d=np.array(0.0, F), e=np.array(8000.0, F)),
    "more than can be a canister's": slow_to_compute,
    "20,001 nodes": lambda: long_chain(20_000),
    "300,000 nodes": lambda: long_chain(300_000),
    "50 graphs deep": lambda: deep(50),
    "20,000 graphs deep": lambda: deep(20_000),
    "an endless loop": endless,
    "a loop of loops": lambda: loop_of_loops(5),
    "41 axes": lambda: ranks(40),
    "100,000 axes": lambda: ranks(100_000),
    "a circle": circle,
    "the same output twice": lambda: model([helper.make_node("Relu", ["x"], ["y"])], outputs=["y", "y"]),
    "the same input twice": lambda: model([helper.make_node("Relu", ["x"], ["y"])], inputs=[value("x", (3,))] * 2),
    "the same initializer twice": lambda: model([helper.make_node("Add", ["x", "w"], ["y"])], [constant("w", np.ones(3, F))] * 2),
    "no output": lambda: model([helper.make_node("Relu", ["x"], ["y"])], outputs=[]),
    "an output of strings": lambda: model([helper.make_node("Identity", ["w"], ["y"])], [helper.make_tensor("w", TensorProto.STRING, [1], [b"a"])]),
    "pads of 2^62": lambda: convolution(pads=[HUGE] * 4),
    "pads of 2^29": lambda: convolution(pads=[1 << 29] * 4),
    "pads of -9": lambda: convolution(pads=[-9] * 4),
    "one pad": lambda: convolution(pads=[1]),
    "strides of 0": lambda: convolution(strides=[0, 0]),
    "strides of -1": lambda: convolution(strides=[-1, -1]),
    "dilations of 2^62": lambda: convolution(dilations=[HUGE] * 2),
    "no groups": lambda: convolution(group=0),
    "-1 groups": lambda: convolution(group=-1),
    "an auto_pad of its own": lambda: convolution(auto_pad="EVIL"),
}  # fmt: skip


def tried(name: str) -> dict[str, Any]:
    data = FILES[name]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        compile_model(data)
        became = "compiled"
    except CannotCompile as error:
        became = f"refused: {error}"
    except BaseException as error:
        became = f"{type(error).__name__}: {error}"
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"name": name, "became": became, "seconds": time.process_time() - started, "mib": taken >> 10}


def main() -> None:
    for name in FILES:
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
            print(json.dumps(tried(name)), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(
                json.dumps({"name": name, "became": f"ended with status {status}", "seconds": 0, "mib": 0}), flush=True
            )


if __name__ == "__main__":
    sys.exit(main())

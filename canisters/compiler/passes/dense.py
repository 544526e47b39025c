"""MatMul(x, W) -> Dense(x, W) for a constant W (k, n); Gemm(x, W, c) -> Dense(x, alpha * W', beta * c) for a constant W and c a row.

Any other Gemm becomes what it means: Transpose, MatMul, Mul by alpha, Add of beta * c.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, Rewriting, TensorType


def to_dense(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        weights = graph.constant(node.input(1)) if node.op in ("MatMul", "Gemm") else None
        if node.op == "MatMul" and weights is not None and weights.ndim == 2:
            new.keep(Node(node.name, "Dense", node.inputs, node.outputs))
        elif node.op == "Gemm":
            _gemm(new, node, graph)
        else:
            new.keep(node)
    return new.done()


def _gemm(new: Rewriting, node: Node, graph: Graph) -> None:
    weights = graph.constant(node.inputs[1])
    alpha, beta = np.float32(node.attributes.get("alpha", 1.0)), np.float32(node.attributes.get("beta", 1.0))
    out = graph.type(node.outputs[0])
    x = node.inputs[0]
    if node.attributes.get("transA", 0):
        x = _transposed(new, node, x)
    bias = _row(graph, node, out.shape[1])
    if weights is not None and (bias is not None or not node.input(2)):
        matrix = weights.T if node.attributes.get("transB", 0) else weights
        names = [x, new.constant(f"{node.name}.weights", (matrix * alpha).astype(np.float32))]
        if bias is not None:
            names.append(new.constant(f"{node.name}.bias", (bias * beta).astype(np.float32)))
        new.keep(Node(node.name, "Dense", tuple(names), node.outputs))
        return
    w = _transposed(new, node, node.inputs[1]) if node.attributes.get("transB", 0) else node.inputs[1]
    steps = [("MatMul", (x, w))]
    if alpha != 1:
        steps.append(("Mul", ("", new.constant(f"{node.name}.alpha", np.asarray(alpha)))))
    if node.input(2):
        c = node.inputs[2]
        if beta != 1:
            scaled = new.tensor(f"{node.name}.scaled", graph.type(c))
            new.add(
                Node(f"{node.name}.beta", "Mul", (c, new.constant(f"{node.name}.factor", np.asarray(beta))), (scaled,))
            )
            c = scaled
        steps.append(("Add", ("", c)))
    made = ""
    for index, (op, inputs) in enumerate(steps):
        output = node.outputs[0] if index == len(steps) - 1 else new.tensor(f"{node.name}.part", out)
        new.add(Node(f"{node.name}.{op.lower()}", op, tuple(name or made for name in inputs), (output,)))
        made = output


def _row(graph: Graph, node: Node, columns: int) -> Array | None:
    """The bias as (n), when it is constant and the same for every row."""
    constant = graph.constant(node.input(2)) if node.input(2) else None
    if constant is None or (constant.ndim == 2 and constant.shape[0] != 1):
        return None
    return np.ascontiguousarray(np.broadcast_to(constant.reshape(-1), (columns,)))


def _transposed(new: Rewriting, node: Node, name: str) -> str:
    found = new.type(name)
    output = new.tensor(f"{name}.transposed", TensorType(found.dtype, tuple(reversed(found.shape))))
    new.add(Node(f"{node.name}.transpose", "Transpose", (name,), (output,), {"perm": [1, 0]}))
    return output

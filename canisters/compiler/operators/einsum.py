"""Einsum: products of elements with equal labels, summed over those that the output does not have.

Source: ONNX Operators, Einsum-12, -28; the rules of numpy.einsum. `passes.einsum` makes matrix products of what are some; what is left here (outer
products, diagonals, traces, sums of one tensor, other types) runs as plain loops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canisters.compiler.ir import C_TYPES, FLOATS, PLAIN, Graph, Node, TensorType

from .loops import contiguous, nest
from .registry import Kernel, Mode, Typing, operator

Labels = tuple[str, ...]
_EQUATION = re.compile(r"(?:[A-Za-z]|\.\.\.)*(?:,(?:[A-Za-z]|\.\.\.)*)*(?:->(?:[A-Za-z]|\.\.\.)*)?")


@dataclass(frozen=True)
class Equation:
    """Labels of each input and of the output. The axes of an ellipsis are called "-1", "-2", ... from the right."""

    inputs: tuple[Labels, ...]
    output: Labels
    sizes: Mapping[str, int]

    @property
    def summed(self) -> Labels:
        return tuple(label for label in self.sizes if label not in self.output)


def equation_of(node: Node, shapes: Sequence[tuple[int, ...]]) -> Equation:
    """Raises CannotCompile."""
    text = str(node.attributes.get("equation", "")).replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if not _EQUATION.fullmatch(text) or len(terms) != len(shapes) or any(t.count("...") > 1 for t in (*terms, right)):
        raise node.cannot(
            f"its equation {text[:100]!r} does not fit {len(shapes)} inputs", "Check the model with onnx.checker"
        )
    inputs = tuple(_labels(term, len(shape)) for term, shape in zip(terms, shapes, strict=True))
    sizes: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        if len(labels) != len(shape):
            raise node.cannot(
                f"its equation {text[:100]!r} does not fit the shape {shape}", "Check the model with onnx.checker"
            )
        for label, size in zip(labels, shape, strict=True):
            known = sizes.setdefault(label, size)
            if size not in (1, known) and known != 1:
                raise node.cannot(
                    f"the label {label!r} has the sizes {known} and {size}", "Fix the symbolic axes to sizes that fit"
                )
            sizes[label] = size if known == 1 else known
    hidden = tuple(sorted((label for label in sizes if label.startswith("-")), key=int))
    counts = Counter(label for labels in inputs for label in labels)
    implied = (*hidden, *sorted(label for label, count in counts.items() if count == 1 and label not in hidden))
    output = tuple(_labels(right, len(right.replace("...", "")) + len(hidden) * ("..." in right))) if arrow else implied
    if len(set(output)) != len(output) or not set(output) <= sizes.keys():
        raise node.cannot(
            f"its output {right[:100]!r} has labels that no input has, or one twice",
            "Check the model with onnx.checker",
        )
    return Equation(inputs, output, sizes)


def _labels(term: str, rank: int) -> Labels:
    before, dots, after = term.partition("...")
    count = rank - len(before) - len(after) if dots else 0
    return (*before, *(str(i) for i in range(-count, 0)), *after)


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = [typing.input(node, index) for index in range(len(node.inputs))]
    if len({type_.dtype for type_ in found}) != 1 or found[0].dtype == "bool":
        raise node.cannot(f"its inputs are {', '.join(map(str, found))}", "Give all the same numeric type with Cast")
    equation = equation_of(node, [type_.shape for type_ in found])
    return (TensorType(found[0].dtype, tuple(equation.sizes[label] for label in equation.output)),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    types, out = [graph.type(name) for name in node.inputs], graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    equation = equation_of(node, [type_.shape for type_ in types])
    c_type = C_TYPES[out.dtype]
    kept = c_type if out.dtype in FLOATS else "uint64_t"  # integers wrap
    places = {label: f"n{axis}" for axis, label in enumerate(equation.output)}
    places |= {label: f"k{axis}" for axis, label in enumerate(equation.summed)}
    factors = []
    for index, (labels, type_) in enumerate(zip(equation.inputs, types, strict=True)):
        steps = zip(labels, type_.shape, contiguous(type_.shape), strict=True)
        at = " + ".join(f"{step} * {places[label]}" for label, size, step in steps if size != 1) or "0"
        factors.append(f"({kept})(({c_type} *){{x{index}}})[{at}]")
    inner = f"found += {' * '.join(factors)};"
    for label in reversed(equation.summed):
        name = places[label]
        inner = f"ROLLED for (unsigned {name} = 0; {name} < {equation.sizes[label]}; {name}++) {inner}"
    target = " + ".join(f"{step} * n{axis}" for axis, step in enumerate(contiguous(out.shape))) or "0"
    lines = [f"{kept} found = 0;", inner, f"(({c_type} *){{y0}})[{target}] = ({c_type})found;"]
    text = nest(out.shape, lines)
    return Kernel(text if out.shape else f"{{{{\n{text}\n}}}}")


operator("Einsum", since=12, infer=_infer, lower=_lower, types=(*PLAIN, "float64"))

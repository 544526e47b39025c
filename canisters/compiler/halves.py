"""float16 and bfloat16 as ways to store numbers: an operator that computes in float32 reads its inputs widened, and its outputs are
rounded to the nearest even half where they are read as such.

Part of the front end's walk. A tensor that an operator has made in float32 is read in float32 by all that follow, moved about or not, so
that a network in halves costs what it costs in float32 and is at least as exact; the halves themselves are made only where a Cast, an
output of the model or an operator on bytes asks for them. Which outputs are of an input's type is what ONNX's schema says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import onnx

from .ir import HALVES, Array, Node, TensorType
from .operators.registry import Operator

# They ask for the bits that a half is stored as.
_READ_BITS = ("Cast", "CastLike", "BitCast")


class Halves:
    """Nodes and tensors are added to the walk's own. `free_name(wanted)` is a name that neither tensor nor node of the model has."""

    def __init__(
        self,
        types: dict[str, TensorType],
        constants: dict[str, Array],
        nodes: list[Node],
        free_name: Callable[[str], str],
    ) -> None:
        self.types = types
        self.constants = constants
        self.nodes = nodes
        self.free_name = free_name
        self._wide: dict[str, str] = {}

    def widened(self, node: Node, operator: Operator, opset: int) -> Node:
        """The node as it reads float32. Raises CannotCompile for types that its operator does not take and that cannot be widened."""
        halves = [name for name in node.inputs if name and self.types[name].dtype in HALVES]
        for index, name in enumerate(node.inputs):
            if name and name not in halves and self.types[name].dtype not in operator.types:
                raise node.cannot(
                    f"input {index} is {self.types[name].dtype}, which is not computed here",
                    f"Cast it to one of {', '.join(operator.types)} in the model",
                )
        is_native = all(self.types[name].dtype in operator.types for name in halves)
        if is_native and (node.op in _READ_BITS or not any(name in self._wide for name in halves)):
            return node
        return replace(node, inputs=tuple(self._widen(name, opset) if name in halves else name for name in node.inputs))

    def _widen(self, name: str, opset: int) -> str:
        if name not in self._wide:
            wide = self._wide[name] = self.free_name(f"{name}.float32")
            self.types[wide] = TensorType("float32", self.types[name].shape)
            if name in self.constants:
                self.constants[wide] = self.constants[name].astype(np.float32)
            else:
                self._cast(name, wide, opset)
        return self._wide[name]

    def rounded(
        self, node: Node, wide: Node, found: Sequence[TensorType], domain: str, opset: int
    ) -> tuple[Node, dict[str, str]]:
        """`wide` with other names for the outputs that are halves to the model; and these names by the model's."""
        if wide is node:
            return node, {}
        halves = dict(
            _outputs_like_inputs(node, {name: self.types[name].dtype for name in node.inputs if name}, domain, opset)
        )
        names = {
            name: self.free_name(f"{name}.float32")
            for index, (name, type_) in enumerate(zip(node.outputs, found, strict=False))
            if name and index in halves and type_.dtype == "float32"
        }
        for index, name in enumerate(node.outputs):
            if name in names:
                self.types[name] = TensorType(halves[index], found[index].shape)
        return replace(wide, outputs=tuple(names.get(name, name) for name in node.outputs)), names

    def round(self, names: dict[str, str], opset: int) -> None:
        """The halves that `rounded` has put off, for whoever reads them; what nobody reads is dropped by a pass."""
        for name, wide in names.items():
            self._wide[name] = wide
            self._cast(wide, name, opset)

    def _cast(self, source: str, target: str, opset: int) -> None:
        to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.types[target].dtype))
        attributes = {"to": int(to), "opset": opset}
        self.nodes.append(Node(self.free_name(f"{target}.cast"), "Cast", (source,), (target,), attributes))


def _outputs_like_inputs(node: Node, dtypes: dict[str, str], domain: str, opset: int) -> Iterable[tuple[int, str]]:
    """The outputs that ONNX types as it types a half input, by index, with that half."""
    try:
        schema = onnx.defs.get_schema(node.op, opset, domain)
    except onnx.defs.SchemaError:
        first = next(dtypes[name] for name in node.inputs if name and dtypes[name] in HALVES)
        return [(index, first) for index in range(len(node.outputs))]
    if node.op == "DequantizeLinear" and "output_dtype" not in node.attributes:
        return [(0, dtypes[node.inputs[1]])]  # of the scale's type, which newer schemas do not say
    of_variable = {
        schema.inputs[min(index, len(schema.inputs) - 1)].type_str: dtypes[name]
        for index, name in enumerate(node.inputs)
        if name and dtypes[name] in HALVES
    }
    formal = [schema.outputs[min(index, len(schema.outputs) - 1)].type_str for index in range(len(node.outputs))]
    return [(index, of_variable[variable]) for index, variable in enumerate(formal) if variable in of_variable]

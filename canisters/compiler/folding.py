"""Values of nodes whose inputs are all known, by ONNX's own reference, in bounded memory and time.

Part of the front end's walk. A few bytes of a model can ask for a huge constant, or make many that are each modest, so the size of a value
is told before it is computed, and all values together have a limit. What the reference computes element by element in Python is left to run
time when it is large.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .errors import CannotCompile
from .ir import Array, Node

MAX_VALUE_BYTES = 256 << 20
MAX_VALUES_BYTES = 1 << 30
_MAX_SLOW_ELEMENTS = 1 << 16
_MAX_DATA_ELEMENTS = 1 << 12  # larger inputs decide no shape
_SMALLER = "Export with smaller sizes"

# The size of their value is itself a value. Of all others it is at most some inputs' together, where ONNX cannot tell it.
_SIZED_BY_VALUES = frozenset({
    "AffineGrid", "BlackmanWindow", "CenterCropPad", "Col2Im", "ConstantOfShape", "DFT", "Expand", "EyeLike", "HammingWindow", "HannWindow",
    "ImageDecoder", "MaxUnpool", "MelWeightMatrix", "OneHot", "Pad", "Range", "Resize", "RoiAlign", "STFT", "Tile", "Upsample",
})  # fmt: skip
_SLOW = frozenset({
    "AveragePool", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "GRU", "GridSample", "LSTM", "LpPool", "MaxPool", "MaxUnpool",
    "NonMaxSuppression", "RNN", "Resize", "RoiAlign", "ScatterElements", "TopK", "Upsample",
})  # fmt: skip


class Folder:
    """`constants`: what is known so far, by name."""

    def __init__(self, constants: Mapping[str, Array]) -> None:
        self._constants = constants
        self._bytes_left = MAX_VALUES_BYTES

    def values(self, node: Node, proto: onnx.NodeProto, imports: Mapping[str, int]) -> list[Array] | None:
        """One array an output; None for a node that is better computed at run time. `imports`: opsets by domain.

        Raises: CannotCompile.
        """
        if node.op == "Identity":
            return [self._constants[node.inputs[0]]]
        inner = self._model(proto, imports)
        sizes = self._range_sizes(node) if node.op == "Range" else _sizes(inner)
        if sizes is None and node.op in _SIZED_BY_VALUES:
            raise node.cannot("it would make a constant whose size cannot be told", _SMALLER)
        elements = sum(count for count, _ in sizes or ())
        if node.op in _SLOW and elements > _MAX_SLOW_ELEMENTS:
            return None
        self._require_modest(node, elements, sum(count * width for count, width in sizes or ()))
        found = self._computed(node, inner)
        self._bytes_left -= sum(array.nbytes for array in found)
        return found

    def _model(self, proto: onnx.NodeProto, imports: Mapping[str, int]) -> onnx.ModelProto:
        """The node alone. Small inputs stand in it with their values, so that shapes follow from them."""
        names = [name for name in dict.fromkeys(proto.input) if name]
        arrays = {name: self._constants[name] for name in names}
        graph = helper.make_graph(
            [proto],
            "constant",
            [_input(name, array) for name, array in arrays.items()],
            [helper.make_value_info(name, onnx.TypeProto()) for name in proto.output if name],
            [
                numpy_helper.from_array(array, name)
                for name, array in arrays.items()
                if array.size <= _MAX_DATA_ELEMENTS and array.dtype != object
            ],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid(*entry) for entry in imports.items()])

    def _range_sizes(self, node: Node) -> list[tuple[int, int]] | None:
        """Shape inference tells them for some types only, and for scalars."""
        given = [self._constants[name].ravel() for name in node.inputs]
        if len(given) != 3 or any(array.size != 1 for array in given):
            return None
        start, limit, step = (float(array[0]) for array in given)
        count = (limit - start) / step if step else math.nan
        return [(max(0, math.ceil(count)), given[0].itemsize)] if math.isfinite(count) else None

    def _require_modest(self, node: Node, elements: int, size_bytes: int) -> None:
        given = sum(self._constants[name].nbytes for name in node.inputs if name)
        if size_bytes > max(MAX_VALUE_BYTES, 4 * given):
            raise node.cannot(f"it would make a constant of {elements} elements", _SMALLER)
        if size_bytes > self._bytes_left:
            raise node.cannot(
                f"with it the computed constants would have more than {MAX_VALUES_BYTES >> 20} MiB", _SMALLER
            )

    def _computed(self, node: Node, inner: onnx.ModelProto) -> list[Array]:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # numpy's, on NaN and overflow, which are values like any other here
                evaluator = ReferenceEvaluator(inner)
                found = evaluator.run(None, {name: self._constants[name] for name in node.inputs if name})
        except Exception as error:  # whatever the reference raises, the node cannot be computed
            said = " ".join(str(error).split())[:200]
            raise node.cannot(f"its value cannot be computed: {said}", "Check the model with onnx.checker") from error
        arrays = iter(found)
        return [np.asarray(next(arrays)) if name else np.empty(0) for name in node.outputs]


def _input(name: str, array: Array) -> onnx.ValueInfoProto:
    try:
        type_ = helper.np_dtype_to_tensor_dtype(array.dtype)
    except (KeyError, ValueError):  # strings, and what the reference makes of sequences
        return helper.make_value_info(name, onnx.TypeProto())
    return helper.make_tensor_value_info(name, type_, array.shape)


def _sizes(model: onnx.ModelProto) -> list[tuple[int, int]] | None:
    """Elements and bytes of one, for each output; None when ONNX cannot tell."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except Exception:  # C++ errors of several types: then the reference says what is wrong
        return None
    found = []
    for output in inferred.graph.output:
        tensor = output.type.tensor_type
        if not output.type.HasField("tensor_type") or not tensor.HasField("shape"):
            return None
        if any(not dim.HasField("dim_value") or dim.dim_value < 0 for dim in tensor.shape.dim):
            return None
        found.append((math.prod(dim.dim_value for dim in tensor.shape.dim), _width(tensor.elem_type)))
    return found


def _width(elem_type: int) -> int:
    try:
        return int(helper.tensor_dtype_to_np_dtype(elem_type).itemsize)
    except KeyError as error:
        raise CannotCompile("the model", f"the element type {elem_type} is unknown", "Export it again") from error

"""Sizes as people give them, for whole inputs (`image=1,3,224,224`), as the sizes of symbolic axes that the front end asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from .errors import CannotCompile


def axes_of_shapes(onnx_bytes: bytes, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """`shapes`: by input, a size for each axis. Raises CannotCompile: an unknown input, another rank, a size that the model has fixed
    otherwise, two sizes for one symbol. Of a file that is no ONNX model nothing is said here; the front end refuses it."""
    if not shapes:
        return {}
    model = onnx.ModelProto()
    try:
        model.ParseFromString(onnx_bytes)
    except Exception:  # protobuf's own error type is private to its backend
        return {}
    known = {initializer.name for initializer in model.graph.initializer}
    inputs = {value.name: value for value in model.graph.input if value.name not in known}
    found: dict[str, int] = {}
    for name, sizes in shapes.items():
        if name not in inputs:
            offered = ", ".join(inputs) or "none"
            raise CannotCompile(f"input {name!r}", "the model has no such input", f"Its inputs are: {offered}")
        for axis, size in _axes_of(inputs[name], sizes).items():
            if found.setdefault(axis, size) != size:
                raise CannotCompile(
                    f"axis {axis!r}", f"it is given the sizes {found[axis]} and {size}", "It has one size in all inputs"
                )
    return found


def _axes_of(value: onnx.ValueInfoProto, sizes: Sequence[int]) -> dict[str, int]:
    dims = value.type.tensor_type.shape.dim
    where = f"input {value.name!r}"
    if len(dims) != len(sizes):
        raise CannotCompile(where, f"it has {len(dims)} axes, and {len(sizes)} sizes are given", "Give one for each")
    found: dict[str, int] = {}
    for index, (dim, size) in enumerate(zip(dims, sizes, strict=True)):
        if dim.HasField("dim_value") and dim.dim_value > 0:
            if dim.dim_value != size:
                raise CannotCompile(
                    where,
                    f"axis {index} is fixed to {dim.dim_value}, not {size}",
                    "Give that size, or export with a dynamic axis",
                )
            continue
        axis = dim.dim_param or f"{value.name}.{index}"
        if found.setdefault(axis, size) != size:
            raise CannotCompile(
                where, f"its axis {axis!r} is given the sizes {found[axis]} and {size}", "It has one size"
            )
    return found

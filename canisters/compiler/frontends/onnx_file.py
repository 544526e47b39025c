"""An .onnx file to the bytes that the compiler takes: weights that the file keeps in others beside it are put inside.

A model names those files itself, so the names are not believed: only regular files within the model's own folder are read, symbolic links
followed first, and of them only as many bytes as the tensor's shape needs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import onnx

from canisters.compiler.errors import CannotCompile

# A protobuf message ends at 2 GiB; weights beyond that belong to language models, which have a way in of their own.
MAX_MODEL_BYTES = (2 << 30) - (1 << 20)
_EXPORT = "Export with the weights inside (external_data=False)"


def onnx_bytes_of(path: Path) -> bytes:
    """Raises: CannotCompile; OSError, when `path` itself cannot be read."""
    size = path.stat().st_size
    if size > MAX_MODEL_BYTES:
        raise CannotCompile(
            "the file",
            f"it has {size} bytes",
            f"At most {MAX_MODEL_BYTES} are taken; compile language models from their folder",
        )
    data = path.read_bytes()
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf's own error type is private to its backend
        raise CannotCompile("the file", "it is no ONNX model", "Give the path of a .onnx file") from error
    outside = [tensor for tensor in _tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if not outside:
        return data
    total = size
    folder = path.resolve().parent
    for tensor in outside:
        total += _bytes_needed(tensor)
        if total > MAX_MODEL_BYTES:
            raise CannotCompile(
                "the model",
                f"it needs more than {MAX_MODEL_BYTES} bytes with its weights",
                "Compile language models from their folder",
            )
    for tensor in outside:
        tensor.raw_data = _read(tensor, folder)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    inside: bytes = model.SerializeToString(deterministic=True)
    return inside


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor, those of graphs within graphs and of functions too."""
    waiting: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t,) if attribute.HasField("t") else ()
                yield from attribute.tensors
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _where(tensor: onnx.TensorProto) -> str:
    return f"tensor {tensor.name!r}"


def _bytes_needed(tensor: onnx.TensorProto) -> int:
    try:
        width = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError as error:
        raise CannotCompile(_where(tensor), f"its element type {tensor.data_type} is unknown", _EXPORT) from error
    if min(tensor.dims, default=0) < 0 or width == np.dtype(object):
        raise CannotCompile(_where(tensor), "its data cannot be in another file", _EXPORT)
    bits = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}.get(width.name, 8 * width.itemsize)
    return int(-(-math.prod(tensor.dims) * bits // 8))


def _read(tensor: onnx.TensorProto, folder: Path) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location, needed = entries.get("location", ""), _bytes_needed(tensor)
    offset, length = (
        _number(tensor, entries.get(key, default)) for key, default in (("offset", "0"), ("length", str(needed)))
    )
    if length != needed:
        raise CannotCompile(_where(tensor), f"it names {length} bytes of another file and needs {needed}", _EXPORT)
    try:
        handle = os.open(_within(tensor, location, folder), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            has = os.fstat(file.fileno()).st_size
            if offset + needed > has:
                raise CannotCompile(
                    _where(tensor),
                    f"its file {location!r} ends at byte {has}, before {offset + needed}",
                    "Copy that file again",
                )
            file.seek(offset)
            return file.read(needed)
    except OSError as error:
        raise CannotCompile(
            _where(tensor), f"its file {location!r} cannot be read: {error.strerror}", "Put it beside the model"
        ) from error


def _number(tensor: onnx.TensorProto, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise CannotCompile(_where(tensor), f"it names the place {text[:40]!r} of another file", _EXPORT)
    return int(text)


def _within(tensor: onnx.TensorProto, location: str, folder: Path) -> Path:
    """The real path of a regular file in the model's folder, links followed. Raises CannotCompile for any other."""
    parts = PurePosixPath(location).parts
    is_plain = location and "\0" not in location and "\\" not in location and not PureWindowsPath(location).drive
    if not is_plain or PurePosixPath(location).is_absolute() or ".." in parts:
        raise CannotCompile(
            _where(tensor),
            f"its data is in the file {location[:80]!r}, outside the model's folder",
            "Put it beside the model",
        )
    found = (folder / location).resolve()
    if not found.is_relative_to(folder) or (found.exists() and not found.is_file()):
        raise CannotCompile(
            _where(tensor),
            f"its data is in the file {location[:80]!r}, which is no file of the model's folder",
            "Put it beside the model",
        )
    return found

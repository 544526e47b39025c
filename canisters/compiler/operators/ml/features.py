"""Scaler, Normalizer, Binarizer, Imputer, ArrayFeatureExtractor, LabelEncoder, OneHotEncoder: features before a model, labels behind it.

Source: ai.onnx.ml, Scaler-1, Normalizer-1, Binarizer-1, Imputer-1, ArrayFeatureExtractor-1, LabelEncoder-2, -4, OneHotEncoder-1. An index
that is only known at run time is kept within its axis. Strings are refused.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto, numpy_helper

from canisters.compiler.ir import C_TYPES, Array, Graph, Node, TensorType
from canisters.compiler.operators.registry import Kernel, Mode, Typing, c_constant, c_float, operator

from .scores import DOMAIN, NUMBERS, each_row, floats, integers, row_in, rows_of

_NO_STRINGS = "Keep integers in the model and the names outside (sklearn.preprocessing.OrdinalEncoder before training)"
_NAN_KEYS_SINCE = 4
_KEYS = ("float32", "float64", "int64", "int32", "int16")


def _float_rows(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    rows_of(node, typing)
    return (TensorType("float32", typing.input(node).shape),)


def _per_feature(node: Node, values: Array, features: int, name: str) -> Array:
    if values.size not in (1, features):
        raise node.cannot(
            f"it has {values.size} {name} for {features} features", "Give the input its true number of features"
        )
    return np.ascontiguousarray(np.broadcast_to(values, (features,)))


# --- Scaler, Normalizer, Binarizer ---


def _lower_scaler(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    offset, scale = floats(node, "offset"), floats(node, "scale")
    weights = {
        "offset": _per_feature(node, offset if offset.size else np.zeros(1, np.float32), features, "offsets").tobytes(),
        "scale": _per_feature(node, scale if scale.size else np.ones(1, np.float32), features, "scales").tobytes(),
    }
    line, row, scratch = row_in(graph.type(node.inputs[0]).dtype, "float32", features)
    value = f"mul(sub(load({row} + i), load(F32({{w_offset}}) + i)), load(F32({{w_scale}}) + i))"
    return Kernel(
        each_row(rows, [line, f"EACH_F32(F32({{y0}}) + n0 * {features}, {features}, {value});"]), weights, scratch
    )


def _lower_normalizer(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    norm = str(node.attributes.get("norm", "MAX"))
    if norm not in ("MAX", "L1", "L2"):
        raise node.cannot(f"its norm is {norm!r}", "It is one of MAX, L1, L2")
    line, row, scratch = row_in(graph.type(node.inputs[0]).dtype, "float32", features)
    call = f"normalize_features({row}, F32({{y0}}) + n0 * {features}, {features}, NORM_{norm});"
    return Kernel(each_row(rows, [line, call] if features else []), {}, scratch)


def _infer_like(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.floats(node, 0, NUMBERS),)


def _lower_binarizer(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    c_type = C_TYPES[found.dtype]
    threshold = c_float(float(node.attributes.get("threshold", 0.0)))
    return Kernel(f"EACH(({c_type} *){{y0}}, {found.size}, ({c_type})((({c_type} *){{x0}})[i] > {threshold}));")


# --- Imputer ---


def _lower_imputer(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    rows, features = rows_of(node, Typing(graph.types, graph.constants, 0))
    name, absent = (
        ("imputed_value_floats", "replaced_value_float")
        if found.dtype.startswith("float")
        else ("imputed_value_int64s", "replaced_value_int64")
    )
    if name not in node.attributes:
        raise node.cannot(
            f"it has no {name} for an input of {found.dtype}",
            "Export it with an input of the type that it was trained on",
        )
    values = _per_feature(node, np.asarray(node.attributes[name], found.dtype), features, "values")
    replaced = np.asarray(node.attributes.get(absent, 0), "float32" if found.dtype.startswith("float") else found.dtype)
    c_type = C_TYPES[found.dtype]
    row = f"(({c_type} *){{x0}})[n0 * {features} + i]"
    is_absent = f"{row} != {row}" if replaced != replaced else f"{row} == {c_constant(replaced, found.dtype)}"
    line = (
        f"EACH(({c_type} *){{y0}} + n0 * {features}, {features}, {is_absent} ? (({c_type} *){{w_values}})[i] : {row});"
    )
    return Kernel(each_row(rows, [line]), {"values": values.tobytes()})


# --- ArrayFeatureExtractor ---


def _infer_extractor(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, index = typing.input(node, 0), typing.input(node, 1)
    if index.dtype not in ("int64", "int32"):
        raise node.cannot(f"its indices are {index.dtype}", "Cast them to int64")
    if not found.shape or not found.shape[-1]:
        raise node.cannot(f"its input is {found}", "Check the model with onnx.checker")
    return (TensorType(found.dtype, ((1,) if len(found.shape) == 1 else found.shape[:-1]) + (index.size,)),)


def _lower_extractor(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, index = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    axis, count = found.shape[-1], index.size
    known = graph.constant(node.inputs[1])
    if known is not None and (known.size and (int(known.min()) < 0 or int(known.max()) >= axis)):
        raise node.cannot(f"an index lies outside {axis} features", "Give the input its true number of features")
    c_type, i_type = C_TYPES[found.dtype], C_TYPES[index.dtype]
    lines = [
        f"const {i_type} wanted = (({i_type} *){{x1}})[n1];",
        f"const unsigned at = wanted < 0 ? 0 : wanted >= {axis} ? {axis - 1} : (unsigned)wanted;",
        f"ROLLED for (unsigned n0 = 0; n0 < {math.prod(found.shape[:-1])}; n0++)",
        f"  (({c_type} *){{y0}})[n0 * {count} + n1] = (({c_type} *){{x0}})[n0 * {axis} + at];",
    ]
    body = "\n".join("  " + line for line in lines)
    return Kernel(f"ROLLED for (unsigned n1 = 0; n1 < {count}; n1++) {{{{\n{body}\n}}}}")


# --- LabelEncoder ---


def _table(node: Node) -> tuple[Array, Array, Array]:
    """Keys, values and the default, as arrays. Raises CannotCompile."""
    found: list[Array] = []
    for side in ("keys", "values"):
        if node.attributes.get(f"{side}_strings") or node.attributes.get("classes_strings"):
            raise node.cannot(f"its {side} are strings", _NO_STRINGS)
        tensor = node.attributes.get(f"{side}_tensor")
        if isinstance(tensor, TensorProto):
            found.append(np.ravel(numpy_helper.to_array(tensor)))
        elif f"{side}_floats" in node.attributes:
            found.append(np.asarray(node.attributes[f"{side}_floats"], np.float32))
        else:
            found.append(integers(node, f"{side}_int64s"))
    keys, values = found
    if any(array.dtype.name not in _KEYS for array in found):
        raise node.cannot(f"it maps {keys.dtype} to {values.dtype}", _NO_STRINGS)
    if keys.size != values.size or not keys.size:
        raise node.cannot(f"it has {keys.size} keys and {values.size} values", "Check the model with onnx.checker")
    tensor = node.attributes.get("default_tensor")
    default = (
        numpy_helper.to_array(tensor) if isinstance(tensor, TensorProto)
        else np.float32(node.attributes.get("default_float", -0.0)) if values.dtype.kind == "f"
        else np.int64(node.attributes.get("default_int64", -1))
    )  # fmt: skip
    if np.asarray(default).size != 1 or np.asarray(default).dtype.kind not in "fi":
        raise node.cannot("its default is no single number", "Check the model with onnx.checker")
    return keys, values, np.ravel(default).astype(values.dtype)[0]


def _infer_encoder(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    keys, values, _ = _table(node)
    if found.dtype != keys.dtype.name:
        raise node.cannot(
            f"its input is {found.dtype} and its keys are {keys.dtype}", f"Cast the input to {keys.dtype}"
        )
    return (TensorType(values.dtype.name, found.shape),)


def _lower_encoder(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    keys, values, default = _table(node)
    is_nan = keys != keys
    # The first of equal keys counts.
    order = [int(place) for place in np.unique(keys[~is_nan], return_index=True)[1]]
    sorted_keys, sorted_values = keys[~is_nan][order], values[~is_nan][order]
    c_type, to = C_TYPES[found.dtype], C_TYPES[out.dtype]
    count = len(sorted_keys)
    lines = [
        f"const {c_type} key = (({c_type} *){{x0}})[n0];",
        f"const unsigned at = place_in_{found.dtype}(key, ({c_type} *){{w_keys}}, {count});"
        if count
        else "const unsigned at = 0;",
        f"(({to} *){{y0}})[n0] = at < {count} ? (({to} *){{w_values}})[at] : {c_constant(default, out.dtype)};"
        if count
        else f"(({to} *){{y0}})[n0] = {c_constant(default, out.dtype)};",
    ]
    if is_nan.any() and int(node.attributes["opset"]) >= _NAN_KEYS_SINCE:
        lines.append(f"if (key != key) (({to} *){{y0}})[n0] = {c_constant(values[is_nan][0], out.dtype)};")
    return Kernel(
        each_row(found.size, lines), {"keys": sorted_keys.tobytes(), "values": sorted_values.tobytes()} if count else {}
    )


# --- OneHotEncoder ---


def _categories(node: Node) -> Array:
    if node.attributes.get("cats_strings"):
        raise node.cannot("its categories are strings", _NO_STRINGS)
    found = integers(node, "cats_int64s")
    if not found.size:
        raise node.cannot("it has no categories", "Check the model with onnx.checker")
    if not int(node.attributes.get("zeros", 1)):
        raise node.cannot(
            "it fails on a value that it has not seen, and a canister's network cannot fail",
            'Train it with OneHotEncoder(handle_unknown="ignore")',
        )
    return found


def _infer_one_hot(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node, 0, NUMBERS)
    return (TensorType("float32", (*found.shape, _categories(node).size)),)


def _lower_one_hot(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, categories = graph.type(node.inputs[0]), _categories(node)
    element = f"(({C_TYPES[found.dtype]} *){{x0}})[n0]"
    whole = {
        "float32": "__builtin_wasm_trunc_saturate_s_i64_f32",
        "float64": "__builtin_wasm_trunc_saturate_s_i64_f64",
    }.get(found.dtype, "(int64_t)")
    is_number = f" && {element} == {element}" if found.dtype.startswith("float") else ""
    lines = [
        f"const int64_t category = {whole}({element});",
        f"EACH(F32({{y0}}) + n0 * {categories.size}, {categories.size}, category == I64({{w_categories}})[i]{is_number} ? 1.0f : 0.0f);",
    ]
    return Kernel(each_row(found.size, lines), {"categories": categories.tobytes()})


operator("Scaler", domain=DOMAIN, since=1, infer=_float_rows, lower=_lower_scaler, types=NUMBERS)
operator("Normalizer", domain=DOMAIN, since=1, infer=_float_rows, lower=_lower_normalizer, types=NUMBERS)
operator("Binarizer", domain=DOMAIN, since=1, infer=_infer_like, lower=_lower_binarizer, types=NUMBERS)
operator("Imputer", domain=DOMAIN, since=1, infer=_infer_like, lower=_lower_imputer, types=NUMBERS)
operator("ArrayFeatureExtractor", domain=DOMAIN, since=1, infer=_infer_extractor, lower=_lower_extractor, types=NUMBERS)
operator("LabelEncoder", domain=DOMAIN, since=2, infer=_infer_encoder, lower=_lower_encoder, types=_KEYS)
operator("OneHotEncoder", domain=DOMAIN, since=1, infer=_infer_one_hot, lower=_lower_one_hot, types=NUMBERS)

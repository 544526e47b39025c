"""The C of one decoder: addresses, one function a layer with the layer's place as argument, `model_rows` that runs a few positions through all.

What it writes stands on kernels/decoder.h and is called by canisters/inference/language.c.
"""

from __future__ import annotations

from canisters.compiler.operators import packing
from canisters.compiler.operators.registry import c_float

from .layout import (
    BLOCK_POSITIONS,
    INT8_STEP,
    PANEL,
    PROMPT_ROWS,
    Dense,
    Memory,
    Shape,
    dense_of,
    embedding_row_bytes,
    padded,
)

_HEAD = """\
// A {family} decoder as C, written by canisters.compiler.language: layers {first} to {last} of {layers}, width {width}, {heads} heads
// over {kv_heads}, hidden {hidden}, vocabulary {vocabulary}, {mode}. {weights} bytes of weights.
// Buffers, weights and caches have fixed addresses. No allocation, no imports, no state but the cache of the session that is run.
#include "kernels.h"
"""


def emit_c(shape: Shape, memory: Memory) -> str:
    """The same shape and memory give the same text."""
    decoder = shape.decoder
    head = _HEAD.format(
        family=decoder.family, first=shape.layers[0] + 1, last=shape.layers[1], layers=decoder.layers, width=decoder.width,
        heads=decoder.heads, kv_heads=decoder.kv_heads, hidden=decoder.hidden, vocabulary=decoder.vocabulary, mode=shape.mode,
        weights=f"{shape.weights_bytes:,}",
    )  # fmt: skip
    parts = [
        head,
        _addresses(shape, memory),
        _dense(shape),
        _norm(shape),
        _attention(shape),
        _layer(shape),
        _embedding(shape),
        _run(shape),
    ]
    return "\n".join(parts)


def _addresses(shape: Shape, memory: Memory) -> str:
    places = {name.upper(): address for name, address in memory.buffers.items() if name != "message"}
    places |= {f"W_{name.upper()}": memory.weights + place for name, place in shape.places.items()}
    lines = [f"#define {name} {address:#x}u" for name, address in places.items()]
    lines += [f"#define L_{name.upper()} {place:#x}u  // from a layer's start" for name, place in shape.layer.items()]
    lines += [f"#define LAYER_BYTES {shape.layer_bytes:#x}u", ""]
    lines += [
        f"enum {{ LAYERS = {shape.count}, WIDTH = {shape.decoder.width}, WIDTH_PITCH = {padded(shape.decoder.width)}, "
        f"QKV_PITCH = {dense_of(shape.decoder)['qkv'].columns}, ATTENDED_PITCH = {padded(shape.decoder.q_size)}, "
        f"HIDDEN_PITCH = {dense_of(shape.decoder)['up'].columns}, HIDDEN_SIZE = {shape.decoder.hidden},",
        f"  Q_SIZE = {shape.decoder.q_size}, KV_SIZE = {shape.decoder.kv_size}, HEADS = {shape.decoder.heads}, KV_HEADS = {shape.decoder.kv_heads}, "
        f"HEAD_SIZE = {shape.decoder.head_size},",
        f"  LAYER_FLOATS = {shape.layer_floats}, BLOCK_FLOATS = {shape.block_floats}, BLOCK_POSITIONS = {BLOCK_POSITIONS} }};",
        "",
    ]
    return "\n".join(lines)


def _dense(shape: Shape) -> str:
    """One function for all dense layers of the module."""
    if shape.mode == "int8":
        widest = max(dense.k for dense in dense_of(shape.decoder).values())
        call = (
            "decoder_dense_int8(F32(x), x_pitch, U8(w), F32(y), y_pitch, rows, panels, k, limit, I16(ROWS), F32(STEPS), "
            f"{padded(widest, INT8_STEP)});"
        )
        limit = "float limit"
    else:
        call, limit = "decoder_dense_f32(F32(x), x_pitch, F32(w), F32(y), y_pitch, rows, panels, k);", ""
    arguments = "uint32_t x, unsigned x_pitch, uint32_t w, uint32_t y, unsigned y_pitch, unsigned rows, unsigned panels, unsigned k"
    return f"SHARED void dense({arguments}{', ' + limit if limit else ''}) {{\n  {call}\n}}\n"


def _call(
    shape: Shape, name: str, x: str, x_pitch: str, y: str, y_pitch: str, *, rows: str = "rows", place: str = ""
) -> str:
    dense: Dense = dense_of(shape.decoder)[name]
    limit = f", {c_float(packing.int16_limit(dense.k))}" if shape.mode == "int8" else ""
    where = place or f"w + L_{name.upper()}"
    return f"dense({x}, {x_pitch}, {where}, {y}, {y_pitch}, {rows}, {dense.columns // PANEL}, {dense.k}{limit});"


def _norm(shape: Shape) -> str:
    epsilon = c_float(shape.decoder.epsilon)
    if shape.decoder.is_layer_norm:
        return (
            "SHARED void norm(uint32_t x, uint32_t scale, uint32_t shift, uint32_t y, unsigned rows) {\n"
            "  ROLLED for (; rows; rows--, x += 4 * WIDTH_PITCH, y += 4 * WIDTH_PITCH)\n"
            f"    layer_norm_f32(F32(x), F32(scale), F32(shift), F32(y), 1, WIDTH, {epsilon});\n}}\n"
        )
    return (
        "SHARED void norm(uint32_t x, uint32_t scale, uint32_t y, unsigned rows) {\n"
        "  ROLLED for (; rows; rows--, x += 4 * WIDTH_PITCH, y += 4 * WIDTH_PITCH)\n"
        f"    rms_norm_row(F32(x), F32(scale), F32(y), WIDTH, {epsilon});\n}}\n"
    )


def _norm_call(shape: Shape, which: str, place: str, x: str) -> str:
    shift = f"{place}{which}_SHIFT, " if shape.decoder.is_layer_norm else ""
    return f"norm({x}, {place}{which}_NORM, {shift}NORMED, rows);"


def _attention(shape: Shape) -> str:
    """Positions in order: each is kept before the next one looks back at it."""
    decoder = shape.decoder
    lines = [
        "// q, k, v of `rows` positions from `position` on. `cache`: this layer's part of a session's first block.",
        "SHARED void attention(uint32_t w, float *cache, unsigned rows, unsigned position) {",
        "  ROLLED for (unsigned r = 0; r < rows; r++, position++) {",
        "    float *q = F32(QKV) + r * QKV_PITCH, *k = q + Q_SIZE;",
    ]
    if decoder.qk_norm:
        epsilon = c_float(decoder.epsilon)
        lines += [
            f"    ROLLED for (unsigned h = 0; h < HEADS; h++) rms_norm_row(q + h * HEAD_SIZE, F32(w + L_Q_HEAD_NORM), q + h * HEAD_SIZE, HEAD_SIZE, {epsilon});",
            f"    ROLLED for (unsigned h = 0; h < KV_HEADS; h++) rms_norm_row(k + h * HEAD_SIZE, F32(w + L_K_HEAD_NORM), k + h * HEAD_SIZE, HEAD_SIZE, {epsilon});",
        ]
    else:
        lines += ["    (void)w;"]
    if decoder.rotary:
        lines += ["    rotate_heads(q, F32(W_ROTARY) + position * HEAD_SIZE, HEADS + KV_HEADS, HEAD_SIZE / 2);"]
    scale = c_float(decoder.head_size**-0.5)
    lines += [
        "    keep_position(k, k + KV_SIZE, cache + position / BLOCK_POSITIONS * BLOCK_FLOATS, position % BLOCK_POSITIONS, KV_SIZE);",
        "    ROLLED for (unsigned h = 0; h < HEADS; h++) {",
        f"      const float *keys = cache + h / {decoder.heads // decoder.kv_heads} * HEAD_SIZE * 4;",
        f"      const float *values = cache + 4 * KV_SIZE + h / {decoder.heads // decoder.kv_heads} * HEAD_SIZE;",
        "      float *y = F32(ATTENDED) + r * ATTENDED_PITCH + h * HEAD_SIZE;",
        f"      attend_head(q + h * HEAD_SIZE, keys, values, y, F32(SCORES), position + 1, BLOCK_FLOATS, HEAD_SIZE, KV_SIZE, {scale});",
        "    }",
        "  }",
        "}",
        "",
    ]
    return "\n".join(lines)


def _layer(shape: Shape) -> str:
    decoder = shape.decoder
    if decoder.gated:
        activation = (
            "    float *gate = F32(HIDDEN) + r * HIDDEN_PITCH;\n"
            "    EACH_F32_LONG(gate, HIDDEN_SIZE, mul(mul(load(gate + i), sigmoid4(load(gate + i))), load(gate + HIDDEN_SIZE + i)));"
        )
    else:
        activation = (
            "    float *h = F32(HIDDEN) + r * HIDDEN_PITCH;\n"
            f"    EACH_F32_LONG(h, HIDDEN_SIZE, activate(load(h + i), {decoder.activation}, 0, 0));"
        )
    lines = [
        "SHARED void add_rows(unsigned rows) {",
        "  ROLLED for (unsigned r = 0; r < rows; r++) {",
        "    float *x = F32(X) + r * WIDTH_PITCH, *more = F32(ADDED) + r * WIDTH_PITCH;",
        "    EACH_F32(x, WIDTH, add(load(x + i), load(more + i)));",
        "  }",
        "}",
        "",
        "SHARED void activation(unsigned rows) {",
        "  ROLLED for (unsigned r = 0; r < rows; r++) {",
        activation,
        "  }",
        "}",
        "",
        "// One layer over the rows in X. `w`: the address of its weights.",
        "SHARED void layer(uint32_t w, float *cache, unsigned rows, unsigned position) {",
        "  " + _norm_call(shape, "ATTENTION", "w + L_", "X"),
        "  " + _call(shape, "qkv", "NORMED", "WIDTH_PITCH", "QKV", "QKV_PITCH"),
        "  attention(w, cache, rows, position);",
        "  " + _call(shape, "output", "ATTENDED", "ATTENDED_PITCH", "ADDED", "WIDTH_PITCH"),
        "  add_rows(rows);",
        "  " + _norm_call(shape, "MLP", "w + L_", "X"),
        "  " + _call(shape, "up", "NORMED", "WIDTH_PITCH", "HIDDEN", "HIDDEN_PITCH"),
        "  activation(rows);",
        "  " + _call(shape, "down", "HIDDEN", "HIDDEN_PITCH", "ADDED", "WIDTH_PITCH"),
        "  add_rows(rows);",
        "}",
        "",
    ]
    return "\n".join(lines)


def _embedding(shape: Shape) -> str:
    if not shape.is_first:
        return ""
    decoder, is_int8 = shape.decoder, shape.mode == "int8"
    if "embedding" not in shape.places:
        find = f"embedding_of_panels_{shape.mode}({'U8' if is_int8 else 'F32'}(W_HEAD), x, tokens[r], WIDTH);"
    elif is_int8:
        find = "embedding_of_rows_int8(U8(W_EMBEDDING), x, tokens[r], WIDTH);"
    else:
        row = embedding_row_bytes(decoder, "f32")
        find = f"copy_bytes((uint8_t *)x, U8(W_EMBEDDING) + tokens[r] * {row}u, {row}u);"
    lines = [
        "SHARED void embed(const uint32_t *tokens, unsigned rows, unsigned position) {",
        "  ROLLED for (unsigned r = 0; r < rows; r++) {",
        "    float *x = F32(X) + r * WIDTH_PITCH;",
        f"    {find}",
    ]
    if "positions" in shape.places:
        lines += [
            "    const float *place = F32(W_POSITIONS) + (position + r) * WIDTH;",
            "    EACH_F32(x, WIDTH, add(load(x + i), load(place + i)));",
        ]
    else:
        lines += ["    (void)position;"]
    return "\n".join([*lines, "  }", "}", ""])


def _run(shape: Shape) -> str:
    lines = [
        f"// At most {PROMPT_ROWS} tokens, the first at `position` of the session whose cache is given. With `wants_logits` LOGITS holds those",
        "// behind the last one.",
        "void model_rows(const uint32_t *tokens, uint32_t rows, uint32_t position, float *cache, bool wants_logits) {",
        "  embed(tokens, rows, position);" if shape.is_first else "  (void)tokens;",
        "  ROLLED for (unsigned l = 0; l < LAYERS; l++) layer(W_LAYERS + l * LAYER_BYTES, cache + l * LAYER_FLOATS, rows, position);",
    ]
    if shape.is_last:
        last = "X + (rows - 1) * 4 * WIDTH_PITCH"
        norm = _norm_call(shape, "FINAL", "W_", last).replace(", rows);", ", 1);")
        head = _call(shape, "head", "NORMED", "WIDTH_PITCH", "LOGITS", "0", rows="1", place="W_HEAD")
        lines += ["  if (!wants_logits) return;", f"  {norm}", f"  {head}"]
    else:
        lines += ["  (void)wants_logits;"]
    return "\n".join([*lines, "}", ""])

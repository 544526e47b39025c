"""A Llama-shaped decoder as one ONNX graph of a fixed length, without a cache: for tests of what any graph goes through.

tokens (1, length) int64 -> logits (1, length, vocabulary). Position i sees tokens 0 to i only, so what stands behind the text changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import helper

from . import language_models
from .cases import make_model

LLAMA: Mapping[str, Any] = {**language_models.CONFIGS["llama"], "model_type": "llama", "vocab_size": 97, "num_hidden_layers": 4, "rope_parameters": {"rope_theta": 10000.0}}  # fmt: skip
Ask = Callable[[np.ndarray], np.ndarray]


def llama_onnx(config: Mapping[str, Any], tensors: Mapping[str, Any], length: int) -> bytes:
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    size = config["hidden_size"] // heads
    angles = np.outer(np.arange(length), 10000.0 ** -(np.arange(0, size, 2) / size))
    constants = {"cos": np.cos(angles)[None].astype(np.float32), "sin": np.sin(angles)[None].astype(np.float32)}
    nodes = []

    def node(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def weight(name: str) -> str:
        array = tensors[f"{name}.weight"].float().numpy()
        constants[name] = np.ascontiguousarray(array.T) if array.ndim == 2 and "embed" not in name else array
        return name

    def norm(x: str, name: str) -> str:
        return node("RMSNormalization", [x, weight(name)], f"{name}.out", axis=-1, epsilon=config["rms_norm_eps"])

    def dense(x: str, name: str) -> str:
        return node("MatMul", [x, weight(name)], f"{name}.out")

    x = node("Gather", [weight("model.embed_tokens"), "tokens"], "embedded")
    for layer in range(config["num_hidden_layers"]):
        here = f"model.layers.{layer}."
        normed = norm(x, here + "input_layernorm")
        q, k, v = (dense(normed, f"{here}self_attn.{part}_proj") for part in "qkv")
        q = node("RotaryEmbedding", [q, "cos", "sin"], here + "q", num_heads=heads)
        k = node("RotaryEmbedding", [k, "cos", "sin"], here + "k", num_heads=kv_heads)
        seen = node("Attention", [q, k, v], here + "seen", is_causal=1, q_num_heads=heads, kv_num_heads=kv_heads)
        x = node("Add", [x, dense(seen, here + "self_attn.o_proj")], here + "attended")
        normed = norm(x, here + "post_attention_layernorm")
        gate, up = dense(normed, here + "mlp.gate_proj"), dense(normed, here + "mlp.up_proj")
        gated = node("Mul", [gate, node("Sigmoid", [gate], here + "sigmoid")], here + "gated")
        hidden = node("Mul", [gated, up], here + "hidden")
        x = node("Add", [x, dense(hidden, here + "mlp.down_proj")], here + "out")
    constants["head"] = np.ascontiguousarray(tensors["lm_head.weight"].float().numpy().T)
    node("MatMul", [norm(x, "model.norm"), "head"], "logits")
    inputs = {"tokens": np.zeros((1, length), np.int64)}
    return make_model(nodes, inputs, constants, ["logits"], opset=23).SerializeToString()


def greedy(ask: Ask, tokens: Sequence[int], count: int, length: int) -> list[int]:
    """The likeliest `count` tokens behind `tokens`. `ask`: tokens (1, length) to logits (1, length, vocabulary)."""
    text = list(tokens)
    for _ in range(count):
        padded = np.zeros((1, length), np.int64)
        padded[0, : len(text)] = text
        text.append(int(ask(padded)[0, len(text) - 1].argmax()))
    return text[len(tokens) :]

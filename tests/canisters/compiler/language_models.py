"""Small decoders of each family, as folders that transformers could have written, and what torch says that they answer.

The reference runs a whole text at once, with torch's own attention and norms, and knows nothing of caches. It was held against
transformers 5.24 on all four families.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as f

VOCABULARY = 97
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "gpt2": {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": 64, "activation_function": "gelu_new"},
    "llama": {
        "hidden_size": 64, "intermediate_size": 112, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": False,
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        },
    },
    "qwen2": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2,
        "max_position_embeddings": 64, "rope_theta": 1e6, "tie_word_embeddings": True,
    },
    "qwen3": {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 24, "max_position_embeddings": 64, "tie_word_embeddings": True,
    },
}  # fmt: skip
FAMILIES = tuple(CONFIGS)
Tensors = dict[str, torch.Tensor]


def config_of(family: str, **changes: Any) -> dict[str, Any]:
    return {"model_type": family, "vocab_size": VOCABULARY, **CONFIGS[family], **changes}


def shapes_of(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes, as transformers saves them."""
    return _gpt2_shapes(config) if config["model_type"] == "gpt2" else _llama_shapes(config)


def _gpt2_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width = config["n_embd"]
    found: dict[str, tuple[int, ...]] = {
        "wte.weight": (config["vocab_size"], width),
        "wpe.weight": (config["n_positions"], width),
    }
    for layer in range(config["n_layer"]):
        for norm in ("ln_1", "ln_2"):
            found |= {f"h.{layer}.{norm}.weight": (width,), f"h.{layer}.{norm}.bias": (width,)}
        for name, k, n in (
            ("attn.c_attn", width, 3 * width),
            ("attn.c_proj", width, width),
            ("mlp.c_fc", width, 4 * width),
            ("mlp.c_proj", 4 * width, width),
        ):
            found |= {f"h.{layer}.{name}.weight": (k, n), f"h.{layer}.{name}.bias": (n,)}
    found |= {"ln_f.weight": (width,), "ln_f.bias": (width,)}
    return {f"transformer.{name}": shape for name, shape in found.items()}


def head_size_of(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim", config["hidden_size"] // config["num_attention_heads"]))


def _llama_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    width, hidden, head = config["hidden_size"], config["intermediate_size"], head_size_of(config)
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], width),
        "model.norm.weight": (width,),
    }
    for layer in range(config["num_hidden_layers"]):
        here = f"model.layers.{layer}."
        for name, n, k in (("q_proj", q, width), ("k_proj", kv, width), ("v_proj", kv, width), ("o_proj", width, q)):
            found[f"{here}self_attn.{name}.weight"] = (n, k)
            if config["model_type"] == "qwen2" and name != "o_proj":
                found[f"{here}self_attn.{name}.bias"] = (n,)
        if config["model_type"] == "qwen3":
            found |= {f"{here}self_attn.q_norm.weight": (head,), f"{here}self_attn.k_norm.weight": (head,)}
        for name, n, k in (("gate_proj", hidden, width), ("up_proj", hidden, width), ("down_proj", width, hidden)):
            found[f"{here}mlp.{name}.weight"] = (n, k)
        found |= {f"{here}input_layernorm.weight": (width,), f"{here}post_attention_layernorm.weight": (width,)}
    if not config["tie_word_embeddings"]:
        found["lm_head.weight"] = (config["vocab_size"], width)
    return found


def tensors_of(config: Mapping[str, Any], seed: int = 0) -> Tensors:
    rng = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=rng) * (0.15 if len(shape) > 1 else 0.3) + (0.5 if len(shape) == 1 else 0.0)
        for name, shape in shapes_of(config).items()
    }


def saved(folder: Path, config: Mapping[str, Any], tensors: Tensors) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(dict(config)))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


# --- what it answers ---


def reference_logits(config: Mapping[str, Any], tensors: Tensors, tokens: Sequence[int]) -> np.ndarray:
    """(tokens, vocabulary)."""
    with torch.no_grad():
        wide = {name: tensor.float() for name, tensor in tensors.items()}
        return reference_logits_of(config, wide, torch.tensor(list(tokens))).numpy()


def reference_logits_of(config: Mapping[str, Any], tensors: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    """(tokens, vocabulary), with gradients."""
    run = _gpt2 if config["model_type"] == "gpt2" else _llama
    return run(config, tensors, tokens)


def greedy(config: Mapping[str, Any], tensors: Tensors, tokens: Sequence[int], count: int) -> list[int]:
    text = list(tokens)
    for _ in range(count):
        text.append(int(reference_logits(config, tensors, text)[-1].argmax()))
    return text[len(tokens) :]


def _heads(x: torch.Tensor, count: int) -> torch.Tensor:
    return x.view(x.shape[0], count, -1).transpose(0, 1)


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    found = f.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)[0]
    return found.transpose(0, 1).reshape(q.shape[1], -1)


def _gpt2(config: Mapping[str, Any], tensors: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    t = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return f.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], 1e-5)

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ t[f"{name}.weight"] + t[f"{name}.bias"]

    x = t["wte.weight"][tokens] + t["wpe.weight"][: len(tokens)]
    for layer in range(config["n_layer"]):
        here = f"h.{layer}."
        parts = dense(norm(x, here + "ln_1"), here + "attn.c_attn").chunk(3, -1)
        x = x + dense(_attention(*(_heads(part, config["n_head"]) for part in parts)), here + "attn.c_proj")
        x = x + dense(f.gelu(dense(norm(x, here + "ln_2"), here + "mlp.c_fc"), approximate="tanh"), here + "mlp.c_proj")
    return norm(x, "ln_f") @ t["wte.weight"].T


def _frequencies(config: Mapping[str, Any]) -> torch.Tensor:
    scaling = config.get("rope_parameters") or {}
    base = scaling.get("rope_theta", config.get("rope_theta", 10000.0))
    plain = base ** -(torch.arange(0, head_size_of(config), 2).double() / head_size_of(config))
    if scaling.get("rope_type") != "llama3":
        return plain
    found = []
    for frequency in plain.tolist():
        turns = scaling["original_max_position_embeddings"] * frequency / (2 * math.pi)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        share = min(max((turns - low) / (high - low), 0.0), 1.0)
        found.append((1 - share) * frequency / scaling["factor"] + share * frequency)
    return torch.tensor(found, dtype=torch.float64)


def _rotated(x: torch.Tensor, frequencies: torch.Tensor) -> torch.Tensor:
    """Each pair (i, i + half) as a complex number, turned by its angle."""
    half = x.shape[-1] // 2
    angles = torch.outer(torch.arange(x.shape[1]).double(), frequencies)
    turned = torch.complex(x[..., :half].double(), x[..., half:].double()) * torch.polar(
        torch.ones_like(angles), angles
    )
    return torch.cat([turned.real, turned.imag], -1).float()


def _llama(config: Mapping[str, Any], tensors: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    epsilon = config.get("rms_norm_eps", 1e-6)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return f.rms_norm(x, x.shape[-1:], tensors[f"{name}.weight"], epsilon)

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        return f.linear(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))

    x, frequencies = tensors["model.embed_tokens.weight"][tokens], _frequencies(config)
    for layer in range(config["num_hidden_layers"]):
        here = f"model.layers.{layer}."
        normed = norm(x, here + "input_layernorm")
        q = _heads(dense(normed, here + "self_attn.q_proj"), config["num_attention_heads"])
        k = _heads(dense(normed, here + "self_attn.k_proj"), config["num_key_value_heads"])
        v = _heads(dense(normed, here + "self_attn.v_proj"), config["num_key_value_heads"])
        if config["model_type"] == "qwen3":
            q, k = norm(q, here + "self_attn.q_norm"), norm(k, here + "self_attn.k_norm")
        x = x + dense(_attention(_rotated(q, frequencies), _rotated(k, frequencies), v), here + "self_attn.o_proj")
        normed = norm(x, here + "post_attention_layernorm")
        x = x + dense(
            f.silu(dense(normed, here + "mlp.gate_proj")) * dense(normed, here + "mlp.up_proj"), here + "mlp.down_proj"
        )
    head = tensors.get("lm_head.weight", tensors["model.embed_tokens.weight"])
    return norm(x, "model.norm") @ head.T

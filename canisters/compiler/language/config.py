"""What kind of decoder a folder holds: its config.json, read into `Decoder`. First step of `language.compile_language_model`.

Understood are the families gpt2, llama, qwen2 and qwen3, in the field names that Hugging Face's transformers (4 and 5) write. Whatever would
change the computation and is not computed here is refused, with the field's name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from canisters.compiler.errors import CannotCompile

FAMILIES = ("gpt2", "llama", "qwen2", "qwen3")
ACTIVATIONS = {"gelu_new": "GELU_TANH", "gelu_pytorch_tanh": "GELU_TANH", "gelu": "GELU", "relu": "RELU"}
MAX_CONFIG_BYTES = 1 << 20
MAX_SIZE = 1 << 20  # of any single axis: larger ones fit no canister


@dataclass(frozen=True)
class Rotary:
    """Rotary position embedding. `scaling`: the fields of rope_scaling, empty for none."""

    base: float
    scaling: Mapping[str, Any]

    def frequencies(self, head_size: int) -> npt.NDArray[np.float32]:
        """(head_size / 2), in radians a position. Source: Su et al. (2021), "RoFormer"; llama3: Llama 3.1's reference code."""
        # By the C library in double precision: numpy's own powers differ by an ulp from processor to processor.
        plain = [self.base ** -(i / head_size) for i in range(0, head_size, 2)]
        kind = self.scaling.get("rope_type", self.scaling.get("type", "default"))
        if kind == "linear":
            return np.array([frequency / self.scaling["factor"] for frequency in plain], np.float32)
        if kind == "llama3":
            return np.array([self._llama3(frequency) for frequency in plain], np.float32)
        return np.array(plain, np.float32)

    def _llama3(self, frequency: float) -> float:
        """Slow turns are slowed down further, quick ones are left, those between are in part."""
        low, high = self.scaling["low_freq_factor"], self.scaling["high_freq_factor"]
        turns = self.scaling["original_max_position_embeddings"] * frequency / (2 * math.pi)
        share = min(max((turns - low) / (high - low), 0.0), 1.0)
        return float((1 - share) * frequency / self.scaling["factor"] + share * frequency)


@dataclass(frozen=True)
class Decoder:
    """A decoder-only transformer. `rotary` is None where positions are a learned table; `gated`: down(silu(gate(x)) * up(x))."""

    family: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    positions: int
    epsilon: float
    is_layer_norm: bool
    activation: str
    gated: bool
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    qk_norm: bool
    tied: bool
    rotary: Rotary | None
    end_tokens: tuple[int, ...]

    @property
    def q_size(self) -> int:
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        return self.kv_heads * self.head_size


def refused(what: str, reason: str, what_to_do: str) -> CannotCompile:
    return CannotCompile(what, reason, what_to_do)


def read_json(path: Path) -> dict[str, Any]:
    """Raises CannotCompile."""
    if not path.is_file():
        raise refused(
            path.name, "the folder has no such file", "Give the folder that save_pretrained of transformers writes"
        )
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise refused(path.name, f"it is larger than {MAX_CONFIG_BYTES} bytes", "Give the model's own file")
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise refused(path.name, f"it is no JSON ({error})", "Save the model again") from error
    if not isinstance(found, dict):
        raise refused(path.name, "it is no JSON object", "Save the model again")
    return found


class _Fields:
    """config.json, each field checked as it is read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def refused(self, name: str, reason: str, what_to_do: str) -> CannotCompile:
        return refused(f"config.json, {name}", reason, what_to_do)

    def size(self, name: str, default: int | None = None) -> int:
        value = self.values.get(name)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIZE:
            raise self.refused(name, f"it is {value!r}", f"It must be a whole number from 1 to {MAX_SIZE}")
        return value

    def number(self, name: str, default: float) -> float:
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            raise self.refused(name, f"it is {value!r}", "It must be a number above 0")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise self.refused(name, f"it is {value!r}", "It must be true or false")
        return value

    def must_be(self, name: str, allowed: tuple[Any, ...], default: Any) -> Any:
        value = self.values.get(name, default)
        if value not in allowed:
            raise self.refused(name, f"it is {value!r}", f"Supported are {', '.join(map(repr, allowed))}")
        return value


def read_decoder(folder: Path) -> Decoder:
    """Raises CannotCompile."""
    values = read_json(folder / "config.json")
    fields = _Fields(values)
    family = values.get("model_type")
    if family not in FAMILIES:
        raise fields.refused("model_type", f"it is {family!r}", f"Supported are {', '.join(FAMILIES)}")
    if "quantization_config" in values:
        raise fields.refused(
            "quantization_config", "the weights are quantised already", "Give the model in float32, float16 or bfloat16"
        )
    decoder = _gpt2(fields) if family == "gpt2" else _llama(fields, str(family))
    for fault in _faults(decoder):
        raise fault
    return decoder


def _gpt2(fields: _Fields) -> Decoder:
    width, heads = fields.size("n_embd"), fields.size("n_head")
    fields.must_be("scale_attn_weights", (True,), True)
    fields.must_be("scale_attn_by_inverse_layer_idx", (False,), False)
    fields.must_be("add_cross_attention", (False,), False)
    activation = ACTIVATIONS[fields.must_be("activation_function", tuple(ACTIVATIONS), "gelu_new")]
    if width % heads:
        raise fields.refused("n_head", f"{heads} heads do not divide a width of {width}", "Check the config")
    return Decoder(
        family="gpt2", width=width, layers=fields.size("n_layer"), heads=heads, kv_heads=heads, head_size=width // heads,
        hidden=fields.size("n_inner", 4 * width), vocabulary=fields.size("vocab_size"), positions=fields.size("n_positions", 1024),
        epsilon=fields.number("layer_norm_epsilon", 1e-5), is_layer_norm=True, activation=activation, gated=False, qkv_bias=True,
        output_bias=True, mlp_bias=True, qk_norm=False, tied=fields.flag("tie_word_embeddings", True), rotary=None,
        end_tokens=_end_tokens(fields),
    )  # fmt: skip


def _llama(fields: _Fields, family: str) -> Decoder:
    width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    fields.must_be("hidden_act", ("silu",), "silu")
    fields.must_be("use_sliding_window", (False, None), False)
    for kind in fields.values.get("layer_types") or ():
        if kind != "full_attention":
            raise fields.refused("layer_types", f"a layer is {kind!r}", "Only full attention is computed here")
    has_bias = fields.flag("attention_bias", False)
    return Decoder(
        family=family, width=width, layers=fields.size("num_hidden_layers"), heads=heads,
        kv_heads=fields.size("num_key_value_heads", heads), head_size=fields.size("head_dim", max(1, width // heads)),
        hidden=fields.size("intermediate_size"), vocabulary=fields.size("vocab_size"),
        positions=fields.size("max_position_embeddings", 2048), epsilon=fields.number("rms_norm_eps", 1e-6), is_layer_norm=False,
        activation="SILU", gated=True, qkv_bias=has_bias or family == "qwen2", output_bias=has_bias and family != "qwen2",
        mlp_bias=family == "llama" and fields.flag("mlp_bias", False), qk_norm=family == "qwen3",
        tied=fields.flag("tie_word_embeddings", False), rotary=_rotary(fields), end_tokens=_end_tokens(fields),
    )  # fmt: skip


def _rotary(fields: _Fields) -> Rotary:
    newer = fields.values.get("rope_parameters")
    scaling = newer or fields.values.get("rope_scaling") or {}
    if not isinstance(scaling, dict):
        raise fields.refused("rope_scaling", f"it is {scaling!r}", "It must be an object")
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    needed = {
        "default": (),
        "linear": ("factor",),
        "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    }
    if kind not in needed:
        raise fields.refused("rope_scaling", f"its type is {kind!r}", f"Supported are {', '.join(needed)}")
    inner = _Fields(scaling)
    for name in needed[kind]:
        inner.number(name, 0)
    if kind == "llama3" and scaling["high_freq_factor"] <= scaling["low_freq_factor"]:
        raise fields.refused("rope_scaling", "high_freq_factor is not above low_freq_factor", "Check the config")
    if fields.number("partial_rotary_factor", 1.0) != 1.0 or inner.number("partial_rotary_factor", 1.0) != 1.0:
        raise fields.refused(
            "partial_rotary_factor", "only a part of each head is rotated", "Only full rotary heads are computed here"
        )
    return Rotary(inner.number("rope_theta", fields.number("rope_theta", 10_000.0)), scaling)


def _end_tokens(fields: _Fields) -> tuple[int, ...]:
    value = fields.values.get("eos_token_id")
    found = value if isinstance(value, list) else [] if value is None else [value]
    if any(isinstance(token, bool) or not isinstance(token, int) or token < 0 for token in found) or len(found) > 16:
        raise fields.refused("eos_token_id", f"it is {value!r}", "It must be a token's number or at most 16 of them")
    return tuple(found)


def _faults(decoder: Decoder) -> Iterator[CannotCompile]:
    if decoder.heads % decoder.kv_heads:
        yield refused(
            "config.json", f"{decoder.kv_heads} key-value heads do not divide {decoder.heads} heads", "Check the config"
        )
    step = 8 if decoder.rotary else 4
    if decoder.head_size % step or decoder.head_size > 512:
        yield refused(
            "config.json",
            f"a head has {decoder.head_size} elements",
            f"It must be a multiple of {step} and at most 512",
        )
    if decoder.width % 4 or decoder.hidden % 4:
        yield refused("config.json", f"widths are {decoder.width} and {decoder.hidden}", "Both must be multiples of 4")
    for token in decoder.end_tokens:
        if token >= decoder.vocabulary:
            yield refused(
                "config.json, eos_token_id",
                f"{token} is outside a vocabulary of {decoder.vocabulary}",
                "Check the config",
            )

"""Folders that no canister can be made of are refused with the tensor or field, the reason and what to do; hostile ones without harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from canisters.compiler.errors import CannotCompile
from canisters.compiler.language import compile_language_model
from canisters.compiler.language.checkpoint import opened
from canisters.compiler.language.config import Rotary, read_decoder
from canisters.compiler.language.layout import shape_of, weight_chunks
from canisters.compiler.language.names import names_of

from .language_models import FAMILIES, Tensors, config_of, saved, tensors_of


def refusal(folder: Path, **options: Any) -> CannotCompile:
    with pytest.raises(CannotCompile) as caught:
        compile_language_model(folder, **options)
    return caught.value


@pytest.mark.parametrize(
    ("family", "changes", "where", "said"),
    [
        ("llama", {"model_type": "mixtral"}, "model_type", "mixtral"),
        ("llama", {"model_type": None}, "model_type", "Supported are gpt2, llama"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act", "silu"),
        ("llama", {"hidden_size": "64"}, "hidden_size", "whole number"),
        ("llama", {"hidden_size": True}, "hidden_size", "whole number"),
        ("llama", {"hidden_size": -1}, "hidden_size", "whole number"),
        ("llama", {"hidden_size": 2**60}, "hidden_size", "whole number"),
        ("llama", {"num_hidden_layers": 0}, "num_hidden_layers", "whole number"),
        ("llama", {"num_key_value_heads": 3}, "config.json", "do not divide"),
        ("llama", {"head_dim": 12}, "config.json", "multiple of 8"),
        ("llama", {"rms_norm_eps": 0}, "rms_norm_eps", "above 0"),
        ("llama", {"rope_parameters": {"rope_type": "yarn"}}, "rope_scaling", "yarn"),
        ("llama", {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor", "number"),
        ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor", "full rotary"),
        ("llama", {"quantization_config": {"bits": 4}}, "quantization_config", "float32"),
        ("llama", {"eos_token_id": 97}, "eos_token_id", "outside a vocabulary"),
        ("llama", {"eos_token_id": "</s>"}, "eos_token_id", "token's number"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window", "False"),
        ("qwen2", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types", "full attention"),
        ("gpt2", {"n_head": 5}, "n_head", "do not divide"),
        ("gpt2", {"activation_function": "tanh"}, "activation_function", "gelu_new"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx", "False"),
    ],
)
def test_a_config_that_is_not_understood_is_refused_by_its_field(
    tmp_path: Path, family: str, changes: dict[str, Any], where: str, said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of(family, **changes)))

    error = refusal(tmp_path)

    assert where in error.node
    assert said in str(error)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"model_type": "llama"}',
        "[" * 100_000,
        '{"model_type": {"a": 1}}',
        '{"model_type": []}',
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)

    assert "config.json" in refusal(tmp_path).node


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path).reason


Change = Callable[[Tensors], Any]


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (lambda t: t.pop("model.layers.1.mlp.up_proj.weight"), "model.layers.1.mlp.up_proj.weight", "does not hold it"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(63)}), "model.norm.weight", "(63,); config.json makes it (64,)"),
        (lambda t: t.update({"lm_head.weight": torch.zeros(64, 97)}), "lm_head.weight", "config.json makes it (97, 64)"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(64, dtype=torch.int8)}), "model.norm.weight", "float16 or bfloat16"),
        (lambda t: t["model.layers.0.mlp.down_proj.weight"].fill_(float("nan")), "model.layers.0.mlp.down_proj.weight", "NaN"),
        (lambda t: t["lm_head.weight"].fill_(float("inf")), "lm_head.weight", "infinity"),
        (lambda t: t.update({"model.layers.0.self_attn.q_proj.lora_A.weight": torch.zeros(4, 64)}), "lora_A", "left over"),
        (lambda t: t.update({"model.layers.3.mlp.up_proj.weight": torch.zeros(4)}), "layers.3", "left over"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_refused_by_its_tensor(
    tmp_path: Path, change: Change, name: str, said: str
) -> None:
    tensors = tensors_of(config_of("llama"))
    change(tensors)

    error = refusal(saved(tmp_path, config_of("llama"), tensors))

    assert name in error.node
    assert said in str(error)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\xff" * 16, (1 << 62).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}x"]
)
def test_a_damaged_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of("llama")))
    (tmp_path / "model.safetensors").write_bytes(data)

    error = refusal(tmp_path)

    assert "model" in str(error)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_of("llama")))

    assert "no model.safetensors.index.json" in refusal(tmp_path).reason


@pytest.mark.parametrize(
    "weight_map",
    [
        {"a": "../outside.safetensors"},
        {"a": "/etc/passwd"},
        {"a": "part.bin"},
        {"a": "sub/x.safetensors"},
        {"a": 5},
        {},
        [],
        None,
    ],
)
def test_an_index_names_files_of_its_folder_and_no_others(tmp_path: Path, weight_map: Any) -> None:
    folder = tmp_path / "model"
    save_file({"a": torch.zeros(4)}, tmp_path / "outside.safetensors")
    saved(folder, config_of("llama"), {})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    assert "model.safetensors.index.json" in refusal(folder).node


def test_weights_in_several_files_are_the_weights_in_one(tmp_path: Path) -> None:
    config = config_of("qwen2")
    tensors = tensors_of(config)
    whole = saved(tmp_path / "whole", config, tensors)
    parts = saved(tmp_path / "parts", config, tensors)
    (parts / "model.safetensors").unlink()
    files: dict[str, Tensors] = {"one.safetensors": {}, "two.safetensors": {}}
    where = {}
    for index, (name, tensor) in enumerate(tensors.items()):
        where[name] = list(files)[index % 2]
        files[where[name]][name] = tensor
    for file, held in files.items():
        save_file(held, parts / file)
    (parts / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))

    one, two = (_packed(folder) for folder in (whole, parts))

    assert one == two


def _packed(folder: Path, mode: str = "int8") -> tuple[bytes, ...]:
    decoder = read_decoder(folder)
    with opened(folder) as checkpoint:
        return weight_chunks(
            shape_of(decoder, mode, 64, (0, decoder.layers)), names_of(decoder, checkpoint), checkpoint, lambda _: None
        )


@pytest.mark.parametrize("mode", ["f32", "int8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_packed_weights_fill_their_plan_to_the_byte(tmp_path: Path, family: str, mode: str) -> None:
    folder = saved(tmp_path, config_of(family), tensors_of(config_of(family)))
    decoder = read_decoder(folder)

    packed = _packed(folder, mode)

    assert sum(map(len, packed)) == shape_of(decoder, mode, 64, (0, decoder.layers)).weights_bytes


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"context": 65}, "context"), ({"context": 0}, "context"), ({"context": -4}, "context"), ({"slots": 0}, "slots"),
        ({"slots": 10**9}, "slots"), ({"sessions_per_caller": 5}, "sessions_per_caller"), ({"sessions_per_caller": 0}, "sessions_per_caller"),
        ({"idle_seconds": -1}, "idle_seconds"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: dict[str, int], where: str) -> None:
    folder = saved(tmp_path, config_of("llama"), tensors_of(config_of("llama")))

    assert where in refusal(folder, **options).node


def test_a_model_that_fits_no_canister_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    changes = {
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "vocab_size": 128256,
    }
    (tmp_path / "config.json").write_text(json.dumps(config_of("llama", **changes)))

    error = refusal(tmp_path)

    assert "MiB of memory" in error.reason
    assert "several stages" in error.what_to_do


def test_frequencies_of_linear_scaling_are_the_plain_ones_divided() -> None:
    plain = Rotary(10000.0, {}).frequencies(16)

    assert np.allclose(Rotary(10000.0, {"type": "linear", "factor": 4.0}).frequencies(16), plain / 4)

"""Language models, from a folder to tokens: the same logits as torch's, whatever the way in; sessions and sampling are test_sessions.py's."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from canisters.compiler.language import CompiledLanguageModel, LocalLanguageModel, compile_language_model
from canisters.compiler.language.cost import bounds_of

from .language_models import FAMILIES, VOCABULARY, config_of, greedy, reference_logits, saved, tensors_of

pytestmark = pytest.mark.slow

TEXT = [int(token) for token in np.random.default_rng(7).integers(0, VOCABULARY, 40)]
SLOW = pytest.mark.slow
Made = tuple[CompiledLanguageModel, LocalLanguageModel]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    @functools.cache
    def made(family: str, mode: str) -> Made:
        folder = saved(tmp_path_factory.mktemp(family), config_of(family), tensors_of(config_of(family)))
        model = compile_language_model(folder, mode=mode, context=64, slots=2)  # type: ignore[arg-type]
        return model, LocalLanguageModel(model.wasm, model.weight_chunks)

    return made


def logits_of(made: Made) -> np.ndarray:
    """Those behind the last token that was run."""
    model, local = made
    return np.frombuffer(local.canister.read(model.memory.buffers["logits"], 4 * VOCABULARY), np.float32)


def logits_after(made: Made, tokens: list[int]) -> np.ndarray:
    local = made[1]
    session = local.open()
    local.prompt(session, tokens)
    local.generate(session, 1)
    local.close(session)
    return logits_of(made)


def off_by(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize(
    "family", ["gpt2", "llama", pytest.param("qwen2", marks=SLOW), pytest.param("qwen3", marks=SLOW)]
)
def test_logits_are_those_of_torch_after_prompts_of_any_length(compiled: Any, family: str) -> None:
    config = config_of(family)
    wanted = reference_logits(config, tensors_of(config), TEXT)

    found = {length: logits_after(compiled(family, "f32"), TEXT[:length]) for length in (1, 2, 4, 5, 17, 33, 40)}

    assert max(off_by(logits, wanted[length - 1]) for length, logits in found.items()) < 1e-5


@pytest.mark.parametrize(
    "family", ["gpt2", "llama", pytest.param("qwen2", marks=SLOW), pytest.param("qwen3", marks=SLOW)]
)
def test_greedy_tokens_are_those_of_torch(compiled: Any, family: str) -> None:
    _, local = compiled(family, "f32")
    config = config_of(family)
    session = local.open()
    local.prompt(session, TEXT[:20])

    found = local.generate(session, 15)

    local.close(session)
    assert found.tokens == greedy(config, tensors_of(config), TEXT[:20], 15)
    assert (found.finish, found.length) == ("Count", 35)


@SLOW
@pytest.mark.parametrize("family", FAMILIES)
def test_int8_logits_are_near_those_of_torch(compiled: Any, family: str) -> None:
    config = config_of(family)
    wanted = reference_logits(config, tensors_of(config), TEXT)

    found = {length: logits_after(compiled(family, "int8"), TEXT[:length]) for length in range(1, 41, 3)}

    assert max(off_by(logits, wanted[length - 1]) for length, logits in found.items()) < 0.04


@SLOW
@pytest.mark.parametrize("mode", ["f32", "int8"])
@pytest.mark.parametrize("pieces", [[1] * 33, [33], [7, 1, 8, 17], [16, 17]])
def test_a_prompt_gives_the_same_bits_however_it_is_cut(compiled: Any, mode: str, pieces: list[int]) -> None:
    made = compiled("qwen2", mode)
    whole = logits_after(made, TEXT[:33])
    session, at = made[1].open(), 0

    for piece in pieces:
        made[1].prompt(session, TEXT[at : at + piece])
        at += piece
    made[1].generate(session, 1)

    made[1].close(session)
    assert (logits_of(made) == whole).all()


def test_a_call_stops_before_its_instructions_are_used_up_and_can_be_called_again(compiled: Any) -> None:
    model, local = compiled("llama", "f32")
    session = local.open()
    most = 16 * bounds_of(model.shape).row

    taken = local.call("prompt", {"session": session, "length": 0, "tokens": TEXT, "max_instructions": most})["Ok"]
    length = local.prompt(session, TEXT[taken["taken"] :], max_instructions=1)
    first = local.generate(session, 10, max_instructions=2 * bounds_of(model.shape).row)
    rest = local.generate(session, 10 - len(first.tokens))

    local.close(session)
    config = config_of("llama")
    assert 16 < taken["taken"] < len(TEXT)
    assert taken["instructions"] < most
    assert length == len(TEXT)
    assert (first.finish, rest.finish) == ("Instructions", "Count")
    assert first.instructions < 2 * bounds_of(model.shape).row
    assert 0 < len(first.tokens) < 10
    assert first.tokens + rest.tokens == greedy(config, tensors_of(config), TEXT, 10)


@SLOW
@pytest.mark.parametrize("mode", ["f32", "int8"])
@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_no_step_takes_more_than_its_bound(compiled: Any, family: str, mode: str) -> None:
    model, local = compiled(family, mode)
    bounds = bounds_of(model.shape)
    session = local.open(temperature=1.0, top_p=0.9)

    prompt = local.call("prompt", {"session": session, "length": 0, "tokens": TEXT[:16], "max_instructions": 0})["Ok"]
    step = local.generate(session, 1)

    local.close(session)
    assert prompt["instructions"] <= 15 * (bounds.row + 15 * bounds.position)
    assert step.instructions <= bounds.row + 16 * bounds.position + bounds.head


@SLOW
def test_half_precision_weights_mean_what_they_mean_in_torch(tmp_path: Path) -> None:
    config = config_of("qwen2", tie_word_embeddings=False)
    tensors = {
        name: tensor.to(torch.bfloat16 if index % 2 else torch.float16)
        for index, (name, tensor) in enumerate(tensors_of(config).items())
    }
    model = compile_language_model(saved(tmp_path, config, tensors), mode="f32", context=64, slots=1)
    made = model, LocalLanguageModel(model.wasm, model.weight_chunks)

    found = logits_after(made, TEXT[:9])

    assert off_by(found, reference_logits(config, tensors, TEXT[:9])[-1]) < 1e-5


@SLOW
@pytest.mark.parametrize(("family", "changes"), [
    ("llama", {"hidden_size": 128, "head_dim": 128, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1}),
    ("qwen3", {"head_dim": 256, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 1, "vocab_size": 64}),
    ("gpt2", {"n_embd": 20, "n_head": 5, "n_layer": 1, "vocab_size": 1}),
])  # fmt: skip
def test_heads_and_widths_of_other_sizes_give_what_torch_gives(
    tmp_path: Path, family: str, changes: dict[str, int]
) -> None:
    config = config_of(family, **changes)
    tensors, text = tensors_of(config), [token % config["vocab_size"] for token in TEXT[:9]]
    model = compile_language_model(saved(tmp_path, config, tensors), mode="f32", context=64, slots=1)
    local = LocalLanguageModel(model.wasm, model.weight_chunks)
    session = local.open()

    local.prompt(session, text)
    local.generate(session, 1)

    found = np.frombuffer(local.canister.read(model.memory.buffers["logits"], 4 * config["vocab_size"]), np.float32)
    assert off_by(found, reference_logits(config, tensors, text)[-1]) < 1e-5


@SLOW
def test_the_same_folder_gives_the_same_bytes_and_another_mode_others(tmp_path: Path) -> None:
    config = config_of("gpt2")
    first = saved(tmp_path / "a", config, tensors_of(config))
    again = saved(tmp_path / "b" / "c", config, tensors_of(config))

    one, two = (compile_language_model(folder, mode="f32", context=32, slots=1) for folder in (first, again))

    assert (one.wasm, one.weight_chunks) == (two.wasm, two.weight_chunks)
    assert one.c_source == two.c_source

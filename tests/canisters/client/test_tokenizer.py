"""Texts become tokens and come back, by the model's own tokenizer or by bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from canisters.client.tokenizer import BadTokenizer, ByteTokenizer, Tokenizer, tokenizer_of

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "naïve café – ☕ 東京", "  spaces\nand\ttabs  "]


def trained() -> tokenizers.Tokenizer:
    found = tokenizers.Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    found.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=300, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False),
    )
    return found


@pytest.fixture(params=["tokenizer.json", "vocab.json and merges.txt", "none"])
def tokenizer(request: pytest.FixtureRequest, tmp_path: Path) -> Tokenizer:
    if request.param == "tokenizer.json":
        trained().save(str(tmp_path / "tokenizer.json"))
    elif request.param != "none":
        trained().model.save(str(tmp_path))
    return tokenizer_of(tmp_path)


@pytest.mark.parametrize("text", [*TEXTS, "", "\0", "<|end"])
def test_a_text_comes_back_from_its_tokens(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.text())
def test_any_text_comes_back_from_its_bytes(text: str) -> None:
    assert ByteTokenizer().decode(ByteTokenizer().encode(text)) == text


def test_a_models_own_merges_are_used(tmp_path: Path) -> None:
    trained().save(str(tmp_path / "tokenizer.json"))

    assert len(tokenizer_of(tmp_path).encode(TEXTS[0])) < len(TEXTS[0])


def test_what_is_cut_within_a_character_is_shown_as_such(tmp_path: Path) -> None:
    assert tokenizer_of(tmp_path).decode([0xE2, 0x98]) == "\ufffd"
    assert tokenizer_of(tmp_path).decode([65, 300, -1, 66]) == "AB"


def test_special_tokens_are_decoded_to_nothing(tmp_path: Path) -> None:
    own = trained()
    own.save(str(tmp_path / "tokenizer.json"))

    found = tokenizer_of(tmp_path).decode([*own.encode("the cat").ids, own.token_to_id("<|end|>")])

    assert found == "the cat"


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", json.dumps({"model": {"type": "?"}})])
def test_a_damaged_tokenizer_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)

    with pytest.raises(BadTokenizer, match=r"tokenizer\.json is no tokenizer"):
        tokenizer_of(tmp_path)


def test_damaged_merges_are_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("")

    with pytest.raises(BadTokenizer, match=r"vocab\.json and merges\.txt"):
        tokenizer_of(tmp_path)

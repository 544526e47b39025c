"""Texts to tokens and back, on the client's side of a language model's canister: `tokenizer_of(folder)`.

A model's own tokenizer is read from tokenizer.json, or from vocab.json and merges.txt (byte-level BPE, as GPT-2's). A folder that has neither is a
model of bytes: token 0 to 255 is the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

MAX_FILE_BYTES = 64 << 20


class Tokenizer(Protocol):
    """`decode` puts the replacement character where bytes are no UTF-8, as at the end of a text that is cut within a character."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


class BadTokenizer(ValueError):
    """The folder's tokenizer cannot be read; says which file, and why."""


class ByteTokenizer:
    """Bytes of UTF-8 as tokens. What is no byte is left out when decoding."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def decode(self, tokens: Sequence[int]) -> str:
        return bytes(token for token in tokens if 0 <= token < 256).decode("utf-8", "replace")


class FileTokenizer:
    """A tokenizer of the `tokenizers` library. Special tokens are decoded to nothing."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        self._inner = inner

    def encode(self, text: str) -> list[int]:
        return list(self._inner.encode(text).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._inner.decode(list(tokens), skip_special_tokens=True))


def tokenizer_of(folder: Path) -> Tokenizer:
    """Raises BadTokenizer."""
    whole, vocabulary, merges = folder / "tokenizer.json", folder / "vocab.json", folder / "merges.txt"
    if whole.is_file():
        return FileTokenizer(_read(whole))
    if vocabulary.is_file() and merges.is_file():
        return FileTokenizer(_read_bpe(vocabulary, merges))
    return ByteTokenizer()


def _read(path: Path) -> tokenizers.Tokenizer:
    _require_size(path)
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise BadTokenizer(f"{path.name} is no tokenizer ({error}): copy the model's own file again") from error


def _read_bpe(vocabulary: Path, merges: Path) -> tokenizers.Tokenizer:
    _require_size(vocabulary)
    _require_size(merges)
    try:
        found = tokenizers.Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    except Exception as error:  # the library raises plain Exception
        raise BadTokenizer(
            f"{vocabulary.name} and {merges.name} are no tokenizer ({error}): copy them again"
        ) from error
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    return found


def _require_size(path: Path) -> None:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadTokenizer(f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB: give the model's own file")

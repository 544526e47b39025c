"""Blobs: bytes under a name, in folders by purpose. What has a SHA-256 for a name can be checked by whoever reads it.

public   by SHA-256: configs, cards, profiles, mock samples, artifacts, manifests of sealed files; anybody may read them
sealed   by SHA-256: ciphertext chunks; for their owner and the worker of a claimed job
keys     content keys wrapped for one worker; for that worker and the owner

Files by default; another store is a class with the same four methods, named by BLOB_STORE."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from .errors import Invalid
from .strict_json import NotStrictJson, strict_json

Folder = Literal["public", "sealed", "keys"]
MAX_SHOWN_BYTES = 1 << 20  # of JSON that is put into an answer
_NAME = re.compile(r"[a-z0-9-]{4,200}")


class BlobStore(Protocol):
    def get(self, folder: Folder, name: str) -> bytes | None:
        """The bytes, or None when there are none."""

    def put(self, folder: Folder, name: str, data: bytes) -> None:
        """Keep bytes: whole or not at all, and safe once this returns. The same name again replaces."""

    def has(self, folder: Folder, name: str) -> bool: ...

    def names(self, folder: Folder, prefix: str) -> list[str]:
        """Names that begin with `prefix` (at least four characters), sorted."""


class FileBlobStore:
    """Files below BLOB_DIR, two letters of the name as a folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or Path(settings.BLOB_DIR)

    def _path(self, folder: Folder, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Invalid("That is not a blob's name.")
        return self.root / folder / name[:2] / name

    def get(self, folder: Folder, name: str) -> bytes | None:
        try:
            return self._path(folder, name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, folder: Folder, name: str, data: bytes) -> None:
        path = self._path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(draft).unlink()
            raise

    def has(self, folder: Folder, name: str) -> bool:
        return self._path(folder, name).exists()

    def names(self, folder: Folder, prefix: str) -> list[str]:
        parent = self._path(folder, prefix).parent
        return sorted(found.name for found in _entries(parent) if found.name.startswith(prefix))


def _entries(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from folder.iterdir()


class MemoryBlobStore:
    """For tests: gone with the process."""

    def __init__(self) -> None:
        self.held: dict[tuple[Folder, str], bytes] = {}

    def get(self, folder: Folder, name: str) -> bytes | None:
        return self.held.get((folder, name))

    def put(self, folder: Folder, name: str, data: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise Invalid("That is not a blob's name.")
        self.held[(folder, name)] = data

    def has(self, folder: Folder, name: str) -> bool:
        return (folder, name) in self.held

    def names(self, folder: Folder, prefix: str) -> list[str]:
        return sorted(name for kept, name in self.held if kept == folder and name.startswith(prefix))


@lru_cache(maxsize=1)
def store() -> BlobStore:
    made: BlobStore = import_string(settings.BLOB_STORE)()
    return made


def blob_keep(data: bytes, folder: Folder = "public") -> str:
    """Keep bytes under their SHA-256; returns it in hex."""
    name = hashlib.sha256(data).hexdigest()
    if not store().has(folder, name):
        store().put(folder, name, data)
    return name


def blob_read(sha256_hex: str, folder: Folder = "public") -> bytes | None:
    return store().get(folder, sha256_hex)


def blob_json(sha256_hex: str, most_bytes: int | None = MAX_SHOWN_BYTES) -> Any:
    """A public blob's JSON, safe to put into an answer. None: it is not here, too large, or not JSON that can be shown."""
    data = blob_read(sha256_hex)
    if data is None or (most_bytes is not None and len(data) > most_bytes):
        return None
    try:
        return strict_json(data)
    except NotStrictJson:
        return None

"""Sealed files: how a dataset leaves its owner's machine, and how a worker that was let in opens it.

A file is cut into chunks of 1 MiB, each encrypted by AES-256-GCM under a key used for this file only. The Merkle root of the encrypted
chunks goes on the chain, together with a salted commitment to the plaintext; the manifest names every chunk, so an upload can be
resumed and each part checked alone. The content key is wrapped for one worker at a time (HPKE, RFC 9180). The browser does the same in
TypeScript; `tests/fixtures/sealing.json` holds both to one set of vectors.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .canonical import canonical_json, sha256

FORMAT = "commonweight/sealed/v1"
CHUNK_BYTES = 1 << 20
KEY_BYTES = 32
FILE_ID_BYTES = 16
TAG_BYTES = 16
MAX_CHUNKS = 1 << 20
_CHUNK_CONTEXT = b"commonweight/chunk/v1"
_COMMITMENT_CONTEXT = b"commonweight/commitment/v1"
_KEY_CONTEXT = b"commonweight/content-key/v1"
_SUITE = hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class SealBroken(ValueError):
    """A sealed file or wrapped key does not open: the text says which part, and what that means."""


@dataclass(frozen=True)
class ChunkInfo:
    sha256: bytes
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a sealed file consists of. `hash` stands on the chain as `manifest_hash`."""

    file_id: bytes
    plaintext_bytes: int
    chunks: tuple[ChunkInfo, ...]
    ciphertext_root: bytes

    def to_value(self) -> dict[str, object]:
        return {
            "chunk_bytes": CHUNK_BYTES,
            "chunks": [{"sha256": chunk.sha256.hex(), "size_bytes": chunk.size_bytes} for chunk in self.chunks],
            "ciphertext_root": self.ciphertext_root.hex(),
            "file_id": self.file_id.hex(),
            "format": FORMAT,
            "plaintext_bytes": self.plaintext_bytes,
        }

    def to_json(self) -> bytes:
        return canonical_json(self.to_value())

    @property
    def hash(self) -> bytes:
        return sha256(self.to_json())

    @property
    def size_bytes(self) -> int:
        """Of the ciphertext."""
        return sum(chunk.size_bytes for chunk in self.chunks)

    @classmethod
    def from_value(cls, value: object) -> Manifest:
        """Read a parsed JSON manifest. Raises SealBroken, naming the field that is wrong."""
        if not isinstance(value, dict):
            raise SealBroken("The manifest must be a JSON object.")
        expected = {"chunk_bytes", "chunks", "ciphertext_root", "file_id", "format", "plaintext_bytes"}
        if set(value) != expected:
            raise SealBroken(f"The manifest must have exactly the fields {', '.join(sorted(expected))}.")
        if value["format"] != FORMAT or value["chunk_bytes"] != CHUNK_BYTES:
            raise SealBroken(f"The manifest's format must be {FORMAT} with chunk_bytes {CHUNK_BYTES}.")
        plaintext_bytes = value["plaintext_bytes"]
        if type(plaintext_bytes) is not int or plaintext_bytes < 1:
            raise SealBroken("plaintext_bytes must be a positive whole number: an empty file cannot be sealed.")
        sizes = _chunk_sizes(plaintext_bytes)
        listed = value["chunks"]
        if not isinstance(listed, list) or len(listed) != len(sizes):
            raise SealBroken(f"chunks must list {len(sizes)} chunks, as plaintext_bytes says.")
        chunks = []
        for index, (entry, size) in enumerate(zip(listed, sizes, strict=True)):
            if not isinstance(entry, dict) or set(entry) != {"sha256", "size_bytes"}:
                raise SealBroken(f"chunks[{index}] must have sha256 and size_bytes.")
            if entry["size_bytes"] != size + TAG_BYTES:
                raise SealBroken(f"chunks[{index}].size_bytes must be {size + TAG_BYTES}.")
            chunks.append(ChunkInfo(_hex(entry["sha256"], 32, f"chunks[{index}].sha256"), size + TAG_BYTES))
        return cls(
            file_id=_hex(value["file_id"], FILE_ID_BYTES, "file_id"),
            plaintext_bytes=plaintext_bytes,
            chunks=tuple(chunks),
            ciphertext_root=_hex(value["ciphertext_root"], 32, "ciphertext_root"),
        )


@dataclass(frozen=True)
class Sealed:
    """A file ready to leave: `chunks` may go anywhere, `key` goes nowhere unwrapped."""

    key: bytes
    manifest: Manifest
    chunks: tuple[bytes, ...]
    plaintext_commitment: bytes


def seal(plaintext: bytes, *, key: bytes | None = None, file_id: bytes | None = None) -> Sealed:
    """Encrypt a file under a fresh key. `key` and `file_id` are given only to reproduce test vectors: a pair must never serve two files."""
    if not plaintext:
        raise SealBroken("The file is empty: there is nothing to seal.")
    key = key if key is not None else secrets.token_bytes(KEY_BYTES)
    file_id = file_id if file_id is not None else secrets.token_bytes(FILE_ID_BYTES)
    pieces = [plaintext[at : at + CHUNK_BYTES] for at in range(0, len(plaintext), CHUNK_BYTES)]
    cipher = AESGCM(key)
    chunks = tuple(
        cipher.encrypt(_nonce(i), piece, _chunk_context(file_id, i, len(pieces))) for i, piece in enumerate(pieces)
    )
    manifest = Manifest(
        file_id=file_id,
        plaintext_bytes=len(plaintext),
        chunks=tuple(ChunkInfo(sha256(chunk), len(chunk)) for chunk in chunks),
        ciphertext_root=merkle_root(chunks),
    )
    return Sealed(key, manifest, chunks, plaintext_commitment(key, pieces))


def open_sealed(manifest: Manifest, chunks: Iterable[bytes], key: bytes, *, commitment: bytes | None = None) -> bytes:
    """Decrypt a file, checking every chunk, the Merkle root and, when given, the commitment on the chain. Raises SealBroken."""
    held = list(chunks)
    if len(held) != len(manifest.chunks):
        raise SealBroken(f"{len(manifest.chunks)} chunks are named and {len(held)} are here: fetch the missing ones.")
    for index, (chunk, info) in enumerate(zip(held, manifest.chunks, strict=True)):
        if sha256(chunk) != info.sha256:
            raise SealBroken(f"Chunk {index} is not the one that the manifest names: fetch it again.")
    if merkle_root(held) != manifest.ciphertext_root:
        raise SealBroken("The chunks do not hash to the registered Merkle root: this is not the registered file.")
    pieces = list(_decrypted(manifest, held, key))
    if commitment is not None and plaintext_commitment(key, pieces) != commitment:
        raise SealBroken("The decrypted file is not the one its owner committed to on the chain.")
    return b"".join(pieces)


def merkle_root(leaves: Iterable[bytes], *, prefix: bytes = b"") -> bytes:
    """The root over `leaves`: leaf SHA-256(0x00 || prefix || data), node SHA-256(0x01 || left || right), an odd node goes up as it is."""
    level = [sha256(b"\x00" + prefix + leaf) for leaf in leaves]
    if not level:
        raise SealBroken("A Merkle tree needs at least one leaf.")
    while len(level) > 1:
        pairs = [sha256(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def plaintext_commitment(key: bytes, pieces: Iterable[bytes]) -> bytes:
    """Merkle root over the plaintext chunks, salted from the key: without it, a short file's content could be guessed from its hash."""
    salt = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_COMMITMENT_CONTEXT).derive(key)
    return merkle_root(pieces, prefix=salt)


def wrap_key(key: bytes, *, encryption_key: bytes, ciphertext_root: bytes, worker: bytes) -> bytes:
    """Wrap a content key so that one worker, for one file, can open it.

    `encryption_key`: the worker's P-256 point from the chain, 65 bytes uncompressed. `worker`: its principal's bytes. Returns 113 bytes."""
    try:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encryption_key)
    except ValueError as error:
        raise SealBroken(
            "The worker's encryption key on the chain is not a P-256 point: choose another worker."
        ) from error
    return bytes(_SUITE.encrypt(key, public_key, info=_KEY_CONTEXT + ciphertext_root + worker))


def unwrap_key(
    wrapped: bytes, *, private_key: ec.EllipticCurvePrivateKey, ciphertext_root: bytes, worker: bytes
) -> bytes:
    """Undo `wrap_key`. Raises SealBroken: wrapped for another worker, another file, or damaged."""
    try:
        key = bytes(_SUITE.decrypt(wrapped, private_key, info=_KEY_CONTEXT + ciphertext_root + worker))
    except (InvalidTag, ValueError) as error:
        raise SealBroken(
            "The wrapped key does not open: it was made for another worker or another file. Ask the owner to wrap it again."
        ) from error
    if len(key) != KEY_BYTES:
        raise SealBroken("The wrapped key does not have 32 bytes.")
    return key


def _decrypted(manifest: Manifest, chunks: list[bytes], key: bytes) -> Iterator[bytes]:
    cipher = AESGCM(key)
    for index, chunk in enumerate(chunks):
        try:
            yield cipher.decrypt(_nonce(index), chunk, _chunk_context(manifest.file_id, index, len(chunks)))
        except InvalidTag as error:
            raise SealBroken(f"Chunk {index} does not open under this key.") from error


def _chunk_sizes(plaintext_bytes: int) -> list[int]:
    whole, rest = divmod(plaintext_bytes, CHUNK_BYTES)
    if whole + bool(rest) > MAX_CHUNKS:
        raise SealBroken(f"The file is too large: at most {MAX_CHUNKS} chunks of {CHUNK_BYTES} bytes.")
    return [CHUNK_BYTES] * whole + ([rest] if rest else [])


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def _chunk_context(file_id: bytes, index: int, count: int) -> bytes:
    return _CHUNK_CONTEXT + file_id + index.to_bytes(4, "big") + count.to_bytes(4, "big")


def _hex(value: object, size: int, name: str) -> bytes:
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        data = b""
    if len(data) != size or data.hex() != value:
        raise SealBroken(f"{name} must be {size} bytes in lower-case hex.")
    return data

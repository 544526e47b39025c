"""Principals: who somebody is on the Internet Computer. Source: interface specification, "Principals"."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from dataclasses import dataclass

MAX_BYTES = 29


class MalformedPrincipal(ValueError):
    """The text or the bytes are not a principal."""


@dataclass(frozen=True, order=True)
class Principal:
    """`raw`: 0 to 29 bytes; the last one tells the kind (1 opaque, 2 self-authenticating, 4 anonymous)."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) > MAX_BYTES:
            raise MalformedPrincipal(f"a principal has at most {MAX_BYTES} bytes, not {len(self.raw)}")

    @classmethod
    def from_bytes(cls, raw: bytes) -> Principal:
        return cls(bytes(raw))

    @classmethod
    def from_text(cls, text: str) -> Principal:
        """Read the grouped base-32 form. Raises MalformedPrincipal when its checksum or its form is wrong."""
        packed = text.replace("-", "").upper()
        try:
            data = base64.b32decode(packed + "=" * (-len(packed) % 8))
        except (binascii.Error, ValueError) as error:
            raise MalformedPrincipal(f"'{text[:80]}' is not a principal: copy it whole, as in 'aaaaa-aa'") from error
        if len(data) < 4 or zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
            raise MalformedPrincipal(f"'{text[:80]}' is not a principal: its checksum is wrong; copy it whole")
        principal = cls(data[4:])
        if str(principal) != text:
            raise MalformedPrincipal(f"'{text[:80]}' is not in the usual form; did you mean '{principal}'?")
        return principal

    @classmethod
    def self_authenticating(cls, public_key_der: bytes) -> Principal:
        return cls(hashlib.sha224(public_key_der).digest() + b"\x02")

    @classmethod
    def anonymous(cls) -> Principal:
        return cls(b"\x04")

    @classmethod
    def management(cls) -> Principal:
        """`aaaaa-aa`, the virtual canister that manages the others."""
        return cls(b"")

    @property
    def is_anonymous(self) -> bool:
        return self.raw == b"\x04"

    def __str__(self) -> str:
        checked = zlib.crc32(self.raw).to_bytes(4, "big") + self.raw
        letters = base64.b32encode(checked).decode("ascii").rstrip("=").lower()
        return "-".join(letters[i : i + 5] for i in range(0, len(letters), 5))

    def __repr__(self) -> str:
        return f"Principal({self})"

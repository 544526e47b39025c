"""LEB128 integers, as Candid and certificates write them. Source: DWARF 4, section 7.6; Candid specification, "Memory"."""

from __future__ import annotations


class MalformedLeb128(ValueError):
    """The bytes end before the number does, or the number is longer than anybody sane would send."""


_MAX_BYTES = 4096  # 28,000 bits: more than any nat in use, little enough to stop a bomb


def encode_unsigned(value: int) -> bytes:
    if value < 0:
        raise ValueError("an unsigned number cannot be negative")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_signed(value: int) -> bytes:
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def decode_unsigned(data: bytes, at: int = 0) -> tuple[int, int]:
    """Returns the number and the offset behind it. Raises MalformedLeb128."""
    value, shift, start = 0, 0, at
    while True:
        if at >= len(data) or at - start > _MAX_BYTES:
            raise MalformedLeb128(f"a number that starts at byte {start} does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def decode_signed(data: bytes, at: int = 0) -> tuple[int, int]:
    """Returns the number and the offset behind it. Raises MalformedLeb128."""
    value, shift, start = 0, 0, at
    while True:
        if at >= len(data) or at - start > _MAX_BYTES:
            raise MalformedLeb128(f"a number that starts at byte {start} does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if byte & 0x40 else value), at

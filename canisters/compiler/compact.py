"""Every number in the code as short as it can be: the linker writes addresses, functions and globals in five bytes whatever their value.

Nothing else changes: the same instructions in the same order, so costs stay what they are. Source: WebAssembly Core Specification 2.0, 5.4.
"""

from __future__ import annotations

from canisters.interface.leb128 import decode_signed, decode_unsigned, encode_signed, encode_unsigned

from . import wasm as w
from .errors import BuildFailed

# What stands behind an opcode: u an unsigned number, s a signed one, digits that many bytes, v a list of unsigned numbers and one more,
# t a list of bytes.
_PLAIN: dict[int, str] = {
    **dict.fromkeys((0x02, 0x03, 0x04), "s"), **dict.fromkeys((0x0C, 0x0D, 0x10), "u"), 0x0E: "v", 0x11: "uu", 0x1C: "t",
    **dict.fromkeys(range(0x20, 0x27), "u"), **dict.fromkeys(range(0x28, 0x3F), "uu"), 0x3F: "u", 0x40: "u",
    0x41: "s", 0x42: "s", 0x43: "4", 0x44: "8", 0xD0: "s", 0xD2: "u",
}  # fmt: skip
_BULK: dict[int, str] = {8: "uu", 9: "u", 10: "uu", 11: "u", 12: "uu", 13: "u", 14: "uu", 15: "u", 16: "u", 17: "u"}
_SIMD: dict[int, str] = {
    **dict.fromkeys((*range(12), 92, 93), "uu"), 12: "16", 13: "16", **dict.fromkeys(range(21, 35), "1"),
    **dict.fromkeys(range(84, 92), "uu1"),
}  # fmt: skip


def compacted(part: w.Section) -> w.Section:
    """The code section, shorter. Raises BuildFailed: an instruction that this project's C does not make."""
    count, at = decode_unsigned(part.body)
    bodies = [encode_unsigned(count)]
    for _ in range(count):
        size, at = decode_unsigned(part.body, at)
        body = _function(part.body[at : at + size])
        bodies += [encode_unsigned(len(body)), body]
        at += size
    return w.Section(part.number, b"".join(bodies))


def _function(body: bytes) -> bytes:
    groups, at = decode_unsigned(body)
    out = [encode_unsigned(groups)]
    for _ in range(groups):
        number, at = decode_unsigned(body, at)
        out += [encode_unsigned(number), body[at : at + 1]]
        at += 1
    while at < len(body):
        opcode, start = body[at], at
        at += 1
        if opcode in (0xFC, 0xFD):
            further, at = decode_unsigned(body, at)
            out += [body[start : start + 1], encode_unsigned(further)]
            shape = (_BULK if opcode == 0xFC else _SIMD).get(further, "")
        elif opcode < 0xC5 or opcode in _PLAIN or opcode == 0xD1:
            out.append(body[start:at])
            shape = _PLAIN.get(opcode, "")
        else:
            raise BuildFailed(f"the C compiler made an instruction that is not known here: {opcode:#x}")
        at = _operands(shape, body, at, out)
    return b"".join(out)


def _operands(shape: str, body: bytes, at: int, out: list[bytes]) -> int:
    """Appends what stands behind an opcode. Returns the place behind it."""
    if shape.isdigit():
        out.append(body[at : at + int(shape)])
        return at + int(shape)
    for kind in shape:
        if kind == "s":
            value, at = decode_signed(body, at)
            out.append(encode_signed(value))
        elif kind == "1":
            out.append(body[at : at + 1])
            at += 1
        else:
            value, at = decode_unsigned(body, at)
            out.append(encode_unsigned(value))
            if kind == "t":
                out.append(body[at : at + value])
                at += value
            for _ in range(value + 1 if kind == "v" else 0):
                target, at = decode_unsigned(body, at)
                out.append(encode_unsigned(target))
    return at

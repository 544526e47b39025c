"""Counts instructions as the network charges them: a rewriter that puts the counting into the module itself.

Each basic block takes its cost from an exported global when it is entered; function entries and loop heads stop when it falls below zero.
The count of a message is the same on every machine. Weights' source: dfinity/ic, rs/embedders/src/wasm_utils/instrumentation.rs,
`instruction_to_cost` (`ic-limits` of the design notes, section 3). Page-touch charges are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from .leb128 import decode_unsigned, encode_signed, encode_unsigned

COUNTER = "__ic_instructions_left"

# --- weights ---

_DEFAULT = 1


def _plain_costs(is_wasm64: bool) -> list[int]:
    cost = [_DEFAULT] * 256

    def put(opcodes: range | tuple[int, ...], value: int) -> None:
        for opcode in opcodes:
            cost[opcode] = value

    put((0x02, 0x03, 0x05, 0x0B), 0)  # block, loop, else, end
    put((0x04, 0x0C, 0x0D, 0x0E), 2)  # if, br, br_if, br_table
    put((0x10,), 5)
    put((0x11,), 10)
    put((0x12,), 3)
    put((0x13,), 60)
    put((0x23, 0x24), 2)  # global.get, global.set
    put((0x25, 0x26), 5)  # table.get, table.set
    put(range(0x28, 0x3F), 2 if is_wasm64 else 1)  # loads and stores
    put((0x3F,), 20)  # memory.size
    put((0x40,), 300)  # memory.grow
    put(range(0x5B, 0x67), 3)  # float comparisons
    put(range(0x6D, 0x71), 10)  # i32 div, rem
    put(range(0x7F, 0x83), 10)  # i64 div, rem
    put((0x8D, 0x8E, 0x8F, 0x90), 2)  # f32 ceil, floor, trunc, nearest
    put((0x91,), 5)
    put((0x92, 0x93, 0x94), 2)  # f32 add, sub, mul
    put((0x95,), 3)
    put((0x96, 0x97), 18)
    put((0x98,), 2)
    put((0x9B, 0x9C, 0x9D, 0x9E), 2)
    put((0x9F,), 8)
    put((0xA0, 0xA1, 0xA2), 2)
    put((0xA3,), 5)
    put((0xA4, 0xA5), 18)
    put((0xA6,), 3)
    put((0xA8, 0xA9, 0xAA, 0xAB, 0xAE, 0xAF, 0xB0, 0xB1), 20)  # float to int
    put((0xB2, 0xB4, 0xB7, 0xB9), 3)  # from signed int
    put((0xB3, 0xB5, 0xB8, 0xBA), 16)  # from unsigned int
    put((0xD1,), 5)
    put((0xD2,), 130)
    return cost


_BULK = {8: 100, 9: 300, 10: 100, 11: 100, 12: 100, 13: 300, 14: 100, 15: 300, 16: 100, 17: 100}
_SIZED = {8, 10, 11, 12, 14, 17}  # the operand on top of the stack is charged too, one a byte or element


def _simd_costs(is_wasm64: bool) -> dict[int, int]:
    cost: dict[int, int] = {}

    def put(value: int, *opcodes: int) -> None:
        for opcode in opcodes:
            cost[opcode] = value

    if is_wasm64:
        put(2, *range(12), *range(84, 94))
    put(3, 13)  # shuffle
    put(2, 38, 40, 48, 50, 58, 60)  # unsigned lt and gt: i8x16, i16x8, i32x4
    put(3, 98)  # i8x16.popcnt
    put(3, 107, 108)  # i8x16 shl, shr_s
    put(2, 109)
    put(2, 139, 140, 141, 171, 172, 173)  # i16x8, i32x4 shifts
    put(2, 203, 205)
    put(3, 204)
    put(2, 181)  # i32x4.mul
    put(4, 213)  # i64x2.mul
    put(2, 125)  # i16x8.extadd_pairwise_i8x16_u
    put(3, 127)  # i32x4.extadd_pairwise_i16x8_u
    put(2, 157, 159)  # i16x8.extmul_high
    put(2, 188, 189, 190, 191)  # i32x4.extmul
    put(2, 103, 104, 105, 106, 224, 225, 228, 229, 230)  # f32x4 roundings, abs, neg, add, sub, mul
    put(5, 227)  # f32x4.sqrt
    put(10, 231)
    put(4, 232, 233)  # f32x4 min, max
    put(1, 234, 235)  # pmin, pmax
    put(2, 116, 117, 122, 148, 236, 237, 240, 241, 242)  # f64x2 roundings, abs, neg, add, sub, mul
    put(14, 239)
    put(12, 243)
    put(4, 244)
    put(5, 245)
    put(2, 248, 252)  # trunc_sat signed
    put(4, 249, 251)  # trunc_sat unsigned; convert unsigned
    put(3, 253)
    return cost


# --- the rewriter ---


class CannotMeter(ValueError):
    """The module uses an instruction that the network does not have."""


@dataclass(frozen=True)
class _Function:
    parameters: int
    body: bytes


class _Writer:
    """Rewrites function bodies of one module."""

    def __init__(self, counter: int, is_wasm64: bool) -> None:
        self.counter = encode_unsigned(counter)
        self.is_wasm64 = is_wasm64
        self.plain = _plain_costs(is_wasm64)
        self.simd = _simd_costs(is_wasm64)

    def body(self, function: _Function) -> bytes:
        data = function.body
        at, locals_, count = 0, function.parameters, 0
        groups, at = decode_unsigned(data, 0)
        start = at
        for _ in range(groups):
            count, at = decode_unsigned(data, at)
            locals_ += count
            at += 1
        # Two scratch locals, an i32 and an i64: sizes come in both, by the memory's kind and the instruction.
        code, uses_scratch = self._code(data, at, locals_)
        declared = data[start:at]
        if uses_scratch:
            groups += 2
            declared += b"\x01\x7f\x01\x7e"
        return encode_unsigned(groups) + declared + code

    def _take(self, cost: int) -> bytes:
        return b"\x23" + self.counter + b"\x42" + encode_signed(cost) + b"\x7d\x24" + self.counter if cost else b""

    def _stop(self) -> bytes:
        return b"\x23" + self.counter + b"\x42\x00\x53\x04\x40\x00\x0b"  # below 0: unreachable

    def _take_operand(self, sub: int, first_scratch: int) -> bytes:
        wide = self.is_wasm64 and sub in (10, 11)  # memory.copy, memory.fill; all other sizes are i32
        scratch = encode_unsigned(first_scratch + int(wide))
        widen = b"" if wide else b"\xad"
        return (
            b"\x21"
            + scratch
            + b"\x23"
            + self.counter
            + b"\x20"
            + scratch
            + widen
            + b"\x7d\x24"
            + self.counter
            + b"\x20"
            + scratch
        )

    def _code(self, data: bytes, at: int, scratch: int) -> tuple[bytes, bool]:
        out: list[bytes] = []
        plain, simd = self.plain, self.simd
        uses_scratch = False
        block_start, cost = at, 1  # entering a function costs 1
        check = True
        extras: list[tuple[int, bytes]] = []  # insertions within the present block
        size = len(data)
        while at < size:
            opcode = data[at]
            begin = at
            at += 1
            ends = False
            if opcode < 0x20:
                if opcode in (0x02, 0x03, 0x04):
                    at = _skip(data, at)
                    ends = opcode != 0x02
                elif opcode in (0x0C, 0x0D):
                    at = _skip(data, at)
                    ends = True
                elif opcode == 0x0E:
                    targets, at = decode_unsigned(data, at)
                    for _ in range(targets + 1):
                        at = _skip(data, at)
                    ends = True
                elif opcode in (0x10, 0x12):
                    at = _skip(data, at)
                elif opcode in (0x11, 0x13):
                    at = _skip(data, _skip(data, at))
                elif opcode == 0x1C:
                    kinds, at = decode_unsigned(data, at)
                    at += kinds
                elif opcode in (0x00, 0x05, 0x0B, 0x0F):
                    ends = True
                elif opcode not in (0x01, 0x1A, 0x1B):
                    raise CannotMeter(f"opcode 0x{opcode:02x}")
                cost += plain[opcode]
            elif opcode < 0x45:
                if 0x28 <= opcode <= 0x3E:
                    at = _skip(data, _skip(data, at))
                elif opcode == 0x43:
                    at += 4
                elif opcode == 0x44:
                    at += 8
                else:
                    at = _skip(data, at)
                cost += plain[opcode]
            elif opcode < 0xC5:
                cost += plain[opcode]
            elif opcode == 0xFD:
                sub, at = decode_unsigned(data, at)
                if sub < 12 or sub in (92, 93):
                    at = _skip(data, _skip(data, at))
                elif sub in (12, 13):
                    at += 16
                elif 21 <= sub <= 34:
                    at += 1
                elif 84 <= sub <= 91:
                    at = _skip(data, _skip(data, at)) + 1
                elif sub > 255:
                    raise CannotMeter(f"relaxed SIMD opcode {sub}")
                cost += simd.get(sub, 1)
            elif opcode == 0xFC:
                sub, at = decode_unsigned(data, at)
                if sub < 8:
                    cost += 20
                elif sub in _BULK:
                    at = _skip(data, at)
                    if sub in (8, 10, 12, 14):
                        at = _skip(data, at)
                    cost += _BULK[sub]
                    if sub in _SIZED:
                        uses_scratch = True
                        extras.append((begin, self._take_operand(sub, scratch)))
                else:
                    raise CannotMeter(f"opcode 0xfc {sub}")
            elif opcode in (0xD0, 0xD2):
                at = _skip(data, at)
                cost += plain[opcode]
            elif opcode == 0xD1:
                cost += plain[opcode]
            else:
                raise CannotMeter(f"opcode 0x{opcode:02x}")
            if ends or at >= size:
                out.append(self._take(cost))
                if check:
                    out.append(self._stop())
                position = block_start
                for where, inserted in extras:
                    out.append(data[position:where])
                    out.append(inserted)
                    position = where
                out.append(data[position:at])
                extras = []
                block_start, cost = at, 0
                check = opcode == 0x03
        return b"".join(out), uses_scratch


def _skip(data: bytes, at: int) -> int:
    while data[at] >= 0x80:
        at += 1
    return at + 1


def metered(wasm: bytes) -> bytes:
    """The module with the counter put in, as the exported global COUNTER (i64): set it to the limit before, read what is left after.

    `wasm` must be valid: a module that names a global it does not have would otherwise reach the counter. Raises CannotMeter."""
    sections = _sections(wasm)
    bodies = {section: body for section, body in sections if section}
    types = _parameter_counts(bodies.get(1, b"\x00"))
    imported_functions, imported_globals = _imports(bodies.get(2, b"\x00"))
    globals_count = decode_unsigned(bodies.get(6, b"\x00"))[0]
    is_wasm64 = _is_wasm64(bodies.get(5, b"\x00"))
    counter = imported_globals + globals_count
    writer = _Writer(counter, is_wasm64)
    out = bytearray(wasm[:8])
    written = {6: False, 7: False}
    for section, body in sections:
        for added in (6, 7):  # before the first section that must follow it
            if section > added and not written[added]:
                out += _section(added, _appended(b"\x00", _added(added, counter)))
                written[added] = True
        if section in (6, 7):
            body = _appended(body, _added(section, counter))
            written[section] = True
        elif section == 10:
            body = _code_section(body, bodies[3], types, writer)
        out += _section(section, body)
    for added in (6, 7):
        if not written[added]:
            out += _section(added, _appended(b"\x00", _added(added, counter)))
    return bytes(out)


def _added(section: int, counter: int) -> bytes:
    if section == 6:
        return b"\x7e\x01\x42\x00\x0b"  # mutable i64, 0
    name = COUNTER.encode()
    return encode_unsigned(len(name)) + name + b"\x03" + encode_unsigned(counter)


def _appended(body: bytes, entry: bytes) -> bytes:
    count, at = decode_unsigned(body)
    return encode_unsigned(count + 1) + body[at:] + entry


def _section(number: int, body: bytes) -> bytes:
    return bytes([number]) + encode_unsigned(len(body)) + body


def _sections(wasm: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 8
    while at < len(wasm):
        number = wasm[at]
        size, at = decode_unsigned(wasm, at + 1)
        found.append((number, wasm[at : at + size]))
        at += size
    return found


def _parameter_counts(body: bytes) -> list[int]:
    count, at = decode_unsigned(body)
    found = []
    for _ in range(count):
        parameters, at = decode_unsigned(body, at + 1)
        at += parameters
        results, at = decode_unsigned(body, at)
        at += results
        found.append(parameters)
    return found


def _imports(body: bytes) -> tuple[int, int]:
    count, at = decode_unsigned(body)
    functions = globals_ = 0
    for _ in range(count):
        for _ in range(2):
            size, at = decode_unsigned(body, at)
            at += size
        kind = body[at]
        at += 1
        if kind == 0:
            functions += 1
            at = _skip(body, at)
        elif kind == 3:
            globals_ += 1
            at += 2
        elif kind == 2:
            flags = body[at]
            at = _skip(body, at + 1)
            at = _skip(body, at) if flags & 1 else at
        else:
            flags = body[at + 1]
            at = _skip(body, at + 2)
            at = _skip(body, at) if flags & 1 else at
    return functions, globals_


def _is_wasm64(body: bytes) -> bool:
    count, at = decode_unsigned(body)
    return count > 0 and bool(body[at] & 4)


def _code_section(body: bytes, functions: bytes, types: list[int], writer: _Writer) -> bytes:
    count, at = decode_unsigned(body)
    _, type_at = decode_unsigned(functions)
    out = [encode_unsigned(count)]
    for _ in range(count):
        size, at = decode_unsigned(body, at)
        type_index, type_at = decode_unsigned(functions, type_at)
        rewritten = writer.body(_Function(types[type_index], body[at : at + size]))
        out.append(encode_unsigned(len(rewritten)))
        out.append(rewritten)
        at += size
    return b"".join(out)

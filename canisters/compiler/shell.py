"""interface.h: what the C shell of an inference canister (canisters/inference/canister.c) must know of one model.

The replies are whole Candid messages, encoded here at the types of canisters/candid/inference.did, with holes that the shell fills in:
their places are found by encoding the same message with other bytes in the hole. So the .did file is the one source of the interface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from canisters.interface.candid import Service, encode, parse_did
from canisters.interface.candid.types import Type, label_id

from .emit import identifier
from .ir import Graph, TensorType
from .memory import CHUNK_BYTES, Plan, chunks

VERSION = "commonweight-compiler 1"
DID = Path(__file__).parent.parent / "candid" / "inference.did"
_ASKED = ("release_hash", "index", "data", "inputs", "name", "dtype", "shape")
_HASH = bytes(32)


def did_text() -> str:
    return DID.read_text()


def _service() -> Service:
    return parse_did(did_text())


def data_bytes(graph: Graph, weights_bytes: int) -> int:
    """Room for the shell's data, from what it must hold; the linker's own figure is checked against it after the build."""
    tensors = (*graph.inputs, *graph.outputs)
    names = sum(8 * len(name) + 40 * len(graph.type(name).shape) + 200 for name in tensors)
    return 12_000 + names + 40 * -(-weights_bytes // CHUNK_BYTES)


def interface_h(graph: Graph, plan: Plan, mode: str) -> str:
    methods = _service().methods
    parts = chunks(plan.weights_data)
    lines = [
        "// What is special to one model, for canister.c. Written by canisters.compiler.",
        "#include <stdbool.h>",
        "#include <stdint.h>",
        "",
    ]
    lines += [f"#define ID_{name} {label_id(name)}u" for name in _ASKED]
    lines += [
        f"#define CHUNKS {len(parts)}u",
        f"#define CHUNK_BYTES {CHUNK_BYTES}u",
        f"#define WEIGHTS_BASE {plan.weights_base:#x}u",
        f"#define WEIGHTS_BYTES {len(plan.weights_data)}ull",
        f"#define MESSAGE_BASE {plan.message[0]:#x}u",
        f"#define MESSAGE_BYTES {plan.message[1]}u",
        f"#define MEMORY_END {plan.end:#x}u",
        "",
        f"static const uint8_t CHUNK_HASHES[{max(1, len(parts))}][32] = {{",
        *(f"    {{{_numbers(hashlib.sha256(part).digest())}}}," for part in parts or (b"",)),
        "};",
        "",
        *_tensors("INPUTS", graph, graph.inputs, plan),
        *_tensors("OUTPUTS", graph, graph.outputs, plan),
        f'static const char INPUTS_SAID[] = "{_said(graph)}";',
        "",
    ]
    lines += _infer(methods["infer_blob"].results, graph)
    lines += _upload(methods["weights_upload"].results)
    lines += _seal(methods["seal"].results)
    lines += _questions(methods["describe"].results, methods["health"].results, graph, plan, mode, len(parts))
    return "\n".join(lines) + "\n"


# --- tensors ---


def tensor_info(name: str, type_: TensorType) -> dict[str, Any]:
    return {"name": name, "dtype": type_.dtype, "shape": list(type_.shape)}


def _said(graph: Graph) -> str:
    text = "; ".join(f"{name} {graph.type(name)}" for name in graph.inputs)[:400]
    return _c_text(text)


def _c_text(text: str) -> str:
    """As the inside of a C string, byte for byte; each escape is closed so that digits behind it are not taken in."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())


def _tensors(table: str, graph: Graph, names: tuple[str, ...], plan: Plan) -> list[str]:
    shapes, rows = [], []
    for index, name in enumerate(names):
        type_ = graph.type(name)
        sizes = ", ".join(f"{size}ull" for size in type_.shape) or "0"
        shapes.append(f"static const uint64_t {table}_{index}_SHAPE[] = {{{sizes}}};  // {identifier(name)}")
        rows.append(
            f'    {{"{_c_text(name)}", {len(name.encode())}, "{type_.dtype}", {len(type_.dtype)}, {table}_{index}_SHAPE, {len(type_.shape)}, '
            f"(uint8_t *){plan.tensors[name]:#x}u, {type_.size_bytes}, {'true' if type_.dtype == 'bool' else 'false'}}},"
        )
    struct = [
        "struct tensor {",
        "  const char *name; uint32_t name_size; const char *dtype; uint32_t dtype_size; const uint64_t *shape; uint32_t rank;",
        "  uint8_t *address; uint32_t size_bytes; bool is_bool;",
        "};",
    ]
    return [
        *(struct if table == "INPUTS" else []),
        *shapes,
        f"enum {{ {table}_COUNT = {len(names)} }};",
        f"static const struct tensor {table}[] = {{",
        *rows,
        "};",
        "",
    ]


# --- replies ---


def _numbers(data: bytes) -> str:
    return ", ".join(map(str, data))


def _array(name: str, data: bytes, *, is_const: bool) -> str:
    return f"static {'const ' if is_const else ''}uint8_t {name}[] = {{{_numbers(data)}}};"


def _hole(types: tuple[Type, ...], base: bytes, filled: Any, size: int) -> int:
    """Where `size` bytes lie that are 0 in `base` and not in `filled`."""
    other = encode(types, (filled,))
    places = [at for at, (a, b) in enumerate(zip(base, other, strict=True)) if a != b]
    if not places or places[-1] - places[0] + 1 != size:
        raise ValueError("the hole's bytes do not lie together")
    return places[0]


def _with_holes(name: str, types: tuple[Type, ...], value: Any, holes: Mapping[str, tuple[Any, int]]) -> list[str]:
    """A reply and the places of its holes. Each hole: the value with all its bits set, and its size in bytes."""
    base = encode(types, (value,))
    places = [f"{name}_{hole}_AT = {_hole(types, base, filled, size)}" for hole, (filled, size) in holes.items()]
    return [_array(name, base, is_const=not holes), *([f"enum {{ {', '.join(places)} }};"] if places else []), ""]


def _infer(types: tuple[Type, ...], graph: Graph) -> list[str]:
    def answer(fill: int, instructions: int) -> dict[str, Any]:
        outputs = [
            {**tensor_info(name, graph.type(name)), "data": bytes([fill]) * graph.type(name).size_bytes}
            for name in graph.outputs
        ]
        return {"Ok": {"outputs": outputs, "instructions": instructions}}

    base, filled = encode(types, (answer(0, 0),)), encode(types, (answer(255, 0),))
    counter = _hole(types, base, answer(0, 2**64 - 1), 8)
    kept, cuts, at = bytearray(), [], 0
    for name in graph.outputs:
        start = next(i for i in range(at, len(base)) if base[i] != filled[i])
        kept += base[at:start]
        cuts.append(len(kept))
        at = start + graph.type(name).size_bytes
    kept += base[at:]
    # Which place the counter has once the outputs' bytes are cut out.
    counter -= sum(
        graph.type(name).size_bytes
        for name, cut in zip(graph.outputs, cuts, strict=True)
        if _before(base, filled, counter, cut)
    )
    refusal = encode(types, ({"Err": ""},))
    return [
        _array("ANSWER", bytes(kept), is_const=False),
        f"enum {{ ANSWER_INSTRUCTIONS_AT = {counter} }};",
        f"static const uint32_t ANSWER_CUTS[] = {{{', '.join(map(str, cuts))}}};",
        _array("INFER_ERR", refusal[:-1], is_const=True),
        "",
    ]


def _before(base: bytes, filled: bytes, counter: int, _cut: int) -> bool:
    """All outputs lie on one side of the counter: a record's fields have one order."""
    return next(i for i in range(len(base)) if base[i] != filled[i]) < counter


def _upload(types: tuple[Type, ...]) -> list[str]:
    def err(error: dict[str, Any]) -> dict[str, Any]:
        return {"Err": error}

    ones, most = b"\xff" * 32, 2**32 - 1
    return [
        *_with_holes("UPLOAD_OK", types, {"Ok": {}}, {}),
        *_with_holes("UPLOAD_ALREADY_SEALED", types, err({"AlreadySealed": None}), {}),
        *_with_holes(
            "UPLOAD_UNKNOWN_CHUNK", types, err({"UnknownChunk": 0}), {"INDEX": (err({"UnknownChunk": most}), 4)}
        ),
        *_with_holes(
            "UPLOAD_WRONG_SIZE",
            types,
            err({"WrongSize": {"expected": 0, "got": 0}}),
            {
                "EXPECTED": (err({"WrongSize": {"expected": most, "got": 0}}), 4),
                "GOT": (err({"WrongSize": {"expected": 0, "got": most}}), 4),
            },
        ),
        *_with_holes(
            "UPLOAD_WRONG_HASH",
            types,
            err({"WrongHash": {"index": 0, "expected": _HASH}}),
            {
                "INDEX": (err({"WrongHash": {"index": most, "expected": _HASH}}), 4),
                "EXPECTED": (err({"WrongHash": {"index": 0, "expected": ones}}), 32),
            },
        ),
    ]


def _seal(types: tuple[Type, ...]) -> list[str]:
    missing = encode(types, ({"Err": {"missing": []}},))  # ends with the count, which the shell writes
    return [*_with_holes("SEAL_OK", types, {"Ok": {}}, {}), _array("SEAL_MISSING", missing[:-1], is_const=True), ""]


def _questions(
    describe: tuple[Type, ...], health: tuple[Type, ...], graph: Graph, plan: Plan, mode: str, count: int
) -> list[str]:
    described = {
        "release_hash": _HASH, "compiler": VERSION, "mode": mode, "weights_bytes": len(plan.weights_data), "chunks": count,
        "inputs": [tensor_info(name, graph.type(name)) for name in graph.inputs],
        "outputs": [tensor_info(name, graph.type(name)) for name in graph.outputs],
        "chunk_bytes": CHUNK_BYTES, "sealed": False,
    }  # fmt: skip
    well = {"sealed": False, "chunks": count, "chunks_present": 0, "memory_bytes": 0}
    return [
        *_with_holes(
            "DESCRIPTION",
            describe,
            described,
            {
                "RELEASE_HASH": ({**described, "release_hash": b"\xff" * 32}, 32),
                "SEALED": ({**described, "sealed": True}, 1),
            },
        ),
        *_with_holes(
            "HEALTH",
            health,
            well,
            {
                "SEALED": ({**well, "sealed": True}, 1),
                "CHUNKS_PRESENT": ({**well, "chunks_present": 2**32 - 1}, 4),
                "MEMORY_BYTES": ({**well, "memory_bytes": 2**64 - 1}, 8),
            },
        ),
    ]

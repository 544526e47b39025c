"""interface.h: what the C of an inference canister (canisters/inference) must know of one model.

Names, types and shapes are written once, as Candid writes a TensorInfo; the C points into those bytes. The interface itself comes from the
.did file (doors.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from canisters.interface.candid import encode, encode_value
from canisters.interface.candid.types import Type
from canisters.interface.leb128 import encode_unsigned

from .doors import array, doors_h
from .emit import run_name
from .ir import Graph, TensorType
from .kinds import HTTP, STAGE_SOURCE, TENSORS, Kind
from .memory import ALIGNMENT, CHUNK_BYTES, Plan, aligned, chunks

VERSION = "commonweight-compiler 1"
_HASH = bytes(32)
EXAMPLE_ELEMENTS = 16
JOBS = 4  # computations over several messages that a canister keeps at a time
# One network of the module: its variant's name ("" when there is one alone), the graph and where everything lies.
Network = tuple[str, Graph, Plan]

_STRUCTS = """\
struct tensor {  // `info`: a TensorInfo as Candid writes it, into which name, shape and dtype point
  const uint8_t *info, *name, *shape, *dtype;
  uint32_t info_size, name_size, rank, dtype_size, size_bytes;
  uint8_t *address;
};
struct network {
  const char *name;  // of the variant, "" when there is one network alone
  const struct tensor *inputs, *outputs;
  uint32_t inputs_count, outputs_count;
  void (*run)(void);
};"""


def did_text() -> str:
    """What a canister of tensors publishes."""
    return TENSORS.interface


def data_bytes(graph: Graph, weights_bytes: int) -> int:
    """Room for the shell's data, from what it must hold; the linker's own figure is checked against it after the build."""
    tensors = (*graph.inputs, *graph.outputs)
    names = sum(3 * len(name.encode()) + 16 * len(graph.type(name).shape) + 160 for name in tensors)
    return 8_000 + names + 40 * -(-weights_bytes // CHUNK_BYTES)


@dataclass(frozen=True)
class Slices:
    """How a network is run over several messages: instructions of each node, in order, and how many one message may take."""

    step_instructions: tuple[int, ...]
    limit: int


def interface_h(networks: Sequence[Network], mode: str, kind: Kind = TENSORS, slices: Slices | None = None) -> str:
    _, graph, plan = networks[0]
    slot = max(_padded_bytes(graph, graph.inputs), _padded_bytes(graph, graph.outputs)) if slices else 0
    slots = aligned(plan.end)
    lines = [*head_h(plan, kind, memory_end=slots + JOBS * slot if slices else 0), _STRUCTS]
    if slices:
        lines += [
            f"#define SLOTS {JOBS}",
            f"#define SLOTS_BASE {slots:#x}u",
            f"#define SLOT_BYTES {slot}u",
            f"#define STEPS {len(slices.step_instructions)}u",
            f"#define SLICE_INSTRUCTIONS {slices.limit}ull",
            f"static const uint64_t STEP_INSTRUCTIONS[] = {{{', '.join(f'{count}ull' for count in slices.step_instructions)}}};",
            "extern void (*const STEPS_TABLE[])(void);",
        ]
    for index, (variant, graph, plan) in enumerate(networks):
        lines += _network(index, variant, graph, plan)
    rows = ", ".join(f'{{"{variant}", INPUTS_{i}, OUTPUTS_{i}, {len(graph.inputs)}, {len(graph.outputs)}, {run_name(variant)}}}'
                     for i, (variant, graph, _) in enumerate(networks))  # fmt: skip
    lines += [
        f"enum {{ NETWORKS_COUNT = {len(networks)}, MAX_INPUTS = {max(1, *(len(graph.inputs) for _, graph, _ in networks))} }};",
        f"static const struct network NETWORKS[] = {{{rows}}};",
    ]
    if kind.source == STAGE_SOURCE:
        # A call of infer_blob up to the number of its inputs.
        request = encode(kind.service.methods["infer_blob"].arguments, ({"inputs": []},))
        lines.append(array("REQUEST_HEAD", request[:-1]))
    if kind == HTTP:
        lines.append(f'static const char DESCRIPTION_JSON[] = "{_c_text(described_json(networks, mode))}";')
    description = described(networks, mode)
    lines += value_with_holes("DESCRIPTION", kind.service.methods["describe"].results[0], description, {
        "RELEASE_HASH": ({**description, "release_hash": b"\xff" * 32}, 32), "SEALED": ({**description, "sealed": True}, 1),
    })  # fmt: skip
    return "\n".join(lines) + "\n"


def head_h(plan: Plan, kind: Kind, weight_chunks: Sequence[bytes] | None = None, memory_end: int = 0) -> list[str]:
    """What every kind needs: addresses, the manifest of the weights, and the interface's numbers. `weight_chunks`: instead of the plan's.
    `memory_end`: where arguments go, all of them; by default small ones go beside the activations and large ones behind the plan's end."""
    parts = chunks(plan.weights_data) if weight_chunks is None else weight_chunks
    return [
        "// What is special to one model, for canisters/inference. Written by canisters.compiler.",
        "#pragma once",
        "#include <stdbool.h>",
        "#include <stdint.h>",
        "",
        f"#define CHUNKS {len(parts)}u",
        f"#define CHUNK_BYTES {CHUNK_BYTES}u",
        f"#define WEIGHTS_BASE {plan.weights_base:#x}u",
        f"#define WEIGHTS_BYTES {sum(map(len, parts))}ull",
        f"#define MESSAGE_BASE {plan.message[0]:#x}u",
        f"#define MESSAGE_BYTES {0 if memory_end else plan.message[1]}u",
        f"#define MEMORY_END {memory_end or plan.end:#x}u",
        "",
        f"static const uint8_t CHUNK_HASHES[{max(1, len(parts))}][32] = {{",
        *(f"    {{{', '.join(map(str, hashlib.sha256(part).digest()))}}}," for part in parts or (b"",)),
        "};",
        "",
        *doors_h(kind.service, kind.whole_service),
    ]


def _padded_bytes(graph: Graph, names: Sequence[str]) -> int:
    return max(ALIGNMENT, sum(aligned(graph.type(name).size_bytes) for name in names))


def tensor_info(name: str, type_: TensorType) -> dict[str, Any]:
    return {"name": name, "dtype": type_.dtype, "shape": list(type_.shape)}


def described(networks: Sequence[Network], mode: str) -> dict[str, Any]:
    """The Description of inference.did."""
    _, graph, plan = networks[0]
    return {
        "release_hash": _HASH, "compiler": VERSION, "mode": mode, "weights_bytes": len(plan.weights_data),
        "chunks": len(chunks(plan.weights_data)), "chunk_bytes": CHUNK_BYTES, "sealed": False,
        "inputs": [tensor_info(name, graph.type(name)) for name in graph.inputs],
        "outputs": [tensor_info(name, graph.type(name)) for name in graph.outputs],
        "variants": [
            {
                "name": name,
                "inputs": [tensor_info(tensor, part.type(tensor)) for tensor in part.inputs],
                "outputs": [tensor_info(tensor, part.type(tensor)) for tensor in part.outputs],
            }
            for name, part, _ in networks
            if name
        ],
    }  # fmt: skip


def described_json(networks: Sequence[Network], mode: str) -> str:
    """What GET / answers."""
    _, graph, _ = networks[0]
    told = described(networks, mode)
    shown = {
        key: told[key] for key in ("compiler", "mode", "inputs", "outputs", *(["variants"] if told["variants"] else []))
    }
    example = json.dumps({"inputs": {name: _zeros(graph.type(name)) for name in graph.inputs}})
    curl = "curl -H 'content-type: application/json' -d '" + example.replace("'", "'\\''") + "' <this address>/infer"
    note = (
        "Each input is one flat list in row-major order, or lists in its shape; outputs come as lists in their shape."
    )
    return json.dumps({**shown, "note": note, "example": curl}, indent=1) + "\n"


def _zeros(type_: TensorType) -> Any:
    """An example of a tensor; one with many elements is only begun."""
    count = int(np.prod(type_.shape, dtype=np.int64))
    zero: Any = False if type_.dtype == "bool" else 0
    if count > EXAMPLE_ELEMENTS:
        return [zero, zero, f"... {count} in all"]
    return np.full(type_.shape, zero).tolist()


def _c_text(text: str) -> str:
    """As the inside of a C string, byte for byte; each escape is of three digits, so that what stands behind it is not taken in."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())


def value_with_holes(name: str, type_: Type, value: Any, holes: Mapping[str, tuple[Any, int]]) -> list[str]:
    """A value's bytes and the places of its holes. Each hole: the value with all the hole's bits set, and its size in bytes."""
    base = encode_value(type_, value)
    places = [
        f"{name}_{hole}_AT = {_hole(base, encode_value(type_, filled), size)}" for hole, (filled, size) in holes.items()
    ]
    return [array(name, base, is_const=False), f"enum {{ {', '.join(places)} }};", ""]


def _hole(base: bytes, filled: bytes, size: int) -> int:
    places = [at for at, (a, b) in enumerate(zip(base, filled, strict=True)) if a != b]
    if not places or places[-1] - places[0] + 1 != size:
        raise ValueError("the hole's bytes do not lie together")
    return places[0]


def _network(index: int, variant: str, graph: Graph, plan: Plan) -> list[str]:
    return [
        f"void {run_name(variant)}(void);",
        *_tensors(f"INPUTS_{index}", graph.inputs, graph, plan),
        *_tensors(f"OUTPUTS_{index}", graph.outputs, graph, plan),
    ]


def _tensors(table: str, names: Sequence[str], graph: Graph, plan: Plan) -> list[str]:
    info_type = TENSORS.service.types["TensorInfo"]
    data, rows = bytearray(), []
    for name in names:
        type_ = graph.type(name)
        info = encode_value(info_type, tensor_info(name, type_))
        text, dtype = name.encode(), type_.dtype.encode()
        at = len(data)
        # name, shape, dtype: in the order of their ids, each behind its length
        at_name = at + len(encode_unsigned(len(text)))
        at_shape = at_name + len(text) + len(encode_unsigned(len(type_.shape)))
        at_dtype = at_shape + 8 * len(type_.shape) + 1
        if bytes((*text, *encode_unsigned(len(type_.shape)))) not in info or info[at_dtype - at :] != dtype:
            raise ValueError("the fields of a TensorInfo are not in the order that is taken for granted here")
        pointers = ", ".join(f"{table}_INFO + {place}" for place in (at, at_name, at_shape, at_dtype))
        sizes = f"{len(info)}, {len(text)}, {len(type_.shape)}, {len(dtype)}, {type_.size_bytes}"
        rows.append(f"    {{{pointers}, {sizes}, (uint8_t *){plan.tensors[name]:#x}u}},")
        data += info
    return [array(f"{table}_INFO", bytes(data) or b"\0"), f"static const struct tensor {table}[] = {{", *rows, "};", ""]

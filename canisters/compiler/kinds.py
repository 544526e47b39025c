"""The kinds of inference canister: which C file answers the calls, and which methods of which interface it has.

A module publishes the interface that it really has: the .did file without its comments, and without the methods and types of other kinds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from canisters.interface.candid import Service, parse_did

CANDID = Path(__file__).parent.parent / "candid"
_COMMENT = re.compile(r"//[^\n]*")
_TYPE = re.compile(r"type (\w+) = (.*?);\s*(?=type |service )", re.DOTALL)
_METHOD = re.compile(r"(\w+) : (\(.*?\)(?: query)?);\s*\n", re.DOTALL)
_SYSTEM_EXPORTS = {"memory", "canister_init", "canister_post_upgrade", "canister_inspect_message"}
_WEIGHTS = ("weights_upload", "seal", "describe", "health")


@dataclass(frozen=True)
class Kind:
    """`source`: the file in canisters/inference. `methods`: those of `did` (a file in canisters/candid) that it has; None for all.
    `further_exports`: what it exports beside them. `defines`: of the C preprocessor."""

    source: str
    did: str = "inference.did"
    methods: tuple[str, ...] | None = None
    further_exports: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()

    @cached_property
    def interface(self) -> str:
        """The published text."""
        text = (CANDID / self.did).read_text()
        return published(text, self.methods)

    @cached_property
    def service(self) -> Service:
        return parse_did(self.interface)

    @cached_property
    def whole_service(self) -> Service:
        """With the methods and types that this kind has not."""
        return parse_did((CANDID / self.did).read_text())

    @property
    def exports(self) -> set[str]:
        methods = self.service.methods.values()
        named = {f"canister_{'query' if method.is_query else 'update'} {method.name}" for method in methods}
        return _SYSTEM_EXPORTS | named | set(self.further_exports)


def published(did: str, methods: tuple[str, ...] | None) -> str:
    """The interface with these methods and the types that they stand on, in as few bytes as Candid allows."""
    text = _COMMENT.sub("", did)
    start = text.index("service ")
    opening = text.index("{", text.index("->", start))
    kept = [f"{name} : {kind}" for name, kind in _METHOD.findall(text[opening:]) if methods is None or name in methods]
    body = text[start : opening + 1] + ";".join(kept) + "}"
    defined = dict(_TYPE.findall(text))
    needed, before = body, ""
    while needed != before:
        before = needed
        names = [name for name in defined if re.search(rf"\b{name}\b", needed)]
        needed = "".join(f"type {name} = {defined[name]};" for name in names) + body
    return _short(_inlined(needed))


def _inlined(text: str) -> str:
    """Types that are used once, and are no types of themselves, stand where they are used."""
    for name, meaning in _TYPE.findall(text):
        defined = f"type {name} = {meaning};"
        rest = text.replace(defined, "", 1)
        if len(re.findall(rf"\b{name}\b", rest)) == 1 and not re.search(rf"\b{name}\b", meaning):
            text = re.sub(rf"\b{name}\b", meaning, rest)
            return _inlined(text)
    return text


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([:;{}()=]|->) ?", r"\1", text)
    return text.replace(";}", "}").replace("}query", "} query").replace(")query", ") query")


STAGE_SOURCE = "stage.c"
SLICED = Kind(
    "slices.c",
    methods=("infer_blob", "infer_start", "infer_poll", *_WEIGHTS),
    further_exports=("canister_update run_slice",),
)
_TENSORS = ("infer", "infer_batch", "infer_blob")
HTTP = Kind(
    "tensors.c", methods=(*_TENSORS, "http_request", "http_request_update", "open_http", *_WEIGHTS), defines=("HTTP",)
)
TENSORS = Kind("tensors.c", methods=(*_TENSORS, *_WEIGHTS))


def stage(number: int, count: int) -> Kind:
    """One of `count` stages of a model, numbered from 1."""
    return Kind(
        STAGE_SOURCE,
        methods=("infer_blob", "stage_connect", "stage", *_WEIGHTS),
        defines=(f"STAGE_NUMBER={number}", f"STAGES_COUNT={count}"),
    )

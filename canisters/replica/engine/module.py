"""From the bytes that somebody installs to a module that can run: unpacked, checked against the network's limits, metered, compiled.

Compiled code is kept by the hash of the wasm, so a restart does not compile again.
Limits' source: embedders.rs and validation.rs of the network's replica (`ic-limits` of the design notes).
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import os
import weakref
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import wasmtime

from canisters.interface.metering import CannotMeter, metered

from . import creator, host
from .binary import Layout, instrumented
from .contract import InvalidModule

MAX_MODULE_BYTES = 100 << 20
MAX_CODE_BYTES = 12 << 20
MAX_FUNCTIONS = 50_000
MAX_GLOBALS = 1_000
MAX_METHODS = 1_000
MAX_METHOD_NAME_CHARS = 20_000
MAX_CUSTOM_SECTIONS = 16
MAX_CUSTOM_BYTES = 1 << 20
_WASMTIME = importlib.metadata.version("wasmtime")
_VERSION = "2"  # of the instrumentation: a change makes kept code stale
_WASM_STACK_BYTES = 5 << 20  # source: rs/embedders/src/lib.rs of the network's replica, MAX_WASM_STACK_SIZE
_SYSTEM_EXPORTS = {
    "canister_init", "canister_pre_upgrade", "canister_post_upgrade", "canister_inspect_message", "canister_heartbeat",
    "canister_global_timer", "canister_on_low_wasm_memory",
}  # fmt: skip
_METHOD_PREFIXES = ("canister_update ", "canister_query ", "canister_composite_query ")


@lru_cache(maxsize=1)
def engine() -> wasmtime.Engine:
    """The one engine of the process, set as the network sets it: NaN canonicalisation on, nothing non-deterministic."""
    config = wasmtime.Config()
    config.wasm_memory64 = True
    config.wasm_simd = True
    config.wasm_relaxed_simd = False
    config.wasm_threads = False
    config.wasm_tail_call = False
    config.wasm_multi_memory = False
    config.wasm_exceptions = False
    config.wasm_function_references = False
    config.wasm_gc = False
    config.cranelift_nan_canonicalization = True
    creator.attach(config, stack_bytes=_WASM_STACK_BYTES)
    return wasmtime.Engine(config)


@dataclass(frozen=True)
class Module:
    """A module ready to be instantiated. `wasm_hash`: SHA-256 of the bytes as they were sent, gzip included, as the network counts."""

    wasm_hash: bytes
    size_bytes: int
    compiled: wasmtime.Module
    layout: Layout

    @property
    def exports(self) -> frozenset[str]:
        return frozenset(export.name for export in self.layout.exports if export.kind == 0)

    @property
    def metadata(self) -> dict[str, tuple[str, bytes]]:
        """Custom sections that the module shows: name -> ("public" or "private", content)."""
        found = {}
        for name, content in self.layout.custom:
            for visibility in ("public", "private"):
                prefix = f"icp:{visibility} "
                if name.startswith(prefix):
                    found[name[len(prefix) :]] = (visibility, content)
        return found

    @property
    def is_wasm64(self) -> bool:
        return self.layout.is_wasm64

    @property
    def keeps_heap(self) -> bool:
        """Made for enhanced orthogonal persistence: an upgrade must say what becomes of the heap."""
        return "enhanced-orthogonal-persistence" in self.metadata

    @classmethod
    def prepare(cls, wasm: bytes, cache: Path | None = None) -> Module:
        """The module, compiled once for all canisters that run it. Raises InvalidModule, with what the network would object to."""
        wasm_hash = hashlib.sha256(wasm).digest()
        known = _in_use.get(wasm_hash)
        if known is None:
            known = _in_use[wasm_hash] = cls._compiled(wasm_hash, wasm, cache)
        return known

    @classmethod
    def _compiled(cls, wasm_hash: bytes, wasm: bytes, cache: Path | None) -> Module:
        plain = _unpacked(wasm)
        layout = Layout.parse(plain)
        _require_limits(layout)
        kept = cache / f"{wasm_hash.hex()}-{_VERSION}-{_WASMTIME}.cwasm" if cache else None
        if kept and kept.exists():
            try:
                return cls(wasm_hash, len(wasm), wasmtime.Module.deserialize_file(engine(), str(kept)), layout)
            except wasmtime.WasmtimeError:
                kept.unlink(missing_ok=True)  # of another processor or library: compile anew
        try:
            # As it is first: what names a global that it does not have could reach the counter of the metered module.
            wasmtime.Module.validate(engine(), plain)
            compiled = wasmtime.Module(engine(), metered(instrumented(layout)))
        except wasmtime.WasmtimeError as error:
            raise InvalidModule(
                f"the module does not validate: {str(error).splitlines()[0]}: {str(error).splitlines()[-1]}"
            ) from error
        except CannotMeter as error:
            raise InvalidModule(f"the module uses an instruction that the network does not have: {error}") from error
        _require_known_imports(compiled, wide=layout.is_wasm64)
        _require_plain_entries(compiled)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(f".{os.getpid()}")
            partial.write_bytes(compiled.serialize())
            partial.replace(kept)
        return cls(wasm_hash, len(wasm), compiled, layout)


_in_use: weakref.WeakValueDictionary[bytes, Module] = weakref.WeakValueDictionary()


def _unpacked(wasm: bytes) -> bytes:
    if wasm[:3] != b"\x1f\x8b\x08":
        plain = wasm
    else:
        try:
            unpacker = zlib.decompressobj(wbits=31)
            plain = unpacker.decompress(wasm, MAX_MODULE_BYTES + 1)
        except (zlib.error, gzip.BadGzipFile) as error:
            raise InvalidModule(f"the gzip stream is damaged: {error}") from error
    if len(plain) > MAX_MODULE_BYTES:
        raise InvalidModule(f"the module is larger than {MAX_MODULE_BYTES} bytes")
    return plain


def _require_limits(layout: Layout) -> None:
    methods = [e.name for e in layout.exports if e.kind == 0 and e.name.startswith(_METHOD_PREFIXES)]
    names = [name.split(" ", 1)[1] for name in methods]
    shown = [(name, content) for name, content in layout.custom if name.startswith("icp:")]
    checks = [
        (layout.code_bytes > MAX_CODE_BYTES, f"the code section has more than {MAX_CODE_BYTES} bytes"),
        (layout.functions_count > MAX_FUNCTIONS, f"the module defines more than {MAX_FUNCTIONS} functions"),
        (layout.globals_count > MAX_GLOBALS, f"the module defines more than {MAX_GLOBALS} globals"),
        (layout.memories_count > 1, "the module defines more than one memory"),
        (len(methods) > MAX_METHODS, f"the module exports more than {MAX_METHODS} methods"),
        (
            sum(map(len, names)) > MAX_METHOD_NAME_CHARS,
            f"the names of the methods have more than {MAX_METHOD_NAME_CHARS} characters",
        ),
        (len(set(names)) < len(names), "two methods have the same name"),
        (
            sum(len(n.partition(" ")[2].encode()) + len(c) for n, c in shown) > MAX_CUSTOM_BYTES,
            "the custom sections are larger than 1 MiB, names included",
        ),
        (
            len(shown) > MAX_CUSTOM_SECTIONS,
            "the module has more than 16 custom sections",
        ),
        (
            not all(n.startswith(("icp:public ", "icp:private ")) for n, _ in shown),
            "a custom section whose name begins with icp: is neither icp:public nor icp:private",
        ),
        (
            len({n.partition(" ")[2] for n, _ in shown}) < len({n for n, _ in shown}),
            "a custom section is both public and private",
        ),
    ]
    for wrong, reason in checks:
        if wrong:
            raise InvalidModule(reason)
    for export in layout.exports:
        if (
            export.name.startswith("canister_")
            and not export.name.startswith(_METHOD_PREFIXES)
            and export.name not in _SYSTEM_EXPORTS
        ):
            raise InvalidModule(
                f"the module exports {export.name!r}, a reserved name that means nothing to the network"
            )


def _require_plain_entries(compiled: wasmtime.Module) -> None:
    for export in compiled.exports:
        if not isinstance(export.type, wasmtime.FuncType) or not export.name.startswith("canister_"):
            continue
        if export.type.params or export.type.results:
            raise InvalidModule(f"the module exports {export.name!r} with parameters or results: it must have neither")


def _require_known_imports(compiled: wasmtime.Module, *, wide: bool) -> None:
    for imported in compiled.imports:
        if imported.module != "ic0" or imported.name not in host.FUNCTIONS:
            raise InvalidModule(
                f"the module imports {imported.module}.{imported.name}, which the System API does not have"
            )
        function = host.FUNCTIONS[imported.name]
        if not isinstance(imported.type, wasmtime.FuncType):
            raise InvalidModule(f"the module imports {imported.name} as something that is not a function")
        given = ([str(t) for t in imported.type.params], [str(t) for t in imported.type.results])
        if not function.accepts(*given, wide=wide):
            raise InvalidModule(
                f"the module imports ic0.{imported.name} with the wrong type {given[0]} -> {given[1]} "
                f"for a module of {64 if wide else 32}-bit memory"
            )

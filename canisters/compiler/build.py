"""C to a module: `zig cc` (clang) with pinned features, then the candid metadata in, names out, and the network's rules checked.

The same sources give the same bytes on every machine: the compiler is pinned, no path, date or debug information goes in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import wasmtime

from canisters.interface.metering import CannotMeter, metered

from . import wasm as w
from .compact import compacted
from .errors import BuildFailed
from .kinds import TENSORS, Kind
from .memory import PAGE_BYTES, STACK_BYTES, Plan

SHELL = Path(__file__).parent.parent / "inference"
KERNELS = Path(__file__).parent / "kernels"
# Only what the network's nodes have, whatever clang's default processor is today (ic-limits of the design notes, 2.5).
FEATURES = "generic+simd128+bulk_memory+sign_ext+nontrapping_fptoint"
FLAGS = (
    "-target", "wasm32-freestanding", f"-mcpu={FEATURES}", "-std=c11", "-O3", "-g0", "-nostdlib", "-ffreestanding", "-fno-builtin",
    "-fno-strict-aliasing", "-fno-vectorize", "-fno-slp-vectorize", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
    # Loop strength reduction replaces one pointer with constant offsets, which are free, by many pointers: 10 to 25 % more instructions.
    "-mllvm", "-disable-lsr",
    "-Wl,--no-entry", "-Wl,--export=__heap_base", f"-Wl,-z,stack-size={STACK_BYTES}",
)  # fmt: skip
BUILD_SECONDS = 600

# Limits of the network (ic-limits, 2.1), where the tighter of what docs and source say counts.
MAX_MODULE_BYTES = 100 << 20
MAX_CODE_BYTES = 10 << 20
MAX_FUNCTIONS = 50_000
MAX_GLOBALS = 1_000
MAX_FUNCTION_BYTES = 1_000_000  # the limit is 1,000,000 instructions, and each has at least one byte


@dataclass(frozen=True)
class Module:
    """`named` is the same code with the functions' names kept, for reports; `wasm` is what is installed."""

    wasm: bytes
    named: bytes


def build_module(model_c: str, interface_h: str, plan: Plan, kind: Kind = TENSORS) -> Module:
    """Raises BuildFailed."""
    linked = _linked(model_c, interface_h, plan, kind)
    heap_base = next(entry for entry in w.exports(linked) if entry.name == "__heap_base")
    data_end = w.constant_global(linked, heap_base.index)
    if data_end > plan.arena[0]:
        raise BuildFailed(f"the module's data ends at {data_end}, behind the activations' start at {plan.arena[0]}")
    kept = w.export_section([entry for entry in w.exports(linked) if entry.name != "__heap_base"])
    parts = [kept if part.number == w.EXPORT else part for part in w.sections(linked)]
    parts = [compacted(part) if part.number == w.CODE else part for part in parts]
    named = w.assembled(parts)
    plain = [part for part in parts if part.number != w.CUSTOM]
    module = w.assembled([*plain, w.custom("icp:public candid:service", kind.interface.encode())])
    _require_rules(module, kind)
    return Module(module, named)


def _linked(model_c: str, interface_h: str, plan: Plan, kind: Kind) -> bytes:
    with tempfile.TemporaryDirectory(prefix="commonweight-build-") as folder:
        here = Path(folder)
        (here / "model.c").write_text(model_c)
        (here / "interface.h").write_text(interface_h)
        # Each header includes what it stands on, and what a network does not use leaves no trace in its module.
        headers = sorted(path.name for path in KERNELS.glob("*.h"))
        (here / "kernels.h").write_text("".join(f'#include "{name}"\n' for name in headers))
        command = [
            sys.executable, "-m", "ziglang", "cc", *FLAGS, f"-Wl,--initial-memory={plan.pages * PAGE_BYTES}",
            "-I", str(here), "-I", str(KERNELS), *(f"-D{define}" for define in kind.defines),
            "-o", "module.wasm", "model.c", str(SHELL / kind.source),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command,
                cwd=here,
                env=_environment(here),
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildFailed(f"the C compiler took longer than {BUILD_SECONDS} s") from error
        if done.returncode:
            raise BuildFailed(f"the C compiler refused what was written for it:\n{done.stderr[-4000:]}")
        return (here / "module.wasm").read_bytes()


def _environment(folder: Path) -> dict[str, str]:
    """Only what the compiler needs to find its cache: variables such as CPATH would change what it makes."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "XDG_CACHE_HOME", "ZIG_GLOBAL_CACHE_DIR", "TMPDIR")
        if name in os.environ
    }
    if not {"HOME", "XDG_CACHE_HOME", "ZIG_GLOBAL_CACHE_DIR"} & kept.keys():
        kept["ZIG_GLOBAL_CACHE_DIR"] = str(folder / "cache")
    return kept


def engine(*, canonical_nans: bool = True) -> wasmtime.Engine:
    """Wasm as the network's nodes run it: their features and no others, one NaN."""
    config = wasmtime.Config()
    config.wasm_threads = False
    config.wasm_relaxed_simd = False
    config.wasm_tail_call = False
    config.wasm_multi_memory = False
    config.wasm_memory64 = False
    config.wasm_exceptions = False
    config.cranelift_nan_canonicalization = canonical_nans
    return wasmtime.Engine(config)


def _require_rules(module: bytes, kind: Kind) -> None:
    for fault in _faults(module, kind):
        raise BuildFailed(f"the module breaks a rule of the network: {fault}")


def _faults(module: bytes, kind: Kind) -> list[str]:
    faults = []
    if len(module) > MAX_MODULE_BYTES:
        faults.append(f"it has {len(module)} bytes; {MAX_MODULE_BYTES} are allowed")
    if len(w.body_of(module, w.CODE)) > MAX_CODE_BYTES:
        faults.append(f"its code has {len(w.body_of(module, w.CODE))} bytes; {MAX_CODE_BYTES} are allowed")
    if w.count_of(module, w.FUNCTION) > MAX_FUNCTIONS:
        faults.append(f"it has {w.count_of(module, w.FUNCTION)} functions; {MAX_FUNCTIONS} are allowed")
    if w.count_of(module, w.GLOBAL) > MAX_GLOBALS:
        faults.append(f"it has {w.count_of(module, w.GLOBAL)} globals; {MAX_GLOBALS} are allowed")
    if max(w.function_sizes(module), default=0) > MAX_FUNCTION_BYTES:
        faults.append(f"a function is larger than {MAX_FUNCTION_BYTES} bytes")
    if {entry.name for entry in w.exports(module)} != kind.exports:
        faults.append(f"it exports {sorted(entry.name for entry in w.exports(module))}")
    if any(source != "ic0" or kind != w.FUNCTION_KIND for source, _, kind in w.imports(module)):
        faults.append(f"it imports {[f'{source}.{name}' for source, name, _ in w.imports(module)]}")
    if any(part.number == w.START for part in w.sections(module)):
        faults.append("it has a start function")
    try:
        wasmtime.Module.validate(engine(), module)
        metered(module)  # knows every instruction that the network knows, and no other
    except (wasmtime.WasmtimeError, CannotMeter) as error:
        faults.append(str(error))
    return faults

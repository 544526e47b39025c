"""Executes one message of one canister: wasm in wasmtime, the System API around it, memory that can be undone.

`contract` is the surface; `module` takes wasm in and prepares it; `sandbox` runs entries; `host` is the System API, one family a file;
`memory` makes changes undoable; `binary` reads and rewrites wasm."""

from .module import Module
from .sandbox import Sandbox

__all__ = ["Module", "Sandbox"]

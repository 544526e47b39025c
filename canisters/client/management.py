"""Creating, installing and looking after canisters, by whoever controls them."""

from __future__ import annotations

import hashlib
from typing import Any

from canisters.interface.principal import Principal

from .agent import MANAGEMENT, ChainAgent
from .contracts import Contract

CHUNK_BYTES = 1 << 20
MAX_SINGLE_BYTES = 1_900_000  # an ingress message has 2 MiB, its envelope included


class Management:
    def __init__(self, agent: ChainAgent) -> None:
        self._canister = Contract("management", agent, MANAGEMENT)

    def create(self, *, controllers: list[Principal] | None = None, cycles: int | None = None) -> Principal:
        """On a test network: a new canister with provisional cycles."""
        settings = {"controllers": controllers} if controllers is not None else None
        argument = {"amount": cycles, "settings": settings, "specified_id": None, "sender_canister_version": None}
        # Any id names the network here; the management canister's own is taken by every replica.
        made = self._canister.provisional_create_canister_with_cycles(argument, effective_canister_id=MANAGEMENT)
        principal: Principal = made["canister_id"]
        return principal

    def install(
        self, canister_id: Principal, wasm: bytes, argument: bytes, *, mode: str = "install", keep_heap: bool = False
    ) -> None:
        """`mode`: install, reinstall or upgrade. Large modules go through the chunk store."""
        persistence = {"keep": None} if keep_heap else None
        options = {"skip_pre_upgrade": None, "wasm_memory_persistence": persistence} if persistence else None
        how: dict[str, Any] = {mode: options if mode == "upgrade" else None}
        if len(wasm) <= MAX_SINGLE_BYTES:
            self._call(
                "install_code",
                canister_id,
                {"mode": how, "canister_id": canister_id, "wasm_module": wasm, "arg": argument},
            )
            return
        self._call("clear_chunk_store", canister_id, {"canister_id": canister_id})
        hashes = []
        for at in range(0, len(wasm), CHUNK_BYTES):
            chunk = wasm[at : at + CHUNK_BYTES]
            hashes.append(self._call("upload_chunk", canister_id, {"canister_id": canister_id, "chunk": chunk}))
        chunked = {
            "mode": how,
            "target_canister": canister_id,
            "store_canister": None,
            "chunk_hashes_list": hashes,
            "wasm_module_hash": hashlib.sha256(wasm).digest(),
            "arg": argument,
        }
        self._call("install_chunked_code", canister_id, chunked)
        self._call("clear_chunk_store", canister_id, {"canister_id": canister_id})

    def status(self, canister_id: Principal) -> dict[str, Any]:
        status: dict[str, Any] = self._call("canister_status", canister_id, {"canister_id": canister_id})
        return status

    def set_controllers(self, canister_id: Principal, controllers: list[Principal]) -> None:
        self._call(
            "update_settings", canister_id, {"canister_id": canister_id, "settings": {"controllers": controllers}}
        )

    def start(self, canister_id: Principal) -> None:
        self._call("start_canister", canister_id, {"canister_id": canister_id})

    def stop(self, canister_id: Principal) -> None:
        self._call("stop_canister", canister_id, {"canister_id": canister_id})

    def delete(self, canister_id: Principal) -> None:
        self._call("delete_canister", canister_id, {"canister_id": canister_id})

    def _call(self, method: str, canister_id: Principal, argument: dict[str, Any]) -> Any:
        return getattr(self._canister, method)(argument, effective_canister_id=canister_id)

"""Creating, installing and looking after canisters, by whoever controls them: the management canister's methods in the client's words.

Modules of more than one ingress message go through the chunk store. Source: interface specification, "The IC management canister".
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from canisters.interface.principal import Principal

from .agent import MANAGEMENT, ChainAgent
from .errors import AnswerMalformed
from .typed.management import ChunkHash, StatusResult
from .typed.management import Management as ManagementCanister

CHUNK_BYTES = 1 << 20
MAX_SINGLE_BYTES = 1_900_000  # an ingress message has 2 MiB, its envelope included
STATE_LAG_S = 10.0  # the node asked for state may be a few blocks behind the one that answered the call
MODES = ("install", "reinstall", "upgrade")


class Management:
    """Every method raises what ChainAgent.update_with_receipt raises; only a canister's controllers are let through."""

    def __init__(self, agent: ChainAgent) -> None:
        self.agent = agent
        self._canister = ManagementCanister(agent, MANAGEMENT)

    def create(
        self,
        *,
        controllers: list[Principal] | None = None,
        cycles: int | None = None,
        near: Principal = MANAGEMENT,
    ) -> Principal:
        """A new canister with provisional cycles, on a test network. `near`: a canister of the subnet it should be on, where there are several."""
        made = self._canister.provisional_create_canister_with_cycles(
            {"amount": cycles, "settings": None if controllers is None else {"controllers": controllers}},
            effective_canister_id=near,
        )
        return made["canister_id"]

    def install(
        self,
        canister_id: Principal,
        wasm: bytes,
        argument: bytes,
        *,
        mode: str = "install",
        keep_heap: bool = False,
        on_chunk: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """Put `wasm` (as it is, gzipped or not) into a canister and start it with `argument` (Candid bytes).

        `mode`: install, reinstall (forgets all state) or upgrade. `keep_heap`: the upgrade keeps the heap, as Motoko's orthogonal
        persistence wants. `on_chunk(done, total)` follows the upload. Raises AnswerMalformed when the chain shows another module afterwards.
        """
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode}")
        persistence = {"skip_pre_upgrade": None, "wasm_memory_persistence": {"keep": None}} if keep_heap else None
        how: dict[str, Any] = {mode: persistence if mode == "upgrade" else None}
        if len(wasm) <= MAX_SINGLE_BYTES:
            self._canister.install_code(
                {"mode": how, "canister_id": canister_id, "wasm_module": wasm, "arg": argument},
                effective_canister_id=canister_id,
            )
        else:
            self._install_chunked(canister_id, wasm, argument, how, on_chunk)
        self._require_module(canister_id, hashlib.sha256(wasm).digest())

    def _require_module(self, canister_id: Principal, wasm_sha256: bytes) -> None:
        until_s = time.monotonic() + STATE_LAG_S
        while self.agent.module_hash(canister_id) != wasm_sha256:
            if time.monotonic() > until_s:
                raise AnswerMalformed(f"{canister_id} runs another module than the one just installed")
            time.sleep(0.5)

    def _install_chunked(
        self,
        canister_id: Principal,
        wasm: bytes,
        argument: bytes,
        how: dict[str, Any],
        on_chunk: Callable[[int, int], None],
    ) -> None:
        chunks = [wasm[at : at + CHUNK_BYTES] for at in range(0, len(wasm), CHUNK_BYTES)]
        stored = {entry["hash"] for entry in self.stored_chunks(canister_id)}
        wanted = [hashlib.sha256(chunk).digest() for chunk in chunks]
        if not stored <= set(wanted):
            self._canister.clear_chunk_store({"canister_id": canister_id}, effective_canister_id=canister_id)
            stored = set()
        hashes: list[ChunkHash] = []
        for index, chunk in enumerate(chunks):
            if wanted[index] not in stored:  # an upload that was interrupted goes on where it stood
                self._canister.upload_chunk(
                    {"canister_id": canister_id, "chunk": chunk}, effective_canister_id=canister_id
                )
            hashes.append({"hash": wanted[index]})
            on_chunk(index + 1, len(chunks))
        self._canister.install_chunked_code(
            {
                "mode": how,
                "target_canister": canister_id,
                "chunk_hashes_list": hashes,
                "wasm_module_hash": hashlib.sha256(wasm).digest(),
                "arg": argument,
            },
            effective_canister_id=canister_id,
        )
        self._canister.clear_chunk_store({"canister_id": canister_id}, effective_canister_id=canister_id)

    def stored_chunks(self, canister_id: Principal) -> list[ChunkHash]:
        return self._canister.stored_chunks({"canister_id": canister_id}, effective_canister_id=canister_id)

    def status(self, canister_id: Principal) -> StatusResult:
        return self._canister.canister_status({"canister_id": canister_id}, effective_canister_id=canister_id)

    def set_controllers(self, canister_id: Principal, controllers: list[Principal]) -> None:
        self._canister.update_settings(
            {"canister_id": canister_id, "settings": {"controllers": controllers}}, effective_canister_id=canister_id
        )

    def uninstall(self, canister_id: Principal) -> None:
        self._canister.uninstall_code({"canister_id": canister_id}, effective_canister_id=canister_id)

    def start(self, canister_id: Principal) -> None:
        self._canister.start_canister({"canister_id": canister_id}, effective_canister_id=canister_id)

    def stop(self, canister_id: Principal) -> None:
        self._canister.stop_canister({"canister_id": canister_id}, effective_canister_id=canister_id)

    def delete(self, canister_id: Principal) -> None:
        """Only a stopped canister can be deleted."""
        self._canister.delete_canister({"canister_id": canister_id}, effective_canister_id=canister_id)

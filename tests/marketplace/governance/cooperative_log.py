"""Blocks of the factory and of one cooperative, as canisters/motoko/cooperative/Blocks.mo writes them, for tests without a chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from canisters.client import KeyIdentity
from canisters.interface.icrc3 import to_value, value_hash
from canisters.interface.principal import Principal
from tests.marketplace.builders import Blocks, canister_id, person

MINUTE_NS = 60 * 10**9
FAR_NS = 2_000_000_000 * 10**9  # a deadline that no clock of this test has passed
HASH = bytes(range(32))


def parameters(**changed: Any) -> dict[str, Any]:
    return {"price_e8s": 100, "treasury_bps": 1_000, "voting_period_ns": MINUTE_NS, "quiet_period_ns": 0, **changed}


def manifest(**changed: Any) -> dict[str, Any]:
    """As a log has it: metrics as Int, which `to_value` needs to be told."""
    tensor = {"name": "features", "dtype": "float32", "shape": [1, 2], "data": bytes(8)}
    return {
        "job_id": 1,
        "title": "First release",
        "wasm_sha256": HASH,
        "wasm_chunks": [{"sha256": HASH, "size_bytes": 100}],
        "weight_chunks": [{"sha256": HASH[::-1], "size_bytes": 50}],
        "onnx_sha256": HASH,
        "transcript_hash": HASH,
        "card_hash": HASH,
        "metrics": [{"name": "accuracy", "value_ppm": {"Int": 950_000}}],
        "equality": [{"inputs": [tensor], "outputs": [tensor]}],
        "tolerance_e9": 100_000,
        "estimated_instructions": 5_000,
        **changed,
    }


@dataclass
class CooperativeLog:
    blocks: Blocks
    holders: list[tuple[KeyIdentity, int]]
    number: int = 50
    job_id: int = 1
    creator: KeyIdentity = field(default_factory=person)

    @property
    def canister(self) -> Principal:
        return canister_id(self.number)

    @property
    def inference(self) -> Principal:
        return canister_id(self.number + 1)

    def found(self, *, own_first: bool = True) -> None:
        """Both logs' first blocks; `own_first`: the cooperative's is read before the factory's."""
        steps = [self.own_founding, self.factory_entry]
        for step in steps if own_first else reversed(steps):
            step()

    def own_founding(self) -> None:
        holders = [{"owner": owner.principal, "shares": shares} for owner, shares in self.holders]
        others = {"jobs": canister_id(2), "ledger": canister_id(3), "factory": canister_id(4)}
        self.append("founded", job_id=self.job_id, name="Tumours", holders=holders, parameters=parameters(), **others)
        self.append("inference_created", canister=self.inference)

    def factory_entry(self) -> None:
        tx = {
            "job_id": self.job_id,
            "name": "Tumours",
            "canister": self.canister,
            "inference": self.inference,
            "creator": self.creator.principal,
            "holders": [{"owner": owner.principal, "shares": shares} for owner, shares in self.holders],
            "parameters": parameters(),
        }
        self.blocks.append("cooperatives", "cooperative_created", tx)

    def submit(
        self, number: int = 1, kind: dict[str, Any] | None = None, *, deadline_ns: int = FAR_NS, critical: bool = False
    ) -> int:
        kind = kind or {"Release": manifest()}
        given = {"manifest_hash": value_hash(to_value(kind["Release"]))} if "Release" in kind else {}
        return self.append(
            "proposal_submitted",
            proposal_id=number,
            proposer=self.holders[0][0].principal,
            title=f"Proposal {number}",
            summary="Better in every way",
            kind=kind,
            ballots=[{"owner": owner.principal, "shares": shares} for owner, shares in self.holders],
            deadline_ns=deadline_ns,
            critical=critical,
            **given,
        )

    def vote(self, voter: int, yes: bool, number: int = 1) -> int:
        owner, shares = self.holders[voter]
        return self.append("vote_cast", proposal_id=number, owner=owner.principal, yes=yes, shares=shares)

    def adopt(self, number: int = 1) -> None:
        self.append("proposal_adopted", proposal_id=number, yes=6_000, no=0)

    def go_live(self, number: int = 1, inference: Principal | None = None) -> int:
        self.append("release_staged", proposal_id=number)
        self.append("release_installing", proposal_id=number)
        return self.append(
            "release_live",
            proposal_id=number,
            manifest_hash=HASH,
            wasm_sha256=HASH,
            max_abs_error_e9=15,
            inference=inference or self.inference,
        )

    def pay(self, payer: KeyIdentity, parts: list[int], *, price_e8s: int = 100, treasury_e8s: int = 10) -> int:
        return self.append(
            "inference_paid",
            payer=payer.principal,
            price_e8s=price_e8s,
            treasury_e8s=treasury_e8s,
            parts=[
                {"owner": owner.principal, "amount_e8s": a} for (owner, _), a in zip(self.holders, parts, strict=True)
            ],
            ledger_block=3,
            request_hash=HASH,
            answer_hash=HASH,
            manifest_hash=HASH,
        )

    def append(self, btype: str, **tx: Any) -> int:
        return self.blocks.append("cooperative", btype, tx, canister=self.canister)

"""Blocks of the jobs canister, as canisters/motoko/jobs/Blocks.mo writes them, for tests without a chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from canisters.client import KeyIdentity
from tests.marketplace.builders import START_NS, Blocks, person

DAY_NS = 86_400 * 10**9
HASH = bytes(range(32))


@dataclass
class JobLog:
    """One job about datasets 1, 2, ... of `owners`. Every method appends the blocks that the canister would."""

    blocks: Blocks
    owners: list[KeyIdentity]
    job_id: int = 1
    builder: KeyIdentity = field(default_factory=person)
    worker: KeyIdentity = field(default_factory=person)

    def propose(
        self, *, asks: tuple[int, ...] = (), denied: tuple[int, ...] = (), price_e8s: int = 100, **args: Any
    ) -> int:
        """Policies approve, but for the datasets in `asks` and `denied`."""
        states: dict[int, Any] = dict.fromkeys(asks, "Pending")
        states |= {d: {"Denied": {"by": "Policy", "reason": "its policy names other builders"}} for d in denied}
        by_policy = {"Approved": {"by": "Policy", "workers": [self.worker.principal]}}
        approvals = [
            {
                "dataset_id": dataset_id,
                "version": 1,
                "owner": owner.principal,
                "policy_version": 1,
                "price_e8s": price_e8s,
                "state": states.get(dataset_id, by_policy),
            }
            for dataset_id, owner in enumerate(self.owners, 1)
        ]
        tx = {"builder": self.builder.principal, "args": self.args(**args), "approvals": approvals}
        index = self.append("job_proposed", **tx)
        if denied:
            self.append("job_denied", reason=f"dataset {denied[0]}: its policy names other builders", payouts=[])
        elif not asks:
            self.append("job_approved")
        return index

    def args(self, **changed: Any) -> dict[str, Any]:
        return {
            "key": b"k" * 16,
            "title": "Tumours, together",
            "purpose": "research",
            "recipe": "tabular_mlp",
            "datasets": [{"dataset_id": d, "version": 1} for d in range(1, len(self.owners) + 1)],
            "code_hash": HASH,
            "config_hash": HASH,
            "seed": 2**64 - 1,
            "compute": "Central",
            "terms": {"contributors_bps": 9_000, "builder_bps": 500, "worker_bps": 500, "valuation": "shapley"},
            "worker_fee_e8s": 50,
            "budget_e8s": 1_000,
            "approve_by_ns": START_NS + DAY_NS,
            "finish_by_ns": START_NS + 2 * DAY_NS,
            **changed,
        }

    def approve(self, dataset_id: int) -> int:
        return self.append(
            "dataset_approved",
            dataset_id=dataset_id,
            owner=self.owners[dataset_id - 1].principal,
            by="Owner",
            policy_version=1,
            workers=[self.worker.principal],
        )

    def deny(self, dataset_id: int, reason: str) -> None:
        self.append(
            "dataset_denied",
            dataset_id=dataset_id,
            owner=self.owners[dataset_id - 1].principal,
            by="Owner",
            reason=reason,
        )
        self.append("job_denied", reason=f"dataset {dataset_id}: {reason}", payouts=[])

    def revoke_after_funding(self, dataset_id: int, reason: str) -> None:
        self.append(
            "approval_revoked", dataset_id=dataset_id, owner=self.owners[dataset_id - 1].principal, reason=reason
        )
        self.append(
            "job_denied",
            reason=f"dataset {dataset_id}: its owner took the approval back: {reason}",
            payouts=[{"owner": self.builder.principal, "kind": "Refund", "amount_e8s": 1_000}],
        )

    def fund(self) -> int:
        return self.append("job_funded", amount_e8s=1_000, ledger_block=7)

    def claim(self, worker: KeyIdentity | None = None) -> int:
        who = worker or self.worker
        return self.append("job_claimed", worker=who.principal, lease_until_ns=self.blocks.now_ns + 600 * 10**9)

    def start(self) -> int:
        return self.append("job_started")

    def submit(self, *, values: list[int], artifacts: list[dict[str, Any]] | None = None, **changed: Any) -> int:
        """`values`: of each dataset, in ppm."""
        result = {
            "metrics": [
                {"name": "accuracy", "value_ppm": {"Int": 950_000}},
                {"name": "gain", "value_ppm": {"Int": -3}},
            ],
            "artifacts": artifacts or [{"name": "model.onnx", "sha256": HASH, "size_bytes": 10}],
            "manifest_hash": HASH,
            "transcript_hash": HASH,
            "utility": "accuracy",
            "attribution": [
                {"dataset_id": d, "value_ppm": {"Int": v}, "low_ppm": {"Int": v - 10}, "high_ppm": {"Int": v + 10}}
                for d, v in enumerate(values, 1)
            ],
            **changed,
        }
        return self.append("job_submitted", result=result)

    def settle(self, *, bps: list[int], price_e8s: int = 100) -> int:
        """`bps`: of each dataset."""
        shares = [
            {"owner": owner.principal, "role": {"Contributor": {"dataset_id": d}}, "share_bps": b}
            for d, (owner, b) in enumerate(zip(self.owners, bps, strict=True), 1)
        ]
        shares += [
            {"owner": self.builder.principal, "role": "Builder", "share_bps": 500},
            {"owner": self.worker.principal, "role": "Worker", "share_bps": 500},
        ]
        payouts = [
            {"owner": owner.principal, "kind": {"Price": {"dataset_id": d}}, "amount_e8s": price_e8s}
            for d, owner in enumerate(self.owners, 1)
        ]
        payouts.append({"owner": self.worker.principal, "kind": "WorkerFee", "amount_e8s": 50})
        rest = 1_000 - 50 - price_e8s * len(self.owners)
        payouts.append({"owner": self.builder.principal, "kind": "Refund", "amount_e8s": rest})
        return self.append("job_settled", shares=shares, payouts=payouts)

    def pay_out(self, owner: KeyIdentity, amount_e8s: int, ledger_block: int = 9) -> int:
        return self.append("payout_claimed", owner=owner.principal, amount_e8s=amount_e8s, ledger_block=ledger_block)

    def append(self, btype: str, **tx: Any) -> int:
        return self.blocks.append("jobs", btype, {"job_id": self.job_id, **tx})

    def run_to_the_end(
        self, *, values: list[int], bps: list[int], artifacts: list[dict[str, Any]] | None = None
    ) -> None:
        self.propose()
        self.fund()
        self.claim()
        self.start()
        self.submit(values=values, artifacts=artifacts)
        self.settle(bps=bps)


def register_worker(blocks: Blocks, worker: KeyIdentity, name: str = "embedded worker") -> int:
    return blocks.append(
        "jobs", "worker_registered", {"worker": worker.principal, "name": name, "encryption_key": b"\x04" + bytes(64)}
    )

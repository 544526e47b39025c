"""People, sealed data and jobs on the real chain, in a line each: owners register, builders act by API tokens, this machine's worker works."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from canisters.client import KeyIdentity, delegate
from canisters.client.typed import Jobs, Ledger, Registry
from canisters.interface.principal import Principal
from marketplace.chain.canisters import ok
from marketplace.chain.follower import follow_now
from marketplace.client.sealing import Sealed, seal, wrap_key
from marketplace.core import blobs
from marketplace.datasets.selectors import wrapped_key_name
from marketplace.jobs.record import Record, from_chain
from marketplace.jobs.worker_keys import WorkerKeys, worker_agent, worker_keys, worker_register
from tests.marketplace.conftest import Api, Chain, SignedIn

# Two classes that one column tells apart: learned in a few steps.
HEADER = b"size,shade,diagnosis\n"
EVALUATION = HEADER + b"".join(b"%d.5,%d,%s\n" % (i, i % 7, b"benign" if i < 20 else b"malignant") for i in range(40))
CONFIG = {
    "target": "diagnosis",
    "epochs": 3,
    "evaluation_sha256": hashlib.sha256(EVALUATION).hexdigest(),
    "valuation": {"seeds": 1},
}


def table(start: int, rows: int = 30) -> bytes:
    """A contributor's CSV; another `start` gives other rows."""
    lines = (
        b"%d.%d,%d,%s\n" % (i % 40, start + 1, (i + start) % 5, b"benign" if i % 40 < 20 else b"malignant")
        for i in range(start, start + rows)
    )
    return HEADER + b"".join(lines)


@dataclass(frozen=True)
class Contribution:
    owner: KeyIdentity
    dataset_id: int
    sealed: Sealed


@dataclass(frozen=True)
class Builder:
    identity: KeyIdentity
    api: Api


class Scene:
    def __init__(self, chain: Chain, signed_in: SignedIn) -> None:
        self.chain = chain
        self.signed_in = signed_in
        self.canisters = chain.deployment.canisters
        blobs.blob_keep(EVALUATION)
        self.keys: WorkerKeys = worker_keys()
        follow_now()
        with worker_agent(self.keys) as agent:
            worker_register(self.keys, agent)
        follow_now("jobs")

    def jobs(self, identity: KeyIdentity | None = None) -> Jobs:
        return Jobs(self.chain.agent(identity), self.canisters["jobs"])

    def contribute(
        self, data: bytes, *, decision: str = "AutoApprove", price_e8s: int = 1_000_000, key: bool = True
    ) -> Contribution:
        owner, sealed = KeyIdentity(), seal(data)
        registry = Registry(self.chain.agent(owner), self.canisters["registry"])
        hashes = {name: secrets.token_bytes(32) for name in ("schema_hash", "card_hash", "profile_hash", "mock_hash")}
        version = {
            "ciphertext_root": sealed.manifest.ciphertext_root,
            "plaintext_commitment": sealed.plaintext_commitment,
            "manifest_hash": sealed.manifest.hash,
            "row_count": 30,
            "size_bytes": len(data),
            **hashes,
        }
        made = ok(registry.dataset_register({"key": secrets.token_bytes(16), "title": "A part", "version": version}))
        terms = {
            "audience": {"Anyone": None},
            "purposes": {"Any": None},
            "code": {"Any": None},
            "compute": {"Central": None},
            "price_e8s": price_e8s,
            "decision": {decision: None},
            "workers": [self.keys.principal],
        }
        ok(registry.policy_set({"dataset_id": made["dataset_id"], "expected_version": 0, "terms": terms}))
        blobs.blob_keep(sealed.manifest.to_json())
        for chunk in sealed.chunks:
            blobs.blob_keep(chunk, "sealed")
        contribution = Contribution(owner, made["dataset_id"], sealed)
        if key:
            self.wrap(contribution)
        follow_now()
        return contribution

    def wrap(self, given: Contribution) -> None:
        """Leave the content key for this machine's worker."""
        wrapped = wrap_key(
            given.sealed.key,
            encryption_key=self.keys.public_point,
            ciphertext_root=given.sealed.manifest.ciphertext_root,
            worker=self.keys.principal.raw,
        )
        blobs.store().put("keys", wrapped_key_name(given.dataset_id, 1, str(self.keys.principal)), wrapped)

    def builder(self, *, rich: bool = True, targets: tuple[str, ...] = ("jobs", "ledger")) -> Builder:
        identity = KeyIdentity()
        if rich:
            self.enrich(identity)
        return Builder(identity, Api(self.token(identity, targets)))

    def enrich(self, identity: KeyIdentity) -> None:
        ok(Ledger(self.chain.agent(identity), self.canisters["ledger"]).faucet_claim())

    def token(self, identity: KeyIdentity, targets: tuple[str, ...], lasts_s: float = 3_600) -> str:
        """The secret of a new API token."""
        session = self.signed_in(identity)
        made = session.post("tokens", {"name": "notebook", "targets": list(targets)}).json()
        asked = made["delegation_request"]
        chain = delegate(
            identity,
            bytes.fromhex(asked["public_key"]),
            expires_at_ns=time.time_ns() + int(lasts_s * 10**9),
            targets=[Principal.from_text(target) for target in asked["targets"]],
        )
        answer = session.post(f"tokens/{made['id']}/activate", {"delegation": chain})
        assert answer.status_code == 200, answer.content
        return str(answer.json()["secret"])

    def proposal(self, contributions: list[Contribution], **changed: Any) -> dict[str, Any]:
        return {
            "title": "Tumours, together",
            "purpose": "research",
            "recipe": "tabular_mlp",
            "config": CONFIG,
            "datasets": [{"dataset_id": c.dataset_id, "version": 1} for c in contributions],
            "seed": "7",
            "worker_fee_e8s": "2000000",
            "budget_e8s": "10000000",
            **changed,
        }

    def funded(self, builder: Builder, contributions: list[Contribution], **changed: Any) -> int:
        """A job that has its money; its id."""
        made = builder.api.post("jobs", self.proposal(contributions, **changed))
        assert made.status_code == 201, made.content
        paid = builder.api.post(f"jobs/{made.json()['id']}/fund")
        assert paid.status_code == 200, paid.content
        return int(made.json()["id"])

    def on_chain(self, job_id: int) -> Record:
        job = self.jobs().job_get(job_id)
        assert job is not None
        return from_chain(job)

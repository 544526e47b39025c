"""A person with a key: what contributors, builders and owners do, signed where the key lives.

Reads and uploads go to the marketplace (`market`); whatever changes ownership, permission, votes or money is signed here and sent to the
chain, through the marketplace's door or straight to the network. Answers of the chain are verified against `root_key` (canisters.client).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from canisters.client import ChainAgent, KeyIdentity, Receipt, delegate
from canisters.client.typed import Cooperative, Cooperatives, Jobs, Ledger, Registry
from canisters.client.typed.cooperative import InferReceipt, Proposal, TensorBlob
from canisters.client.typed.cooperatives import Cooperative as Founded
from canisters.client.typed.cooperatives import Parameters
from canisters.client.typed.jobs import Job
from canisters.client.typed.registry import PolicyTerms, VersionArgs
from canisters.interface.principal import Principal

from . import sealing
from .canonical import sha256
from .forms import manifest_from_json
from .market import Json, Market
from .profile import Description, describe

SIGN_IN_DOMAIN = b"\x13commonweight-signin"
HOUR_NS = 3600 * 10**9


class ChainSaidNo(Exception):
    """A canister's `Err`: `tag` is the variant's name, `payload` what it carries."""

    def __init__(self, tag: str, payload: Any) -> None:
        super().__init__(f"{tag}: {payload}" if payload is not None else tag)
        self.tag = tag
        self.payload = payload


@dataclass(frozen=True)
class Prepared:
    """A dataset ready to be registered: its public face, and its file sealed. `sealed.key` is the owner's secret."""

    title: str
    card: bytes
    description: Description
    sealed: sealing.Sealed

    @property
    def version(self) -> VersionArgs:
        manifest = self.sealed.manifest
        return {
            "ciphertext_root": manifest.ciphertext_root,
            "plaintext_commitment": self.sealed.plaintext_commitment,
            "manifest_hash": manifest.hash,
            "schema_hash": sha256(self.description.schema),
            "card_hash": sha256(self.card),
            "profile_hash": sha256(self.description.profile),
            "mock_hash": sha256(self.description.mock),
            "row_count": self.description.rows,
            "size_bytes": manifest.size_bytes,
        }


def prepare(table: bytes, *, title: str, card: bytes, key: bytes | None = None, file_id: bytes | None = None) -> Prepared:
    """Describe and seal a CSV file. `key`, `file_id`: of an earlier try, to make the same again. Raises UnreadableTable, SealBroken."""
    return Prepared(title, card, describe(table), sealing.seal(table, key=key, file_id=file_id))


class Person:
    """`identity` signs; `root_key`: the network's, from a source that is trusted. `chain_url`: default, the marketplace's own door."""

    def __init__(
        self,
        market: Market,
        identity: KeyIdentity,
        root_key: bytes,
        *,
        chain_url: str | None = None,
        timeout_s: float = 120.0,
    ) -> None:
        self.market = market
        self.identity = identity
        self.agent = ChainAgent(chain_url or market.url, root_key, identity, timeout_s=timeout_s)

    @classmethod
    def with_key_file(cls, path: Path, market: Market, root_key: bytes, **options: Any) -> Person:
        """The key in `path`, made when there is none."""
        return cls(market, KeyIdentity.load_or_create(path), root_key, **options)

    def close(self) -> None:
        """Close the connection to the chain; the marketplace's is whoever's it was."""
        self.agent.close()

    @property
    def principal(self) -> Principal:
        return self.identity.principal

    @cached_property
    def _canisters(self) -> dict[str, Principal]:
        return {name: Principal.from_text(text) for name, text in self.market.network()["canisters"].items()}

    @property
    def registry(self) -> Registry:
        return Registry(self.agent, self._canisters["registry"])

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.agent, self._canisters["jobs"])

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.agent, self._canisters["ledger"])

    @property
    def cooperatives(self) -> Cooperatives:
        return Cooperatives(self.agent, self._canisters["cooperatives"])

    def cooperative(self, canister: Principal) -> Cooperative:
        return Cooperative(self.agent, canister)

    # --- signing in ---

    def sign_in(self) -> None:
        """Prove to the marketplace who this is: its answers then include what is this person's alone."""
        challenge = self.market.challenge(str(self.principal))
        message = SIGN_IN_DOMAIN + bytes.fromhex(challenge["challenge"])
        if challenge["message"] != message.hex():
            raise ValueError("the marketplace asks for a signature of something else than a sign-in")
        session = self.market.sign_in(
            {
                "principal": str(self.principal),
                "challenge": challenge["challenge"],
                "public_key": self.identity.der_pubkey.hex(),
                "signature": self.identity.sign(message)[1].hex(),
                "delegations": [],
            }
        )
        self.market = self.market.acting_with(session["session"])

    def token(self, name: str, *, targets: Sequence[str] = ("jobs", "ledger"), hours: int = 24) -> str:
        """Let the marketplace act for this person on the named canisters, until it expires. Returns the token's secret."""
        asked = self.market.token_request(name, list(targets))
        wanted = asked["delegation_request"]
        allowed = {str(self._canisters[target]) for target in targets}
        if set(wanted["targets"]) != allowed:
            raise ValueError("the marketplace asks for more canisters than it was offered")
        chain = delegate(
            self.identity,
            bytes.fromhex(wanted["public_key"]),
            expires_at_ns=min(time.time_ns() + hours * HOUR_NS, int(wanted["max_expires_at_ns"])),
            targets=[Principal.from_text(target) for target in wanted["targets"]],
        )
        return str(self.market.token_activate(asked["id"], chain)["secret"])

    # --- a contributor ---

    def dataset_register(
        self, prepared: Prepared, *, key: bytes | None = None, on_chunk: Callable[[int, int], None] = lambda _d, _t: None
    ) -> int:
        """Upload what is public and what is sealed, then sign the registration. `key`: 16 bytes; the same key registers once."""
        for blob in (prepared.card, prepared.description.schema, prepared.description.profile, prepared.description.mock):
            self.market.blob_put(blob)
        self.market.upload(prepared.sealed.manifest.to_value(), prepared.sealed.chunks, on_chunk)
        answer = self.registry.dataset_register(
            {"key": key or secrets.token_bytes(16), "title": prepared.title, "version": prepared.version}
        )
        return int(_ok(answer)["dataset_id"])

    def policy_set(self, dataset_id: int, terms: PolicyTerms) -> int:
        """Sign a policy in place of the present one; returns its version."""
        dataset = self.registry.dataset_get(dataset_id)
        policy = dataset.get("policy") if dataset else None
        answer = self.registry.policy_set(
            {"dataset_id": dataset_id, "expected_version": policy["version"] if policy else 0, "terms": terms}
        )
        return int(_ok(answer)["version"])

    def key_give(self, dataset_id: int, version: int, sealed: sealing.Sealed, workers: Sequence[Principal]) -> None:
        """Wrap the content key for each worker, by the encryption key that the chain has for it, and leave it with the marketplace."""
        known = {str(worker["principal"]): worker for worker in self.jobs.workers_list(certified=True)}
        for worker in workers:
            if str(worker) not in known:
                raise ValueError(f"{worker} is not a registered worker")
            wrapped = sealing.wrap_key(
                sealed.key,
                encryption_key=known[str(worker)]["encryption_key"],
                ciphertext_root=sealed.manifest.ciphertext_root,
                worker=worker.raw,
            )
            self.market.key_put(dataset_id, version, str(worker), wrapped)

    def job_approve(self, job_id: int, dataset_id: int, policy_version: int, workers: Sequence[Principal]) -> Job:
        job: Job = _ok(
            self.jobs.job_approve(
                {"job_id": job_id, "dataset_id": dataset_id, "policy_version": policy_version, "workers": list(workers)}
            )
        )
        return job

    def job_deny(self, job_id: int, dataset_id: int, reason: str) -> Job:
        job: Job = _ok(self.jobs.job_deny({"job_id": job_id, "dataset_id": dataset_id, "reason": reason}))
        return job

    # --- an owner ---

    def cooperative_found(self, job_id: int, name: str, parameters: Parameters) -> Founded:
        """Found the cooperative of a settled job's model; the one there is, when somebody was quicker."""
        try:
            founded: Founded = _ok(
                self.cooperatives.cooperative_create({"job_id": job_id, "name": name, "parameters": parameters})
            )
        except ChainSaidNo as no:
            if no.tag != "AlreadyExists":
                raise
            founded = no.payload
        return founded

    def release_propose(self, canister: Principal, release: Json, *, title: str, summary: str) -> Proposal:
        """`release`: what the marketplace has of a settled job's release (`Market.job_release`)."""
        kind = {"Release": manifest_from_json(release["manifest"])}
        proposal: Proposal = _ok(
            self.cooperative(canister).proposal_submit({"title": title, "summary": summary, "kind": kind})
        )
        return proposal

    def vote(self, canister: Principal, proposal_id: int, *, yes: bool) -> Proposal:
        proposal: Proposal = _ok(self.cooperative(canister).proposal_vote({"proposal_id": proposal_id, "yes": yes}))
        return proposal

    # --- money ---

    def balance_e8s(self) -> int:
        return self.ledger.icrc1_balance_of({"owner": self.principal, "subaccount": None})

    def spender_allow(self, spender: Principal, amount_e8s: int) -> None:
        """Let `spender` draw up to `amount_e8s`, its fees included. What it may draw already is left as it is."""
        accounts: Any = {
            "account": {"owner": self.principal, "subaccount": None},
            "spender": {"owner": spender, "subaccount": None},
        }
        if self.ledger.icrc2_allowance(accounts, certified=True)["allowance"] < amount_e8s:
            _ok(self.ledger.icrc2_approve({"spender": accounts["spender"], "amount": amount_e8s}))

    def infer(self, canister: Principal, inputs: list[TensorBlob], *, max_price_e8s: int) -> tuple[InferReceipt, Receipt]:
        """Pay for one answer; the second part proves it offline. The price and the ledger's fee must have been allowed (`spender_allow`)."""
        asked = {"inputs": inputs, "max_price_e8s": max_price_e8s}
        answer, proof = self.cooperative(canister).with_receipt("infer", asked)
        paid: InferReceipt = _ok(answer)
        return paid, proof


def _ok(answer: Any) -> Any:
    """What `Ok` holds. Raises ChainSaidNo."""
    if "Err" in answer:
        error = answer["Err"]
        tag, payload = next(iter(error.items())) if isinstance(error, dict) else (str(error), None)
        raise ChainSaidNo(tag, payload)
    return answer["Ok"]

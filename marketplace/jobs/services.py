"""What a builder does about jobs over REST: check a config, propose, fund, cancel. The server acts as the builder by their delegation.

Each call is safe to repeat: a proposal by its key, funding and cancelling by the state of the job on the chain.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

import training
from canisters.client import ChainAgent
from canisters.client.typed.jobs import JobArgs, JobResult
from canisters.interface.principal import Principal
from marketplace.accounts.services import acting_agent
from marketplace.chain.canisters import deployment, jobs, ledger, ok
from marketplace.chain.follower import follow_now
from marketplace.core import blobs
from marketplace.core.api import Caller
from marketplace.core.errors import ChainRefused, Invalid, WrongState

from .record import Record, from_chain

DEFAULT_TERMS = {"contributors_bps": 9_000, "builder_bps": 500, "worker_bps": 500, "valuation": "shapley"}
APPROVE_WITHIN_S = 7 * 86_400
FINISH_WITHIN_S = 14 * 86_400
ALLOWANCE_NS = 10 * 60 * 10**9  # what is not drawn by then lapses
MAX_CONFIG_BYTES = 64 << 10
_FUNDED = ("funded", "claimed", "running", "submitted", "settled")


@dataclass(frozen=True)
class KeptConfig:
    config: dict[str, Any]
    config_hash: str
    code_hash: str


@dataclass(frozen=True)
class Proposal:
    """What a builder asks for. `key`: 16 to 32 bytes; the same caller and key are the same job."""

    title: str
    purpose: str
    recipe: str
    config: dict[str, Any]
    datasets: list[dict[str, int]]
    worker_fee_e8s: int
    budget_e8s: int
    seed: int | None = None
    terms: dict[str, Any] | None = None
    worker: str | None = None
    approve_within_s: int = APPROVE_WITHIN_S
    finish_within_s: int = FINISH_WITHIN_S
    key: bytes | None = None


def config_keep(*, recipe: str, config: dict[str, Any]) -> KeptConfig:
    """Validate a config, and keep its canonical form as a public blob, so that whoever reads the job's hash can read the config.

    Raises Invalid, naming the fields."""
    try:
        chosen = training.recipe(recipe)
        complete = chosen.checked(config)
    except training.BadConfig as error:
        fields = {
            name if name in ("recipe", "config") else f"config.{name}": text for name, text in error.fields.items()
        }
        name, text = next(iter(fields.items()))
        raise Invalid(f"The config does not fit the recipe: {name} {text}.", fields=fields) from error
    data = training.config_bytes(complete)
    if len(data) > MAX_CONFIG_BYTES:
        raise Invalid(
            f"The config has {len(data)} bytes; at most {MAX_CONFIG_BYTES} are taken.", fields={"config": "too large"}
        )
    evaluation = complete["evaluation_sha256"]
    if not blobs.store().has("public", evaluation):
        raise Invalid(
            "The evaluation set is not here. Send its CSV by POST blobs first, then name its SHA-256.",
            fields={"config.evaluation_sha256": "there is no such blob here"},
        )
    return KeptConfig(complete, blobs.blob_keep(data), chosen.code_hash.hex())


def job_propose(*, caller: Caller, proposal: Proposal) -> Record:
    """Propose a job as the caller. Returns the job as the chain has it.

    Raises: Invalid, ChainRefused, NotAllowed (no API token), ClientError."""
    agent = acting_agent(caller)
    kept = config_keep(recipe=proposal.recipe, config=proposal.config)
    answer = jobs(agent).job_propose(_arguments(proposal, kept))
    return _settled_in_index(answer)


def job_fund(*, caller: Caller, job_id: int) -> Record:
    """Pay the budget into escrow as the caller: an allowance for the jobs canister, then its call. A job that is funded stays as it is.

    Raises: ChainRefused (`not_enough_balance` says how much is missing), WrongState, NotAllowed, ClientError."""
    agent = acting_agent(caller)
    canister = jobs(agent)
    before = canister.job_get(job_id)
    if before is None:
        raise ChainRefused(f"There is no job {job_id} on the chain.", code="not_found", status=404)
    record = from_chain(before)
    if record["builder"] != caller.principal:
        raise ChainRefused("Only the builder who proposed the job can fund it.", code="not_builder", status=403)
    if record["state"] in _FUNDED:
        return record
    if record["state"] != "approved":
        raise WrongState(_why_not_fundable(record))
    _allow(agent, caller.principal, int(record["budget_e8s"]))
    answer = canister.job_fund(job_id)
    if "NotFunded" in answer.get("Err", {}):
        # Another job of the same builder may have drawn the allowance in between: one more try tells.
        _allow(agent, caller.principal, int(record["budget_e8s"]))
        answer = canister.job_fund(job_id)
    return _settled_in_index(answer)


def job_cancel(*, caller: Caller, job_id: int) -> Record:
    """Take a job back as the caller, until a worker has claimed it. A job that was cancelled stays as it is.

    Raises: ChainRefused, NotAllowed, ClientError."""
    canister = jobs(acting_agent(caller))
    before = canister.job_get(job_id)
    if (
        before is not None
        and before["builder"] == Principal.from_text(caller.principal)
        and "Cancelled" in before["state"]
    ):
        return from_chain(before)
    return _settled_in_index(canister.job_cancel(job_id))


# --- within ---


def _settled_in_index(answer: JobResult) -> Record:
    record = from_chain(ok(answer))
    follow_now("jobs")
    return record


def _arguments(proposal: Proposal, kept: KeptConfig) -> JobArgs:
    now_ns = time.time_ns()
    return {
        "key": proposal.key if proposal.key is not None else secrets.token_bytes(16),
        "title": proposal.title,
        "purpose": proposal.purpose,
        "recipe": proposal.recipe,
        "datasets": [{"dataset_id": d["dataset_id"], "version": d["version"]} for d in proposal.datasets],
        "code_hash": bytes.fromhex(kept.code_hash),
        "config_hash": bytes.fromhex(kept.config_hash),
        "seed": proposal.seed if proposal.seed is not None else secrets.randbits(64),
        "compute": {"Central": None},
        "epsilon_micros": None,
        "terms": proposal.terms or DEFAULT_TERMS,  # type: ignore[typeddict-item]  # its serializer has checked the fields
        "worker_fee_e8s": proposal.worker_fee_e8s,
        "budget_e8s": proposal.budget_e8s,
        "worker": Principal.from_text(proposal.worker) if proposal.worker else None,
        "approve_by_ns": now_ns + proposal.approve_within_s * 10**9,
        "finish_by_ns": now_ns + proposal.finish_within_s * 10**9,
    }


def _allow(agent: ChainAgent, principal: str, budget_e8s: int) -> None:
    """See that the jobs canister may draw the budget and the ledger's fee. Raises ChainRefused, ClientError."""
    tokens = ledger(agent)
    owner = {"owner": Principal.from_text(principal), "subaccount": None}
    spender = {"owner": deployment().canisters["jobs"], "subaccount": None}
    fee = tokens.icrc1_fee()
    granted = tokens.icrc2_allowance({"account": owner, "spender": spender})  # type: ignore[typeddict-item]  # both are accounts
    enough = granted["allowance"] >= budget_e8s + fee
    needed = budget_e8s + fee * (1 if enough else 2)
    balance = tokens.icrc1_balance_of(owner)  # type: ignore[arg-type]  # an account
    if balance < needed:
        raise ChainRefused(_missing(balance, needed, budget_e8s, fee), code="not_enough_balance")
    if enough:
        return
    ok(
        tokens.icrc2_approve(
            {
                "from_subaccount": None,
                "spender": spender,  # type: ignore[typeddict-item]  # an account
                "amount": budget_e8s + fee,
                "expected_allowance": None,
                "expires_at": time.time_ns() + ALLOWANCE_NS,
                "fee": fee,
                "memo": None,
                "created_at_time": None,
            }
        )
    )


def _missing(balance: int, needed: int, budget_e8s: int, fee: int) -> str:
    return (
        f"Your balance is {balance} e8s and funding needs {needed} e8s (the budget of {budget_e8s} and the ledger's fees of {fee} each): "
        f"{needed - balance} e8s are missing. On a test network, claim from the faucet once (the Earnings page, or the ledger's "
        "faucet_claim); otherwise have tokens sent to your principal. Then fund again."
    )


def _why_not_fundable(record: Record) -> str:
    state = record["state"]
    if state == "proposed":
        waiting = [str(a["dataset_id"]) for a in record["approvals"] if a["state"] == "pending"]
        return f"The job is not approved yet: it waits for the owners of dataset {', '.join(waiting)}. Fund it when all have agreed."
    why = f" ({record['reason']})" if record["reason"] else ""
    return f"The job is {state}{why}: it cannot be funded any more. Propose a new one."

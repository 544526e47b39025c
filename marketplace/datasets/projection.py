"""The registry's log as rows: datasets, their versions and their policies.

`uses` is counted here too, from the registry's own blocks, so nothing depends on the jobs canister's log being here."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from marketplace.chain.projection import Fact, Projection
from marketplace.core.json_field import searchable

from .models import Dataset, DatasetVersion, Policy
from .policy import terms_json

projection = Projection("datasets", tables=(Policy, DatasetVersion, Dataset))
_HASHES = (
    "ciphertext_root", "plaintext_commitment", "manifest_hash", "schema_hash", "card_hash", "profile_hash", "mock_hash",
)  # fmt: skip


@projection.on("registry", "dataset_registered", title="Dataset {dataset_id} registered: {title}")
def dataset_registered(fact: Fact) -> None:
    tx, args = fact.tx, fact.tx["args"]
    Dataset.objects.create(
        id=tx["dataset_id"],
        owner=fact.principal("owner"),
        title=tx["title"],
        searched=searchable(tx["title"]).lower(),
        state="active",
        version=tx["version"],
        row_count=args["row_count"],
        size_bytes=args["size_bytes"],
        registered_at_ns=fact.at_ns,
        canister=fact.canister,
        block=fact.index,
    )
    _version(fact)


@projection.on("registry", "dataset_versioned", title="Dataset {dataset_id} has a new version, number {version}")
def dataset_versioned(fact: Fact) -> None:
    args = fact.tx["args"]
    _change(fact, version=fact.tx["version"], row_count=args["row_count"], size_bytes=args["size_bytes"])
    _version(fact)


def _policy_title(fact: Fact) -> str:
    tx = fact.tx
    return f"Policy {tx['version']} of dataset {tx['dataset_id']}: {_POLICY_WORDS[tx['terms']['decision']]}"


_POLICY_WORDS = {
    "AutoApprove": "fitting requests are approved at once",
    "Ask": "the owner decides on each request",
    "Deny": "every request is denied",
}


@projection.on("registry", "policy_set", title=_policy_title)
def policy_set(fact: Fact) -> None:
    terms = terms_json(fact.tx["terms"])
    Policy.objects.create(
        dataset_id=fact.tx["dataset_id"],
        version=fact.tx["version"],
        terms=terms,
        set_at_ns=fact.at_ns,
        block=fact.index,
    )
    _change(fact, decision=terms["decision"])


@projection.on("registry", "dataset_withdrawn", title="Dataset {dataset_id} withdrawn by its owner")
def dataset_withdrawn(fact: Fact) -> None:
    _change(fact, state="withdrawn")


@projection.on("registry", "dataset_restored", title="Dataset {dataset_id} offered again by its owner")
def dataset_restored(fact: Fact) -> None:
    _change(fact, state="active")


@projection.on(
    "registry", "uses_taken", title=lambda fact: f"Job {fact.tx['job_id']} used {_datasets(fact.tx['uses'])}"
)
def uses_taken(fact: Fact) -> None:
    for use in fact.tx["uses"]:
        Dataset.objects.filter(id=use["dataset_id"]).update(uses=F("uses") + 1, block=fact.index)


def _datasets(uses: list[dict[str, Any]]) -> str:
    ids = ", ".join(str(use["dataset_id"]) for use in uses)
    return f"dataset {ids}" if len(uses) == 1 else f"datasets {ids}"


def _change(fact: Fact, **fields: Any) -> None:
    Dataset.objects.filter(id=fact.tx["dataset_id"]).update(block=fact.index, **fields)


def _version(fact: Fact) -> None:
    args = fact.tx["args"]
    DatasetVersion.objects.create(
        dataset_id=fact.tx["dataset_id"],
        version=fact.tx["version"],
        row_count=args["row_count"],
        size_bytes=args["size_bytes"],
        registered_at_ns=fact.at_ns,
        block=fact.index,
        **{name: args[name].hex() for name in _HASHES},
    )

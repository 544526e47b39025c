"""The registry's log replayed: who owned which data, under which policy, at every moment; and a policy's rules, evaluated anew.

The rules are written here a second time, in another language, from the same words (docs/glossary.md): default deny.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from canisters.interface.principal import Principal

from .fields import Fields, Malformed
from .logs import Block, Log
from .report import Findings, Topic


@dataclass(frozen=True)
class Request:
    """What a job asks of a dataset."""

    builder: Principal
    purpose: str
    code_hash: bytes
    compute: str
    epsilon_micros: int | None


@dataclass(frozen=True)
class Policy:
    version: int
    set_at_ns: int
    terms: Fields

    def refusal(self, request: Request, at_ns: int) -> str | None:
        """Why a request does not fit, or None. Whatever is not allowed in so many words is refused."""
        terms = self.terms
        expires_at_ns = terms.nat_or_none("expires_at_ns")
        if expires_at_ns is not None and expires_at_ns <= at_ns:
            return "the policy had expired"
        audience, inside = terms.variant("audience")
        if audience != "Anyone" and not (audience == "Principals" and request.builder in inside.principals(audience)):
            return "the policy names other builders"
        purposes, inside = terms.variant("purposes")
        if purposes != "Any" and not (purposes == "Listed" and request.purpose in inside.texts(purposes)):
            return f"the policy does not allow the purpose '{request.purpose}'"
        code, inside = terms.variant("code")
        if code != "Any" and not (code == "Listed" and request.code_hash in inside.blobs(code)):
            return "the policy does not allow this code"
        if terms.text("compute") not in ("Either", request.compute):
            return f"the policy does not allow {request.compute} training"
        most = terms.nat_or_none("max_epsilon_micros")
        if most is not None and (request.epsilon_micros is None or request.epsilon_micros > most):
            return "the policy asks for stronger privacy"
        return None

    def decision(self, request: Request, at_ns: int) -> str:
        """AutoApprove, Ask or Deny."""
        given = self.terms.text("decision")
        fits = self.refusal(request, at_ns) is None
        return given if fits and given in ("AutoApprove", "Ask") else "Deny"


@dataclass(frozen=True)
class Version:
    at_ns: int
    args: Fields


@dataclass(frozen=True)
class Use:
    at_ns: int
    version: int
    policy_version: int


@dataclass
class Dataset:
    id: int
    owner: Principal
    versions: list[Version]
    policies: list[Policy] = field(default_factory=list)
    withdrawn: bool = False
    uses: dict[int, Use] = field(default_factory=dict)  # by job

    def policy(self, version: int) -> Policy | None:
        return self.policies[version - 1] if 1 <= version <= len(self.policies) else None


class Registry:
    """`datasets`: by id, as the log leaves them."""

    def __init__(self, log: Log, findings: Findings) -> None:
        self.datasets: dict[int, Dataset] = {}
        self._topic = findings.topic("registry history")
        handlers = {
            "dataset_registered": self._registered,
            "dataset_versioned": self._versioned,
            "policy_set": self._policy_set,
            "dataset_withdrawn": self._state_changed,
            "dataset_restored": self._state_changed,
            "uses_taken": self._uses_taken,
        }
        for block in log:
            with self._topic.reading():
                handler = handlers.get(block.btype)
                if handler is None:
                    raise Malformed(f"{block.where}: nothing is known of blocks of type {block.btype}")
                handler(block)
        policies = sum(len(dataset.policies) for dataset in self.datasets.values())
        self._topic.fact(f"{len(self.datasets)} datasets, {policies} policies, each version in its turn")

    def _dataset(self, block: Block) -> Dataset:
        dataset = self.datasets.get(block.tx.nat("dataset_id"))
        if dataset is None:
            raise Malformed(f"{block.where}: there is no dataset {block.tx.nat('dataset_id')}")
        return dataset

    def _require(self, holds: bool, block: Block, problem: str) -> None:
        self._topic.require(holds, f"{block.where}: {problem}")

    def _registered(self, block: Block) -> None:
        tx = block.tx
        id_ = tx.nat("dataset_id")
        self._require(id_ == len(self.datasets) + 1, block, f"dataset {id_} is out of turn")
        self._require(tx.nat("version") == 1, block, "a new dataset begins with version 1")
        self.datasets[id_] = Dataset(id_, tx.principal("owner"), [Version(block.ts_ns, tx.record("args"))])

    def _versioned(self, block: Block) -> None:
        dataset = self._dataset(block)
        self._require(block.tx.nat("version") == len(dataset.versions) + 1, block, "the version is out of turn")
        self._require(not dataset.withdrawn, block, "the dataset was withdrawn")
        dataset.versions.append(Version(block.ts_ns, block.tx.record("args")))

    def _policy_set(self, block: Block) -> None:
        dataset, version = self._dataset(block), block.tx.nat("version")
        self._require(version == len(dataset.policies) + 1, block, "the policy's version is out of turn")
        self._require(not dataset.withdrawn, block, "the dataset was withdrawn")
        dataset.policies.append(Policy(version, block.ts_ns, block.tx.record("terms")))

    def _state_changed(self, block: Block) -> None:
        dataset, to = self._dataset(block), block.btype == "dataset_withdrawn"
        self._require(dataset.withdrawn != to, block, "the dataset was so already")
        dataset.withdrawn = to

    def _uses_taken(self, block: Block) -> None:
        """A use counts once a job, under the policy in force, of a dataset that is not withdrawn."""
        job = block.tx.nat("job_id")
        for use in block.tx.records("uses"):
            dataset = self.datasets.get(use.nat("dataset_id"))
            if dataset is None:
                raise Malformed(f"{use.where}: there is no such dataset")
            policy = dataset.policy(use.nat("policy_version"))
            if policy is None:
                raise Malformed(f"{use.where}: there is no such policy")
            most, expires_at_ns = policy.terms.nat_or_none("max_uses"), policy.terms.nat_or_none("expires_at_ns")
            self._require(job not in dataset.uses, block, f"job {job} took dataset {dataset.id} twice")
            self._require(not dataset.withdrawn, block, f"dataset {dataset.id} was withdrawn")
            self._require(policy.version == len(dataset.policies), block, f"dataset {dataset.id} had a newer policy")
            self._require(
                1 <= use.nat("version") <= len(dataset.versions), block, f"dataset {dataset.id} has no such version"
            )
            self._require(
                expires_at_ns is None or block.ts_ns < expires_at_ns, block, f"the policy of {dataset.id} had expired"
            )
            self._require(most is None or len(dataset.uses) < most, block, f"dataset {dataset.id} had no use left")
            dataset.uses[job] = Use(block.ts_ns, use.nat("version"), policy.version)


def require_policy_approval(
    dataset: Dataset, version: int, price_e8s: int, request: Request, at_ns: int, topic: Topic
) -> Policy | None:
    """Whether the policy `version` can have approved by itself at that time. Returns the policy."""
    policy = require_policy(dataset, version, price_e8s, at_ns, topic)
    if policy is not None:
        decision = policy.decision(request, at_ns)
        why = policy.refusal(request, at_ns) or f"it says {policy.terms.text('decision')}"
        topic.require(
            decision == "AutoApprove",
            f"dataset {dataset.id}: policy {version} does not approve such a job by itself ({why})",
        )
    return policy


def require_policy(dataset: Dataset, version: int, price_e8s: int, at_ns: int, topic: Topic) -> Policy | None:
    """The policy that a decision names: it existed then, and asks this price."""
    policy = dataset.policy(version)
    if policy is None or policy.set_at_ns > at_ns:
        topic.require(False, f"dataset {dataset.id}: there was no policy {version} when it was decided: default deny")
        return None
    price = policy.terms.nat("price_e8s")
    topic.require(price == price_e8s, f"dataset {dataset.id}: the price was {price}, not {price_e8s}")
    return policy

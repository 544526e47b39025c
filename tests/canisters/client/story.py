"""The whole line on real canisters, small: consent, a job, its settlement, a cooperative, votes, paid answers. For the verifier's tests.

The model is a canister of a few lines that gives one answer; everything that decides about it is the real thing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import secrets
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wasmtime

from canisters.client import ChainAgent, KeyIdentity, Receipt
from canisters.client.contracts import service
from canisters.client.deployment import Deployment
from canisters.client.typed import Cooperative, Cooperatives, Jobs, Ledger, Registry
from canisters.deploy import WASM, deploy
from canisters.interface.candid import encode
from canisters.interface.icrc3 import to_value, value_hash
from canisters.interface.principal import Principal

HOUR_NS = 3600 * 10**9
PRICE_E8S, BUDGET_E8S, WORKER_FEE_E8S = 1_000_003, 40_000_000, 5_000_000
CODE_LISTING = {"recipe": "tabular_mlp", "files": []}
CONFIG = {"epochs": 3}
FOUNDED_WITH = {"price_e8s": PRICE_E8S, "treasury_bps": 250, "voting_period_ns": 60 * 10**9, "quiet_period_ns": 10**9}
# The empty network guesses: 0.5. Utilities of coalitions of datasets 1, 2 and 3, in two repetitions.
UTILITIES = {
    (1,): [0.80, 0.82], (2,): [0.70, 0.71], (3,): [0.45, 0.44],
    (1, 2): [0.90, 0.91], (1, 3): [0.75, 0.78], (2, 3): [0.66, 0.65], (1, 2, 3): [0.88, 0.90],
}  # fmt: skip


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def by_orders(repetition: int) -> dict[int, float]:
    """Shapley values as the mean over all orders: another formula than the verifier's."""
    game = {(): 0.5, **{members: utilities[repetition] for members, utilities in UTILITIES.items()}}
    orders = list(itertools.permutations((1, 2, 3)))
    sums = dict.fromkeys((1, 2, 3), 0.0)
    for order in orders:
        for place, player in enumerate(order):
            sums[player] += game[tuple(sorted(order[: place + 1]))] - game[tuple(sorted(order[:place]))]
    return {player: total / len(orders) for player, total in sums.items()}


# --- a model of a few lines ---


def tensor(name: str, values: list[float]) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": "float32",
        "shape": [1, len(values)],
        "data": struct.pack(f"<{len(values)}f", *values),
    }


FEATURES, PROBABILITIES = tensor("features", [1.0, 2.0]), tensor("probabilities", [0.25, 0.75])
TOO_LONG = tensor("features", [0.0] * 200)


def model_wasm() -> bytes:
    """Answers PROBABILITIES to a short question, and an error to a long one."""
    infer, seal = service("inference").methods["infer_blob"], service("inference").methods["seal"]
    answers = [
        encode(infer.results, ({"Ok": {"outputs": [PROBABILITIES], "instructions": 1234, "release_hash": bytes(32)}},)),
        encode(infer.results, ({"Err": "features: shape (1, 2) is expected"},)),
        encode(seal.results, ({"Ok": {}},)),
    ]
    places, data, at = [], "", 0
    for answer in answers:
        places.append(f"(i32.const {at}) (i32.const {len(answer)})")
        escaped = "".join(f"\\{byte:02x}" for byte in answer)
        data += f'(data (i32.const {at}) "{escaped}")\n'
        at += len(answer)
    return bytes(
        wasmtime.wat2wasm(f"""(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_arg_data_size" (func $size (result i32)))
  (memory 1)
  {data}
  (func (export "canister_update infer_blob")
    (if (i32.lt_u (call $size) (i32.const 400)) (then (call $append {places[0]})) (else (call $append {places[1]})))
    (call $reply))
  (func (export "canister_update seal") (call $append {places[2]}) (call $reply)))""")
    )


# --- who is in it ---


@dataclass
class Story:
    """`people`: north, lake, harbour (contributors), hill (denies), builder, worker, payer. `blobs`: artifacts by SHA-256 in hex."""

    deployment: Deployment
    people: dict[str, KeyIdentity]
    agents: dict[str, ChainAgent] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    modules: dict[str, bytes] = field(default_factory=dict)  # SHA-256 of what was deployed
    job: int = 0
    denied_job: int = 0
    cooperative: Principal = field(init=False)
    inference: Principal = field(init=False)

    def agent(self, name: str) -> ChainAgent:
        if name not in self.agents:
            self.agents[name] = self.deployment.agent(self.people[name])
        return self.agents[name]

    def close(self) -> None:
        for agent in self.agents.values():
            agent.close()

    def principal(self, name: str) -> Principal:
        return self.people[name].principal

    def registry(self, name: str) -> Registry:
        return Registry(self.agent(name), self.deployment.canisters["registry"])

    def jobs(self, name: str) -> Jobs:
        return Jobs(self.agent(name), self.deployment.canisters["jobs"])

    def ledger(self, name: str) -> Ledger:
        return Ledger(self.agent(name), self.deployment.canisters["ledger"])

    def coop(self, name: str) -> Cooperative:
        return Cooperative(self.agent(name), self.cooperative)


def done(answer: Any) -> Any:
    assert "Ok" in answer, answer
    return answer["Ok"]


def play(url: str, state: Path) -> Story:
    names = ("north", "lake", "harbour", "hill", "builder", "worker", "payer")
    modules = {path.stem: sha256(path.read_bytes()) for path in WASM.glob("*.wasm")}
    story = Story(deploy(url, state), {name: KeyIdentity() for name in names}, modules=modules)
    done(story.jobs("worker").worker_register({"name": "worker", "encryption_key": b"\x04" + bytes(64)}))
    for name in ("builder", "payer"):
        done(story.ledger(name).faucet_claim())
    register(story)
    train(story)
    found(story)
    earn(story)
    return story


# --- consent ---


def register(story: Story) -> None:
    for id_, (name, decision) in enumerate(
        {"north": "AutoApprove", "lake": "Ask", "harbour": "AutoApprove", "hill": "Deny"}.items(), 1
    ):
        registry = story.registry(name)
        hashes = {
            hash_: sha256(f"{name} {hash_}".encode())
            for hash_ in (
                "ciphertext_root",
                "plaintext_commitment",
                "manifest_hash",
                "schema_hash",
                "card_hash",
                "profile_hash",
                "mock_hash",
            )
        }
        version: Any = {**hashes, "row_count": 100, "size_bytes": 1000}
        registered = done(
            registry.dataset_register({"key": secrets.token_bytes(16), "title": name, "version": version})
        )
        assert registered["dataset_id"] == id_
        terms: Any = {
            "audience": {"Principals": [story.principal("builder")]} if name == "north" else {"Anyone": None},
            "purposes": {"Listed": ["research"]},
            "code": {"Listed": [sha256(canonical(CODE_LISTING))]} if name == "harbour" else {"Any": None},
            "compute": {"Central": None},
            "price_e8s": 3_000_000 + id_,
            "max_uses": 5,
            "expires_at_ns": time.time_ns() + 24 * HOUR_NS,
            "decision": {decision: None},
            "workers": [] if decision == "Deny" else [story.principal("worker")],
        }
        done(registry.policy_set({"dataset_id": id_, "expected_version": 0, "terms": terms}))
    done(story.registry("hill").dataset_add_version({"dataset_id": 4, "version": version}))
    done(story.registry("hill").dataset_withdraw(4))
    done(story.registry("hill").dataset_restore(4))


def proposal(story: Story, datasets: list[int]) -> Any:
    return {
        "key": secrets.token_bytes(16),
        "title": "A job",
        "purpose": "research",
        "recipe": "tabular_mlp",
        "datasets": [{"dataset_id": id_, "version": 1} for id_ in datasets],
        "code_hash": sha256(canonical(CODE_LISTING)),
        "config_hash": sha256(canonical(CONFIG)),
        "seed": 7,
        "compute": {"Central": None},
        "terms": {"contributors_bps": 8_000, "builder_bps": 1_500, "worker_bps": 500, "valuation": "shapley"},
        "worker_fee_e8s": WORKER_FEE_E8S,
        "budget_e8s": BUDGET_E8S,
        "worker": None,
        "approve_by_ns": time.time_ns() + HOUR_NS,
        "finish_by_ns": time.time_ns() + 2 * HOUR_NS,
    }


# --- a job ---


def train(story: Story) -> None:
    jobs = story.jobs("builder")
    story.denied_job = done(jobs.job_propose(proposal(story, [1, 4])))["id"]
    cancelled = done(jobs.job_propose(proposal(story, [1])))["id"]
    story.job = done(jobs.job_propose(proposal(story, [1, 2, 3])))["id"]
    approval: Any = {"job_id": story.job, "dataset_id": 2, "policy_version": 1, "workers": [story.principal("worker")]}
    done(story.jobs("lake").job_approve(approval))
    allowance: Any = {
        "spender": {"owner": story.deployment.canisters["jobs"], "subaccount": None},
        "amount": 3 * BUDGET_E8S,
    }
    done(story.ledger("builder").icrc2_approve(allowance))
    for job in (cancelled, story.job):
        done(jobs.job_fund(job))
    done(jobs.job_cancel(cancelled))
    done(jobs.payout_claim(cancelled))

    work = story.jobs("worker")
    done(work.job_claim(story.job))
    done(work.job_start(story.job))
    done(work.job_submit({"job_id": story.job, "result": result(story)}))
    done(work.job_settle(story.job))
    for name in ("north", "worker", "builder"):
        done(story.jobs(name).payout_claim(story.job))


def transcript() -> bytes:
    values = [by_orders(repetition) for repetition in (0, 1)]
    spread = {player: [value[player] for value in values] for player in (1, 2, 3)}
    return canonical(
        {
            "format": "commonweight/transcript/v1",
            "recipe": "tabular_mlp",
            "code": CODE_LISTING,
            "code_hash": sha256(canonical(CODE_LISTING)).hex(),
            "config": CONFIG,
            "config_hash": sha256(canonical(CONFIG)).hex(),
            "seed": "7",
            "parts": [
                {
                    "dataset_id": id_,
                    "rows": 100,
                    "commitment": sha256(f"{name} plaintext_commitment".encode()).hex(),
                    "sha256": None,
                }
                for id_, name in enumerate(("north", "lake", "harbour"), 1)
            ],
            "valuation": {
                "method": "exact",
                "utility": "accuracy",
                "repetitions": 2,
                "empty_utility": 0.5,
                "coalitions": [{"members": list(members), "utilities": found} for members, found in UTILITIES.items()],
            },
            "attribution": [
                {"dataset_id": player, "value": sum(found) / 2, "low": min(found), "high": max(found)}
                for player, found in spread.items()
            ],
            "metrics": {"accuracy": 0.9},
            "onnx_sha256": sha256(b"a network").hex(),
        }
    )


def manifest(story: Story) -> Any:
    wasm = model_wasm()
    return {
        "job_id": story.job,
        "title": "The first release",
        "wasm_sha256": sha256(wasm),
        "wasm_chunks": [{"sha256": sha256(wasm), "size_bytes": len(wasm)}],
        "weight_chunks": [],
        "onnx_sha256": sha256(b"a network"),
        "transcript_hash": sha256(transcript()),
        "card_hash": sha256(b"{}"),
        "metrics": [{"name": "accuracy", "value_ppm": 900_000}],
        "equality": [{"inputs": [FEATURES], "outputs": [PROBABILITIES]}],
        "tolerance_e9": 100_000,
        "estimated_instructions": 1234,
    }


def manifest_hash(given: Any) -> bytes:
    metrics = [{**metric, "value_ppm": {"Int": metric["value_ppm"]}} for metric in given["metrics"]]
    return value_hash(to_value({**given, "metrics": metrics}))


def result(story: Story) -> Any:
    files = {
        "model.onnx": b"a network",
        "transcript.json": transcript(),
        "card.json": b"{}",
        "config.json": canonical(CONFIG),
        "module.wasm": model_wasm(),
    }
    story.blobs = {sha256(data).hex(): data for data in files.values()}
    artifacts = [{"name": name, "sha256": sha256(data), "size_bytes": len(data)} for name, data in files.items()]
    artifacts.append({"name": "release", "sha256": manifest_hash(manifest(story)), "size_bytes": 1})
    attribution = [
        {
            "dataset_id": entry["dataset_id"],
            **{f"{part}_ppm": round(entry[part] * 1_000_000) for part in ("value", "low", "high")},
        }
        for entry in json.loads(transcript())["attribution"]
    ]
    return {
        "metrics": [{"name": "accuracy", "value_ppm": 900_000}],
        "artifacts": artifacts,
        "manifest_hash": value_hash(to_value(artifacts)),
        "transcript_hash": sha256(transcript()),
        "utility": "accuracy",
        "attribution": attribution,
    }


# --- a cooperative ---


def found(story: Story) -> None:
    factory = Cooperatives(story.agent("north"), story.deployment.canisters["cooperatives"])
    made = done(factory.cooperative_create({"job_id": story.job, "name": "Together", "parameters": FOUNDED_WITH}))
    story.cooperative, story.inference = made["canister"], made["inference"]

    first = submit(story, {"Release": manifest(story)})
    wasm = model_wasm()
    done(story.coop("payer").chunk_upload({"proposal_id": first, "part": {"Wasm": None}, "index": 0, "data": wasm}))
    vote(story, first, yes=True)
    settled(story, first, "Live")
    # A vote that fails leaves it live.
    second = submit(story, {"Release": manifest(story)})
    vote(story, second, yes=False)
    settled(story, second, "Rejected")
    # Who sells out keeps the vote that was his.
    third = submit(story, {"Parameters": {**FOUNDED_WITH, "treasury_bps": 1_000}})
    done(
        story.coop("lake").icrc1_transfer({"to": {"owner": story.principal("payer"), "subaccount": None}, "amount": 17})
    )
    vote(story, third, yes=True)
    settled(story, third, "Executed")


def submit(story: Story, kind: Any) -> int:
    answer = done(story.coop("north").proposal_submit({"title": "A proposal", "summary": "", "kind": kind}))
    return int(answer["id"])


def vote(story: Story, id_: int, *, yes: bool) -> None:
    for name in ("north", "lake", "builder", "worker"):
        answer = story.coop(name).proposal_vote({"proposal_id": id_, "yes": yes})
        if "Err" in answer:
            assert "Closed" in answer["Err"], answer
            return


def settled(story: Story, id_: int, state: str) -> None:
    """Wait until the cooperative has carried out what was voted."""
    until_s = time.monotonic() + 30
    while True:
        shown = story.coop("north").proposal_get(id_)
        assert shown is not None
        if state in shown["state"]:
            return
        assert time.monotonic() < until_s, shown["state"]
        done(story.coop("north").proposal_execute(id_))
        time.sleep(0.1)


# --- income ---


def earn(story: Story) -> None:
    spender = {"owner": story.cooperative, "subaccount": None}
    done(story.ledger("payer").icrc2_approve({"spender": spender, "amount": 100 * PRICE_E8S}))
    for _ in range(3):
        answer, receipt = story.coop("payer").with_receipt("infer", {"inputs": [FEATURES], "max_price_e8s": PRICE_E8S})
        done(answer)
        story.receipts.append(receipt)
    refused = story.coop("payer").infer({"inputs": [TOO_LONG], "max_price_e8s": PRICE_E8S})
    assert "Inference" in refused["Err"], refused
    for name in ("payer", "north"):
        done(story.coop(name).revenue_claim())
    payment = submit(story, {"TreasuryTransfer": {"to": story.principal("hill"), "amount_e8s": 50_000}})
    vote(story, payment, yes=True)
    settled(story, payment, "Executed")

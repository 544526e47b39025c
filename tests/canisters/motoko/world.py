"""The five canisters on one network, and the people who use them: one method a step of the story, so that a test says only what differs."""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from canisters.client import CallRejected, ChainAgent, Contract, KeyIdentity, contract
from canisters.client.contracts import service
from canisters.client.management import Management
from canisters.interface import cbor, hash_tree, leb128
from canisters.interface.candid import encode
from canisters.interface.certificate import verify
from canisters.interface.icrc3 import to_value, value_hash
from canisters.interface.principal import Principal

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CWT = 10**8
FEE = 10_000
FAUCET = 1_000 * CWT
CODE = hashlib.sha256(b"a recipe").digest()
ENCRYPTION_KEY = b"\x04" + bytes(64)


def sha(data: bytes | str) -> bytes:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).digest()


def ok(result: dict[str, Any]) -> Any:
    """What an Ok carries; else the test fails, showing the refusal."""
    assert "Ok" in result, result
    return result["Ok"]


def err(result: dict[str, Any]) -> tuple[str, Any]:
    """The kind of a refusal and what it says."""
    assert "Err" in result, result
    ((kind, payload),) = result["Err"].items() if isinstance(result["Err"], dict) else (("text", result["Err"]),)
    return kind, payload


class World:
    """One network with registry, jobs, ledger and cooperatives; `time_ns` is the network's clock."""

    def __init__(self, replica: Any, modules: Callable[[str], bytes], echo: Callable[[], bytes]) -> None:
        self.replica, self.modules, self.echo = replica, modules, echo
        self.time_ns = 0
        self._agents: list[ChainAgent] = []
        self._numbers = itertools.count(1)
        self.advance(0)
        self.operator = self.person()
        management = Management(self.operator)
        ids = {name: management.create(cycles=10**15) for name in ("registry", "jobs", "ledger", "cooperatives")}
        self.ids: dict[str, Principal] = ids
        self.init: dict[str, dict[str, Any]] = {
            "registry": {"jobs": ids["jobs"]},
            "jobs": {"registry": ids["registry"], "ledger": ids["ledger"]},
            "ledger": {
                "name": "Commonweight test token",
                "symbol": "CWT",
                "fee_e8s": FEE,
                "minting_account": {"owner": self.operator.principal, "subaccount": None},
                "faucet_e8s": FAUCET,
            },
            "cooperatives": {"jobs": ids["jobs"], "ledger": ids["ledger"]},
        }
        for name in ids:
            management.install(ids[name], modules(name), self.init_argument(name))
        self.worker = self.person()
        ok(
            self.jobs(self.worker).worker_register(
                {"name": f"worker {self.number()}", "encryption_key": ENCRYPTION_KEY}
            )
        )

    def close(self) -> None:
        for agent in self._agents:
            agent.close()

    def number(self) -> int:
        return next(self._numbers)

    # --- time and people ---

    def eventually(self, look: Callable[[], Any], accepted: Callable[[Any], bool]) -> Any:
        """What `look` sees as soon as it is accepted. Blocks come one after another, and a stopped canister answers nothing meanwhile."""
        until_s = time.monotonic() + 60
        while True:
            self.advance(SECOND)
            try:
                seen = look()
            except CallRejected as rejected:
                seen = rejected
            if not isinstance(seen, CallRejected) and accepted(seen):
                return seen
            assert time.monotonic() < until_s, seen
            time.sleep(0.05)

    def advance(self, by_ns: int) -> None:
        """Move the clock; what is due then runs."""
        body = json.dumps({"advance_ns": by_ns}).encode()
        request = urllib.request.Request(f"{self.replica.url}/_/time", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            self.time_ns = int(json.load(answer)["time_ns"])

    def person(self, identity: Any = None) -> ChainAgent:
        """A stranger with a key of their own."""
        agent = ChainAgent(
            self.replica.url, self.replica.root_key, identity or KeyIdentity(), clock=lambda: self.time_ns
        )
        self._agents.append(agent)
        return agent

    def again(self, who: ChainAgent) -> ChainAgent:
        """The same person on a connection of its own, to call from another thread."""
        return self.person(who.identity)

    def rich(self) -> ChainAgent:
        """With 1,000 CWT from the faucet."""
        person = self.person()
        ok(self.ledger(person).faucet_claim())
        return person

    # --- canisters, as somebody sees them ---

    def upgrade(self, name: str) -> None:
        """By the operator, who controls the four; the state stays."""
        management = Management(self.operator)
        management.stop(self.ids[name])
        management.install(self.ids[name], self.modules(name), self.init_argument(name), mode="upgrade", keep_heap=True)
        management.start(self.ids[name])

    def init_argument(self, name: str) -> bytes:
        return encode(service(name).init, [self.init[name]])

    def registry(self, who: ChainAgent) -> Contract:
        return contract("registry", who, self.ids["registry"])

    def jobs(self, who: ChainAgent) -> Contract:
        return contract("jobs", who, self.ids["jobs"])

    def ledger(self, who: ChainAgent) -> Contract:
        return contract("ledger", who, self.ids["ledger"])

    def cooperatives(self, who: ChainAgent) -> Contract:
        return contract("cooperatives", who, self.ids["cooperatives"])

    def cooperative(self, who: ChainAgent, canister: Principal) -> Contract:
        return contract("cooperative", who, canister)

    def inference(self, who: ChainAgent, canister: Principal) -> Contract:
        return contract("inference", who, canister)

    def balance(self, owner: Principal, subaccount: bytes | None = None) -> int:
        balance: int = self.ledger(self.operator).icrc1_balance_of({"owner": owner, "subaccount": subaccount})
        return balance

    def escrow(self, job_id: int) -> int:
        return self.balance(self.ids["jobs"], job_id.to_bytes(32, "big"))

    def job(self, job_id: int) -> dict[str, Any]:
        job: dict[str, Any] = self.jobs(self.operator).job_get(job_id)
        return job

    # --- data ---

    def version_args(self, **changes: Any) -> dict[str, Any]:
        names = (
            "ciphertext_root",
            "plaintext_commitment",
            "manifest_hash",
            "schema_hash",
            "card_hash",
            "profile_hash",
            "mock_hash",
        )
        return {**{name: sha(name) for name in names}, "row_count": 100, "size_bytes": 5_000, **changes}

    def register_args(self, **changes: Any) -> dict[str, Any]:
        return {
            "key": self.number().to_bytes(16, "big"),
            "title": "Some rows",
            "version": self.version_args(),
            **changes,
        }

    def terms(self, **changes: Any) -> dict[str, Any]:
        return {
            "audience": {"Anyone": None},
            "purposes": {"Any": None},
            "code": {"Any": None},
            "compute": {"Central": None},
            "columns": None,
            "price_e8s": CWT,
            "max_uses": None,
            "expires_at_ns": None,
            "max_epsilon_micros": None,
            "decision": {"AutoApprove": None},
            "workers": [self.worker.principal],
            **changes,
        }

    def dataset(self, owner: ChainAgent, policy: bool = True, **terms: Any) -> int:
        """A dataset with a policy, which approves by itself unless `terms` say otherwise."""
        dataset_id: int = ok(self.registry(owner).dataset_register(self.register_args()))["dataset_id"]
        if policy:
            asked = {"dataset_id": dataset_id, "expected_version": 0, "terms": self.terms(**terms)}
            ok(self.registry(owner).policy_set(asked))
        return dataset_id

    # --- jobs ---

    def job_args(self, datasets: list[int], **changes: Any) -> dict[str, Any]:
        return {
            "key": self.number().to_bytes(16, "big"),
            "title": "Find out",
            "purpose": "research",
            "recipe": "tabular_mlp",
            "datasets": [{"dataset_id": d, "version": 1} for d in datasets],
            "code_hash": CODE,
            "config_hash": sha("a config"),
            "seed": 7,
            "compute": {"Central": None},
            "epsilon_micros": None,
            "terms": {"contributors_bps": 8_000, "builder_bps": 1_500, "worker_bps": 500, "valuation": "shapley"},
            "worker_fee_e8s": CWT,
            "budget_e8s": 10 * CWT,
            "worker": None,
            "approve_by_ns": self.time_ns + HOUR,
            "finish_by_ns": self.time_ns + DAY,
            **changes,
        }

    def allow(self, owner: ChainAgent, spender: Principal, amount: int) -> None:
        approval = {
            "from_subaccount": None, "spender": {"owner": spender, "subaccount": None}, "amount": amount, "expected_allowance": None,
            "expires_at": None, "fee": None, "memo": None, "created_at_time": None,
        }  # fmt: skip
        ok(self.ledger(owner).icrc2_approve(approval))

    def proposed(self, builder: ChainAgent, datasets: list[int], **changes: Any) -> int:
        job_id: int = ok(self.jobs(builder).job_propose(self.job_args(datasets, **changes)))["id"]
        return job_id

    def funded(self, builder: ChainAgent, datasets: list[int], **changes: Any) -> int:
        job_id = self.proposed(builder, datasets, **changes)
        self.allow(builder, self.ids["jobs"], self.job(job_id)["args"]["budget_e8s"] + FEE)
        ok(self.jobs(builder).job_fund(job_id))
        return job_id

    def running(
        self, builder: ChainAgent, datasets: list[int], worker: ChainAgent | None = None, **changes: Any
    ) -> int:
        job_id = self.funded(builder, datasets, **changes)
        ok(self.jobs(worker or self.worker).job_claim(job_id))
        ok(self.jobs(worker or self.worker).job_start(job_id))
        return job_id

    def result(
        self, values: dict[int, int], artifacts: list[dict[str, Any]] | None = None, **changes: Any
    ) -> dict[str, Any]:
        """`values`: dataset -> what it was worth, in millionths."""
        listed = [{"name": "transcript.json", "sha256": sha("a transcript"), "size_bytes": 12}, *(artifacts or [])]
        attribution = [
            {"dataset_id": d, "value_ppm": v, "low_ppm": v - 5, "high_ppm": v + 5} for d, v in values.items()
        ]
        return {
            "metrics": [{"name": "accuracy", "value_ppm": 950_000}],
            "artifacts": listed,
            "manifest_hash": value_hash(to_value(listed)),
            "transcript_hash": sha("a transcript"),
            "utility": "accuracy",
            "attribution": attribution,
            **changes,
        }

    def settled(
        self, builder: ChainAgent, values: dict[int, int], artifacts: list[dict[str, Any]] | None = None, **changes: Any
    ) -> int:
        job_id = self.running(builder, list(values), **changes)
        ok(self.jobs(self.worker).job_submit({"job_id": job_id, "result": self.result(values, artifacts)}))
        ok(self.jobs(builder).job_settle(job_id))
        return job_id

    # --- releases ---

    def tensor(self, *values: float, name: str = "features") -> dict[str, Any]:
        return {
            "name": name,
            "dtype": "float32",
            "shape": [1, len(values)],
            "data": struct.pack(f"<{len(values)}f", *values),
        }

    def manifest(
        self, manner: str = "echo", job_id: int = 0, pieces: int = 2, **changes: Any
    ) -> tuple[dict[str, Any], list[bytes], list[bytes]]:
        """A release of the stand-in module, and its chunks: of the module, of the weights."""
        wasm = self.echo()
        step = -(-len(wasm) // pieces)
        chunks = [wasm[at : at + step] for at in range(0, len(wasm), step)]
        weights = [manner.encode(), f"weights {self.number()}".encode()]
        return self.manifest_of(job_id, wasm, chunks, weights, title=f"as {manner}", **changes), chunks, weights

    def manifest_of(
        self, job_id: int, wasm: bytes, chunks: list[bytes], weights: list[bytes], **changes: Any
    ) -> dict[str, Any]:
        named = [[{"sha256": sha(c), "size_bytes": len(c)} for c in part] for part in (chunks, weights)]
        vector = {"inputs": [self.tensor(0.5, -2.0)], "outputs": [self.tensor(0.5, -2.0)]}
        return {
            "job_id": job_id, "title": "a release", "wasm_sha256": sha(wasm), "wasm_chunks": named[0], "weight_chunks": named[1],
            "onnx_sha256": sha("onnx"), "transcript_hash": sha("a transcript"), "card_hash": sha("card"),
            "metrics": [{"name": "accuracy", "value_ppm": 950_000}], "equality": [vector], "tolerance_e9": 100_000,
            "estimated_instructions": 1_000, **changes,
        }  # fmt: skip

    def release_artifact(self, manifest: dict[str, Any]) -> dict[str, Any]:
        return {"name": "release", "sha256": manifest_hash(manifest), "size_bytes": 1}

    def model(self, count: int = 2, manners: tuple[Any, ...] = ("echo",), **parameters: Any) -> Model:
        """A settled job with `count` contributors, a cooperative of it, and a manifest of each manner among the job's artifacts.

        A manner is one of the stand-in's, or a function from the job's id to a release of one's own: manifest, chunks of module, of weights."""
        owners = [self.person() for _ in range(count)]
        datasets = [self.dataset(owner) for owner in owners]
        builder = self.rich()
        # The job's number stands in the manifests that the job's own record names.
        job_id = self.running(builder, datasets, budget_e8s=(count + 1) * CWT)
        releases = [manner(job_id) if callable(manner) else self.manifest(manner, job_id) for manner in manners]
        named = [{**self.release_artifact(m), "name": f"release {i}"} for i, (m, _, _) in enumerate(releases)]
        result = self.result({d: 1_000 * (i + 1) for i, d in enumerate(datasets)}, named)
        ok(self.jobs(self.worker).job_submit({"job_id": job_id, "result": result}))
        ok(self.jobs(builder).job_settle(job_id))
        created = {"job_id": job_id, "name": "A model", "parameters": self.parameters(**parameters)}
        entry = ok(self.cooperatives(owners[0]).cooperative_create(created))
        return Model(self, entry, owners, builder, releases)

    def parameters(self, **changes: Any) -> dict[str, Any]:
        return {
            "price_e8s": 1_000_003,
            "treasury_bps": 500,
            "voting_period_ns": HOUR,
            "quiet_period_ns": 10 * MINUTE,
            **changes,
        }


def manifest_hash(manifest: dict[str, Any]) -> bytes:
    """As the cooperative computes it: what may be negative is an Int."""
    metrics = [{"name": m["name"], "value_ppm": {"Int": m["value_ppm"]}} for m in manifest["metrics"]]
    return value_hash(to_value({**manifest, "metrics": metrics}))


class Model:
    """A cooperative and its people: `owners` hold the contributors' shares, `builder` and the world's worker theirs."""

    def __init__(
        self, world: World, entry: dict[str, Any], owners: list[ChainAgent], builder: ChainAgent, releases: list[Any]
    ) -> None:
        self.world, self.entry, self.owners, self.builder, self.releases = world, entry, owners, builder, releases
        self.canister: Principal = entry["canister"]

    @property
    def holders(self) -> list[ChainAgent]:
        return [*self.owners, self.builder, self.world.worker]

    def as_(self, who: ChainAgent) -> Contract:
        return self.world.cooperative(who, self.canister)

    def info(self) -> dict[str, Any]:
        info: dict[str, Any] = self.as_(self.builder).info()
        return info

    def propose(self, kind: dict[str, Any], who: ChainAgent | None = None) -> int:
        proposal = {"title": "Do it", "summary": "", "kind": kind}
        proposal_id: int = ok(self.as_(who or self.owners[0]).proposal_submit(proposal))["id"]
        return proposal_id

    def vote(self, proposal_id: int, yes: bool, *voters: ChainAgent) -> None:
        for voter in voters:
            result = self.as_(voter).proposal_vote({"proposal_id": proposal_id, "yes": yes})
            if "Err" in result:
                assert result["Err"] == {"Closed": "the vote is over"}, result

    def upload(self, proposal_id: int, index: int = 0) -> None:
        _, chunks, weights = self.releases[index]
        for part, parts in (("Wasm", chunks), ("Weights", weights)):
            for i, data in enumerate(parts):
                ok(
                    self.as_(self.world.worker).chunk_upload(
                        {"proposal_id": proposal_id, "part": {part: None}, "index": i, "data": data}
                    )
                )

    def state(self, proposal_id: int) -> dict[str, Any]:
        """Carried out as far as it can be. Somebody's call or the canister's own timer may be at it already: that is waited for."""
        anybody = self.as_(self.world.person())

        def carried_out() -> dict[str, Any]:
            state: dict[str, Any] = ok(anybody.proposal_execute(proposal_id))["state"]
            return state

        state = carried_out()
        if state == {"Installing": None}:
            state = self.world.eventually(carried_out, lambda seen: seen != {"Installing": None})
        return state

    def adopt(self, kind: dict[str, Any]) -> int:
        """Proposed and voted for by everybody."""
        proposal_id = self.propose(kind)
        self.vote(proposal_id, True, *self.holders)
        return proposal_id

    def release(self, index: int = 0) -> int:
        """The release of that manner, proposed, uploaded, voted for and carried out."""
        proposal_id = self.propose({"Release": self.releases[index][0]})
        self.upload(proposal_id, index)
        self.vote(proposal_id, True, *self.holders)
        self.state(proposal_id)
        return proposal_id

    def ask(self, who: ChainAgent, *inputs: dict[str, Any], most: int = 10**12) -> dict[str, Any]:
        given = list(inputs) or [self.world.tensor(1.0, 2.0)]
        answer: dict[str, Any] = self.as_(who).infer({"inputs": given, "max_price_e8s": most})
        return answer

    def payer(self, calls: int = 20) -> ChainAgent:
        """Somebody who can pay for answers."""
        payer = self.world.rich()
        self.world.allow(payer, self.canister, calls * (self.info()["parameters"]["price_e8s"] + FEE))
        return payer


def split(total: int, weights: list[int]) -> list[int]:
    """Largest remainder, ties to the earlier part."""
    whole = sum(weights)
    parts = [total * w // whole for w in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def together(*calls: Callable[[], Any]) -> list[Any]:
    """All at once, from as many threads: what they wait for is interleaved by the network as it comes."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [running.result() for running in [pool.submit(call) for call in calls]]


def proven_log(canister: Contract) -> list[dict[str, Any]]:
    """Every block, after checking that they chain up to the tip that the network's signature vouches for."""
    blocks: list[dict[str, Any]] = []
    while True:
        found = canister.icrc3_get_blocks([{"start": len(blocks), "length": 1_000}])
        blocks += [entry["block"] for entry in found["blocks"]]
        if len(blocks) >= found["log_length"]:
            break
    for before, block in zip([None, *blocks], blocks, strict=False):
        stated = dict(block["Map"]).get("phash")
        assert stated == (None if before is None else {"Blob": value_hash(before)})
    tip = canister.icrc3_get_tip_certificate()
    if not blocks:
        assert tip is None
        return blocks
    tree = hash_tree.from_cbor_value(cbor.loads(tip["hash_tree"]))
    certificate = verify(
        tip["certificate"],
        root_key=canister.agent.root_key,
        canister_id=canister.canister_id,
        now_ns=canister.agent.clock(),
    )
    assert certificate.require(b"canister", canister.canister_id.raw, b"certified_data") == tree.digest
    assert hash_tree.lookup(tree, [b"last_block_hash"]) == hash_tree.Found(value_hash(blocks[-1]))
    assert hash_tree.lookup(tree, [b"last_block_index"]) == hash_tree.Found(leb128.encode_unsigned(len(blocks) - 1))
    return blocks


def btypes(blocks: list[dict[str, Any]]) -> list[str]:
    return [dict(block["Map"])["btype"]["Text"] for block in blocks]

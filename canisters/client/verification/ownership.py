"""Each cooperative against the factory's log, the job that it was made from, and what the network certifies of its canisters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from canisters.interface.principal import Principal

from .cooperatives import Cooperative
from .fields import Fields, Malformed, hash_of
from .jobs import Job, Jobs
from .logs import Block, Log, State
from .report import Findings, Topic
from .settlement import holders_of

PLATFORM = {"jobs": "jobs", "ledger": "ledger", "factory": "cooperatives"}  # in `founded`, and in the bundle


@dataclass(frozen=True)
class Founding:
    """What the factory's log says of a cooperative it made."""

    job: int
    canister: Principal
    block: Block


def foundings(log: Log, findings: Findings) -> list[Founding]:
    """The cooperatives that the factory made, one a job."""
    topic, made = findings.topic("cooperatives history"), list[Founding]()
    for block in log:
        with topic.reading():
            if block.btype == "cooperative_upgraded":
                known = any(block.tx.principal("canister") == entry.canister for entry in made)
                topic.require(known, f"{block.where}: the factory upgraded a canister that it did not make")
                continue
            if block.btype != "cooperative_created":
                raise Malformed(f"{block.where}: nothing is known of blocks of type {block.btype}")
            entry = Founding(block.tx.nat("job_id"), block.tx.principal("canister"), block)
            topic.require(all(entry.job != other.job for other in made), f"{block.where}: job {entry.job} has two")
            topic.require(all(entry.canister != o.canister for o in made), f"{block.where}: one canister for two jobs")
            made.append(entry)
    topic.fact(f"{len(made)} cooperatives, one a job")
    return made


def check_ownership(
    entry: Founding,
    cooperative: Cooperative,
    jobs: Jobs,
    platform: Mapping[str, Principal],
    states: Mapping[Principal, State],
    findings: Findings,
) -> None:
    name, job = cooperative.log.name, jobs.jobs.get(entry.job)
    owners = findings.topic(f"{name} owners", entry.job)
    with owners.reading():
        _check_founding(entry, cooperative, job, platform, owners)
    control = findings.topic(f"{name} control", entry.job)
    _check_control(cooperative, states, platform["cooperatives"], control)
    release = findings.topic(f"{name} releases", entry.job)
    with release.reading():
        _check_releases(cooperative, jobs, release)


def _check_founding(
    entry: Founding, cooperative: Cooperative, job: Job | None, platform: Mapping[str, Principal], topic: Topic
) -> None:
    founded, tx = cooperative.founded, entry.block.tx
    if not topic.require(founded is not None, "its log does not begin with its founding") or founded is None:
        return
    topic.require(
        founded.nat("job_id") == entry.job, f"it was founded for job {founded.nat('job_id')}, not for {entry.job}"
    )
    for field, name in PLATFORM.items():
        topic.require(founded.principal(field) == platform[name], f"it was founded with another {name} canister")
    same = (
        founded.text("name") == tx.text("name") and _same(founded, tx, "holders") and _same(founded, tx, "parameters")
    )
    topic.require(same, "the factory's log and its own do not agree on how it was founded")
    topic.require(
        tx.principal("inference") in cooperative.inference[:1], "the factory names another inference canister"
    )
    if job is None or job.state != "settled":
        topic.require(False, f"job {entry.job} is not settled, so nobody owns its model")
        return
    held = [(holder.principal("owner"), holder.nat("shares")) for holder in founded.records("holders")]
    due = holders_of(job)
    topic.require(sorted(held) == due, f"founded with the holders {_shown(held)}, and job {job.id} has {_shown(due)}")
    topic.require(tx.principal("creator") in dict(due), "it was founded by somebody without a share")
    total = sum(cooperative.holders.values())
    topic.require(total == 10_000, f"the shares sum to {total}, not to 10000")
    topic.fact(f"{len(due)} holders as job {job.id} settled, {len(cooperative.holders)} now, 10000 shares")


def _same(one: Fields, other: Fields, name: str) -> bool:
    return hash_of(one.value(name), one.where) == hash_of(other.value(name), other.where)


def _shown(holders: list[tuple[Principal, int]]) -> str:
    return ", ".join(f"{owner} {shares}" for owner, shares in holders)


def _check_control(
    cooperative: Cooperative, states: Mapping[Principal, State], factory: Principal, topic: Topic
) -> None:
    """Nobody but the owners: the cooperative controls itself, and its inference canisters are controlled by it alone."""
    me = cooperative.canister
    upgrading = any(
        p.kind == "Upgrade" and p.state in ("adopted", "installing") for p in cooperative.proposals.all.values()
    )
    allowed = [{me}, {me, factory}] if upgrading else [{me}]
    state = states.get(me)
    if topic.require(state is not None, f"nothing is proven of {me}") and state is not None:
        topic.require(
            set(state.controllers) in allowed,
            f"{me} is controlled by {_listed(state.controllers)}, not by itself alone",
        )
    for canister in cooperative.inference:
        state = states.get(canister)
        if topic.require(state is not None, f"nothing is proven of {canister}") and state is not None:
            alone = state.controllers == [me]
            topic.require(
                alone, f"{canister} is controlled by {_listed(state.controllers)}, not by its cooperative alone"
            )
    live = cooperative.live
    if live is not None:
        state = states.get(live.inference)
        module = state.module_hash if state is not None else None
        topic.require(module == live.wasm_sha256, f"{live.inference} runs another module than the live release's")
        topic.fact(f"{live.inference} runs the live release")
    topic.fact("controlled by itself alone, and its inference canisters by it alone")


def _listed(principals: list[Principal]) -> str:
    return ", ".join(map(str, principals)) or "nobody"


def _check_releases(cooperative: Cooperative, jobs: Jobs, topic: Topic) -> None:
    """Every release that was proposed is what a settled job has on record, and names that job's artifacts."""
    number = 0
    for proposal in cooperative.proposals.all.values():
        if proposal.kind != "Release":
            continue
        number += 1
        where, manifest = f"release of proposal {proposal.id}", proposal.payload
        job = jobs.jobs.get(manifest.nat("job_id"))
        if job is None or job.state != "settled" or job.result is None:
            topic.require(False, f"{where}: job {manifest.nat('job_id')} is not settled")
            continue
        artifacts = job.artifacts()
        recorded = [name for name, sha256 in artifacts.items() if sha256 == proposal.manifest_hash]
        listed = any(name.startswith("release") for name in recorded)
        topic.require(listed, f"{where}: job {job.id} does not have its manifest among its artifacts")
        _check_manifest(manifest, job, artifacts, f"{where}", topic)
    live = cooperative.live
    topic.fact(f"{number} proposed, live: {live.proposal.payload.text('title') if live else 'none'}")


def _check_manifest(manifest: Fields, job: Job, artifacts: Mapping[str, bytes], where: str, topic: Topic) -> None:
    assert job.result is not None
    stated = {
        "module.wasm": manifest.blob("wasm_sha256"),
        "model.onnx": manifest.blob("onnx_sha256"),
        "card.json": manifest.blob("card_hash"),
        "transcript.json": manifest.blob("transcript_hash"),
        **{f"weights/{at:03}": chunk.blob("sha256") for at, chunk in enumerate(manifest.records("weight_chunks"))},
    }
    for name, sha256 in stated.items():
        if name in artifacts:
            topic.require(artifacts[name] == sha256, f"{where}: its {name} is not the one that job {job.id} recorded")
    same = manifest.blob("transcript_hash") == job.result.blob("transcript_hash")
    topic.require(same, f"{where}: it names another transcript than job {job.id}")

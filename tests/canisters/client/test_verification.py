"""The offline verifier: what really happened holds, and every kind of lie about it is found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.client import KeyIdentity, Receipt
from canisters.client.verification import BundleMalformed, collect, verify_bundle
from canisters.deploy import deploy
from canisters.interface import bls, cbor
from canisters.interface.icrc3 import value_hash

from .forgery import ROOT_KEY, Forgery, failures, look, put
from .story import Story, canonical, sha256, transcript

pytestmark = pytest.mark.slow
STRANGER = KeyIdentity().principal
CHAIN = "log|canister states|canisters"


# --- what happened holds ---


def test_what_happened_holds_given_only_the_root_key(bundle: bytes, replica: Any, story: Story) -> None:
    report = verify_bundle(
        bundle, replica.root_key, blobs=story.blobs, canisters=story.deployment.canisters, modules=story.modules
    )

    assert report.ok, failures(report)
    names = [check.name for check in report.checks]
    assert {
        f"job {story.job} approvals",
        f"job {story.job} money",
        f"job {story.job} shares",
        f"job {story.job} transcript",
        f"cooperative of job {story.job} votes",
        f"cooperative of job {story.job} money",
        f"cooperative of job {story.job} control",
        f"cooperative of job {story.job} releases",
        "receipts",
        "modules",
    } <= set(names)


def test_a_network_where_nothing_happened_holds(replica: Any, tmp_path: Path) -> None:
    deployment = deploy(replica.url, tmp_path)
    with deployment.agent() as agent:
        bundle = collect(agent, deployment.canisters)

    report = verify_bundle(bundle, replica.root_key)

    assert report.ok, failures(report)
    assert "empty, certified" in next(check.detail for check in report.checks if check.name == "jobs log")


def test_the_same_story_on_another_network_holds_under_its_own_key_only(forgery: Forgery, replica: Any) -> None:
    """So what the forgeries below are found by is the rule, and not the forging."""
    assert verify_bundle(forgery.bundle(), ROOT_KEY).ok
    assert not verify_bundle(forgery.bundle(), replica.root_key).ok


def test_one_job_can_be_looked_at_alone(bundle: bytes, replica: Any, story: Story) -> None:
    report = verify_bundle(bundle, replica.root_key)

    about = report.about(story.job)
    nothing = report.about(999)

    assert about.ok
    assert {check.job for check in about.checks} == {None, story.job}
    assert not nothing.ok
    assert nothing.failed[0].detail == "no such job in the logs"


# --- lies in the file: the network's signature finds them ---


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_no_byte_of_a_bundle_can_be_changed(request: pytest.FixtureRequest, place: float, mask: int) -> None:
    data = bytearray(request.getfixturevalue("bundle"))
    data[int(place * len(data))] ^= mask

    try:
        assert not verify_bundle(bytes(data), request.getfixturevalue("replica").root_key).ok
    except BundleMalformed:
        pass


def in_file(bundle: bytes, change: Any) -> bytes:
    fields = cbor.loads(bundle)
    change(fields)
    return cbor.dumps(fields)


def log_of(fields: dict[str, Any], name: str) -> dict[str, Any]:
    if name in fields["canisters"]:
        return fields["logs"][fields["canisters"][name]]
    return next(log for raw, log in fields["logs"].items() if raw not in fields["canisters"].values())


LOGS = ["registry", "jobs", "ledger", "cooperatives", "cooperative"]


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("cut", ["last", "first", "middle", "all", "certificate", "whole"])
def test_nothing_can_be_left_out_of_a_log(bundle: bytes, replica: Any, name: str, cut: str) -> None:
    def change(fields: dict[str, Any]) -> None:
        log = log_of(fields, name)
        if cut == "last":
            log["blocks"].pop()
        elif cut == "first":
            log["blocks"].pop(0)
        elif cut == "middle":
            log["blocks"].pop(len(log["blocks"]) // 2)
        elif cut == "all":
            log["blocks"].clear()
        elif cut == "certificate":
            del log["certificate"]
        else:
            log.clear()

    report = verify_bundle(in_file(bundle, change), replica.root_key)

    assert re.search(CHAIN, failures(report))


@pytest.mark.parametrize("name", LOGS)
def test_the_end_of_a_log_and_of_another_canisters_cannot_be_swapped(bundle: bytes, replica: Any, name: str) -> None:
    other = LOGS[(LOGS.index(name) + 1) % len(LOGS)]

    def change(fields: dict[str, Any]) -> None:
        one, two = log_of(fields, name), log_of(fields, other)
        kept = dict(one)
        one.update(two)
        two.update(kept)

    assert not verify_bundle(in_file(bundle, change), replica.root_key).ok


def test_an_older_end_of_a_log_does_not_prove_a_newer_one(bundle: bytes, replica: Any, story: Story) -> None:
    story.ledger("payer").icrc1_transfer({"to": {"owner": STRANGER, "subaccount": None}, "amount": 1})
    with story.deployment.agent() as agent:
        newer = collect(agent, story.deployment.canisters)

    def change(fields: dict[str, Any]) -> None:
        old = log_of(cbor.loads(bundle), "ledger")
        log_of(fields, "ledger").update(certificate=old["certificate"], hash_tree=old["hash_tree"])

    assert verify_bundle(newer, replica.root_key).ok
    assert "the certified last block is" in failures(verify_bundle(in_file(newer, change), replica.root_key))


def test_a_state_of_another_canister_proves_nothing_of_this_one(bundle: bytes, replica: Any, story: Story) -> None:
    def change(fields: dict[str, Any]) -> None:
        fields["states"][story.inference.raw] = fields["states"][story.cooperative.raw]

    assert "canister states" in failures(verify_bundle(in_file(bundle, change), replica.root_key))


def test_a_state_that_is_left_out_is_missed(bundle: bytes, replica: Any, story: Story) -> None:
    report = verify_bundle(in_file(bundle, lambda fields: fields["states"].pop(story.inference.raw)), replica.root_key)

    assert f"nothing is proven of {story.inference}" in failures(report)


def test_another_root_key_finds_everything_false(bundle: bytes) -> None:
    report = verify_bundle(bundle, bls.public_key_der(bls.secret_from_seed(b"mallory")))

    assert not report.ok
    assert report.as_of_ns is None
    assert sum("does not hold under the root key" in check.detail for check in report.failed) >= 6


def test_a_bundle_about_other_canisters_than_asked_is_named(bundle: bytes, replica: Any, story: Story) -> None:
    asked = {**story.deployment.canisters, "jobs": STRANGER}

    assert f"you asked about {STRANGER}" in failures(verify_bundle(bundle, replica.root_key, canisters=asked))


def test_modules_that_you_did_not_compile_are_named(bundle: bytes, replica: Any) -> None:
    modules = dict.fromkeys(("registry", "jobs", "ledger", "cooperatives"), bytes(32))

    wrong = failures(verify_bundle(bundle, replica.root_key, modules=modules))

    assert "not the registry you compiled" in wrong
    assert "no module of cooperative was given" in wrong


@pytest.mark.parametrize(
    "data",
    [b"", b"x", cbor.dumps([]), cbor.dumps({"format": "other"}), cbor.dumps({"format": "commonweight/bundle/v1"})],
)
def test_what_is_no_bundle_is_called_so(data: bytes) -> None:
    with pytest.raises(BundleMalformed):
        verify_bundle(data, ROOT_KEY)


# --- artifacts, the transcript, receipts ---


def test_an_artifact_that_was_altered_or_is_missing_is_named(bundle: bytes, replica: Any, story: Story) -> None:
    name, data = next(iter(story.blobs.items()))

    altered = failures(verify_bundle(bundle, replica.root_key, blobs={**story.blobs, name: data + b"x"}))
    missing = failures(verify_bundle(bundle, replica.root_key, blobs={}))

    assert "its SHA-256 is another" in altered
    assert "is not at hand" in missing


def rewritten(forgery: Forgery, story: Story, change: Any) -> dict[str, bytes]:
    """The transcript changed, and the chain made to name the changed one."""
    fields = json.loads(transcript())
    change(fields)
    data = canonical(fields)
    result = look(forgery.block("jobs", "job_submitted"), "tx", "result")
    put(result, "transcript_hash", {"Blob": sha256(data)})
    put(result, "artifacts", 1, "sha256", {"Blob": sha256(data)})
    put(result, "artifacts", 1, "size_bytes", {"Nat": len(data)})
    put(result, "manifest_hash", {"Blob": value_hash(look(result, "artifacts"))})
    return {**story.blobs, sha256(data).hex(): data}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["valuation"]["coalitions"][0].update(utilities=[0.99, 0.99]), "the recorded utilities give"),
        (lambda t: t["valuation"]["coalitions"].pop(), "is not recorded"),
        (lambda t: t["valuation"].update(method="auction"), "nothing is known of the valuation method"),
        (lambda t: t["attribution"][0].update(value=0.5), "and it states"),
        (lambda t: t.update(code_hash="00" * 32), "another code ran"),
        (lambda t: t.update(config={"epochs": 4}), "its config does not have the hash"),
        (lambda t: t.update(seed="8"), "another seed"),
        (lambda t: t["parts"].pop(), "other datasets than were approved"),
        (lambda t: t["parts"][0].update(commitment="00" * 32), "other data was used"),
        (lambda t: t["metrics"].update(accuracy=0.95), "the metric accuracy"),
        (lambda t: t.update(onnx_sha256="00" * 32), "another network"),
        (lambda t: t.pop("valuation"), "cannot be read"),
        (lambda t: t.update(format="other"), "format"),
    ],
)
def test_a_transcript_that_does_not_give_the_recorded_values_is_found(
    forgery: Forgery, story: Story, change: Any, said: str
) -> None:
    blobs = rewritten(forgery, story, change)

    report = verify_bundle(forgery.bundle(), ROOT_KEY, blobs=blobs)

    assert said in failures(report), failures(report)


def test_receipts_that_were_altered_or_swapped_are_found(bundle: bytes, replica: Any, story: Story) -> None:
    one, two = (Receipt.from_bytes(receipt.to_bytes()) for receipt in story.receipts[:2])
    swapped = Receipt(one.content, one.certificate, two.reply).to_bytes()

    report = verify_bundle(in_file(bundle, lambda f: f.update(receipts=[swapped, b"", 5])), replica.root_key)

    assert len(report.failed) == 1
    assert report.failed[0].detail.count("receipt ") == 3

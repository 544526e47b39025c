"""The whole line, from consent to payout: each of the promises, read back from the chain after the story."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def story(stack: Any) -> dict[str, Any]:
    return dict(stack.story)


def test_four_contributors_registered_a_dataset_each(story: dict[str, Any]) -> None:
    contributors = story["contributors"]

    assert [c["name"] for c in contributors] == ["north", "lake", "harbour", "hill"]
    assert len({c["principal"] for c in contributors}) == len({c["dataset_id"] for c in contributors}) == 4


def test_the_job_that_names_denied_data_did_not_start(story: dict[str, Any]) -> None:
    assert story["denied_job"]["state"] == "denied"
    assert "denies" in story["denied_job"]["reason"]


def test_the_other_job_settled_with_a_network_that_works(story: dict[str, Any]) -> None:
    assert story["job"]["state"] == "settled"
    assert story["job"]["metrics"]["accuracy"] > 0.9
    assert len(story["job"]["transcript_hash"]) == 64


def test_the_noisy_contributors_share_is_visibly_smaller(story: dict[str, Any]) -> None:
    datasets = {c["name"]: c["dataset_id"] for c in story["contributors"]}
    share = {a["dataset_id"]: a["share_bps"] for a in story["attribution"]}

    assert share[datasets["harbour"]] < 0.5 * min(share[datasets["north"]], share[datasets["lake"]])
    assert all(a["low"] <= a["value"] <= a["high"] for a in story["attribution"])
    assert sum(share.values()) == 7_000


def test_the_cooperative_belongs_to_those_who_made_the_model(story: dict[str, Any]) -> None:
    holders = {h["principal"]: h["shares"] for h in story["cooperative"]["holders"]}

    assert sum(holders.values()) == 10_000
    for a in story["attribution"]:
        assert holders.get(a["principal"], 0) == a["share_bps"]


def test_the_adopted_release_runs_and_its_canister_has_one_controller(story: dict[str, Any]) -> None:
    assert story["release"]["state"] == "live"
    assert story["inference"]["controllers"] == [story["cooperative"]["canister"]]
    assert story["inference"]["module_hash"] == story["release"]["wasm_sha256"]


def test_the_answers_on_chain_equal_onnx_runtimes(story: dict[str, Any]) -> None:
    assert story["inference"]["max_abs_error"] < 1e-5
    assert 0 < story["inference"]["instructions"] < 40_000_000_000


def test_every_price_was_split_to_the_last_unit(story: dict[str, Any]) -> None:
    payout = story["payout"]

    assert payout["calls"] == 5
    assert sum(p["amount_e8s"] for p in payout["parts"]) + payout["treasury_e8s"] == payout["total_e8s"] == 5 * 1_000_003


def test_a_vote_that_fails_leaves_the_old_release_live(story: dict[str, Any]) -> None:
    assert story["failed_vote"]["state"] == "rejected"
    assert story["failed_vote"]["live_release_unchanged"] is True


def test_the_whole_line_verifies_offline(story: dict[str, Any]) -> None:
    assert story["failed_checks"] == []
    assert story["verified"] is True
    assert story["checks"] > 20

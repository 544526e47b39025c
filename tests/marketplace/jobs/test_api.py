"""The doors to jobs, and who is turned away at them and how."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import training
from marketplace.core import blobs
from tests.marketplace.builders import Blocks, person
from tests.marketplace.jobs.job_log import JobLog, register_worker

EVALUATION = b"a,diagnosis\n1.0,benign\n2.0,malignant\n"


def job_input(**changed: Any) -> dict[str, Any]:
    return {
        "title": "Tumours, together",
        "purpose": "research",
        "recipe": "tabular_mlp",
        "config": {"target": "diagnosis", "evaluation_sha256": hashlib.sha256(EVALUATION).hexdigest()},
        "datasets": [{"dataset_id": 1, "version": 1}],
        "worker_fee_e8s": "50",
        "budget_e8s": "1000",
        **changed,
    }


def test_recipes_say_what_a_config_must_hold(api: Any) -> None:
    found = api.get("recipes").json()

    assert {recipe["name"] for recipe in found} == {"tabular_mlp", "image_cnn"}
    tabular = next(recipe for recipe in found if recipe["name"] == "tabular_mlp")
    assert tabular["code_hash"] == training.recipe("tabular_mlp").code_hash.hex()
    assert "target" in tabular["config_schema"]["properties"]
    assert tabular["default_config"]["epochs"] > 0


def test_a_config_is_completed_and_kept_for_everybody_to_read(api: Any, signed_in: Any) -> None:
    blobs.blob_keep(EVALUATION)
    given = {"recipe": "tabular_mlp", "config": job_input()["config"]}

    answer = signed_in().post("configs", given)

    assert answer.status_code == 201, answer.content
    kept = answer.json()
    data = blobs.blob_read(kept["config_hash"])
    assert data == training.config_bytes(kept["config"])
    assert kept["config"]["epochs"] == training.recipe("tabular_mlp").default_config["epochs"]
    assert kept["code_hash"] == training.recipe("tabular_mlp").code_hash.hex()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"recipe": "crystal_ball"}, "recipe"),
        ({"config": {"target": "", "evaluation_sha256": "00" * 32}}, "config.target"),
        ({"config": {"target": "diagnosis", "evaluation_sha256": "00" * 32, "epochs": 0}}, "config.epochs"),
        ({"config": {"target": "diagnosis", "evaluation_sha256": "00" * 32, "speed": 9}}, "config.speed"),
        ({"config": {"target": "diagnosis", "evaluation_sha256": "00" * 32}}, "config.evaluation_sha256"),
        ({"config": "none"}, "config"),
        ({"config": None}, "config"),
    ],
)
def test_a_wrong_config_names_the_field(signed_in: Any, changed: dict[str, Any], field: str) -> None:
    answer = signed_in().post("configs", {"recipe": "tabular_mlp", "config": {}, **changed})

    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]


def test_configs_are_taken_from_people_who_signed_in(api: Any) -> None:
    assert api.post("configs", {"recipe": "tabular_mlp", "config": {}}).status_code == 401


@pytest.mark.parametrize("path", ["jobs", "jobs/1/fund", "jobs/1/cancel"])
def test_nobody_changes_a_job_without_signing_in(api: Any, path: str) -> None:
    answer = api.post(path, job_input())

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize("path", ["jobs", "jobs/1/fund", "jobs/1/cancel"])
def test_a_session_is_told_to_make_an_api_token(signed_in: Any, no_chain: Any, path: str) -> None:
    answer = signed_in().post(path, job_input())

    assert answer.status_code == 403
    assert "API token" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"budget_e8s": "-1"}, "budget_e8s"),
        ({"budget_e8s": "1e9"}, "budget_e8s"),
        ({"budget_e8s": True}, "budget_e8s"),
        ({"budget_e8s": 1.5}, "budget_e8s"),
        ({"budget_e8s": str(10**18 + 1)}, "budget_e8s"),
        ({"worker_fee_e8s": "9" * 5_000}, "worker_fee_e8s"),
        ({"seed": str(2**64)}, "seed"),
        ({"seed": "٣"}, "seed"),
        ({"datasets": []}, "datasets"),
        ({"datasets": [{"dataset_id": 1, "version": 1}] * 65}, "datasets"),
        ({"datasets": [{"dataset_id": "1", "version": 1}]}, "datasets.0.dataset_id"),
        ({"datasets": [{"dataset_id": 2**70, "version": 1}]}, "datasets.0.dataset_id"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"key": "0g" * 16}, "key"),
        ({"key": "00"}, "key"),
        ({"terms": {"contributors_bps": 10_000}}, "terms.builder_bps"),
        ({"approve_within_s": 10**12}, "approve_within_s"),
        ({"worker": "nobody-knows"}, "worker"),
    ],
)
def test_a_malformed_proposal_names_the_field(
    signed_in: Any, no_chain: Any, changed: dict[str, Any], field: str
) -> None:
    answer = signed_in().post("jobs", job_input(**changed))

    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["fields"]


def test_jobs_are_found_by_what_they_are_about(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()
    first, second = JobLog(blocks, [person()]), JobLog(blocks, [person(), owner], job_id=2)
    first.propose()
    second.propose()
    second.fund()
    second.claim()

    def ids(**query: Any) -> list[int]:
        return [job["id"] for job in api.get("jobs", **query).json()["results"]]

    assert ids() == [2, 1]
    assert ids(state="approved") == [1]
    assert ids(builder=str(first.builder.principal)) == [1]
    assert ids(worker=str(second.worker.principal)) == [2]
    assert ids(owner=str(owner.principal)) == [2]
    assert ids(dataset_id=2) == [2]
    assert ids(dataset_id=1) == [2, 1]


def test_a_page_of_jobs_costs_the_same_whatever_its_length(
    api: Any, blocks: Blocks, no_chain: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 8):
        JobLog(blocks, [person()], job_id=number).propose()

    with django_assert_max_num_queries(4):
        api.get("jobs")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("jobs?state=asleep", 400),
        ("jobs?builder=nobody", 400),
        ("jobs?dataset_id=x", 400),
        ("jobs?page=0", 400),
        ("jobs/99", 404),
        ("jobs/99/progress", 404),
        ("jobs/99/release", 404),
        ("jobs/999999999999999999999", 404),
        ("jobs/-1", 404),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_clearly(api: Any, path: str, status: int) -> None:
    answer = api.get(path)

    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_requests_are_for_who_signed_in(api: Any) -> None:
    assert api.get("requests").status_code == 401


def test_a_worker_can_be_named_instead_of_spelled(signed_in: Any, blocks: Blocks, no_chain: Any) -> None:
    register_worker(blocks, person(), "embedded worker")

    answer = signed_in().post("jobs", job_input(worker="embedded worker"))

    assert answer.status_code == 403  # the name is understood; a session may still not propose


def test_progress_of_a_job_with_a_result_comes_from_its_public_log(api: Any, blocks: Blocks, no_chain: Any) -> None:
    lines = [
        b'{"seq":1,"kind":"epoch"}',
        b"",
        b"not json",
        b'{"seq":NaN}',
        b'["seq"]',
        b'{"seq":2,"t":"\\ud800"}',
        b'{"seq":3,"kind":"log"}',
    ]
    name = blobs.blob_keep(b"\n".join(lines))
    job = JobLog(blocks, [person()])
    artifacts = [{"name": "log.jsonl", "sha256": bytes.fromhex(name), "size_bytes": 1}]

    job.run_to_the_end(values=[1], bps=[9_000], artifacts=artifacts)

    assert api.get("jobs/1/progress").json() == {"events": [{"seq": 1, "kind": "epoch"}, {"seq": 3, "kind": "log"}]}


def test_a_result_whose_log_is_not_here_has_no_progress(api: Any, blocks: Blocks, no_chain: Any) -> None:
    JobLog(blocks, [person()]).run_to_the_end(values=[1], bps=[9_000])

    assert api.get("jobs/1/progress").json() == {"events": []}


def test_without_a_broker_the_progress_of_a_running_job_says_so(
    api: Any, blocks: Blocks, no_chain: Any, settings: Any
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    job = JobLog(blocks, [person()])
    job.propose()

    answer = api.get("jobs/1/progress")

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "broker_unavailable"

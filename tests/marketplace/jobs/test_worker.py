"""The worker on the real chain with real training: from a funded job to its settlement, and everything that can come in between."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import training
from canisters.client import ChainUnavailable
from canisters.client.typed import Jobs
from marketplace.chain.canisters import ok
from marketplace.chain.follower import follow_now
from marketplace.client.canonical import sha256
from marketplace.core import blobs
from marketplace.core.blobs import FileBlobStore
from marketplace.jobs import waiting
from marketplace.jobs.holding import held, job_lock
from marketplace.jobs.models import Job
from marketplace.jobs.run import look, run
from marketplace.jobs.selectors import progress_of
from tests.marketplace.jobs.scene import CONFIG, EVALUATION, Scene, table

pytestmark = pytest.mark.slow
SECRET = b"87654.321"


def work(scene: Scene) -> None:
    """One round of the two tasks, as the broker would hand them out."""
    follow_now()
    for job_id in look(scene.keys):
        run(job_id, scene.keys)
    follow_now()


def shown(job_id: int, scene: Scene) -> dict[str, Any]:
    found: dict[str, Any] = scene.builder(rich=False).api.get(f"jobs/{job_id}").json()
    return found


def test_a_funded_job_is_trained_and_settled(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    builder = scene.builder()
    parts = [scene.contribute(table(0) + SECRET + b",1,benign\n"), scene.contribute(table(7))]
    job_id = scene.funded(builder, parts)

    work(scene)

    job = shown(job_id, scene)
    assert job["state"] == "settled"
    assert job["worker"] == str(scene.keys.principal)
    assert [step["btype"] for step in job["timeline"]][2:] == [
        "job_funded",
        "job_claimed",
        "job_started",
        "job_submitted",
        "job_settled",
    ]
    assert sum(share["share_bps"] for share in job["shares"]) == 10_000
    assert sum(int(payout["amount_e8s"]) for payout in job["payouts"]) == 10_000_000
    assert {metric["name"] for metric in job["metrics"]} >= {"accuracy"}
    artifacts = {artifact["name"]: artifact for artifact in job["result"]["artifacts"]}
    for artifact in artifacts.values():
        data = blobs.blob_read(artifact["sha256"])
        assert data is not None
        assert (sha256(data).hex(), len(data)) == (artifact["sha256"], artifact["size_bytes"])
        assert SECRET not in data or artifact["name"] == "model.onnx"
    assert artifacts["transcript.json"]["sha256"] == job["result"]["transcript_hash"]
    events = progress_of(Job.objects.get(id=job_id))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["kind"] for event in events} >= {"phase", "epoch", "log"}
    assert SECRET.decode() not in caplog.text


def test_the_index_folds_a_real_log_into_what_the_canister_says(scene: Scene) -> None:
    builder = scene.builder()
    asked = scene.contribute(table(0), decision="Ask")
    denied, revoked, settled = (scene.contribute(table(0)) for _ in range(3))
    first = builder.api.post("jobs", scene.proposal([asked, settled])).json()["id"]
    second = builder.api.post("jobs", scene.proposal([asked])).json()["id"]
    third = scene.funded(builder, [revoked])
    fourth = scene.funded(builder, [settled, denied])
    owner = scene.jobs(asked.owner)
    args = {"job_id": first, "dataset_id": asked.dataset_id, "policy_version": 1, "workers": [scene.keys.principal]}
    ok(owner.job_approve(args))
    ok(owner.job_deny({"job_id": second, "dataset_id": asked.dataset_id, "reason": "no"}))
    ok(scene.jobs(revoked.owner).job_revoke({"job_id": third, "dataset_id": revoked.dataset_id, "reason": "a mistake"}))
    work(scene)
    ok(scene.jobs(settled.owner).payout_claim(fourth))
    follow_now()

    for job_id in (first, second, third, fourth):
        chain, index = scene.on_chain(job_id), Job.objects.get(id=job_id).record
        # The index has the timeline, and counts as a change what the canister does not; a lease is renewed without a block.
        for name in set(chain) - {"timeline", "block", "updated_at_ns", "funded_at_ns", "lease_until_ns"}:
            assert index[name] == chain[name], (job_id, name)
    assert [Job.objects.get(id=i).state for i in (first, second, third, fourth)] == [
        "approved",
        "denied",
        "denied",
        "settled",
    ]


def test_a_job_without_a_key_says_what_it_waits_for_and_goes_on_when_it_comes(scene: Scene) -> None:
    part = scene.contribute(table(0), key=False)
    job_id = scene.funded(scene.builder(), [part])

    work(scene)
    before = shown(job_id, scene)
    scene.wrap(part)
    run(job_id, scene.keys)
    follow_now()
    after = shown(job_id, scene)

    assert (before["state"], before["waits_for"]) == ("funded", f"the key of dataset {part.dataset_id}")
    assert (after["state"], after["waits_for"]) == ("settled", None)


def test_a_job_that_waits_is_not_looked_at_all_the_time(scene: Scene) -> None:
    job_id = scene.funded(scene.builder(), [scene.contribute(table(0), key=False)])
    follow_now()

    first = look(scene.keys)
    run(job_id, scene.keys)
    second = look(scene.keys)

    assert (first, second) == ([job_id], [])


def test_a_key_that_never_comes_fails_the_job_with_that_reason(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_WAIT_NS", 0)
    part = scene.contribute(table(0), key=False)
    job_id = scene.funded(scene.builder(), [part])

    work(scene)

    job = shown(job_id, scene)
    assert job["state"] == "failed"
    assert f"waited for the key of dataset {part.dataset_id}" in job["reason"]
    assert [(p["kind"], p["amount_e8s"]) for p in job["payouts"]] == [("refund", "10000000")]


def test_a_key_that_was_wrapped_for_another_does_not_open_and_is_waited_for(scene: Scene) -> None:
    part, other = scene.contribute(table(0)), scene.contribute(table(3))
    scene.wrap(replace(other, dataset_id=part.dataset_id))
    job_id = scene.funded(scene.builder(), [part])

    work(scene)

    assert shown(job_id, scene)["waits_for"].startswith(f"a key of dataset {part.dataset_id} that opens")


def test_data_that_cannot_be_used_fails_the_job_and_quotes_nothing(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = scene.contribute(table(0) + b"not-a-number-" + SECRET + b",1,benign\n")
    job_id = scene.funded(scene.builder(), [bad])

    work(scene)

    job = shown(job_id, scene)
    assert (job["state"], job["timeline"][-1]["title"].split(":")[0]) == ("failed", "Failed (bad_data)")
    assert f"dataset {bad.dataset_id}" in job["reason"]
    assert SECRET.decode() not in json.dumps(job) + caplog.text
    assert job["payouts"][0]["kind"] == "refund"


def test_a_file_that_is_not_the_committed_one_fails_the_job(scene: Scene) -> None:
    part = scene.contribute(table(0))
    name = part.sealed.manifest.chunks[0].sha256.hex()
    blobs.store().put("sealed", name, bytes(len(part.sealed.chunks[0])))
    job_id = scene.funded(scene.builder(), [part])

    work(scene)

    job = shown(job_id, scene)
    assert job["state"] == "failed"
    assert "Chunk 0 is not the one" in job["reason"]


def test_what_nobody_foresaw_fails_the_job_without_its_words(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any) -> None:
        raise KeyError(f"row {SECRET.decode()}")

    monkeypatch.setattr(training, "run", breaks)
    job_id = scene.funded(scene.builder(), [scene.contribute(table(0))])

    work(scene)

    job = shown(job_id, scene)
    assert job["state"] == "failed"
    assert "KeyError in breaks" in job["reason"]
    assert SECRET.decode() not in json.dumps(job) + caplog.text


def test_code_that_this_worker_does_not_have_is_refused_with_the_money_back(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0))
    made = builder.api.post("jobs", scene.proposal([part])).json()
    own = scene.jobs(builder.identity)
    args = dict(scene.jobs().job_get(made["id"])["args"])  # type: ignore[index]  # it was just made
    other = ok(own.job_propose({**args, "key": bytes(16), "code_hash": bytes(32)}))["id"]  # type: ignore[typeddict-item]
    builder.api.post(f"jobs/{other}/fund")

    work(scene)

    job = shown(other, scene)
    assert job["state"] == "failed"
    assert "was approved for code 0000" in job["reason"]


def test_a_policy_that_changed_before_the_claim_leaves_the_job_to_its_builder(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0))
    job_id = scene.funded(builder, [part])
    from canisters.client.typed import Registry

    registry = Registry(scene.chain.agent(part.owner), scene.canisters["registry"])
    ok(registry.dataset_withdraw(part.dataset_id))

    work(scene)
    before = shown(job_id, scene)
    answer = builder.api.post(f"jobs/{job_id}/cancel")

    assert before["state"] == "funded"
    assert "its owner has withdrawn it" in before["waits_for"]
    assert answer.json()["state"] == "cancelled"


def test_a_job_whose_time_is_over_is_ended_and_paid_back(scene: Scene) -> None:
    part = scene.contribute(table(0), key=False)
    job_id = scene.funded(scene.builder(), [part], approve_within_s=3, finish_within_s=4)
    time.sleep(4)

    work(scene)

    job = shown(job_id, scene)
    assert (job["state"], job["reason"]) == ("expired", "its deadline passed while it was funded")
    assert job["payouts"][0]["amount_e8s"] == "10000000"


def test_a_job_that_another_process_holds_is_left_to_it(scene: Scene) -> None:
    job_id = scene.funded(scene.builder(), [scene.contribute(table(0))])

    with held(job_lock(job_id)):
        work(scene)

    assert scene.on_chain(job_id)["state"] == "funded"


def test_a_job_for_another_worker_is_not_touched(scene: Scene) -> None:
    from canisters.client import KeyIdentity

    job_id = scene.funded(scene.builder(), [scene.contribute(table(0))], worker=str(KeyIdentity().principal))

    work(scene)

    assert scene.on_chain(job_id)["state"] == "funded"


def test_a_chain_that_goes_away_at_the_end_does_not_cost_the_work(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The submission gets through, its answer is lost, and the second try finds that it did."""
    submit, tries = Jobs.job_submit, []

    def loses_the_answer(self: Jobs, argument: Any) -> Any:
        tries.append(1)
        answer = submit(self, argument)
        if len(tries) == 1:
            raise ChainUnavailable("the answer was lost")
        return answer

    monkeypatch.setattr(Jobs, "job_submit", loses_the_answer)
    job_id = scene.funded(scene.builder(), [scene.contribute(table(0))])

    work(scene)

    assert len(tries) == 2
    assert scene.on_chain(job_id)["state"] == "settled"


def test_a_job_that_expires_while_it_trains_is_let_go(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.jobs.holding.RENEW_S", 0.2)
    job_id = scene.funded(scene.builder(), [scene.contribute(table(0))], approve_within_s=2, finish_within_s=5)

    def trains_for_ever(*given: Any) -> None:
        should_stop: Callable[[], bool] = given[-1]
        until_s = time.monotonic() + 30
        while time.monotonic() < until_s:
            if int(scene.on_chain(job_id)["finish_by_ns"]) < time.time_ns():
                scene.jobs(scene.keys.identity).job_expire(job_id)
            if should_stop():
                raise training.Stopped
            time.sleep(0.1)

    monkeypatch.setattr(training, "run", trains_for_ever)

    run(job_id, scene.keys)

    assert scene.on_chain(job_id)["state"] == "expired"


def test_a_worker_killed_in_the_middle_ends_with_the_same_result(
    scene: Scene, tmp_path: Path, repository: Path, settings: Any
) -> None:
    """kill -9 while it trains; a new process takes the job up where the chain has it."""
    parts = [scene.contribute(table(0)), scene.contribute(table(7))]
    job_id = scene.funded(scene.builder(), parts, config={**CONFIG, "epochs": 40, "valuation": {"seeds": 2}})
    environment = _copied(tmp_path, settings)
    program = (
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from marketplace.chain.follower import follow_now; follow_now()\n"
        "from marketplace.jobs.run import run; from marketplace.jobs.worker_keys import worker_keys\n"
        f"run({job_id}, worker_keys())\n"
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-W", "ignore", "-c", program], env=environment, cwd=repository)

    with start() as first:
        _until(lambda: any(e["kind"] == "epoch" for e in progress_of(Job.objects.get(id=job_id))), first)
        first.send_signal(signal.SIGKILL)
        first.wait(20)
    state_between = scene.on_chain(job_id)["state"]
    with start() as second:
        assert second.wait(120) == 0

    record = scene.on_chain(job_id)
    expected = training.run(
        "tabular_mlp",
        training.recipe("tabular_mlp").checked({**CONFIG, "epochs": 40, "valuation": {"seeds": 2}}),
        7,
        [
            training.Part(p.dataset_id, table(start), p.sealed.plaintext_commitment)
            for p, start in zip(parts, (0, 7), strict=True)
        ],
        EVALUATION,
    )
    assert state_between == "running"
    assert record["state"] == "settled"
    assert record["result"]["transcript_hash"] == sha256(expected.transcript).hex()


def _copied(folder: Path, settings: Any) -> dict[str, str]:
    """A state folder that holds what the test holds in memory, for a process of its own."""
    files = FileBlobStore(folder / "blobs")
    for (place, name), data in blobs.store().held.items():  # type: ignore[attr-defined]  # the tests' store is in memory
        files.put(place, name, data)
    (folder / "deployment.json").write_bytes(Path(settings.DEPLOYMENT).read_bytes())
    return {
        **os.environ,
        "COMMONWEIGHT_STATE": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/worker.sqlite3",
        "REDIS_URL": settings.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "tests.marketplace.jobs.worker_settings",
    }


def _until(is_so: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        if is_so():
            return
        assert process.poll() is None, "the worker ended before its time"
        time.sleep(0.05)
    raise AssertionError("it did not come to that within a minute")

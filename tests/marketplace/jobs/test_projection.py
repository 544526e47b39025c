"""Jobs as the API shows them, out of blocks that mirror the canister's."""

from __future__ import annotations

from typing import Any

from marketplace.chain.projection import fact_of
from marketplace.jobs.models import Job, Payout
from marketplace.jobs.record import applied
from tests.marketplace.builders import PLATFORM, Blocks, canister_id, person
from tests.marketplace.jobs.job_log import HASH, JobLog, register_worker


def test_a_job_that_every_policy_approves_is_approved_at_once(api: Any, blocks: Blocks, no_chain: Any) -> None:
    blocks.dataset(owner := person(), 1, "North")
    job = JobLog(blocks, [owner])

    job.propose()

    shown = api.get("jobs/1").json()
    assert shown["state"] == "approved"
    assert shown["seed"] == str(2**64 - 1)
    assert shown["compute"] == "central"
    assert shown["proof"] == {"canister": str(PLATFORM["jobs"]), "block": 1}
    (approval,) = shown["approvals"]
    assert approval["dataset_title"] == "North"
    assert (approval["state"], approval["by"], approval["owner"]) == ("approved", "policy", str(owner.principal))
    assert approval["proof"]["block"] == 0
    assert [step["title"] for step in shown["timeline"]] == ["Proposed by the builder", "Every dataset has agreed"]


def test_a_policy_that_denies_ends_the_job_with_its_reason(api: Any, blocks: Blocks, no_chain: Any) -> None:
    JobLog(blocks, [person(), person()]).propose(denied=(2,))

    shown = api.get("jobs/1").json()

    assert shown["state"] == "denied"
    assert shown["reason"] == "dataset 2: its policy names other builders"
    assert shown["approvals"][1]["reason"] == "its policy names other builders"


def test_an_owner_finds_the_request_until_it_is_answered(signed_in: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()
    job = JobLog(blocks, [person(), owner])
    job.propose(asks=(1, 2))

    before = signed_in(owner).get("requests").json()
    job.approve(2)
    after = signed_in(owner).get("requests").json()

    assert [waiting["dataset_id"] for waiting in before["results"][0]["waiting"]] == [2]
    assert after["count"] == 0


def test_the_last_answer_decides_and_carries_its_own_block(api: Any, blocks: Blocks, no_chain: Any) -> None:
    job = JobLog(blocks, [person(), person()])
    job.propose(asks=(1, 2))

    first = job.approve(1)
    job.deny(2, "not for {profit}")

    shown = api.get("jobs/1").json()
    assert shown["approvals"][0]["proof"]["block"] == first
    assert shown["state"] == "denied"
    assert shown["reason"] == "dataset 2: not for {profit}"
    assert shown["timeline"][-2]["title"] == "Dataset 2 denied by its owner: not for {profit}"


def test_an_approval_taken_back_after_funding_gives_the_escrow_back(api: Any, blocks: Blocks, no_chain: Any) -> None:
    job = JobLog(blocks, [person()])
    job.propose()
    job.fund()

    job.revoke_after_funding(1, "a mistake")

    shown = api.get("jobs/1").json()
    assert shown["state"] == "denied"
    assert shown["approvals"][0]["state"] == "revoked"
    (refund,) = shown["payouts"]
    assert (refund["owner"], refund["kind"], refund["amount_e8s"]) == (str(job.builder.principal), "refund", "1000")


def test_a_job_runs_from_proposal_to_settlement(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owners = [person(), person()]
    job = JobLog(blocks, owners)

    job.run_to_the_end(values=[30_000, -5], bps=[9_000, 0])

    shown = api.get("jobs/1").json()
    assert shown["state"] == "settled"
    assert shown["worker"] == str(job.worker.principal)
    assert shown["metrics"] == [{"name": "accuracy", "value_ppm": 950_000}, {"name": "gain", "value_ppm": -3}]
    assert [(a["value_ppm"], a["share_bps"]) for a in shown["result"]["attribution"]] == [(30_000, 9_000), (-5, 0)]
    assert [(s["role"], s["share_bps"]) for s in shown["shares"]] == [
        ("contributor", 9_000),
        ("contributor", 0),
        ("builder", 500),
        ("worker", 500),
    ]
    assert sum(int(payout["amount_e8s"]) for payout in shown["payouts"]) == 1_000
    assert [step["btype"] for step in shown["timeline"]][-3:] == ["job_started", "job_submitted", "job_settled"]


def test_taking_out_marks_all_that_was_due_to_one_and_nothing_else(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()
    job = JobLog(blocks, [owner, owner, person()])
    job.run_to_the_end(values=[1, 1, 1], bps=[3_000, 3_000, 3_000])

    job.pay_out(owner, 200, ledger_block=44)

    shown = api.get("jobs/1").json()
    claimed = [payout["claimed_block"] for payout in shown["payouts"]]
    assert claimed == [44, 44, None, None, None]
    assert shown["escrow_e8s"] == "800"
    assert list(Payout.objects.filter(claimed_block=44).values_list("position", flat=True)) == [0, 1]


def test_a_failed_job_says_why_and_gives_the_money_back(api: Any, blocks: Blocks, no_chain: Any) -> None:
    job = JobLog(blocks, [person()])
    job.propose()
    job.fund()
    job.claim()
    refund = [{"owner": job.builder.principal, "kind": "Refund", "amount_e8s": 1_000}]

    job.append("job_failed", kind="bad_data", reason="dataset 1, line 3: too short", payouts=refund)

    shown = api.get("jobs/1").json()
    assert (shown["state"], shown["reason"]) == ("failed", "dataset 1, line 3: too short")
    assert shown["timeline"][-1]["title"] == "Failed (bad_data): dataset 1, line 3: too short"
    assert shown["payouts"][0]["kind"] == "refund"


def test_cancelled_and_expired_jobs_end(api: Any, blocks: Blocks, no_chain: Any) -> None:
    first, second = JobLog(blocks, [person()]), JobLog(blocks, [person()], job_id=2)
    first.propose()
    second.propose()

    first.append("job_cancelled", payouts=[])
    second.append("job_expired", reason="its deadline passed while it was approved", payouts=[])

    assert api.get("jobs/1").json()["reason"] == "the builder took it back"
    assert api.get("jobs/2").json()["state"] == "expired"
    assert [job["id"] for job in api.get("jobs").json()["results"]] == [2, 1]


def test_a_second_worker_takes_over_a_claim_that_lapsed(api: Any, blocks: Blocks, no_chain: Any) -> None:
    job, other = JobLog(blocks, [person()]), person()
    job.propose()
    job.fund()
    job.claim()
    job.start()

    job.claim(other)

    shown = api.get("jobs/1").json()
    assert (shown["state"], shown["worker"]) == ("claimed", str(other.principal))


def test_the_model_founded_on_a_job_shows_whichever_log_was_read_first(api: Any, blocks: Blocks, no_chain: Any) -> None:
    canister, inference = canister_id(100), canister_id(101)
    blocks.append(
        "cooperatives",
        "cooperative_created",
        {
            "job_id": 1,
            "name": "Tumours",
            "canister": canister,
            "inference": inference,
            "creator": person().principal,
            "holders": [],
            "parameters": {"price_e8s": 1, "treasury_bps": 0, "voting_period_ns": 60 * 10**9, "quiet_period_ns": 0},
        },
    )

    JobLog(blocks, [person()]).propose()

    assert api.get("jobs/1").json()["model"] == str(canister)


def test_a_block_applied_twice_changes_nothing() -> None:
    log = _MemoryLog()
    job = JobLog(log, [person()])  # type: ignore[arg-type]  # only `append` is used
    job.run_to_the_end(values=[1], bps=[9_000])

    once = twice = None
    for fact in log.facts:
        said = {"btype": fact.btype, "index": fact.index, "at_ns": fact.at_ns, "tx": fact.tx}
        once = applied(once, **said)
        twice = applied(applied(twice, **said), **said)

    assert once == twice


def test_a_workers_name_may_change_and_its_key_not(api: Any, blocks: Blocks, no_chain: Any) -> None:
    worker = person()
    register_worker(blocks, worker, "old name")

    register_worker(blocks, worker, "new\x00name")

    (shown,) = api.get("workers").json()
    assert shown["name"] == "new name"
    assert shown["proof"]["block"] == 1
    assert shown["registered_at_ns"] < str(blocks.now_ns)


def test_numbers_beyond_all_measure_do_not_stop_the_log(api: Any, blocks: Blocks, no_chain: Any) -> None:
    job = JobLog(blocks, [person()])
    job.propose()
    job.fund()
    job.claim()
    job.start()
    huge = 1 << 20_000

    job.submit(
        values=[1],
        metrics=[{"name": "vain", "value_ppm": {"Int": -huge}}],
        artifacts=[{"name": "vast", "sha256": HASH, "size_bytes": huge}],
    )

    shown = api.get("jobs/1").json()
    assert shown["metrics"][0]["value_ppm"] == -(10**40) + 1
    assert shown["result"]["artifacts"][0]["size_bytes"] == 10**40 - 1


def test_text_that_a_database_would_refuse_is_kept(api: Any, blocks: Blocks, no_chain: Any) -> None:
    JobLog(blocks, [person()]).propose(title="a\x00b \U0001f9e0")

    assert api.get("jobs/1").json()["title"] == "a\x00b \U0001f9e0"
    assert Job.objects.count() == 1


class _MemoryLog:
    """Facts without a database."""

    now_ns = 1

    def __init__(self) -> None:
        self.facts: list[Any] = []

    def append(self, kind: str, btype: str, tx: dict[str, Any]) -> int:
        from canisters.interface.icrc3 import to_value

        self.now_ns += 1
        value = to_value({"btype": btype, "ts": self.now_ns, "tx": tx})
        self.facts.append(fact_of("c", kind, len(self.facts), value))
        return len(self.facts) - 1

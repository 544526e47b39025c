"""The worker: finds what it may do, and does one job from claim to settlement.

`look` runs every two seconds and decides from the index; `run` decides from the chain itself, so a stale index costs one question and no
more. Nothing that a run needs is kept between runs: after a crash at any point the next look finds the job in the state that the chain has,
and training, which its seed makes reproducible, gives the same result. Three kinds of trouble are told apart (`errors`): what will never
work is failed on the chain, which gives the money back; what may come is waited for; what is nobody's fault (the chain or the broker is
away) changes nothing and is tried again.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from functools import partial

import training
from canisters.client import ChainUnavailable
from canisters.client.typed import Jobs
from canisters.client.typed.jobs import JobResult, Result
from marketplace.chain.canisters import jobs, ok
from marketplace.core.errors import ChainRefused, refused, snake

from .artifacts import Artifact, made_artifacts, result_of, trained_job
from .errors import Deterministic, Superseded, Waiting
from .holding import Lease, held, is_held, job_lock
from .models import Job
from .opening import Inputs, gather, open_files
from .progress import Progress
from .record import LIVE, Record, from_chain
from .waiting import note_wait, wait_is_over, wait_or_refuse, waited_lately
from .worker_keys import WorkerKeys, worker_agent, worker_register

log = logging.getLogger(__name__)
PATIENCE_S = 600.0  # with a chain that does not answer when a result is there: the work of hours is not thrown away


def look(keys: WorkerKeys) -> list[int]:
    """One round over the index: settles and expires what is due. Returns the jobs to run.

    Raises ClientError, ChainRefused: the round is over, and the next one comes."""
    with worker_agent(keys) as agent:
        worker_register(keys, agent)
        return _look(str(keys.principal), jobs(agent), time.time_ns())


def _look(me: str, canister: Jobs, now_ns: int) -> list[int]:
    wanted = []
    for row in Job.objects.filter(state__in=LIVE).order_by("id"):
        if overdue(row.record, now_ns):
            _quietly(canister.job_expire, row.id)
        elif row.state == "submitted":
            _quietly(canister.job_settle, row.id)
        elif _may_run(row.record, me, now_ns) and not is_held(job_lock(row.id)):
            wanted.append(row.id)
    return wanted


def run(job_id: int, keys: WorkerKeys) -> None:
    """Take a job as far as it goes. Raises ClientError when the chain is away: nothing is lost, the next look goes on."""
    with held(job_lock(job_id)) as free, worker_agent(keys) as agent:
        if not free:
            return
        canister = jobs(agent)
        record = _read(canister, job_id)
        if record["state"] == "submitted":
            ok(canister.job_settle(job_id))
        elif _is_free_for(record, str(keys.principal), time.time_ns()):
            try:
                _carry_out(record, keys, canister)
            except Superseded as why:
                log.info("job %s is given up: %s", job_id, why)


def _is_free_for(record: Record, me: str, now_ns: int) -> bool:
    """Whether a worker may go on with a job: it is funded, or this worker's, or another's whose lease has lapsed.

    A lease is renewed without a block, so only the chain's own record is sure of it."""
    if record["state"] == "funded":
        return True
    return record["state"] in ("claimed", "running") and (
        record["worker"] == me or int(record["lease_until_ns"]) < now_ns
    )


def overdue(record: Record, now_ns: int) -> bool:
    """Whether anybody may end the job now, as the jobs canister sees it."""
    if record["state"] in ("proposed", "approved"):
        return int(record["approve_by_ns"]) <= now_ns
    return record["state"] in ("funded", "claimed", "running") and int(record["finish_by_ns"]) <= now_ns


def _may_run(record: Record, me: str, now_ns: int) -> bool:
    return me in _candidates(record) and _is_free_for(record, me, now_ns) and not waited_lately(record["id"], now_ns)


def _candidates(record: Record) -> set[str]:
    """The workers whom the builder and every owner let do it."""
    named = set.intersection(*(set(approval["workers"]) for approval in record["approvals"]))
    return named & {record["chosen_worker"]} if record["chosen_worker"] else named


# --- one job ---


def _carry_out(record: Record, keys: WorkerKeys, canister: Jobs) -> None:
    me, job_id = str(keys.principal), record["id"]
    refusal: Deterministic | None = None
    inputs: Inputs | None = None
    try:
        inputs = gather(record, keys)
    except Waiting as missing:
        refusal = wait_or_refuse(record, str(missing))
        if refusal is None:
            return
    except Deterministic as error:
        refusal = error
        if error.kind in ("other_code", "unknown_recipe") and record["worker"] != me and _candidates(record) != {me}:
            note_wait(job_id, "a worker that has the code it was approved for")
            return
    try:
        ok(canister.job_claim(job_id))
    except ChainRefused as error:
        if error.code != "refused":  # somebody was quicker, or its time is over: the next look sees it
            raise
        note_wait(job_id, f"a claim that the chain lets through ({error.message})")
        return
    wait_is_over(job_id)
    if refusal is not None or inputs is None:
        _fail(canister, job_id, refusal or Deterministic("internal", "nothing was gathered"))
        return
    _train_and_submit(record, inputs, canister)


def _train_and_submit(record: Record, inputs: Inputs, canister: Jobs) -> None:
    job_id = record["id"]
    ok(canister.job_start(job_id))
    progress = Progress(job_id)
    progress.note(f"Claimed by worker {canister.agent.principal}: the work begins.")
    with Lease(lambda: _claim_lost(canister, job_id)) as lease:
        try:
            _submit(canister, job_id, _result(record, inputs, progress, lambda: bool(lease.lost)))
        except training.Stopped as error:
            raise Superseded(lease.lost or "it was stopped") from error
        except Deterministic as error:
            progress.note(f"Failed ({error.kind}): {error.reason}")
            _fail(canister, job_id, error)
            return
    _answered(partial(canister.job_settle, job_id))


def _result(record: Record, inputs: Inputs, progress: Progress, should_stop: Callable[[], bool]) -> Result:
    """Train, make the artifacts and keep them. Raises Deterministic, training.Stopped, ChainUnavailable.

    What nobody foresaw fails the job too, named by its type and place only: an exception's text may quote a contributor's data, and the
    reason of a failure is public."""
    try:
        parts = open_files(inputs)
        seed = int(record["seed"])
        outcome = training.run(record["recipe"], inputs.config, seed, parts, inputs.evaluation, progress, should_stop)
        trained = trained_job(record, outcome, progress.note)
        artifacts = made_artifacts(trained, inputs.config_json)
        progress.note("The result is complete and goes to the chain.")
        return result_of(trained, [*artifacts, Artifact.of("log.jsonl", progress.as_lines())])
    except (Deterministic, training.Stopped, ChainUnavailable):
        raise
    except training.TrainingError as error:
        raise Deterministic(snake(type(error).__name__), str(error)) from error
    except MemoryError as error:
        raise Deterministic("out_of_memory", "The worker does not have enough memory for this job.") from error
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        log.error("job %s failed unforeseen: %s", record["id"], where)
        raise Deterministic(
            "internal", f"The worker failed in a way nobody foresaw ({where}). Tell its operator."
        ) from None


# --- talking to the jobs canister ---


def _read(canister: Jobs, job_id: int) -> Record:
    job = canister.job_get(job_id)
    if job is None:
        raise ChainRefused(f"There is no job {job_id} on the chain.", code="not_found", status=404)
    return from_chain(job)


def _submit(canister: Jobs, job_id: int, result: Result) -> None:
    """Raises Superseded; Deterministic, when the chain finds the result malformed; ChainUnavailable."""
    answer = _answered(partial(canister.job_submit, {"job_id": job_id, "result": result}))
    if "Err" not in answer or _read(canister, job_id)["state"] in ("submitted", "settled"):
        return  # an earlier try had got through
    error = refused(answer["Err"])
    if "Invalid" in answer["Err"]:
        raise Deterministic("result_refused", error.message)
    raise Superseded(error.message)


def _fail(canister: Jobs, job_id: int, error: Deterministic) -> None:
    log.warning("job %s fails (%s): %s", job_id, error.kind, error.reason)
    answer = _answered(partial(canister.job_fail, {"job_id": job_id, "kind": error.kind, "reason": error.reason}))
    if "Err" in answer:
        raise Superseded(refused(answer["Err"]).message)


def _claim_lost(canister: Jobs, job_id: int) -> str:
    answer = canister.job_renew(job_id)
    if "Err" not in answer or "Busy" in answer["Err"]:
        return ""
    return refused(answer["Err"]).message


def _answered(call: Callable[[], JobResult]) -> JobResult:
    """Ask until the chain answers. Every such call may be sent again: the second finds what the first has done."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = call()
        except ChainUnavailable:
            if time.monotonic() > until_s:
                raise
        else:
            if "Busy" not in answer.get("Err", {}) or time.monotonic() > until_s:
                return answer
        time.sleep(2.0)


def _quietly(call: Callable[[int], JobResult], job_id: int) -> None:
    """What is due by the index; the chain, which knows better, may say no."""
    answer = call(job_id)
    if "Err" in answer:
        log.info("job %s: %s", job_id, refused(answer["Err"]).message)

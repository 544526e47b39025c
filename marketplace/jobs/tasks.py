"""The worker's tasks. Both may run twice, at once, or be lost: what is due is found again from the chain's state."""

from __future__ import annotations

import logging

from celery import shared_task

from canisters.client import ClientError
from marketplace.core.errors import ChainUnavailable, MarketError

from .run import look, run
from .worker_keys import worker_keys

log = logging.getLogger(__name__)
QUEUED_S = 10  # a run that nobody has begun by then is asked for anew by the next look


@shared_task(name="marketplace.jobs.tasks.jobs_look")  # type: ignore[untyped-decorator]  # celery has no types
def jobs_look() -> None:
    """Find what this machine's worker may do, settle what is submitted, end what is overdue. Every two seconds."""
    try:
        for job_id in look(worker_keys()):
            job_run.apply_async((job_id,), expires=QUEUED_S)
    except ChainUnavailable as error:
        log.info("no look for jobs yet: %s", error)
    except (ClientError, MarketError) as error:
        log.warning("the look for jobs was cut short and comes again: %s", error)


@shared_task(name="marketplace.jobs.tasks.job_run")  # type: ignore[untyped-decorator]  # celery has no types
def job_run(job_id: int) -> None:
    """Claim, train, submit, settle one job; acknowledged when it is done, held by one process at a time."""
    try:
        run(job_id, worker_keys())
    except (ClientError, MarketError) as error:
        log.warning("job %s was left where it is and is tried again: %s", job_id, error)

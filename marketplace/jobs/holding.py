"""One run of a job at a time, and the claim kept alive while it runs.

A job is held by a lock on a file in the worker's own folder. Every process that can act as this worker has its key from that folder, so
the lock reaches as far as the identity does; and the system frees it at the moment the process dies, kill -9 included, which no lease in a
database or a broker does. Were the folder shared by machines whose file system has no locks, two runs would do the same work, the chain
would take the first result, and the second would find the job settled.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from canisters.client import ClientError

log = logging.getLogger(__name__)
RENEW_S = 15.0  # the chain's lease is ten minutes; asked often, because the answer also says that a job has expired


@contextmanager
def held(name: str) -> Iterator[bool]:
    """Hold a piece of work by its name, or give False when another process does."""
    folder = Path(settings.WORKER_DIR) / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def job_lock(job_id: int) -> str:
    return f"job-{job_id}"


def is_held(name: str) -> bool:
    with held(name) as free:
        return not free


class Lease:
    """Renews a claim from a thread of its own. `lost` says why the job is no longer this worker's, or is empty."""

    def __init__(self, renew: Callable[[], str]) -> None:
        """`renew`: asks the chain; returns why the claim is lost, or "" while it holds. Raises ClientError when nothing is known."""
        self.lost = ""
        self._renew = renew
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _keep(self) -> None:
        while not self._stop.wait(RENEW_S):
            try:
                self.lost = self._renew()
            except ClientError as error:
                log.warning("the lease could not be renewed, which is tried again: %s", error)
            if self.lost:
                return

"""The worker's own keys, and one run of a job at a time."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from canisters.client import ChainUnavailable, IdentityUnreadable
from marketplace.jobs import holding
from marketplace.jobs.holding import Lease, held, is_held
from marketplace.jobs.worker_keys import worker_keys


def test_keys_are_made_once_and_for_their_owner_only(worker_folder: Path) -> None:
    first = worker_keys()

    second = worker_keys()

    assert first.principal == second.principal
    assert first.public_point == second.public_point
    assert len(first.public_point) == 65
    for name in ("identity.pem", "encryption_key.pem"):
        assert stat.S_IMODE((worker_folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(worker_folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in worker_folder.iterdir()) == ["encryption_key.pem", "identity.pem"]


def test_keys_show_nothing_of_themselves_in_text(worker_folder: Path) -> None:
    keys = worker_keys()

    assert keys.identity.private_key.hex() not in repr(keys)


@pytest.mark.parametrize("name", ["identity.pem", "encryption_key.pem"])
def test_a_damaged_key_is_left_as_it_is(worker_folder: Path, name: str) -> None:
    worker_keys()
    (worker_folder / name).write_text("damaged")

    with pytest.raises((IdentityUnreadable, ValueError)):
        worker_keys()

    assert (worker_folder / name).read_text() == "damaged"


def test_two_processes_that_start_at_once_have_one_key(worker_folder: Path) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(worker_keys().public_point)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert len(set(made)) == 1


def test_a_job_that_is_held_is_not_begun_a_second_time() -> None:
    with held("job-1") as first, held("job-1") as second, held("job-2") as another:
        assert (first, second, another) == (True, False, True)
        assert is_held("job-1")

    assert not is_held("job-1")


def test_a_process_that_is_killed_lets_go_at_once(worker_folder: Path) -> None:
    program = (
        "import fcntl, os, sys, time\n"
        f"fd = os.open({str(worker_folder / 'locks' / 'job-1')!r}, os.O_RDWR)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    with held("job-1"):
        pass  # the file is there
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = is_held("job-1")
        process.kill()
        process.wait(10)

    assert before
    assert not is_held("job-1")


def test_a_lease_is_renewed_until_the_chain_says_that_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "RENEW_S", 0.01)
    answers = iter(["", "", "The chain refused: it is expired."])
    told = threading.Event()

    def renew() -> str:
        try:
            return next(answers)
        finally:
            told.set()

    with Lease(renew) as lease:
        while not lease.lost:
            assert told.wait(5)

    assert lease.lost == "The chain refused: it is expired."


def test_a_chain_that_is_away_does_not_lose_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "RENEW_S", 0.01)
    asked = threading.Semaphore(0)

    def renew() -> str:
        asked.release()
        raise ChainUnavailable("away")

    with Lease(renew) as lease:
        for _ in range(3):
            assert asked.acquire(timeout=5)

    assert lease.lost == ""

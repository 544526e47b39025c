"""Parts of a marketplace are kept running, and end with whoever started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from marketplace.core.supervisor import CannotStart, Part, Supervisor, free_port

SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]


def eventually(true: Callable[[], bool], within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def pid_of(state: Path, name: str) -> int:
    return int(json.loads((state / "up.json").read_text())["parts"][name])


def test_a_part_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start(Part("sleeper", SLEEPER))
        first = pid_of(tmp_path, "sleeper")

        os.kill(first, signal.SIGKILL)
        said: list[str] = []
        restarted = eventually(lambda: said.extend(supervisor.watch()) or pid_of(tmp_path, "sleeper") != first)  # type: ignore[func-returns-value]

        assert restarted
        assert any("signal SIGKILL" in sentence for sentence in said)
        assert alive(pid_of(tmp_path, "sleeper"))


def test_leaving_ends_every_part(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start(Part("sleeper", SLEEPER))
        pid = pid_of(tmp_path, "sleeper")

    assert eventually(lambda: not alive(pid))
    assert not (tmp_path / "up.json").exists()


def test_a_part_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ) as supervisor, pytest.raises(CannotStart, match="no such thing"):
        supervisor.start(Part("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"], ready=lambda: False))


def test_a_part_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ) as supervisor, pytest.raises(CannotStart, match="not ready after 0 s"):
        supervisor.start(Part("slow", SLEEPER, ready=lambda: False, ready_within_s=0.2))


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ) as supervisor, pytest.raises(CannotStart, match="migrate failed: out of luck"):
        supervisor.run_once("migrate", [sys.executable, "-c", "raise SystemExit('out of luck')"])


def test_two_supervisors_on_one_folder_are_refused(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ), pytest.raises(CannotStart, match="already"):
        Supervisor(tmp_path, os.environ)


def test_parts_of_a_supervisor_that_was_killed_end_too(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from marketplace.core.supervisor import Part, Supervisor;"
        f"s = Supervisor(Path({str(tmp_path)!r}), os.environ); s.start(Part('sleeper', {SLEEPER!r})); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "up\n"
        pid = pid_of(tmp_path, "sleeper")

        supervisor.kill()

    assert eventually(lambda: not alive(pid))
    with Supervisor(tmp_path, os.environ):
        pass


def test_a_port_in_use_is_not_chosen() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])

        assert free_port(port) != port
    assert free_port(free_port()) > 0

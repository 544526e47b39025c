"""Starts the parts of a marketplace on one machine and keeps them running: chain, broker, indexer, web, worker.

`manage.py up` uses it. Each part is a process with a log file; one that dies is started again, with a growing pause. STATE/up.json says
what runs where, for people and for tests that kill things. All parts end with the supervisor, however it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

FIRST_PAUSE_S = 0.3
LONGEST_PAUSE_S = 10.0
STEADY_S = 20.0  # a part that ran this long starts again without a pause
GRACE_S = 15.0
_PR_SET_PDEATHSIG = 1


class CannotStart(RuntimeError):
    """A part does not start: the text says which, why, and what to do."""


@dataclass
class Part:
    """A process to keep alive. `ready`: True once it does its work; asked repeatedly after a start."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] | None = None
    ready_within_s: float = 90.0
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due_s: float = 0.0
    starts: int = field(default=0)


class Supervisor:
    """`state`: folder of all that is kept. `environment`: for every part. Use as a context: leaving it ends every part."""

    def __init__(self, state: Path, environment: Mapping[str, str]) -> None:
        self.state = state
        self.environment = dict(environment)
        self.parts: list[Part] = []
        self.facts: dict[str, Any] = {}
        (state / "logs").mkdir(parents=True, exist_ok=True)
        self._lock = self._locked()
        self._end_orphans()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- starting ---

    def start(self, part: Part) -> None:
        """Start a part and wait until it is ready. Raises CannotStart."""
        self.parts.append(part)
        self._spawn(part)
        until = time.monotonic() + part.ready_within_s
        while part.ready is not None and not part.ready():
            if part.process is not None and part.process.poll() is not None:
                raise CannotStart(f"{part.name} ended at once.\n{self.log_tail(part.name)}")
            if time.monotonic() > until:
                raise CannotStart(
                    f"{part.name} is not ready after {part.ready_within_s:.0f} s.\n{self.log_tail(part.name)}"
                )
            time.sleep(0.05)
        self._write_facts()

    def run_once(self, name: str, command: Sequence[str]) -> str:
        """Run a command to its end; returns what it printed. Raises CannotStart."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        with (self.state / "logs" / f"{name}.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise CannotStart(f"{name} failed: {' '.join(said[-3:]) or done.returncode}")
        return done.stdout

    def watch(self) -> list[str]:
        """Start again what has died and is due. Returns a sentence for each part that had ended."""
        ended: list[str] = []
        now = time.monotonic()
        for part in self.parts:
            if part.process is not None and part.process.poll() is not None:
                code = part.process.returncode
                _signal_group(part.process, signal.SIGKILL)  # what it had started itself
                if now - part.started_s > STEADY_S:
                    part.pause_s = FIRST_PAUSE_S
                part.due_s = now + part.pause_s
                ended.append(f"{part.name} ended ({_ending(code)}); starting it again in {part.pause_s:.1f} s")
                part.pause_s = min(2 * part.pause_s, LONGEST_PAUSE_S)
                part.process = None
            if part.process is None and now >= part.due_s:
                self._spawn(part)
                self._write_facts()
        return ended

    def stop(self) -> None:
        """End every part, the last started first, politely and then not."""
        for part in reversed(self.parts):
            if part.process is not None and part.process.poll() is None:
                _signal_group(part.process, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    part.process.wait(GRACE_S)
                _signal_group(part.process, signal.SIGKILL)
                part.process.wait()
            part.process = None
        self.parts.clear()
        with contextlib.suppress(FileNotFoundError):
            (self.state / "up.json").unlink()
        self._lock.close()

    def log_tail(self, name: str, lines: int = 12) -> str:
        with contextlib.suppress(OSError):
            text = (self.state / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
            return "\n".join(text[-lines:])
        return ""

    # --- within ---

    def _spawn(self, part: Part) -> None:
        log: IO[bytes]
        with (self.state / "logs" / f"{part.name}.log").open("ab") as log:
            part.process = subprocess.Popen(
                part.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then ends the parts in order
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - the supervisor has one thread
            )
        part.started_s = time.monotonic()
        part.starts += 1

    def _write_facts(self) -> None:
        pids = {part.name: part.process.pid for part in self.parts if part.process is not None}
        draft = self.state / "up.json.draft"
        draft.write_text(json.dumps({**self.facts, "supervisor": os.getpid(), "parts": pids}, indent=1) + "\n")
        draft.replace(self.state / "up.json")

    def _locked(self) -> IO[str]:
        lock = (self.state / "up.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise CannotStart(
                f"A marketplace is running on {self.state} already. Stop it, or choose another folder (STATE=...)."
            ) from error
        return lock

    def _end_orphans(self) -> None:
        """Parts of a supervisor that was killed: the lock is ours, so they are nobody's."""
        try:
            left = json.loads((self.state / "up.json").read_text())["parts"]
        except (OSError, ValueError, KeyError):
            return
        for pid in left.values():
            with contextlib.suppress(OSError):
                if str(self.state) in Path(f"/proc/{pid}/environ").read_text(errors="replace"):
                    os.killpg(pid, signal.SIGKILL)


def free_port(preferred: int | None = None) -> int:
    """`preferred` when nobody listens there, else any."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise CannotStart("no free port on this machine")


def _end_with_parent() -> None:
    """In the new process: be told to end when the supervisor does, even by `kill -9`. Linux only; elsewhere `_end_orphans` finds them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

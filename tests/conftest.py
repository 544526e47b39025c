"""What every test stands on: no network beyond this machine (and, by `state_folder`, a folder of its own for each run's state).

Folders below have a conftest of their own for what only they need (a replica, a database, a browser)."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


class NetworkForbidden(RuntimeError):
    """A test tried to reach beyond this machine."""


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = address[0]
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist, tests of one file share a process, and so do all that share the running system: it is started once."""
    for item in items:
        shared = item.get_closest_marker("story") or item.get_closest_marker("browser")
        item.add_marker(pytest.mark.xdist_group("stack" if shared else str(item.path)))


@pytest.fixture(autouse=True, scope="session")
def no_network_beyond_loopback() -> Iterator[None]:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if not _is_loopback(address):
            raise NetworkForbidden(f"a test tried to connect to {address!r}; only this machine may be reached")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@dataclass(frozen=True)
class Stack:
    """A marketplace that runs, with the story played on it. `story`: what var/story.json has."""

    url: str
    state: Path
    story: dict[str, Any]

    @property
    def api(self) -> str:
        return f"{self.url}/api/market/"

    @property
    def environment(self) -> dict[str, str]:
        """For another process of the same marketplace."""
        facts = json.loads((self.state / "up.json").read_text())
        return {
            **os.environ,
            "COMMONWEIGHT_STATE": str(self.state),
            "IC_URL": facts["chain_url"],
            "REDIS_URL": facts["broker_url"],
        }


@contextmanager
def running_marketplace(state: Path, database_url: str | None = None) -> Iterator[str]:
    """`manage.py up` on `state`, by default with its own database; gives the page's address and ends everything afterwards."""
    state.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("IC_URL", "REDIS_URL", "DATABASE_URL")}
    environment |= {"DATABASE_URL": database_url} if database_url else {}
    command = [sys.executable, "manage.py", "up", "--port", "0"]
    with (state / "up.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env={**environment, "COMMONWEIGHT_STATE": str(state)}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until = time.monotonic() + 180
        facts: dict[str, Any] = {}
        while "worker" not in facts.get("parts", {}):
            assert process.poll() is None, (state / "up.log").read_text()[-3000:]
            assert time.monotonic() < until, (state / "up.log").read_text()[-3000:]
            time.sleep(0.1)
            with suppress(OSError, ValueError):
                facts = json.loads((state / "up.json").read_text())
        yield str(facts["url"])
    finally:
        process.terminate()
        process.wait(90)


def play_story(url: str, state: Path, cast: str = "breast-cancer") -> dict[str, Any]:
    """Play a story against a running marketplace, in a process of its own; gives its record."""
    out = state / f"story-{cast}.json"
    command = [sys.executable, "-m", "marketplace.story", "--url", url, "--state", str(state), "--cast", cast, "--out", str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(json.loads(out.read_text()))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole running system with the story played, once for all tests that only look at it or add to it."""
    state = tmp_path_factory.mktemp("stack")
    with running_marketplace(state) as url:
        yield Stack(url, state, play_story(url, state))


@pytest.fixture(scope="session")
def marketplace_at() -> Callable[..., AbstractContextManager[str]]:
    """Start a marketplace of one's own on a folder (and a database, by its address)."""
    return running_marketplace


@pytest.fixture(scope="session")
def story_on() -> Callable[[str, Path, str], dict[str, Any]]:
    """Play a story (url, state folder, cast) and get its record."""
    return play_story

"""The follower as a process, on a network of its own: whatever is killed, whenever, the index ends up whole and right."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.deployment import Deployment
from canisters.client.typed import Registry
from canisters.deploy import deploy
from tests.marketplace.builders import version_args
from tests.marketplace.conftest import replica_process

pytestmark = pytest.mark.slow
PATIENCE_S = 60.0


class System:
    """A network, and an index of it in a folder of its own."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.repository = folder, repository
        self.replica = replica_process(folder / "replica")
        self.port = self.replica.told["port"]
        self.deployment: Deployment = deploy(self.replica.told["url"], folder)
        self.environment = {
            **os.environ,
            "COMMONWEIGHT_STATE": str(folder),
            "REDIS_URL": "redis://127.0.0.1:9/0",
            "OMP_NUM_THREADS": "1",
        }
        self.manage("migrate", "--verbosity", "0")
        self.follower: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=self.repository, env=self.environment, capture_output=True, text=True, timeout=120
        )

    def follow(self) -> None:
        command = [sys.executable, "manage.py", "follow", "--pause", "0.05"]
        with (self.folder / "follow.log").open("ab") as log:
            self.follower = subprocess.Popen(command, cwd=self.repository, env=self.environment, stdout=log, stderr=log)

    def kill_follower(self) -> None:
        assert self.follower is not None
        self.follower.kill()
        self.follower.wait(30)

    def stop_follower(self) -> int:
        assert self.follower is not None
        self.follower.terminate()
        return self.follower.wait(30)

    def kill_replica(self) -> None:
        self.replica.end(kill=True)

    def start_replica(self) -> None:
        self.replica = replica_process(self.folder / "replica", self.port)

    def agent(self) -> ChainAgent:
        return self.deployment.agent(KeyIdentity())

    def register(self, agent: ChainAgent, count: int) -> None:
        registry = Registry(agent, self.deployment.canisters["registry"])
        for _ in range(count):
            registry.dataset_register({"key": secrets.token_bytes(16), "title": "rows", "version": version_args()})

    def indexed(self) -> list[tuple[int, int]]:
        """(dataset id, block) as the database has it."""
        with sqlite3.connect(self.folder / "marketplace.sqlite3") as database:
            rows = database.execute("SELECT id, block FROM datasets_dataset ORDER BY id").fetchall()
        database.close()
        return rows

    def wait_for(self, count: int) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while len(self.indexed()) < count:
            assert time.monotonic() < until_s, (self.folder / "follow.log").read_text()
            time.sleep(0.1)


@pytest.fixture
def system(tmp_path: Path, repository: Path) -> Iterator[System]:
    made = System(tmp_path, repository)
    yield made
    if made.follower is not None and made.follower.poll() is None:
        made.kill_follower()
    made.replica.end()


def test_whatever_is_killed_the_index_ends_up_whole(system: System) -> None:
    with system.agent() as agent:
        system.follow()
        system.register(agent, 5)
        system.kill_follower()
        system.register(agent, 20)
        system.follow()
        time.sleep(0.7)
        system.kill_follower()
        system.follow()
        system.kill_replica()
        time.sleep(0.3)
        system.start_replica()
        system.register(agent, 5)

        system.wait_for(30)

    assert system.indexed() == [(number, number - 1) for number in range(1, 31)]
    assert system.stop_follower() == 0
    assert system.manage("follow", "--once").stdout == "0 new blocks\n"
    assert system.manage("reindex").stdout == "the index is made anew from 30 blocks\n"
    assert system.indexed() == [(number, number - 1) for number in range(1, 31)]

    system.kill_replica()
    refused = system.manage("reindex")

    assert refused.returncode == 1
    assert "The index is as it was." in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(system.indexed()) == 30

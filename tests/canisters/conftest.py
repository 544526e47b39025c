"""A real embedded network for every test of what stands on the chain: a process of its own, spoken to over HTTP as by anybody.

`replica` is shared by a whole test run (make your own canisters, trust no others); `start_replica` gives a network of the test's own, to
be killed and restarted; `chain` makes agents and canisters on the shared one; `compiled` reads what `make build` compiled; `probe` is the
wasm of probe.c, which does one small thing a method."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.management import Management
from canisters.interface.leb128 import encode_unsigned
from canisters.interface.principal import Principal

READY_S = 60.0
EMPTY_ARGUMENT = b"DIDL\x00\x00"


class RunningReplica:
    """A replica process on a folder. `url`, `root_key` (133 bytes of DER) and `state` stay the same over `restart`; the port too."""

    def __init__(self, repository: Path, state: Path, *options: str) -> None:
        self.repository, self.state, self.options = repository, state, options
        self.port = 0
        self.start()

    def start(self) -> None:
        log = (self.state.parent / f"{self.state.name}.log").open("ab")
        command = [sys.executable, "-m", "canisters.replica", "--port", str(self.port), "--state", str(self.state)]
        with log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                cwd=self.repository,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], READY_S)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.kill()
            raise RuntimeError(f"the replica did not start: {self.log_text()}")
        told: dict[str, Any] = json.loads(line)
        self.port, self.url = told["port"], told["url"]
        self.root_key = bytes.fromhex(told["root_key"])

    def log_text(self) -> str:
        """What the process wrote to its error output; a healthy one writes nothing."""
        return (self.state.parent / f"{self.state.name}.log").read_text()

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop. Returns its exit code."""
        return self.end(signal.SIGTERM)

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait until it is gone. Returns its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def restart(self) -> None:
        """Stop it if it still runs, and start again on the same port and folder."""
        self.stop()
        self.start()


StartReplica = Callable[..., RunningReplica]


@pytest.fixture(scope="session")
def replica(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReplica]:
    """The shared network. Tests may create canisters on it, but not stop it."""
    running = RunningReplica(repository, tmp_path_factory.mktemp("replica") / "state")
    yield running
    assert running.stop() == 0
    assert running.log_text() == ""  # whatever the tests tried, nothing went wrong inside


@pytest.fixture
def start_replica(repository: Path, tmp_path: Path) -> Iterator[StartReplica]:
    """Call it for a network of your own: start_replica(state=None, *options). All are stopped after the test."""
    started: list[RunningReplica] = []

    def start(state: Path | None = None, *options: str) -> RunningReplica:
        folder = state or tmp_path / f"replica-{len(started)}"
        running = RunningReplica(repository, folder, *options)
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


class Chain:
    """Agents and canisters on one network; closes the agents it made."""

    def __init__(self, url: str, root_key: bytes, clock: Callable[[], int] = time.time_ns) -> None:
        self.url, self.root_key, self.clock = url, root_key, clock
        self._stack = contextlib.ExitStack()

    def close(self) -> None:
        self._stack.close()

    def agent(self, identity: Any = None, **options: Any) -> ChainAgent:
        """`identity`: a fresh Ed25519 key when it is left out."""
        agent = ChainAgent(self.url, self.root_key, identity or KeyIdentity(), clock=self.clock, **options)
        return self._stack.enter_context(agent)

    def create(self, agent: ChainAgent, **settings: Any) -> Principal:
        """An empty canister that `agent` controls."""
        return Management(agent).create(**settings)

    def install(self, agent: ChainAgent, wasm: bytes, argument: bytes = EMPTY_ARGUMENT, **settings: Any) -> Principal:
        """A new canister with `wasm` in it, controlled by `agent`."""
        canister_id = self.create(agent, **settings)
        Management(agent).install(canister_id, wasm, argument)
        return canister_id


@pytest.fixture
def chain(replica: RunningReplica) -> Iterator[Chain]:
    """A function-scoped helper on the shared network."""
    made = Chain(replica.url, replica.root_key)
    yield made
    made.close()


@pytest.fixture
def chain_on() -> Iterator[Callable[[RunningReplica], Chain]]:
    """The same helper for a network of the test's own: chain_on(start_replica())."""
    made: list[Chain] = []

    def on(running: RunningReplica, **options: Any) -> Chain:
        made.append(Chain(running.url, running.root_key, **options))
        return made[-1]

    yield on
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def motoko_module(repository: Path) -> Callable[[Path], bytes]:
    """motoko_module(path) compiles one source of the tests' own; anew only when it has changed."""

    def compile_source(source: Path) -> bytes:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
        kept = repository / "build" / "tests" / f"{source.stem.lower()}-{digest}.wasm"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            draft = kept.with_suffix(f".{os.getpid()}")
            compiler = repository / "tests" / "canisters" / "compile.mjs"
            subprocess.run(["node", str(compiler), str(source), str(draft)], cwd=repository, check=True)
            draft.replace(kept)
        return kept.read_bytes()

    return compile_source


@pytest.fixture(scope="session")
def compiled(repository: Path) -> Callable[[str], bytes]:
    """compiled("registry") is the wasm that `make build` made of canisters/motoko/registry."""

    def read(name: str) -> bytes:
        path = repository / "build/canisters" / f"{name}.wasm"
        assert path.exists(), f"{path.relative_to(repository)} is missing: run `make build` first"
        return path.read_bytes()

    return read


@pytest.fixture(scope="session")
def probe(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("probe") / "probe.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O1", "-nostdlib", "-g0", "-s"]
    command += ["-mcpu=generic+simd128+bulk_memory+sign_ext+nontrapping_fptoint", "-fno-builtin", "-Wl,--no-entry"]
    command += ["-Wno-unused-parameter", "-o", str(out), str(repository / "tests/canisters/probe.c")]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(out.parent / "global"), "ZIG_LOCAL_CACHE_DIR": str(out.parent / "local")}
    made = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **caches}, check=False)
    assert made.returncode == 0, made.stderr
    return out.read_bytes()


@pytest.fixture(scope="session")
def large_probe(probe: bytes) -> bytes:
    """The same canister with three megabytes of a custom section that compression does not shrink: more than one message takes."""
    name, filler = b"filler", random.Random(3).randbytes(3 << 20)
    body = encode_unsigned(len(name)) + name + filler
    return probe + b"\x00" + encode_unsigned(len(body)) + body

"""A network of this folder's own, with the five canisters on it, whose time the tests move.

`world` is shared by a whole run: each test makes its own people, datasets and jobs in it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.canisters.conftest import RunningReplica
from tests.canisters.motoko.world import World, sha


@pytest.fixture(scope="session")
def own_replica(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReplica]:
    """A network whose time stands still until a test moves it."""
    running = RunningReplica(repository, tmp_path_factory.mktemp("motoko") / "state", "--time", "manual")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def echo_module(repository: Path) -> Callable[[], bytes]:
    """The compiled stand-in; compiled anew only when its source has changed."""
    source = Path(__file__).parent / "standin" / "Echo.mo"
    kept = repository / "build" / "tests" / f"echo-{sha(source.read_bytes()).hex()[:16]}.wasm"

    def read() -> bytes:
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            draft = kept.with_suffix(".draft")
            subprocess.run(
                ["node", str(source.parent / "compile.mjs"), str(source), str(draft)], cwd=repository, check=True
            )
            draft.replace(kept)
        return kept.read_bytes()

    return read


@pytest.fixture(scope="session")
def world(
    own_replica: RunningReplica, compiled: Callable[[str], bytes], echo_module: Callable[[], bytes]
) -> Iterator[World]:
    made = World(own_replica, compiled, echo_module)
    yield made
    made.close()

"""A network of this folder's own, with the five canisters on it, whose time the tests move.

`world` is shared by a whole run: each test makes its own people, datasets and jobs in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.canisters.conftest import RunningReplica
from tests.canisters.motoko.world import World


@pytest.fixture(scope="session")
def own_replica(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReplica]:
    """A network whose time stands still until a test moves it."""
    running = RunningReplica(repository, tmp_path_factory.mktemp("motoko") / "state", "--time", "manual")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def echo_module(motoko_module: Callable[[Path], bytes]) -> Callable[[], bytes]:
    """The compiled stand-in."""
    return lambda: motoko_module(Path(__file__).parent / "standin" / "Echo.mo")


@pytest.fixture(scope="session")
def world(
    own_replica: RunningReplica, compiled: Callable[[str], bytes], echo_module: Callable[[], bytes]
) -> Iterator[World]:
    made = World(own_replica, compiled, echo_module)
    yield made
    made.close()

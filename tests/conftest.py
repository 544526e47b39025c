"""What every test stands on: no network beyond this machine, and a folder of its own for each run's state.

Folders below have a conftest of their own for what only they need (a replica, a database, a browser)."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Django reads its settings at collection: its state must not be the developer's own ./var.
_STATE = tempfile.TemporaryDirectory(prefix="commonweight-tests-")
os.environ.setdefault("COMMONWEIGHT_STATE", _STATE.name)


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
    return Path(__file__).resolve().parent.parent

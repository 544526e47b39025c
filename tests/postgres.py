"""A PostgreSQL server of a test's own, by the binaries that the package pgserver carries: no root, nothing installed.

PostgreSQL refuses to run as root; where the tests do, a copy of it runs as nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marketplace.core.supervisor import free_port

NOBODY = 65534


@contextmanager
def postgres() -> Iterator[str]:
    """The server's address for DATABASE_URL; its database is empty, and gone afterwards."""
    packages = Path(sysconfig.get_path("purelib"))
    folder = Path(tempfile.mkdtemp(prefix="cw-pg-"))
    as_who: dict[str, Any] = {"env": {"LC_ALL": "C"}}
    try:
        if os.geteuid() == 0:
            for part in ("pgserver", "pgserver.libs"):
                shutil.copytree(packages / part, folder / part)
            packages = folder
            folder.chmod(0o755)
            as_who |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        data = folder / "data"
        data.mkdir(0o700)
        if os.geteuid() == 0:
            os.chown(data, NOBODY, NOBODY)
        programs = packages / "pgserver" / "pginstall" / "bin"
        made = [programs / "initdb", "-D", data, "-U", "market", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, cwd=data, **as_who)
        yield from _served(programs, data, as_who)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _served(programs: Path, data: Path, as_who: dict[str, Any]) -> Iterator[str]:
    port = free_port()
    command = [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=localhost", "-c", "unix_socket_directories="]
    process = subprocess.Popen(command, cwd=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_who)
    try:
        ready = [programs / "pg_isready", "-q", "-h", "localhost", "-p", str(port)]
        until = time.monotonic() + 60
        while subprocess.run(ready, check=False, **as_who).returncode:
            assert process.poll() is None, "PostgreSQL did not start"
            assert time.monotonic() < until, "PostgreSQL does not answer"
            time.sleep(0.1)
        yield f"postgresql://market@localhost:{port}/postgres"
    finally:
        process.terminate()
        process.wait(60)

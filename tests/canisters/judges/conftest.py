"""Judges written for node: each is told where the network is, runs its checks, and prints what it found as one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

JUDGE_S = 240


@pytest.fixture(scope="session")
def verdicts_of(replica, repository: Path) -> Callable[..., dict[str, str]]:
    """verdicts_of("agent.mjs", **told) gives each check's name with "ok", or with what was wrong."""

    def judged(script: str, **told: str) -> dict[str, str]:
        told = {"url": replica.url, "rootKey": replica.root_key.hex(), **told}
        ran = subprocess.run(
            ["node", str(repository / "tests/canisters/judges" / script), json.dumps(told)],
            capture_output=True,
            text=True,
            timeout=JUDGE_S,
            env={**os.environ, "NODE_NO_WARNINGS": "1"},
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        verdicts: dict[str, str] = json.loads(ran.stdout.splitlines()[-1])
        return verdicts

    return judged

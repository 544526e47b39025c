"""`kill -9` of each process at a random moment of the story: it completes all the same, with the same balances and shares."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.story, pytest.mark.timeout(900)]

VICTIMS = ["replica", "worker", "web", "broker", "index"]


def by_name(story: dict[str, Any]) -> dict[str, Any]:
    """What must come out the same, by the people's names: their keys differ from run to run."""
    names = {c["principal"]: c["name"] for c in story["contributors"]}
    return {
        "shares": {names[a["principal"]]: a["share_bps"] for a in story["attribution"]},
        "values": {names[a["principal"]]: (a["low"], a["value"], a["high"]) for a in story["attribution"]},
        "balances": story["balances"],
        "payout": sorted((names.get(p["principal"], "other"), p["amount_e8s"]) for p in story["payout"]["parts"]),
        "treasury": story["payout"]["treasury_e8s"],
        "release": (story["release"]["state"], story["release"]["wasm_sha256"]),
        "failed_vote": story["failed_vote"],
    }


def kill_at_random(state: Path, process: subprocess.Popen[str], moments: list[tuple[float, str]]) -> list[str]:
    began, killed = time.monotonic(), []
    for at_s, name in moments:
        while process.poll() is None and time.monotonic() - began < at_s:
            time.sleep(0.05)
        if process.poll() is not None:
            break
        pid = json.loads((state / "up.json").read_text())["parts"].get(name)
        if pid:
            os.kill(pid, signal.SIGKILL)
            killed.append(name)
    return killed


def test_the_story_survives_the_death_of_each_process(stack: Any, tmp_path_factory: pytest.TempPathFactory, marketplace_at: Any) -> None:
    state = tmp_path_factory.mktemp("killed")
    seed = random.SystemRandom().randrange(10**6)
    rng = random.Random(seed)
    span_s = 0.8 * stack.story["seconds"]["all"]
    moments = sorted((rng.uniform(1.0, span_s), name) for name in VICTIMS)

    with marketplace_at(state) as url:
        out = state / "story.json"
        command = [sys.executable, "-m", "marketplace.story", "--url", url, "--state", str(state), "--out", str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            killed = kill_at_random(state, process, moments)
            said, _ = process.communicate(timeout=600)

    assert process.returncode == 0, f"seed {seed}, killed {killed}\n{said[-3000:]}"
    assert sorted(killed) == sorted(VICTIMS), f"seed {seed}"
    assert by_name(json.loads(out.read_text())) == by_name(stack.story), f"seed {seed}, killed {killed}"

"""Delete the database, rebuild it from the chain, and the same answers come back, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgres import postgres

pytestmark = pytest.mark.story


def addresses(story: dict[str, Any]) -> list[str]:
    """Everything the API says about the objects of the story."""
    people = [c["principal"] for c in story["contributors"]]
    model = story["cooperative"]["canister"]
    found = ["network", "activity", "datasets", "jobs", "models", "workers", "recipes"]
    found += [f"datasets/{c['dataset_id']}" for c in story["contributors"]]
    for job in (story["denied_job"]["id"], story["job"]["id"]):
        found += [f"jobs/{job}", f"jobs/{job}/progress"]
    found += [f"jobs/{story['job']['id']}/release", f"models/{model}", f"models/{model}/proposals"]
    found += [f"models/{model}/proposals/{number}" for number in (1, 2)]
    found += [f"accounts/{p}{rest}" for p in people for rest in ("", "/earnings", "/transfers")]
    found += [f"blocks/{canister}/0" for canister in (*story["canisters"].values(), model)]
    return found


def answers(api: str, story: dict[str, Any]) -> dict[str, bytes]:
    with httpx.Client(base_url=api, trust_env=False, timeout=60) as http:
        got = {address: http.get(address) for address in addresses(story)}
    assert {address: answer.status_code for address, answer in got.items() if answer.status_code != 200} == {}
    moving = got.pop("network").json()  # the height of the chain goes on
    return {**{address: answer.content for address, answer in got.items()}, "logs": str(moving["logs"]).encode()}


def differing(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, tuple[bytes, bytes]]:
    return {address: (said[:400], after[address][:400]) for address, said in before.items() if said != after[address]}


@contextmanager
def second_marketplace(environment: dict[str, str], database_url: str) -> Iterator[str]:
    """Another web server on an empty database, filled by `manage.py reindex` from the chain alone."""
    environment = {**environment, "DATABASE_URL": database_url}
    for command in (["migrate", "--no-input", "-v", "0"], ["reindex"]):
        done = subprocess.run([sys.executable, "manage.py", *command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    from marketplace.core.supervisor import free_port

    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "marketplace.config.asgi:application", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(command, env=environment)
    try:
        api = f"http://localhost:{port}/api/market/"
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(httpx.TransportError):
                if httpx.get(api + "network", trust_env=False).status_code == 200:
                    break
            time.sleep(0.2)
        yield api
    finally:
        process.terminate()
        process.wait(30)


def test_a_rebuilt_database_gives_the_same_answers_byte_for_byte(stack: Any, tmp_path: Path) -> None:
    before = answers(stack.api, stack.story)

    with second_marketplace(stack.environment, f"sqlite:///{tmp_path}/second.sqlite3") as api:
        rebuilt = answers(api, stack.story)

    assert differing(before, rebuilt) == {}


def test_an_index_in_postgresql_gives_the_same_answers_byte_for_byte(stack: Any) -> None:
    before = answers(stack.api, stack.story)

    with postgres() as database_url, second_marketplace(stack.environment, database_url) as api:
        rebuilt = answers(api, stack.story)

    assert differing(before, rebuilt) == {}


def test_reindexing_the_database_in_use_changes_no_answer(stack: Any) -> None:
    before = answers(stack.api, stack.story)

    done = subprocess.run([sys.executable, "manage.py", "reindex"], env=stack.environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert answers(stack.api, stack.story) == before


def test_a_marketplace_without_its_chain_says_so(stack: Any, tmp_path: Path) -> None:
    environment = {**stack.environment, "IC_URL": "http://localhost:9", "DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"}
    subprocess.run([sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"], env=environment, check=True, capture_output=True)

    done = subprocess.run([sys.executable, "manage.py", "reindex"], env={**os.environ, **environment}, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr

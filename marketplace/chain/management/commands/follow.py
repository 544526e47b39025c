"""`manage.py follow`: keeps the index up with the chain until it is told to stop. `--once`: one round, and its outcome as exit code."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

from canisters.client import ClientError
from marketplace.chain.errors import IndexRefused
from marketplace.chain.follower import look
from marketplace.core.errors import MarketError

log = logging.getLogger(__name__)
PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
ROUNDS_UNTIL_PROOF = 120  # once a minute the ends of the logs are proven, also when nothing is new


class Command(BaseCommand):
    help = "Follow the canisters' logs into the index."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="one round, then stop; fails when a log cannot be followed"
        )
        parser.add_argument("--pause", type=float, default=PAUSE_S, help="seconds between two rounds")

    def handle(self, *args: Any, once: bool, pause: float, **options: Any) -> None:
        if once:
            self._once()
            return
        stop = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        follow(stop, pause)

    def _once(self) -> None:
        try:
            done = look(check_tip=True)
        except (IndexRefused, MarketError, ClientError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done.applied} new blocks")
        if done.problems:
            raise CommandError("\n".join(f"{where}: {problem}" for where, problem in done.problems.items()))


def follow(stop: threading.Event, pause_s: float = PAUSE_S) -> None:
    """Rounds until `stop`. Whatever goes wrong is said once, when it begins and when it ends, and tried again more slowly."""
    wait_s, rounds, before = pause_s, 0, ""
    while not stop.is_set():
        trouble = _round(check_tip=rounds % ROUNDS_UNTIL_PROOF == 0)
        if trouble != before:
            log.warning("%s", trouble) if trouble else log.info("following the chain again")
        before, rounds = trouble, rounds + 1
        wait_s = min(2 * wait_s, max(LONGEST_PAUSE_S, pause_s)) if trouble else pause_s
        stop.wait(wait_s)


def _round(*, check_tip: bool) -> str:
    """What is wrong, empty when all is well."""
    try:
        done = look(check_tip=check_tip)
    except (IndexRefused, MarketError, ClientError) as error:
        return str(error)
    except OperationalError as error:
        connection.close()  # the next round opens a new one
        return f"the database does not answer: {error}"
    return "; ".join(f"{where}: {problem}" for where, problem in sorted(done.problems.items()))

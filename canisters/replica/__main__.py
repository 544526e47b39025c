"""`python -m canisters.replica --port N --state DIR`: runs the embedded Internet Computer until it is told to stop.

Prints one line of JSON with its address and root key once it answers. The same folder gives the same network again."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from .http import Replica
from .scheduler import Scheduler
from .state import Network
from .store import Store, StoreInUse, StoreUnreadable, StoreUnwritable

SEED_BYTES = 32
MANUAL_START_NS = 1_700_000_000 * 10**9
THREAD_STACK_BYTES = 16 << 20  # wasm takes up to 5 MiB of it, and what it calls some more
SHUTDOWN_S = 2.0


def _seed(text: str) -> bytes:
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise argparse.ArgumentTypeError(f"a seed is {2 * SEED_BYTES} hex digits")
    return seed


@dataclass(frozen=True)
class Serving:
    """How a network is run. `on_ready` hears its address and root key once it answers."""

    state: Path
    bind: str
    port: int
    real_time: bool
    seed: bytes | None
    on_ready: Callable[[dict[str, Any]], None]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m canisters.replica", description="The embedded Internet Computer: for development and tests."
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument(
        "--bind",
        default="127.0.0.1",
        help="address to listen on; others than this machine's are not for an open network",
    )
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the network across restarts")
    parser.add_argument(
        "--time", choices=("real", "manual"), default="real", help="manual: time moves only when POST /_/time says so"
    )
    parser.add_argument("--seed", type=_seed, help="64 hex digits: the same keys every time, for tests")
    return parser.parse_args()


async def _serve(scheduler: Scheduler, serving: Serving) -> int:
    replica = Replica(scheduler)
    runner = web.AppRunner(replica.application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, serving.bind, serving.port).start()
        port = runner.addresses[0][1]
        ready = {"url": f"http://localhost:{port}", "port": port, "root_key": scheduler.signer.root_key.hex()}
        serving.on_ready(ready)
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, replica.stopped.set)
        await replica.stopped.wait()
    finally:
        await runner.cleanup()
    if replica.failure is not None:
        print(f"The embedded network stops: {replica.failure}", file=sys.stderr)
    code = 0 if replica.failure is None else 1
    if replica.busy:
        # wasm cannot be interrupted. Its block was not written and nobody has heard of it, so it may as well not have been.
        sys.stderr.flush()
        os._exit(code)
    return code


def run(serving: Serving) -> int:
    """Until it is told to stop, by SIGINT or SIGTERM. Returns the exit code."""
    threading.stack_size(THREAD_STACK_BYTES)
    sys.setswitchinterval(0.001)  # several threads wait for each other's short work
    try:
        store = Store(serving.state)
    except (StoreInUse, StoreUnreadable, OSError) as error:
        print(f"The embedded network cannot start: {error}", file=sys.stderr)
        return 1
    try:
        network = store.read()
        if network is None:
            time_ns = time.time_ns() if serving.real_time else MANUAL_START_NS
            network = Network(seed=serving.seed or secrets.token_bytes(SEED_BYTES), time_ns=time_ns)
        scheduler = Scheduler(network, store, real_time=serving.real_time)
        scheduler.run_block([])
        return asyncio.run(_serve(scheduler, serving))
    except (StoreUnreadable, StoreUnwritable) as error:
        print(f"The embedded network cannot start: {error}", file=sys.stderr)
    except OSError as error:
        where = f"{serving.bind}:{serving.port}"
        print(
            f"The embedded network cannot listen on {where}: {error.strerror or error}; choose another --port",
            file=sys.stderr,
        )
    finally:
        store.close()
    return 1


def main() -> int:
    arguments = _arguments()
    return run(
        Serving(
            state=arguments.state,
            bind=arguments.bind,
            port=arguments.port,
            real_time=arguments.time == "real",
            seed=arguments.seed,
            on_ready=lambda ready: print(json.dumps(ready), flush=True),
        )
    )


if __name__ == "__main__":
    sys.exit(main())

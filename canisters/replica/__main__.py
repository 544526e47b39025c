"""`python -m canisters.replica --port N --state DIR`: runs the embedded Internet Computer until it is told to stop.

Prints one line of JSON with its address and root key once it answers. The same folder gives the same network again."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
import time
from pathlib import Path

from aiohttp import web

from .http import Replica
from .scheduler import Scheduler
from .state import Network
from .store import Store, StoreInUse, StoreUnreadable


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
    parser.add_argument("--seed", help="64 hex digits: the same keys every time, for tests")
    return parser.parse_args()


async def _serve(scheduler: Scheduler, arguments: argparse.Namespace) -> None:
    runner = web.AppRunner(Replica(scheduler).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, arguments.bind, arguments.port)
    await site.start()
    port = runner.addresses[0][1]
    ready = {"url": f"http://localhost:{port}", "port": port, "root_key": scheduler.signer.root_key.hex()}
    print(json.dumps(ready), flush=True)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    await runner.cleanup()


def main() -> int:
    arguments = _arguments()
    try:
        store = Store(arguments.state)
        network = store.read()
    except (StoreInUse, StoreUnreadable, OSError) as error:
        print(f"The embedded network cannot start: {error}", file=sys.stderr)
        return 1
    if network is None:
        seed = bytes.fromhex(arguments.seed) if arguments.seed else secrets.token_bytes(32)
        network = Network(seed=seed, time_ns=time.time_ns() if arguments.time == "real" else 1_700_000_000 * 10**9)
    scheduler = Scheduler(network, store, real_time=arguments.time == "real")
    scheduler.run_block([])
    try:
        asyncio.run(_serve(scheduler, arguments))
    except OSError as error:
        print(
            f"The embedded network cannot listen on {arguments.bind}:{arguments.port}: {error.strerror}; choose another --port",
            file=sys.stderr,
        )
        return 1
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

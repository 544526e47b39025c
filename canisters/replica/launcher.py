"""Stands in for the official network launcher: `icp network start` runs it, and every command of an icp-cli project works with no download.

`ICP_CLI_NETWORK_LAUNCHER_PATH` names the script beside this file, icp-launcher. Interface: network launcher 1.1 (`ic-limits` of the design
notes, 5.1): once the network answers, one line of JSON appears in STATUS_DIR/status.json; SIGINT ends it. What this network does not have
(--ii, --nns, --bitcoind-addr ...) is said on the error output and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from canisters.interface.principal import Principal

from .__main__ import Serving, run
from .state import FIRST_CANISTER_ID, canister_id_of

INTERFACE = "1"
_NOT_HERE = ("--ii", "--nns", "--bitcoind-addr", "--dogecoind-addr", "--artificial-delay-ms")


def _arguments(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="icp-launcher", description=__doc__, allow_abbrev=False)
    parser.add_argument("--interface-version", default="1.1.0")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--status-dir", type=Path, required=True)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--gateway-port", type=int, default=0)
    return parser.parse_known_args(argv)


def status(ready: dict[str, Any]) -> dict[str, Any]:
    """What status.json holds."""
    return {
        "v": INTERFACE,
        "gateway_port": ready["port"],
        "root_key": ready["root_key"],
        "default_effective_canister_id": str(Principal(canister_id_of(FIRST_CANISTER_ID))),
        "supported_features": [],
    }


def main(argv: list[str] | None = None) -> int:
    arguments, others = _arguments(argv)
    if arguments.interface_version.split(".")[0] != INTERFACE:
        print(
            f"icp-launcher speaks interface {INTERFACE}.x, and {arguments.interface_version} is asked for",
            file=sys.stderr,
        )
        return 1
    for option in others:
        if option.split("=")[0] in _NOT_HERE:
            print(f"icp-launcher: this network has no {option}; it is left out", file=sys.stderr)

    def tell(ready: dict[str, Any]) -> None:
        arguments.status_dir.mkdir(parents=True, exist_ok=True)
        draft = arguments.status_dir / "status.json.draft"
        draft.write_text(json.dumps(status(ready)) + "\n")
        draft.rename(arguments.status_dir / "status.json")

    return run(
        Serving(
            state=arguments.state_dir / "network",
            bind=arguments.bind,
            port=arguments.gateway_port,
            real_time=True,
            seed=None,
            on_ready=tell,
        )
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m canisters.deploy --url URL --state DIR`: puts registry, jobs, ledger and cooperatives on a network, or brings them up to date.

May be run again at any time, and after being killed at any point: ids are written down (deployment.draft.json) before anything is
installed in them, modules that are there already are left alone, changed ones are upgraded with their state kept. Leaves deployment.json.

The deployer's key (deployer.pem) controls these four canisters and nothing else: no user's data, shares or tokens are in its reach
through any of their methods. On an open network hand control to a governance canister before real data is registered.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from canisters.client import CallRejected, ChainAgent, ChainUnavailable, ClientError, KeyIdentity, fetch_root_key
from canisters.client.contracts import service
from canisters.client.deployment import CANISTERS, NETWORKS, Deployment, write_json
from canisters.client.management import Management
from canisters.interface.candid import encode
from canisters.interface.principal import MalformedPrincipal, Principal

__all__ = ["CannotDeploy", "Deployment", "deploy"]

WASM = Path(__file__).parent.parent / "build" / "canisters"
TOKEN_NAME, TOKEN_SYMBOL, FEE_E8S, FAUCET_E8S = "Commonweight test token", "CWT", 10_000, 100_000_000_000
# Enough for years of an embedded network, which charges nothing; each cooperative takes some from the factory's.
CYCLES = 1_000_000_000_000_000
# The public key of the Internet Computer itself. Source: interface specification, "Root of trust".
MAINNET_ROOT_KEY = bytes.fromhex(
    "308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201036100814c0e6ec71fab583b08bd81373c255c3c371b2e84863c98a4f1e08b"
    "74235d14fb5d9c0cd546d9685f913a0c0b2cc5341583bf4b4392e467db96d65b9bb4cb717112f8472e0d5a4d14505ffd7484b01291091c5f87b98883463f98091a0baaae"
)
Say = Callable[[str], None]


class CannotDeploy(ClientError):
    """The message says what is wrong and what to do."""


@dataclass(frozen=True)
class _Modules:
    """The compiled canisters, all there before anything is begun."""

    wasm: Mapping[str, bytes]

    @classmethod
    def read(cls, folder: Path) -> _Modules:
        missing = [name for name in CANISTERS if not (folder / f"{name}.wasm").is_file()]
        if missing:
            raise CannotDeploy(f"{', '.join(missing)} not compiled (looked in {folder}): run `make build` first")
        return cls({name: (folder / f"{name}.wasm").read_bytes() for name in CANISTERS})


def deploy(
    url: str,
    state: Path,
    network: str = "embedded",
    *,
    root_key: bytes | None = None,
    canisters: Mapping[str, Principal] | None = None,
    wasm: Path = WASM,
    say: Say = lambda _text: None,
) -> Deployment:
    """Bring the four canisters to what `wasm` holds, and return where they are.

    `root_key`: None takes the Internet Computer's for "ic", and asks the network itself when that is on this machine.
    `canisters`: ids made by other means, controlled by the deployer's key; needed where creating one costs real cycles.
    Raises: CannotDeploy; ChainUnavailable; IdentityUnreadable; whatever else the client raises.
    """
    if network not in NETWORKS:
        raise CannotDeploy(f"--network is one of {', '.join(NETWORKS)}, not {network}")
    modules = _Modules.read(wasm)
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotDeploy(f"the folder {state} cannot be made: {error.strerror}") from error
    with alone(state):
        key = root_key or root_key_of(url, network)
        identity = KeyIdentity.load_or_create(state / "deployer.pem")
        with ChainAgent(url, key, identity, timeout_s=120.0) as agent:
            ids = _create(agent, state, network, canisters or {}, say)
            for name in CANISTERS:
                _bring_up_to_date(Management(agent), name, ids, modules.wasm[name], say)
        deployment = Deployment(network, url.rstrip("/"), key, ids, identity.principal)
        deployment.save(state / "deployment.json")
        (state / "deployment.draft.json").unlink(missing_ok=True)
    return deployment


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Two deployments into one folder would make every canister twice."""
    with (state / "deploy.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotDeploy(f"another deployment into {state} is under way: wait for it") from error
        yield


def root_key_of(url: str, network: str) -> bytes:
    if network == "ic":
        return MAINNET_ROOT_KEY
    if not _on_this_machine(url):
        raise CannotDeploy(
            f"{url} is not on this machine: give the network's root key with --root-key, from a source you trust"
        )
    return fetch_root_key(url)


def _on_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError as error:
        raise CannotDeploy(f"--url: {url} is not an address: {error}") from error
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _recorded(state: Path, root_key: bytes) -> dict[str, Principal]:
    """The ids that an earlier run wrote down. Raises CannotDeploy when they are of another network."""
    for name in ("deployment.json", "deployment.draft.json"):
        path = state / name
        if not path.exists():
            continue
        try:
            fields = json.loads(path.read_text())
            ids = {name: Principal.from_text(text) for name, text in fields["canisters"].items() if name in CANISTERS}
            of_network = bytes.fromhex(fields["root_key"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, MalformedPrincipal) as error:
            raise CannotDeploy(
                f"{path} cannot be read ({error}): restore it, or move it away to deploy anew"
            ) from error
        if of_network != root_key:
            raise CannotDeploy(
                f"{path} is of a network with another root key (was its state deleted?): "
                "move the file away to deploy anew, or use another --state"
            )
        return ids
    return {}


def _create(
    agent: ChainAgent, state: Path, network: str, given: Mapping[str, Principal], say: Say
) -> dict[str, Principal]:
    """An id for each canister, each written down as soon as it is known."""
    known = _recorded(state, agent.root_key)
    for name, canister_id in given.items():
        if known.setdefault(name, canister_id) != canister_id:
            raise CannotDeploy(f"{name} is {known[name]} in {state} already, not {canister_id}")
    for name in CANISTERS:
        if name in known:
            continue
        if network == "ic":
            raise CannotDeploy(
                f"creating {name} on the Internet Computer costs cycles: make it with `icp canister create`, "
                f"with {agent.principal} as its controller, and pass --canister {name}=ID"
            )
        known[name] = Management(agent).create(controllers=[agent.principal], cycles=CYCLES)
        _record(state, agent.root_key, known)
        say(f"{name}: created {known[name]}")
    _record(state, agent.root_key, known)
    return {name: known[name] for name in CANISTERS}


def _record(state: Path, root_key: bytes, ids: Mapping[str, Principal]) -> None:
    draft = {"root_key": root_key.hex(), "canisters": {name: str(canister_id) for name, canister_id in ids.items()}}
    write_json(state / "deployment.draft.json", draft)


def _bring_up_to_date(management: Management, name: str, ids: Mapping[str, Principal], wasm: bytes, say: Say) -> None:
    canister_id = ids[name]
    there = management.agent.module_hash(canister_id)
    if there == hashlib.sha256(wasm).digest():
        say(f"{name}: up to date ({canister_id})")
        return
    mode = "install" if there is None else "upgrade"
    try:
        management.install(canister_id, wasm, _init(name, ids), mode=mode, keep_heap=mode == "upgrade")
    except CallRejected as error:
        raise CannotDeploy(f"{name}: the network refused to {mode} {canister_id}: {error}") from error
    say(f"{name}: {'installed' if mode == 'install' else 'upgraded, state kept'} ({canister_id})")


def _init(name: str, ids: Mapping[str, Principal]) -> bytes:
    """The init argument, Candid bytes. An upgrade takes it too and keeps what the canister was founded with."""
    arguments: dict[str, dict[str, Any]] = {
        "registry": {"jobs": ids["jobs"]},
        "jobs": {"registry": ids["registry"], "ledger": ids["ledger"]},
        # No minting account: nobody, the deployer neither, can make tokens beyond the faucet's amount for each principal.
        "ledger": {
            "name": TOKEN_NAME,
            "symbol": TOKEN_SYMBOL,
            "fee_e8s": FEE_E8S,
            "minting_account": None,
            "faucet_e8s": FAUCET_E8S,
        },
        "cooperatives": {"jobs": ids["jobs"], "ledger": ids["ledger"]},
    }
    return encode(service(name).init, (arguments[name],))


def _named_id(text: str) -> tuple[str, Principal]:
    name, _, canister_id = text.partition("=")
    if name not in CANISTERS:
        raise argparse.ArgumentTypeError(f"NAME=ID, with NAME one of {', '.join(CANISTERS)}")
    try:
        return name, Principal.from_text(canister_id)
    except MalformedPrincipal as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("hex digits of the DER-encoded key") from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m canisters.deploy", description="Puts the canisters on a network, or brings them up to date."
    )
    parser.add_argument("--url", required=True, help="of the network, such as http://localhost:8000")
    parser.add_argument("--state", type=Path, required=True, help="folder for deployment.json and deployer.pem")
    parser.add_argument("--network", choices=NETWORKS, default="embedded")
    parser.add_argument(
        "--root-key", type=_hex, help="hex of the network's DER key; needed when it is not on this machine"
    )
    parser.add_argument(
        "--canister",
        type=_named_id,
        action="append",
        default=[],
        metavar="NAME=ID",
        help="use this canister instead of creating one",
    )
    parser.add_argument("--wasm", type=Path, default=WASM, help="folder with the compiled canisters")
    given = parser.parse_args(arguments)
    try:
        deployment = deploy(
            given.url,
            given.state,
            given.network,
            root_key=given.root_key,
            canisters=dict(given.canister),
            wasm=given.wasm,
            say=lambda text: print(text, flush=True),
        )
    except ChainUnavailable as error:
        print(
            f"the network cannot be reached: {error}; start it first (python -m canisters.replica --help)",
            file=sys.stderr,
        )
        return 1
    except ClientError as error:
        print(f"not deployed: {error}", file=sys.stderr)
        return 1
    print(f"deployed to {deployment.url}; written to {given.state / 'deployment.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

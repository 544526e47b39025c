"""`python -m canisters.compiler deploy DIR --network URL`: a compiled model on a network, with its weights, ready to answer.

May be run again at any time, and after being killed at any point: ids are written down before anything is installed in them, a module that
is there already is left alone, and only the weights that a canister still misses are sent. The canister is the deployer's: whoever holds
the key may use it and hand it on (`Management.set_controllers`). Key and ids lie beside DIR, since DIR is replaced when compiling again.

It stands beside `canisters.deploy` because it joins what must not know each other: what the compiler writes, and the client of the chain.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from canisters.client import CallRejected, ChainAgent, ChainUnavailable, ClientError, KeyIdentity
from canisters.client.contracts import Contract, contract, service
from canisters.client.deployment import write_json
from canisters.client.management import Management
from canisters.compiler.compiled import Release, read_release
from canisters.compiler.stages import stage_releases
from canisters.deploy import CYCLES, MAINNET_ROOT_KEY, CannotDeploy, alone, root_key_of
from canisters.interface.candid import encode
from canisters.interface.principal import MalformedPrincipal, Principal

__all__ = ["Deployed", "add", "deploy_model", "deploy_stages", "release_hash", "run"]

TRIES = 3  # of sending one piece of the weights: an upload is idempotent
Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """A canister that answers, and what it says of itself."""

    canister_id: Principal
    description: dict[str, Any]


def release_hash(compiled: Release) -> bytes:
    """32 bytes that name module and weights: SHA-256 over the SHA-256 of the module and of each piece of the weights."""
    parts = [compiled.wasm, *compiled.weight_chunks]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def deploy_model(
    agent: ChainAgent, compiled: Release, canister_id: Principal, say: Say = lambda _text: None
) -> Deployed:
    """Brings a canister that `agent` controls to this model: installed or upgraded, all weights there, sealed.

    Weights that are there already stay. Raises: CannotDeploy; ChainUnavailable (run it again: it goes on where it stood); whatever else
    the client raises.
    """
    _install(Management(agent), compiled, canister_id, say)
    canister = contract(_interface(compiled), agent, canister_id)
    _fill(canister, compiled.weight_chunks, say)
    return Deployed(canister_id, canister.describe())


def _install(management: Management, compiled: Release, canister_id: Principal, say: Say) -> None:
    there = management.agent.module_hash(canister_id)
    if there == hashlib.sha256(compiled.wasm).digest():
        say(f"{canister_id}: has the module")
        return
    mode = "install" if there is None else "upgrade"
    argument = encode(service(_interface(compiled)).init, ({"release_hash": release_hash(compiled)},))
    try:
        management.install(canister_id, compiled.wasm, argument, mode=mode)
    except CallRejected as error:
        raise CannotDeploy(f"the network refused to {mode} {canister_id}: {error}") from error
    say(f"{canister_id}: module {'installed' if mode == 'install' else 'upgraded'}, {len(compiled.wasm):,} bytes")


def _interface(compiled: Release) -> str:
    """Which .did file its methods are in."""
    return "language" if "vocabulary" in compiled.interface else "inference"


def _fill(canister: Contract, chunks: Sequence[bytes], say: Say) -> None:
    """Sends what is missing, as the canister itself tells, until it is sealed."""
    answer = canister.seal()
    if "Ok" in answer:
        say(f"{canister.canister_id}: has its weights")
        return
    missing = answer["Err"]["missing"]
    for index in tqdm(missing, desc="weights", unit="MiB", leave=False, disable=not sys.stderr.isatty()):
        _upload(canister, index, chunks[index])
    answer = canister.seal()
    if "Err" in answer:
        raise CannotDeploy(
            f"{canister.canister_id} still misses {len(answer['Err']['missing'])} pieces: run this again"
        )
    say(f"{canister.canister_id}: {len(missing)} of {len(chunks)} pieces of weights sent, sealed")


def _upload(canister: Contract, index: int, data: bytes) -> None:
    for left in reversed(range(TRIES)):
        try:
            answer = canister.weights_upload({"index": index, "data": data})
        except ChainUnavailable:
            if not left:
                raise
            continue
        if "Err" in answer:
            raise CannotDeploy(f"{canister.canister_id} refuses piece {index} of the weights: {answer['Err']}")
        return


def deploy_stages(
    agent: ChainAgent, stages: Sequence[Release], canister_ids: Sequence[Principal], say: Say = lambda _text: None
) -> list[Deployed]:
    """A model that is cut into stages: each canister as by `deploy_model`, then each is told the next, the last one first, so that nobody is
    handed what cannot go on. `canister_ids[0]` is the one to ask. May be run again, also to replace stages. Raises as `deploy_model` does."""
    deployed = [deploy_model(agent, *pair, say) for pair in zip(stages, canister_ids, strict=True)]
    interface = _interface(stages[0])
    for index in reversed(range(len(canister_ids))):
        links = {
            "next": canister_ids[index + 1] if index + 1 < len(canister_ids) else None,
            "accept": canister_ids[index - 1] if index else None,
        }
        canister = contract(interface, agent, canister_ids[index])
        if canister.stage() != links:
            canister.stage_connect(links)
            say(f"{canister_ids[index]}: stage {index} of {len(canister_ids)}, connected")
    return deployed


def open_http(agent: ChainAgent, canister_id: Principal) -> None:
    """Lets everybody ask over plain HTTP. Raises CannotDeploy: the model has no such door."""
    try:
        contract("inference", agent, canister_id).open_http({"is_open": True})
    except CallRejected as error:
        raise CannotDeploy(f"{canister_id} has no door for HTTP ({error.message}): compile it with --http") from error


# --- where it is written down ---


class _Record:
    """The ids of one compiled model by network, each written down as soon as it is known."""

    def __init__(self, path: Path, root_key: bytes) -> None:
        self._path, self._network = path, root_key.hex()
        try:
            self._networks: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
            self._ids = {k: Principal.from_text(v) for k, v in self._networks.get(self._network, {}).items()}
        except (OSError, ValueError, TypeError, AttributeError, MalformedPrincipal) as error:
            raise CannotDeploy(
                f"{path} cannot be read ({error}): restore it, or move it away to deploy anew"
            ) from error

    def get(self, name: str) -> Principal | None:
        return self._ids.get(name)

    def put(self, name: str, canister_id: Principal) -> None:
        self._ids[name] = canister_id
        self._networks[self._network] = {k: str(v) for k, v in self._ids.items()}
        write_json(self._path, self._networks)


def _canister(agent: ChainAgent, record: _Record, name: str, given: Principal | None, say: Say) -> Principal:
    """The id that is recorded, given or made now, in this order. Raises CannotDeploy."""
    known = record.get(name)
    if given is not None and known not in (None, given):
        raise CannotDeploy(f"{name} is {known} already, not {given}: leave --canister out, or take another --state")
    canister_id = known or given
    if canister_id is None:
        try:
            canister_id = Management(agent).create(controllers=[agent.principal], cycles=CYCLES)
        except CallRejected as error:
            raise CannotDeploy(
                f"this network makes no canisters for test cycles ({error.message}): make one with `icp canister create`, with "
                f"{agent.principal} as its controller, and pass --canister ID"
            ) from error
        say(f"{canister_id}: created for {name}")
    record.put(name, canister_id)
    return canister_id


# --- the verb ---


def _principal(text: str) -> Principal:
    try:
        return Principal.from_text(text)
    except MalformedPrincipal as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _key(text: str) -> bytes:
    if text == "ic":
        return MAINNET_ROOT_KEY
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            "hex digits of the DER-encoded key, or `ic` for the Internet Computer's"
        ) from error


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `compile` wrote")
    parser.add_argument("--network", required=True, metavar="URL", help="such as http://localhost:8000")
    parser.add_argument(
        "--identity", type=Path, metavar="PEM", help="the key that will control it (default: one made in --state)"
    )
    parser.add_argument("--state", type=Path, help="folder for ids and the key (default: DIR.deployment)")
    parser.add_argument(
        "--root-key", type=_key, metavar="HEX", help="the network's DER key; needed when it is not on this machine"
    )
    parser.add_argument(
        "--canister",
        type=_principal,
        action="append",
        default=[],
        metavar="ID",
        help="use this canister instead of creating one; for stages once for each, in order",
    )

    parser.add_argument(
        "--open-http", action="store_true", help="let everybody ask it over plain HTTP; of a model compiled with --http"
    )


def run(arguments: argparse.Namespace) -> int:
    try:
        return _run(arguments)
    except ChainUnavailable as error:
        said = f"the network cannot be reached: {error}; run this again, and it goes on where it stood"
    except ClientError as error:
        said = f"not deployed: {error}"
    print(" ".join(said.split()), file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace) -> int:
    releases = _releases(arguments.folder)
    if len(arguments.canister) not in (0, len(releases)):
        raise CannotDeploy(
            f"--canister is given {len(arguments.canister)} times, and {len(releases)} canisters are needed"
        )
    whole = arguments.folder.absolute()
    state = arguments.state or whole.with_name(f"{whole.name}.deployment")
    state.mkdir(parents=True, exist_ok=True)
    with alone(state):
        root_key = arguments.root_key or root_key_of(arguments.network, "embedded")
        if arguments.identity:
            identity = KeyIdentity.load(arguments.identity)
        else:
            identity = KeyIdentity.load_or_create(state / "deployer.pem")
        with ChainAgent(arguments.network, root_key, identity, timeout_s=120.0) as agent:
            record = _Record(state / "canisters.json", root_key)
            given = arguments.canister or [None] * len(releases)
            ids = [_canister(agent, record, *pair, _say) for pair in zip(releases, given, strict=True)]
            _deploy(agent, releases, ids)
            if arguments.open_http:
                open_http(agent, ids[0])
                print("open to everybody over plain HTTP")
    return 0


def _releases(folder: Path) -> dict[str, Release]:
    """By the names under which their canisters are recorded. Raises BadFolder."""
    if (folder / "stages.json").exists():
        return {f"stage{index}": stage for index, stage in enumerate(stage_releases(folder))}
    return {"model": read_release(folder)}


def _deploy(agent: ChainAgent, releases: dict[str, Release], ids: Sequence[Principal]) -> None:
    if "model" in releases:
        _tell(deploy_model(agent, releases["model"], ids[0], _say))
    else:
        _tell(*deploy_stages(agent, list(releases.values()), ids, _say))


def _say(text: str) -> None:
    print(text, flush=True)


def _tell(first: Deployed, *further: Deployed) -> None:
    """`first` is the one to ask; the last one makes the answer."""
    _tell_tensors("input", first)
    _tell_tensors("output", further[-1] if further else first)
    print(f"answers at {first.canister_id}, release {bytes(first.description['release_hash']).hex()}")


def _tell_tensors(kind: str, deployed: Deployed) -> None:
    for tensor in deployed.description.get(f"{kind}s", []):
        print(f"{kind} {tensor['name']}: {tensor['dtype']} ({', '.join(map(str, tensor['shape']))})")

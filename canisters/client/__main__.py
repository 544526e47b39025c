"""`python -m canisters.client COMMAND`: collect and verify a bundle, see what runs where, and whose key a file holds."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

from canisters.interface.principal import MalformedPrincipal, Principal

from . import verification
from .contracts import contract
from .deployment import CANISTERS, Deployment
from .errors import ClientError
from .identities import KeyIdentity
from .receipt import Receipt

OK, FAILED, UNUSABLE = 0, 1, 2
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Unusable(ClientError):
    """Something given on the command line cannot be used."""


def collect(given: argparse.Namespace) -> int:
    deployment = Deployment.load(given.deployment)
    receipts = [Receipt.from_bytes(_read(path)) for path in given.receipt]
    with deployment.agent() as agent:
        bundle = verification.collect(agent, deployment.canisters, receipts)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(bundle)
    print(
        f"{given.out}: {len(bundle)} bytes; check it with: python -m canisters.client verify --root-key HEX {given.out}"
    )
    return OK


def verify(given: argparse.Namespace) -> int:
    report = verification.verify_bundle(
        _read(given.bundle),
        given.root_key,
        blobs=_blobs(given.blobs) if given.blobs else None,
        canisters=dict(given.canister),
        modules=_modules(given.modules) if given.modules else None,
    )
    if given.job is not None:
        report = report.about(given.job)
    print(json.dumps(report.as_json(), indent=2) if given.json else report.text())
    return OK if report.ok else FAILED


def status(given: argparse.Namespace) -> int:
    deployment = Deployment.load(given.deployment)
    print(f"{deployment.network} network at {deployment.url}\nroot key {deployment.root_key.hex()}")
    with deployment.agent() as agent:
        for name, canister_id in deployment.canisters.items():
            length = contract(name, agent, canister_id).icrc3_get_blocks([{"start": 0, "length": 0}])["log_length"]
            module = agent.module_hash(canister_id)
            shown = f"module {module.hex()}, {length} blocks" if module else "empty"
            controllers = ", ".join(map(str, agent.controllers(canister_id)))
            print(f"{name} {canister_id}: {shown}, controlled by {controllers}")
    return OK


def whoami(given: argparse.Namespace) -> int:
    print(KeyIdentity.load(given.key).principal)
    return OK


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from error


def _blobs(folder: Path) -> dict[str, bytes]:
    """Files below `folder` whose name is a SHA-256, as the marketplace keeps them. Whether they have it is for the verifier to say."""
    if not folder.is_dir():
        raise Unusable(f"{folder} is no folder")
    return {path.name: _read(path) for path in folder.rglob("*") if _SHA256.fullmatch(path.name) and path.is_file()}


def _modules(folder: Path) -> dict[str, bytes]:
    found = {path.stem: hashlib.sha256(_read(path)).digest() for path in folder.glob("*.wasm")}
    if not found:
        raise Unusable(f"{folder} holds no .wasm files: run `make build` first")
    return found


def _root_key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("hex digits of the network's DER key") from error


def _canister(text: str) -> tuple[str, Principal]:
    name, _, canister_id = text.partition("=")
    if name not in CANISTERS:
        raise argparse.ArgumentTypeError(f"NAME=ID, with NAME one of {', '.join(CANISTERS)}")
    try:
        return name, Principal.from_text(canister_id)
    except MalformedPrincipal as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m canisters.client", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("collect", help="fetch logs, certificates and states into one file (online)")
    one.add_argument("--deployment", type=Path, required=True, help="deployment.json")
    one.add_argument("--out", type=Path, required=True, help="the bundle to write")
    one.add_argument("--receipt", type=Path, action="append", default=[], help="a kept receipt to put in; repeatable")
    one.set_defaults(run=collect)

    one = commands.add_parser(
        "verify", help="check a bundle, offline; exit code 0 holds, 1 something failed, 2 unusable"
    )
    one.add_argument("bundle", type=Path)
    one.add_argument(
        "--root-key", type=_root_key, required=True, help="hex of the network's DER key, from a source you trust"
    )
    one.add_argument(
        "--blobs", type=Path, help="folder of artifacts named by their SHA-256: check them and the attribution too"
    )
    one.add_argument(
        "--modules", type=Path, help="folder of the modules that you compiled: compare them with what runs"
    )
    one.add_argument(
        "--canister",
        type=_canister,
        action="append",
        default=[],
        metavar="NAME=ID",
        help="the bundle must be about this one; repeatable",
    )
    one.add_argument("--job", type=int, help="show only what concerns this job")
    one.add_argument("--json", action="store_true", help="for machines")
    one.set_defaults(run=verify)

    one = commands.add_parser("status", help="what runs where")
    one.add_argument("--deployment", type=Path, required=True, help="deployment.json")
    one.set_defaults(run=status)

    one = commands.add_parser("whoami", help="the principal of a key file")
    one.add_argument("--key", type=Path, required=True, help="a PEM file")
    one.set_defaults(run=whoami)
    return parser


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        code: int = given.run(given)
    except ClientError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except OSError as error:
        print(f"{error.filename or 'a file'} cannot be used: {error.strerror}", file=sys.stderr)
        return UNUSABLE
    return code


if __name__ == "__main__":
    sys.exit(main())

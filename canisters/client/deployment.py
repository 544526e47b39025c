"""What runs where: the record (deployment.json) that a deployment leaves, and that everything else starts from.

`canisters.deploy` writes it; the marketplace, the worker, the story and the verifier read it. It holds no secret.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canisters.interface.principal import MalformedPrincipal, Principal

from .agent import ChainAgent
from .errors import ClientError
from .identities import AnyIdentity

NETWORKS = ("embedded", "pocketic", "ic")
CANISTERS = ("registry", "jobs", "ledger", "cooperatives")


class DeploymentUnreadable(ClientError):
    """There is no deployment in that file, or it is not whole."""


@dataclass(frozen=True)
class Deployment:
    """`root_key`: 133 bytes of DER. `canisters`: name -> id, for each of CANISTERS."""

    network: str
    url: str
    root_key: bytes
    canisters: dict[str, Principal]
    deployer: Principal

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Raises DeploymentUnreadable, saying what to do."""
        try:
            fields = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise DeploymentUnreadable(f"there is no {path}: run `python -m canisters.deploy` first") from error
        except (OSError, ValueError) as error:
            raise DeploymentUnreadable(f"{path} cannot be read: {error}") from error
        try:
            return cls(
                network=str(fields["network"]),
                url=str(fields["url"]),
                root_key=bytes.fromhex(fields["root_key"]),
                canisters={name: Principal.from_text(fields["canisters"][name]) for name in CANISTERS},
                deployer=Principal.from_text(fields["deployer"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, MalformedPrincipal) as error:
            raise DeploymentUnreadable(f"{path} is not a whole deployment ({error}): deploy again") from error

    def as_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "url": self.url,
            "root_key": self.root_key.hex(),
            "canisters": {name: str(canister_id) for name, canister_id in self.canisters.items()},
            "deployer": str(self.deployer),
        }

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        write_json(path, self.as_json())

    def agent(self, identity: AnyIdentity | None = None, *, timeout_s: float = 60.0) -> ChainAgent:
        return ChainAgent(self.url, self.root_key, identity, timeout_s=timeout_s)


def write_json(path: Path, data: Any) -> None:
    """Replace `path` in one step: who reads it sees the old or the new, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(data, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise

"""The bundle: all that a verification needs, in one file, collected by anybody from the public network.

CBOR: {"format", "canisters": {name: principal}, "logs": {principal: {"blocks", "certificate", "hash_tree"} or {"blocks": [], "receipt"}},
"states": {principal: certificate}, "receipts": [receipt]}. Nothing in it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canisters.client.deployment import CANISTERS
from canisters.client.errors import ClientError
from canisters.interface import cbor
from canisters.interface.principal import MalformedPrincipal, Principal

FORMAT = "commonweight/bundle/v1"


class BundleMalformed(ClientError):
    """Not a bundle, or one of another version."""


@dataclass(frozen=True)
class Bundle:
    """`canisters`: registry, jobs, ledger, cooperatives. The rest is by canister, as it came, unchecked."""

    canisters: dict[str, Principal]
    logs: dict[Principal, Any]
    states: dict[Principal, Any]
    receipts: list[Any]

    def to_bytes(self) -> bytes:
        return cbor.dumps(
            {
                "format": FORMAT,
                "canisters": {name: canister.raw for name, canister in self.canisters.items()},
                "logs": {canister.raw: log for canister, log in self.logs.items()},
                "states": {canister.raw: proof for canister, proof in self.states.items()},
                "receipts": self.receipts,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """Raises BundleMalformed."""
        try:
            fields = cbor.loads(data)
            if fields["format"] != FORMAT:
                raise BundleMalformed(f"the bundle is not of format {FORMAT}: collect it anew")
            return cls(
                {name: Principal(fields["canisters"][name]) for name in CANISTERS},
                {Principal(raw): log for raw, log in fields["logs"].items()},
                {Principal(raw): proof for raw, proof in fields["states"].items()},
                list(fields["receipts"]),
            )
        except (cbor.MalformedCbor, MalformedPrincipal, KeyError, TypeError, AttributeError) as error:
            raise BundleMalformed(f"this is not a bundle ({error}): collect it anew") from error

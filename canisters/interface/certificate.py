"""Certificates: a hash tree and the network's signature over its root.

Whoever reads an answer of the chain checks it here, against the root key and nothing else.
Source: interface specification, "Certificate", "Delegation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import bls, cbor, hash_tree, leb128
from .hash_tree import Found, Tree
from .keys import IC_STATE_ROOT
from .principal import Principal

MAX_AGE_NS = 5 * 60 * 10**9


class CertificateRefused(ValueError):
    """The certificate does not prove what it should: wrong signature, wrong canister, too old, or malformed."""


@dataclass(frozen=True)
class Delegation:
    subnet_id: bytes
    certificate: bytes


@dataclass(frozen=True)
class Certificate:
    tree: Tree
    signature: bytes
    delegation: Delegation | None

    @classmethod
    def parse(cls, data: bytes) -> Certificate:
        """Read without believing: `verify` decides. Raises CertificateRefused for malformed bytes."""
        try:
            fields: dict[str, Any] = cbor.loads(data)
            delegation = fields.get("delegation")
            return cls(
                tree=hash_tree.from_cbor_value(fields["tree"]),
                signature=_bytes(fields["signature"]),
                delegation=None
                if delegation is None
                else Delegation(_bytes(delegation["subnet_id"]), _bytes(delegation["certificate"])),
            )
        except (cbor.MalformedCbor, hash_tree.MalformedTree, KeyError, TypeError, AttributeError) as error:
            raise CertificateRefused(f"malformed certificate: {error}") from error

    def lookup(self, *path: bytes) -> bytes | None:
        """The value at `path`; None when the tree proves its absence. Raises CertificateRefused when it was pruned."""
        found = hash_tree.lookup(self.tree, path)
        if isinstance(found, Found):
            return found.value
        if isinstance(found, hash_tree.Absent):
            return None
        raise CertificateRefused(f"the certificate says nothing about {'/'.join(_shown(p) for p in path)}")

    def require(self, *path: bytes) -> bytes:
        value = self.lookup(*path)
        if value is None:
            raise CertificateRefused(f"the certificate has no {'/'.join(_shown(p) for p in path)}")
        return value

    @property
    def time_ns(self) -> int:
        return leb128.decode_unsigned(self.require(b"time"))[0]


def verify(
    data: bytes,
    *,
    root_key: bytes,
    canister_id: Principal | None = None,
    now_ns: int | None = None,
    max_age_ns: int = MAX_AGE_NS,
) -> Certificate:
    """Parse and check a certificate.

    `canister_id`: the canister that it speaks for, whose range a delegation must cover (the management canister is everybody's).
    `now_ns`: when given, the certificate must not be older or newer than `max_age_ns`. Raises CertificateRefused.
    """
    certificate = Certificate.parse(data)
    key = _signing_key(certificate, root_key, canister_id)
    try:
        holds = bls.verify(key, IC_STATE_ROOT + certificate.tree.digest, certificate.signature)
    except bls.MalformedBlsKey as error:
        raise CertificateRefused(str(error)) from error
    if not holds:
        raise CertificateRefused("the certificate's signature does not hold under the root key")
    if now_ns is not None and abs(now_ns - certificate.time_ns) > max_age_ns:
        raise CertificateRefused(
            f"the certificate's time is {abs(now_ns - certificate.time_ns) // 10**9} seconds away from this clock"
        )
    return certificate


def _signing_key(certificate: Certificate, root_key: bytes, canister_id: Principal | None) -> bytes:
    delegation = certificate.delegation
    if delegation is None:
        return root_key
    above = Certificate.parse(delegation.certificate)
    if above.delegation is not None:
        raise CertificateRefused("a delegation must not rest on another delegation")
    above = verify(delegation.certificate, root_key=root_key)
    if canister_id is not None and canister_id != Principal.management():
        _require_in_range(above, delegation.subnet_id, canister_id)
    return above.require(b"subnet", delegation.subnet_id, b"public_key")


def _require_in_range(above: Certificate, subnet_id: bytes, canister_id: Principal) -> None:
    found = hash_tree.lookup(above.tree, [b"subnet", subnet_id, b"canister_ranges"])
    ranges: list[Any] = []
    if isinstance(found, Found):
        ranges = cbor.loads(found.value)
    else:
        shards = hash_tree.subtree(above.tree, [b"canister_ranges", subnet_id])
        for label in hash_tree.labels_of(shards) if shards is not None else []:
            shard = hash_tree.lookup(above.tree, [b"canister_ranges", subnet_id, label])
            ranges += cbor.loads(shard.value) if isinstance(shard, Found) else []
    if not any(low <= canister_id.raw <= high for low, high in ranges):
        raise CertificateRefused(f"the subnet that signed does not host {canister_id}")


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):  # bytes(10**12) would ask for that much memory
        raise TypeError(f"{type(value).__name__} where bytes belong")
    return value


def _shown(label: bytes) -> str:
    text = label.decode("ascii", "replace")
    return text if text.isprintable() and text.isascii() else label.hex()


def encode(tree: Tree, signature: bytes) -> bytes:
    """A certificate without delegation, as the network sends it."""
    return cbor.dumps({"tree": hash_tree.to_cbor_value(tree), "signature": signature})


Path = Sequence[bytes]

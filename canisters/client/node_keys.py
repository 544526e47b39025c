"""The keys of the nodes that may sign answers to queries, for the agent.

Taken from a certificate, so the root key vouches for them; kept for an hour; asked for anew when an unknown node signs. Only nodes of the
subnet that hosts the canister count: those of another subnet could otherwise speak for it.
Source: interface specification, "Request: Query call", signatures of the response.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock

from canisters.interface import certificate, hash_tree, keys
from canisters.interface.certificate import Certificate
from canisters.interface.principal import Principal

from .errors import CertificateRefused
from .proof import value_at

KEPT_S = 3600.0
Fetch = Callable[[Principal], Certificate]


class NodeKeys:
    """`canister_id -> node id -> DER key`. Safe to share between threads."""

    def __init__(self, root_key: bytes) -> None:
        self._root_subnet = Principal.self_authenticating(root_key).raw
        self._known: dict[Principal, tuple[float, Mapping[bytes, bytes]]] = {}
        self._lock = Lock()

    def key(self, canister_id: Principal, node_id: bytes, fetch: Fetch) -> bytes:
        """The node's public key in DER. `fetch` gives a verified certificate of `/subnet`. Raises CertificateRefused."""
        taken_at, known = self._known.get(canister_id, (0.0, {}))
        if node_id not in known or time.monotonic() - taken_at > KEPT_S:
            known = self._read(fetch(canister_id))
            with self._lock:
                self._known[canister_id] = (time.monotonic(), known)
        if node_id not in known:
            shown = Principal(node_id) if len(node_id) <= 29 else node_id[:29].hex()
            raise CertificateRefused(f"node {shown} does not belong to the subnet that hosts {canister_id}")
        return known[node_id]

    def _read(self, proven: Certificate) -> dict[bytes, bytes]:
        subnet = proven.delegation.subnet_id if proven.delegation is not None else self._root_subnet
        nodes = hash_tree.subtree(proven.tree, [b"subnet", subnet, b"node"])
        found: dict[bytes, bytes] = {}
        for node in hash_tree.labels_of(nodes) if nodes is not None else []:
            key = value_at(proven, b"subnet", subnet, b"node", node, b"public_key")
            if key is not None:
                found[node] = key
        return found


def require_signature(key: bytes, message: bytes, signature: bytes, timestamp_ns: int, now_ns: int) -> None:
    """Raises CertificateRefused when a node's signature does not hold, or its time is more than five minutes away from this clock."""
    if abs(now_ns - timestamp_ns) > certificate.MAX_AGE_NS:
        raise CertificateRefused("the answer to the query is more than five minutes away from this clock")
    try:
        keys.verify_signature(key, message, signature)
    except keys.BadSignature as error:
        raise CertificateRefused(f"the node's signature of the answer does not hold: {error}") from error

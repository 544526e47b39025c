"""The state tree and its signature: what anybody can be shown, and proof that the network said it.

The network is one subnet whose key is the root key, so certificates need no delegation. A block changes the tree where it changed the
state; the rest, hashes included, stays from the block before. Source: interface specification, "The system state tree".
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from canisters.interface import bls, cbor, certificate, hash_tree, keys
from canisters.interface.hash_tree import Labeled, Tree
from canisters.interface.leb128 import encode_unsigned
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map

from .state import LAST_CANISTER_ID, Canister, IngressStatus, Network, canister_id_of


class Signer:
    """The keys of the network: one BLS key for the state, one Ed25519 key for the node's answers to queries."""

    def __init__(self, seed: bytes) -> None:
        self._secret = bls.secret_from_seed(seed)
        self._node = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"node key" + seed).digest())
        self.root_key = bls.public_key_der(self._secret)
        self.node_key = keys.public_key_der(self._node.public_key())
        self.subnet_id = Principal.self_authenticating(self.root_key).raw
        self.node_id = Principal.self_authenticating(self.node_key).raw

    def sign_state(self, digest: bytes) -> bytes:
        return bls.sign(self._secret, keys.IC_STATE_ROOT + digest)

    def sign_response(self, response: dict[str, object]) -> bytes:
        return self._node.sign(keys.IC_RESPONSE + hash_of_map(response))


class Certification:
    """The newest signed state. `refresh` once a block; the rest as often as asked, from any thread."""

    def __init__(self, signer: Signer, network: Network) -> None:
        self.signer = signer
        self._network = network
        self._canisters: Tree = hash_tree.Empty()
        self._requests: Tree = hash_tree.Empty()
        self._statuses: dict[bytes, str] = {}
        self._subnet = self._subnet_tree()
        self._signing = threading.Lock()
        self._signed: tuple[Tree, bytes] | None = None
        self._data: tuple[Tree, dict[bytes, bytes]] | None = None
        self.refresh(network.canisters, network.ingress)

    def refresh(self, canisters: Iterable[bytes], requests: Iterable[bytes]) -> None:
        """Take over what a block has changed: the ids of canisters and requests that are new, changed or gone."""
        network = self._network
        for key in canisters:
            canister = network.canisters.get(key)
            self._canisters = (
                hash_tree.removed(self._canisters, key)
                if canister is None
                else hash_tree.inserted(self._canisters, _canister_node(canister))
            )
        for key in requests:
            status = network.ingress.get(key)
            if status is None:
                self._requests = hash_tree.removed(self._requests, key)
                self._statuses.pop(key, None)
            else:
                self._requests = hash_tree.inserted(self._requests, _request_node(key, status))
                self._statuses[key] = status.status
        self.time_ns = network.time_ns
        self.tree = hash_tree.join(
            [
                Labeled(b"canister", self._canisters),
                self._subnet[0],
                Labeled(b"request_status", self._requests),
                self._subnet[1],
                Labeled(b"time", hash_tree.Leaf(encode_unsigned(network.time_ns))),
            ]
        )

    def status_of(self, request_id: bytes) -> str | None:
        return self._statuses.get(request_id)

    def certificate(self, paths: Sequence[Sequence[bytes]]) -> bytes:
        """A certificate that shows `paths`, or their absence, and the time."""
        with self._signing:  # one signature serves all who ask for the same state
            if self._signed is None or self._signed[0] is not self.tree:
                self._signed = (self.tree, self.signer.sign_state(self.tree.digest))
            tree, signature = self._signed
        return certificate.encode(hash_tree.prune(tree, [*paths, (b"time",)]), signature)

    def data_certificate(self, canister_id: bytes) -> bytes:
        """What a query of this canister is given: the same bytes for all of them until the next block."""
        data, tree = self._data, self.tree
        if data is None or data[0] is not tree:
            data = self._data = (tree, {})
        kept = data[1]
        if canister_id not in kept:
            kept[canister_id] = self.certificate([(b"canister", canister_id, b"certified_data")])
        return kept[canister_id]

    def _subnet_tree(self) -> tuple[Labeled, Labeled]:
        signer = self.signer
        # One subnet hosts every id; the first range is the low ids', so that well-known canisters are in it too.
        ranges = cbor.dumps([[b"\x00" * 8 + b"\x01\x01", canister_id_of(LAST_CANISTER_ID)]])
        subnet = {
            b"public_key": signer.root_key,
            b"canister_ranges": ranges,
            b"type": b"application",
            b"node": {signer.node_id: {b"public_key": signer.node_key}},
        }
        shards = {signer.subnet_id: {b"\x00" * 8 + b"\x01\x01": ranges}}
        return (
            Labeled(b"canister_ranges", hash_tree.build(shards)),
            Labeled(b"subnet", hash_tree.build({signer.subnet_id: subnet})),
        )


def _canister_node(canister: Canister) -> Labeled:
    content: dict[bytes, hash_tree.Nested] = {b"controllers": cbor.dumps(list(canister.settings.controllers))}
    if canister.wasm_hash is not None and canister.module is not None:
        content[b"certified_data"] = canister.certified_data
        content[b"module_hash"] = canister.wasm_hash
        metadata = {name.encode(): data for name, (_visibility, data) in canister.module.metadata.items()}
        if metadata:
            content[b"metadata"] = metadata
    return Labeled(canister.id, hash_tree.build(content))


def _request_node(request_id: bytes, status: IngressStatus) -> Labeled:
    content: dict[bytes, hash_tree.Nested] = {b"status": status.status.encode()}
    if status.status == "replied" and status.reply is not None:
        content[b"reply"] = status.reply
    if status.status == "rejected" and status.reject is not None:
        content[b"reject_code"] = encode_unsigned(status.reject.code)
        content[b"reject_message"] = status.reject.message.encode()
        content[b"error_code"] = status.reject.error_code.encode()
    return Labeled(request_id, hash_tree.build(content))


__all__ = ["Certification", "Signer"]

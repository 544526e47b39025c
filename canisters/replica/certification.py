"""The state tree and its signature: what anybody can be shown, and proof that the network said it.

The network is one subnet whose key is the root key, so certificates need no delegation. A tree is built a block; parts that did not
change are taken from the block before. Source: interface specification, "The system state tree".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from canisters.interface import bls, cbor, certificate, hash_tree, keys
from canisters.interface.hash_tree import Labeled, Tree
from canisters.interface.leb128 import encode_unsigned
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map

from .state import FIRST_CANISTER_ID, LAST_CANISTER_ID, Canister, IngressStatus, Network, canister_id_of

_STATUS_PATHS = ("status", "reply", "reject_code", "reject_message", "error_code")


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
    """The newest signed state. `refresh` once a block; `certificate` as often as asked."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self._canisters: dict[bytes, tuple[tuple[object, ...], Labeled]] = {}
        self._requests: dict[bytes, tuple[IngressStatus, str, Labeled]] = {}
        self._subnet = self._subnet_tree()
        self.tree: Tree = hash_tree.Empty()
        self._signature: tuple[bytes, bytes] | None = None

    def refresh(self, network: Network) -> None:
        self.tree = hash_tree.join(
            [
                Labeled(
                    b"canister",
                    hash_tree.join([self._canister(network.canisters[key]) for key in sorted(network.canisters)]),
                ),
                self._subnet[0],
                Labeled(
                    b"request_status",
                    hash_tree.join([self._request(key, network.ingress[key]) for key in sorted(network.ingress)]),
                ),
                self._subnet[1],
                Labeled(b"time", hash_tree.Leaf(encode_unsigned(network.time_ns))),
            ]
        )
        for gone in set(self._canisters) - set(network.canisters):
            del self._canisters[gone]
        for old in set(self._requests) - set(network.ingress):
            del self._requests[old]

    def certificate(self, paths: Sequence[Sequence[bytes]]) -> bytes:
        """A certificate that shows `paths`, or their absence, and the time."""
        tree = self.tree
        if self._signature is None or self._signature[0] != tree.digest:
            self._signature = (tree.digest, self.signer.sign_state(tree.digest))
        return certificate.encode(hash_tree.prune(tree, [*paths, (b"time",)]), self._signature[1])

    def _canister(self, canister: Canister) -> Labeled:
        controllers = tuple(canister.settings.controllers)
        key = (controllers, canister.wasm_hash, canister.certified_data)
        known = self._canisters.get(canister.id)
        if known is not None and known[0] == key:
            return known[1]
        content: dict[bytes, object] = {b"controllers": cbor.dumps(list(controllers))}
        if canister.wasm_hash is not None and canister.module is not None:
            content[b"certified_data"] = canister.certified_data
            content[b"module_hash"] = canister.wasm_hash
            metadata = {name.encode(): data for name, (_visibility, data) in canister.module.metadata.items()}
            if metadata:
                content[b"metadata"] = metadata
        node = Labeled(canister.id, hash_tree.build(content))
        self._canisters[canister.id] = (key, node)
        return node

    def _request(self, request_id: bytes, status: IngressStatus) -> Labeled:
        known = self._requests.get(request_id)
        if known is not None and known[0] is status and known[1] == status.status:
            return known[2]
        content: dict[bytes, bytes] = {b"status": status.status.encode()}
        if status.status == "replied" and status.reply is not None:
            content[b"reply"] = status.reply
        if status.status == "rejected" and status.reject is not None:
            content[b"reject_code"] = encode_unsigned(status.reject.code)
            content[b"reject_message"] = status.reject.message.encode()
            content[b"error_code"] = status.reject.error_code.encode()
        node = Labeled(request_id, hash_tree.build(content))
        self._requests[request_id] = (status, status.status, node)
        return node

    def _subnet_tree(self) -> tuple[Labeled, Labeled]:
        signer = self.signer
        # One subnet hosts every id; the first range is the low ids', so that well-known canisters are in it too.
        ranges = cbor.dumps([[b"\x00" * 8 + b"\x01\x01", canister_id_of(LAST_CANISTER_ID)]])
        subnet = {
            b"public_key": signer.root_key,
            b"canister_ranges": ranges,
            b"type": b"application",
            b"metrics": cbor.dumps({0: 0, 1: 0, 2: {0: 0}, 3: 0}),
            b"node": {signer.node_id: {b"public_key": signer.node_key}},
        }
        shards = {signer.subnet_id: {b"\x00" * 8 + b"\x01\x01": ranges}}
        return (
            Labeled(b"canister_ranges", hash_tree.build(shards)),
            Labeled(b"subnet", hash_tree.build({signer.subnet_id: subnet})),
        )


__all__ = ["FIRST_CANISTER_ID", "Certification", "Signer"]

"""The agent: signs requests, sends them over one connection, and believes nothing that is not proven.

Subclasses ic-py's agent and client. An update's answer is read out of a certificate checked against the root key; a query's answer out of
a node's signature whose key the same root key vouches for. A call that got no answer is sent again with the same bytes, so it never runs
twice. Source: interface specification, "HTTPS Interface", "Certification".
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from canisters.interface import cbor, certificate, hash_tree, keys, leb128
from canisters.interface.certificate import Certificate
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map, request_id

from .errors import AnswerMalformed, CallRejected, CertificateRefused, ChainUnavailable, RequestRefused
from .identities import AnyIdentity, anonymous

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ic.agent import Agent, sign_request
    from ic.client import Client

EXPIRY_NS = 4 * 60 * 10**9
POLL_S = 0.5
NODE_KEYS_S = 3600.0
MANAGEMENT = Principal.management()


class KeptAliveClient(Client):  # type: ignore[misc]  # ic-py has no types
    """ic-py's HTTP client on one connection, with the HTTP status looked at before anything is decoded."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        super().__init__(url.rstrip("/"))
        self.http = httpx.Client(timeout=timeout_s, headers={"Content-Type": "application/cbor"}, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def post(self, path: str, body: bytes) -> httpx.Response:
        """Raises ChainUnavailable (try again), RequestRefused (do not)."""
        try:
            response = self.http.post(self.url + path, content=body)
        except httpx.HTTPError as error:
            raise ChainUnavailable(f"{self.url} does not answer: {error}") from error
        if response.status_code in (429, 502, 503, 504):
            raise ChainUnavailable(f"{self.url} is busy ({response.status_code})")
        if response.status_code >= 400:
            raise RequestRefused(response.status_code, response.text[:500])
        return response

    def status(self) -> dict[str, Any]:
        try:
            response = self.http.get(f"{self.url}/api/v2/status")
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise ChainUnavailable(f"{self.url} does not answer: {error}") from error
        fields: dict[str, Any] = cbor.loads(response.content)
        return fields


@dataclass(frozen=True)
class Receipt:
    """An update's answer that proves itself: the request as it was hashed, and the network's certificate of the reply."""

    content: dict[str, Any]
    certificate: bytes
    reply: bytes

    @property
    def request_id(self) -> bytes:
        return request_id(self.content)

    def verify(self, root_key: bytes) -> int:
        """Check it offline. Returns the time of the certificate in ns. Raises CertificateRefused."""
        proven = _verified(self.certificate, root_key, Principal(self.content["canister_id"]), None)
        if proven.lookup(b"request_status", self.request_id, b"reply") != self.reply:
            raise CertificateRefused("the certificate does not hold this reply to this request")
        return proven.time_ns


class ChainAgent(Agent):  # type: ignore[misc]  # ic-py has no types
    """`root_key`: 133 bytes of DER, from a source that is trusted; `fetch_root_key` is for a network on this machine only."""

    def __init__(
        self, url: str, root_key: bytes, identity: AnyIdentity | None = None, *, timeout_s: float = 60.0
    ) -> None:
        client = KeptAliveClient(url, timeout_s)
        super().__init__(
            identity or anonymous(), client, nonce_factory=lambda: secrets.token_bytes(16), root_key=root_key
        )
        self.url = client.url
        self.timeout_s = timeout_s
        self._node_keys: tuple[float, dict[bytes, bytes]] = (0.0, {})

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> ChainAgent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def principal(self) -> Principal:
        principal: Principal = self.identity.principal
        return principal

    def acting_as(self, identity: AnyIdentity) -> ChainAgent:
        """Another identity over a connection of its own."""
        return ChainAgent(self.url, self.root_key, identity, timeout_s=self.timeout_s)

    # --- the three verbs ---

    def query_raw(self, canister_id: Principal, method_name: str, arg: bytes, **_: Any) -> bytes:
        """The reply's bytes, its signature checked. Raises ClientError's children."""
        content = self._content("query", canister_id, method_name, arg)
        identifier, envelope = sign_request(content, self.identity)
        answer = self._decoded(self._retry(lambda: self.client.post(f"/api/v3/canister/{canister_id}/query", envelope)))
        self._require_node_signature(canister_id, identifier, answer)
        if answer.get("status") == "replied":
            return _bytes(answer["reply"], "arg")
        raise CallRejected(int(answer["reject_code"]), str(answer["reject_message"]), answer.get("error_code"))

    def update_raw(self, canister_id: Principal, method_name: str, arg: bytes, **options: Any) -> bytes:
        """The reply's bytes out of a checked certificate. `effective_canister_id` is for the management canister's methods."""
        return self.update_with_receipt(canister_id, method_name, arg, options.get("effective_canister_id")).reply

    def update_with_receipt(
        self, canister_id: Principal, method_name: str, arg: bytes, effective_canister_id: Principal | None = None
    ) -> Receipt:
        """Call, and keep the proof of the answer."""
        content = self._content("call", canister_id, method_name, arg)
        identifier, envelope = sign_request(content, self.identity)
        effective = effective_canister_id or canister_id
        # The same bytes each time: the network runs a request id once, so trying again is safe.
        response = self._retry(lambda: self.client.post(f"/api/v4/canister/{effective}/call", envelope))
        proof = b""
        if response.status_code != 202:
            answer = self._decoded(response)
            if answer.get("status") == "non_replicated_rejection":
                raise CallRejected(int(answer["reject_code"]), str(answer["reject_message"]), answer.get("error_code"))
            proof = _bytes(answer, "certificate")
        reply = self._outcome(proof, identifier, effective) if proof else None
        deadline = time.monotonic() + self.timeout_s
        while reply is None:
            if time.monotonic() > deadline:
                raise ChainUnavailable(
                    f"no answer to {method_name} in {self.timeout_s:.0f} s: it may still be carried out"
                )
            time.sleep(POLL_S)
            proof = self._read_state(effective, [[b"request_status", identifier]])
            reply = self._outcome(proof, identifier, effective)
        return Receipt(content, proof, reply)

    def read_state(self, canister_id: Principal, paths: Sequence[Sequence[bytes]]) -> Certificate:
        """A checked certificate that shows `paths`."""
        return _verified(self._read_state(canister_id, paths), self.root_key, canister_id, time.time_ns())

    def read_state_raw(self, canister_id: Principal, paths: Sequence[Sequence[bytes]]) -> bytes:
        """The certificate's bytes, checked, to be kept as proof."""
        data = self._read_state(canister_id, paths)
        _verified(data, self.root_key, canister_id, time.time_ns())
        return data

    # --- what anybody may know of a canister ---

    def controllers(self, canister_id: Principal) -> list[Principal]:
        found = self.read_state(canister_id, [[b"canister", canister_id.raw, b"controllers"]])
        value = found.lookup(b"canister", canister_id.raw, b"controllers")
        return [Principal(raw) for raw in cbor.loads(value)] if value is not None else []

    def module_hash(self, canister_id: Principal) -> bytes | None:
        path = [b"canister", canister_id.raw, b"module_hash"]
        return self.read_state(canister_id, [path]).lookup(*path)

    def metadata(self, canister_id: Principal, name: str) -> bytes | None:
        path = [b"canister", canister_id.raw, b"metadata", name.encode()]
        return self.read_state(canister_id, [path]).lookup(*path)

    # --- within ---

    def _content(self, kind: str, canister_id: Principal, method_name: str, arg: bytes) -> dict[str, Any]:
        return {
            "request_type": kind,
            "sender": self.principal.raw,
            "canister_id": canister_id.raw,
            "method_name": method_name,
            "arg": arg,
            "ingress_expiry": time.time_ns() + EXPIRY_NS,
            "nonce": self.nonce_factory(),
        }

    def _read_state(self, canister_id: Principal, paths: Sequence[Sequence[bytes]]) -> bytes:
        content = {
            "request_type": "read_state",
            "sender": self.principal.raw,
            "paths": [list(path) for path in paths],
            "ingress_expiry": time.time_ns() + EXPIRY_NS,
        }
        _, envelope = sign_request(content, self.identity)
        response = self._retry(lambda: self.client.post(f"/api/v3/canister/{canister_id}/read_state", envelope))
        return _bytes(self._decoded(response), "certificate")

    def _outcome(self, proof: bytes, identifier: bytes, canister_id: Principal) -> bytes | None:
        """The reply, or None when there is none yet. Raises CallRejected, CertificateRefused."""
        proven = _verified(proof, self.root_key, canister_id, time.time_ns())
        base = (b"request_status", identifier)
        status = proven.lookup(*base, b"status")
        if status == b"replied":
            return proven.require(*base, b"reply")
        if status == b"rejected":
            code = leb128.decode_unsigned(proven.require(*base, b"reject_code"))[0]
            error_code = proven.lookup(*base, b"error_code")
            raise CallRejected(
                code, proven.require(*base, b"reject_message").decode(), error_code.decode() if error_code else None
            )
        if status == b"done":
            raise AnswerMalformed("the network has forgotten the answer: ask the canister what became of the call")
        return None

    def _require_node_signature(self, canister_id: Principal, identifier: bytes, answer: dict[str, Any]) -> None:
        fields = {
            k: v for k, v in answer.items() if k in ("status", "reply", "reject_code", "reject_message", "error_code")
        }
        signatures = answer.get("signatures")
        if not isinstance(signatures, list) or not signatures:
            raise CertificateRefused("the answer to the query is not signed")
        for signature in signatures:
            key = self._node_key(canister_id, _bytes(signature, "identity"))
            signed = {**fields, "timestamp": signature["timestamp"], "request_id": identifier}
            if abs(time.time_ns() - int(signature["timestamp"])) > certificate.MAX_AGE_NS:
                raise CertificateRefused("the answer to the query is more than five minutes old")
            try:
                keys.verify_signature(key, keys.IC_RESPONSE + hash_of_map(signed), _bytes(signature, "signature"))
            except keys.BadSignature as error:
                raise CertificateRefused(f"the node's signature of the answer does not hold: {error}") from error

    def _node_key(self, canister_id: Principal, node_id: bytes) -> bytes:
        taken_at, known = self._node_keys
        if node_id not in known or time.monotonic() - taken_at > NODE_KEYS_S:
            known = self._fetch_node_keys(canister_id)
            self._node_keys = (time.monotonic(), known)
        if node_id not in known:
            raise CertificateRefused(
                f"node {Principal(node_id)} does not belong to the network that hosts the canister"
            )
        return known[node_id]

    def _fetch_node_keys(self, canister_id: Principal) -> dict[bytes, bytes]:
        proven = self.read_state(canister_id, [[b"subnet"]])
        found: dict[bytes, bytes] = {}
        subnets = hash_tree.subtree(proven.tree, [b"subnet"])
        for subnet in hash_tree.labels_of(subnets) if subnets is not None else []:
            nodes = hash_tree.subtree(proven.tree, [b"subnet", subnet, b"node"])
            for node in hash_tree.labels_of(nodes) if nodes is not None else []:
                key = proven.lookup(b"subnet", subnet, b"node", node, b"public_key")
                if key is not None:
                    found[node] = key
        return found

    def _retry(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send again while nobody answers: at most for the timeout, with growing pauses."""
        deadline, pause = time.monotonic() + min(self.timeout_s, 30.0), 0.1
        while True:
            try:
                return send()
            except ChainUnavailable:
                if time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    def _decoded(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = cbor.loads(response.content)
        except cbor.MalformedCbor as error:
            raise AnswerMalformed(f"the network's answer is not CBOR: {error}") from error
        if not isinstance(answer, dict):
            raise AnswerMalformed("the network's answer is not a map")
        return answer


def fetch_root_key(url: str) -> bytes:
    """Trust whoever answers: only for a network that runs on this machine."""
    client = KeptAliveClient(url, 10.0)
    try:
        return bytes(client.status()["root_key"])
    except (KeyError, TypeError) as error:
        raise AnswerMalformed(f"{url} gives no root key") from error
    finally:
        client.close()


def _verified(data: bytes, root_key: bytes, canister_id: Principal, now_ns: int | None) -> Certificate:
    try:
        return certificate.verify(data, root_key=root_key, canister_id=canister_id, now_ns=now_ns)
    except certificate.CertificateRefused as error:
        raise CertificateRefused(str(error)) from error


def _bytes(fields: Any, name: str) -> bytes:
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, bytes):
        raise AnswerMalformed(f"the network's answer lacks {name}")
    return value

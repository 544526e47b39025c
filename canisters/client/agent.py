"""The agent: signs requests, sends them over one connection, and believes nothing that is not proven.

Subclasses ic-py's agent, over `transport`. An update's answer is read out of a certificate checked against the root key; a query's answer
is checked by the signature of a node whose key the same root key vouches for (`node_keys`). A call that got no answer is sent again with
the same bytes, so it never runs twice. Source: interface specification, "HTTPS Interface", "Certification".
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from canisters.interface import cbor, keys, leb128
from canisters.interface.certificate import Certificate
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map

from .errors import AnswerMalformed, CallRejected, CertificateRefused, ChainUnavailable
from .identities import AnyIdentity, anonymous, envelope
from .node_keys import NodeKeys, require_signature
from .proof import proving, required_at, value_at, verified
from .receipt import Receipt
from .transport import Deadline, KeptAliveClient, bytes_of, decoded, natural_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ic-py's generated parser has escapes that newer Pythons warn of
    from ic.agent import Agent

# The network takes requests that expire within five minutes; a minute is left for clocks that differ.
EXPIRY_NS = 4 * 60 * 10**9
POLL_S = 0.5
MANAGEMENT = Principal.management()
_ANSWER_FIELDS = ("status", "reply", "reject_code", "reject_message", "error_code")


class ChainAgent(Agent):  # type: ignore[misc]  # ic-py has no types
    """One identity on one network. Safe to share between threads.

    `root_key`: 133 bytes of DER, from a source that is trusted; `fetch_root_key` is for a network on this machine only.
    `timeout_s`: how long one call may take, retries included. `clock`: ns since 1970; a network with manual time needs its own.
    """

    def __init__(
        self,
        url: str,
        root_key: bytes,
        identity: AnyIdentity | None = None,
        *,
        timeout_s: float = 60.0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(
            identity or anonymous(),
            KeptAliveClient(url),
            nonce_factory=lambda: secrets.token_bytes(16),
            root_key=bytes(root_key),
        )
        self.url: str = self.client.url
        self.timeout_s = timeout_s
        self.clock = clock
        self._node_keys = NodeKeys(self.root_key)

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
        """Another identity, over a connection of its own."""
        agent = ChainAgent(self.url, self.root_key, identity, timeout_s=self.timeout_s, clock=self.clock)
        agent._node_keys = self._node_keys
        return agent

    # --- the three verbs ---

    def query_raw(
        self,
        canister_id: Principal,
        method_name: str,
        arg: bytes,
        return_type: None = None,
        effective_canister_id: Principal | None = None,
    ) -> bytes:
        """The reply's Candid bytes, its signature checked. Raises ChainUnavailable, RequestRefused, CallRejected, CertificateRefused."""
        deadline = Deadline.within(self.timeout_s)
        identifier, body = envelope(self._content("query", canister_id, method_name, arg), self.identity, self.clock())
        effective = effective_canister_id or canister_id
        answer = decoded(self.client.query(effective, body, deadline))
        self._require_node_signature(effective, identifier, answer)
        if answer.get("status") == "replied":
            return bytes_of(answer.get("reply"), "arg")
        raise _rejection(answer)

    def update_raw(
        self,
        canister_id: Principal,
        method_name: str,
        arg: bytes,
        return_type: None = None,
        effective_canister_id: Principal | None = None,
    ) -> bytes:
        """The reply's Candid bytes out of a checked certificate. `effective_canister_id` is for the management canister's methods."""
        return self.update_with_receipt(canister_id, method_name, arg, effective_canister_id).reply

    def update_with_receipt(
        self, canister_id: Principal, method_name: str, arg: bytes, effective_canister_id: Principal | None = None
    ) -> Receipt:
        """Call, and keep the proof of the answer.

        Raises: RequestRefused and NotAllowed (it did not run); CallRejected; CertificateRefused, AnswerMalformed;
            ChainUnavailable (it may run, or have run: ask the canister before calling anew).
        """
        deadline = Deadline.within(self.timeout_s)
        content = self._content("call", canister_id, method_name, arg)
        identifier, body = envelope(content, self.identity, self.clock())
        effective = effective_canister_id or canister_id
        answer = self.client.call(effective, identifier, body, deadline)
        proof = self._certificate_of_call(answer) if answer else None
        reply = self._outcome(proof, identifier, effective) if proof else None
        while proof is None or reply is None:
            if deadline.left_s < POLL_S:
                raise ChainUnavailable(
                    f"no answer to {method_name} in {self.timeout_s:.0f} s: it may still be carried out"
                )
            time.sleep(POLL_S)
            proof = self._read_state(effective, [[b"request_status", identifier]], deadline)
            reply = self._outcome(proof, identifier, effective)
        return Receipt(content, proof, reply)

    def read_state(self, canister_id: Principal, paths: Sequence[Sequence[bytes]]) -> Certificate:
        """A checked certificate that shows `paths`."""
        return verified(self._read_state(canister_id, paths), self.root_key, canister_id, self.clock())

    def read_state_raw(self, canister_id: Principal, paths: Sequence[Sequence[bytes]]) -> bytes:
        """The certificate's bytes, checked, to be kept as proof."""
        data = self._read_state(canister_id, paths)
        verified(data, self.root_key, canister_id, self.clock())
        return data

    # --- what anybody may know of a canister ---

    def controllers(self, canister_id: Principal) -> list[Principal]:
        path = [b"canister", canister_id.raw, b"controllers"]
        value = value_at(self.read_state(canister_id, [path]), *path)
        return controllers_of(value) if value is not None else []

    def module_hash(self, canister_id: Principal) -> bytes | None:
        """32 bytes, SHA-256 of the module as it was installed; None when the canister is empty."""
        path = [b"canister", canister_id.raw, b"module_hash"]
        return value_at(self.read_state(canister_id, [path]), *path)

    def metadata(self, canister_id: Principal, name: str) -> bytes | None:
        """A custom section of its module, such as "candid:service". A private one is shown to controllers only."""
        path = [b"canister", canister_id.raw, b"metadata", name.encode()]
        return value_at(self.read_state(canister_id, [path]), *path)

    # --- within ---

    def get_expiry_date(self) -> int:
        return self.clock() + EXPIRY_NS

    def _content(self, kind: str, canister_id: Principal, method_name: str, arg: bytes) -> dict[str, Any]:
        return {
            "request_type": kind,
            "sender": self.principal.raw,
            "canister_id": canister_id.raw,
            "method_name": method_name,
            "arg": arg,
            "ingress_expiry": self.get_expiry_date(),
            "nonce": self.nonce_factory(),  # identical calls stay two calls
        }

    def _read_state(
        self, canister_id: Principal, paths: Sequence[Sequence[bytes]], deadline: Deadline | None = None
    ) -> bytes:
        content = {
            "request_type": "read_state",
            "sender": self.principal.raw,
            "paths": [list(path) for path in paths],
            "ingress_expiry": self.get_expiry_date(),
            "nonce": self.nonce_factory(),
        }
        _, body = envelope(content, self.identity, self.clock())
        answer = self.client.read_state(canister_id, body, deadline or Deadline.within(self.timeout_s))
        return bytes_of(decoded(answer), "certificate")

    def _certificate_of_call(self, body: bytes) -> bytes:
        answer = decoded(body)
        if answer.get("status") == "non_replicated_rejection":
            # Nothing proves this; but a lie here is worth no more than not answering at all.
            raise _rejection(answer)
        return bytes_of(answer, "certificate")

    def _outcome(self, proof: bytes, identifier: bytes, canister_id: Principal) -> bytes | None:
        """The reply, or None when there is none yet. Raises CallRejected, CertificateRefused, AnswerMalformed."""
        proven = verified(proof, self.root_key, canister_id, self.clock())
        base = (b"request_status", identifier)
        status = value_at(proven, *base, b"status")
        if status == b"replied":
            return required_at(proven, *base, b"reply")
        if status == b"rejected":
            with proving():
                code = leb128.decode_unsigned(required_at(proven, *base, b"reject_code"))[0]
            error_code = value_at(proven, *base, b"error_code")
            message = required_at(proven, *base, b"reject_message").decode("utf-8", "replace")
            raise CallRejected(code, message, error_code.decode("utf-8", "replace") if error_code else None)
        if status == b"done":
            raise AnswerMalformed("the network has forgotten the answer: ask the canister what became of the call")
        return None

    def _require_node_signature(self, canister_id: Principal, identifier: bytes, answer: dict[str, Any]) -> None:
        signatures = answer.get("signatures")
        if not isinstance(signatures, list) or not signatures:
            raise CertificateRefused("the answer to the query is not signed")
        fields = {name: answer[name] for name in _ANSWER_FIELDS if name in answer}
        for signature in signatures:
            timestamp = natural_of(signature, "timestamp")
            key = self._node_keys.key(canister_id, bytes_of(signature, "identity"), self._certificate_of_nodes)
            try:
                message = keys.IC_RESPONSE + hash_of_map({**fields, "timestamp": timestamp, "request_id": identifier})
            except (TypeError, ValueError) as error:
                raise AnswerMalformed(f"the answer to the query has a field of a wrong type: {error}") from error
            require_signature(key, message, bytes_of(signature, "signature"), timestamp, self.clock())

    def _certificate_of_nodes(self, canister_id: Principal) -> Certificate:
        return self.read_state(canister_id, [[b"subnet"]])


def controllers_of(value: bytes) -> list[Principal]:
    """The list of controllers as a certificate holds it. Raises CertificateRefused."""
    with proving():
        listed = cbor.loads(value)
    if not isinstance(listed, list) or not all(isinstance(raw, bytes) for raw in listed):
        raise CertificateRefused("the certificate's controllers are no list of principals")
    with proving():
        return [Principal(raw) for raw in listed]


def fetch_root_key(url: str) -> bytes:
    """Trust whoever answers: only for a network that runs on this machine. Raises ChainUnavailable, AnswerMalformed."""
    client = KeptAliveClient(url)
    try:
        return bytes_of(client.status(), "root_key")
    finally:
        client.close()


def _rejection(answer: dict[str, Any]) -> CallRejected:
    error_code = answer.get("error_code")
    message = str(answer.get("reject_message", "the network gives no reason"))
    return CallRejected(natural_of(answer, "reject_code"), message, error_code if isinstance(error_code, str) else None)

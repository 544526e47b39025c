"""Receipts: an update's answer, kept so that anybody can check it later with nothing but the network's root key.

The agent makes one from each update; the marketplace and the verifier keep and check them. The request's content hashes to the request
id, and the certificate holds the network's reply to that id: so this sender, with this argument, got this answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canisters.interface import cbor
from canisters.interface.principal import MalformedPrincipal, Principal
from canisters.interface.request_id import request_id

from .errors import AnswerMalformed, CertificateRefused
from .proof import value_at, verified


@dataclass(frozen=True)
class Receipt:
    """`content`: the request's fields as they were hashed. `reply`: Candid bytes; what the certificate says, and nothing else, counts."""

    content: dict[str, Any]
    certificate: bytes
    reply: bytes

    @property
    def request_id(self) -> bytes:
        return request_id(self.content)

    @property
    def sender(self) -> Principal:
        return Principal(self.content["sender"])

    @property
    def canister_id(self) -> Principal:
        return Principal(self.content["canister_id"])

    @property
    def method_name(self) -> str:
        return str(self.content["method_name"])

    def verify(self, root_key: bytes) -> int:
        """Check it offline. Returns the time of the certificate in ns. Raises CertificateRefused."""
        if self.content.get("request_type") != "call":
            raise CertificateRefused("the receipt is not of an update")
        proven = verified(self.certificate, root_key, self.canister_id, None)
        status = value_at(proven, b"request_status", self.request_id, b"status")
        reply = value_at(proven, b"request_status", self.request_id, b"reply")
        if status != b"replied" or reply != self.reply:
            raise CertificateRefused("the certificate does not hold this reply to this request")
        return proven.time_ns

    def to_bytes(self) -> bytes:
        return cbor.dumps({"content": self.content, "certificate": self.certificate, "reply": self.reply})

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt:
        """Read without believing: `verify` decides. Raises AnswerMalformed."""
        try:
            fields = cbor.loads(data)
            receipt = cls(dict(fields["content"]), fields["certificate"], fields["reply"])
            request_id(receipt.content)
            _ = (receipt.sender, receipt.canister_id, receipt.method_name, receipt.content["arg"])
        except (cbor.MalformedCbor, MalformedPrincipal, KeyError, TypeError, ValueError, AttributeError) as error:
            raise AnswerMalformed(f"not a receipt: {error}") from error
        if not isinstance(receipt.certificate, bytes) or not isinstance(receipt.reply, bytes):
            raise AnswerMalformed("not a receipt: its certificate or reply is no bytes")
        return receipt

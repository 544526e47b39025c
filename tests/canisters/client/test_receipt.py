"""Receipts: proof of an answer that needs nothing but the root key, and that cannot be altered."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from canisters.client import AnswerMalformed, CertificateRefused, ChainAgent, Receipt
from canisters.interface import bls, cbor
from canisters.interface.principal import Principal


@pytest.fixture
def receipt(agent: ChainAgent, counter: Principal) -> Receipt:
    return agent.update_with_receipt(counter, "inc", b"")


def test_a_receipt_holds_offline_and_after_being_stored(replica: Any, agent: ChainAgent, receipt: Receipt) -> None:
    stored = Receipt.from_bytes(receipt.to_bytes())

    at_ns = stored.verify(replica.root_key)

    assert stored == receipt
    assert abs(at_ns - time.time_ns()) < 60 * 10**9
    assert (stored.sender, stored.method_name) == (agent.principal, "inc")
    assert stored.reply == (1).to_bytes(8, "little")


@pytest.mark.parametrize(
    "change",
    [
        {"reply": (2).to_bytes(8, "little")},
        {"content": {"arg": b"x"}},
        {"content": {"sender": b"\x04"}},
        {"content": {"method_name": "get"}},
        {"content": {"canister_id": b"\x01\x01"}},
        {"content": {"request_type": "query"}},
    ],
)
def test_an_altered_receipt_does_not_hold(replica: Any, receipt: Receipt, change: dict[str, Any]) -> None:
    content = {**receipt.content, **change.get("content", {})}
    altered = dataclasses.replace(receipt, content=content, reply=change.get("reply", receipt.reply))

    with pytest.raises(CertificateRefused):
        altered.verify(replica.root_key)


def test_a_receipt_of_another_network_does_not_hold(receipt: Receipt) -> None:
    with pytest.raises(CertificateRefused):
        receipt.verify(bls.public_key_der(7))


def test_the_certificate_of_another_call_does_not_serve(
    replica: Any, agent: ChainAgent, counter: Principal, receipt: Receipt
) -> None:
    other = agent.update_with_receipt(counter, "inc", b"")

    with pytest.raises(CertificateRefused):
        dataclasses.replace(receipt, certificate=other.certificate, reply=other.reply).verify(replica.root_key)


@pytest.mark.parametrize(
    "data", [b"", b"x", cbor.dumps({}), cbor.dumps({"content": [], "certificate": b"", "reply": b""})]
)
def test_what_is_no_receipt_is_called_so(data: bytes) -> None:
    with pytest.raises(AnswerMalformed):
        Receipt.from_bytes(data)

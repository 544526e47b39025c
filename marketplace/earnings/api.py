"""Accounts, earnings and transfers over HTTP. All of it stands on the chain, so anybody may read it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api import ApiView, principal_text
from marketplace.core.openapi import E8s, Hex, Ns, PrincipalText, ProofShape, described

from . import selectors


class AccountShape(serializers.Serializer[Any]):
    principal = PrincipalText()
    datasets = serializers.IntegerField()
    models = serializers.IntegerField()
    jobs = serializers.IntegerField()
    balance_e8s = E8s()


class ClaimableShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["job", "model"])
    job_id = serializers.IntegerField(allow_null=True)
    model = PrincipalText(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    amount_e8s = E8s()


class ByModelShape(serializers.Serializer[Any]):
    model = PrincipalText()
    name = serializers.CharField(allow_blank=True)
    amount_e8s = E8s()


class ByDatasetShape(serializers.Serializer[Any]):
    dataset_id = serializers.IntegerField()
    title = serializers.CharField(allow_blank=True)
    amount_e8s = E8s()


class EntryShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["price", "worker_fee", "refund", "revenue"])
    amount_e8s = E8s()
    at_ns = Ns()
    job_id = serializers.IntegerField(allow_null=True)
    model = PrincipalText(allow_null=True)
    dataset_id = serializers.IntegerField(allow_null=True)
    proof = ProofShape()


class EarningsShape(serializers.Serializer[Any]):
    principal = PrincipalText()
    balance_e8s = E8s()
    claimable = ClaimableShape(many=True)
    earned_e8s = E8s(help_text="prices, fees and revenue; money given back is not earned")
    claimed_e8s = E8s(help_text="all that was taken out, refunds too")
    by_model = ByModelShape(many=True)
    by_dataset = ByDatasetShape(many=True)
    entries = EntryShape(many=True)


class TransferShape(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    btype = serializers.ChoiceField(["1xfer", "1mint", "1burn", "2xfer", "2approve"])
    to = serializers.CharField(allow_null=True, help_text="an account; of an approval: who may draw")
    amount_e8s = E8s()
    fee_e8s = E8s()
    at_ns = Ns()
    memo = Hex(allow_null=True)
    proof = ProofShape()

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python, so it cannot be an attribute."""
        return {**super().get_fields(), "from": serializers.CharField(allow_null=True, help_text="an account")}


class AccountApi(ApiView):
    @described("Show what somebody has and does here", response=AccountShape)
    def get(self, request: Request, principal: str) -> Response:
        return Response(selectors.account_shown(principal_text(principal, "principal")))


class EarningsApi(ApiView):
    @described("Show what somebody earned, and what is still to be taken out", response=EarningsShape)
    def get(self, request: Request, principal: str) -> Response:
        return Response(selectors.earnings_shown(principal_text(principal, "principal")))


class TransfersApi(ApiView):
    @described("List what moved to and from somebody, newest first", response=TransferShape, page=True)
    def get(self, request: Request, principal: str) -> Response:
        rows = selectors.transfer_rows(principal_text(principal, "principal"))
        return self.page(rows, selectors.transfers_shown)

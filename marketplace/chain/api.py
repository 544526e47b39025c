"""HTTP: what network this is, what happened on it, and each block, to be checked."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api import ApiView, principal_text
from marketplace.core.errors import NotFound
from marketplace.core.openapi import AnyObject, E8s, Hex, Ns, PrincipalText, described

from . import selectors
from .network import network_json


class CanistersShape(serializers.Serializer[Any]):
    registry = PrincipalText()
    jobs = PrincipalText()
    ledger = PrincipalText()
    cooperatives = PrincipalText()


class TokenInfoShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    symbol = serializers.CharField()
    decimals = serializers.IntegerField()
    fee_e8s = E8s()
    faucet_e8s = E8s(allow_null=True, help_text="on a test network, what each principal may mint to itself once")


class LogShape(serializers.Serializer[Any]):
    canister = PrincipalText()
    name = serializers.CharField()
    length = serializers.IntegerField()
    indexed = serializers.IntegerField()


class NetworkShape(serializers.Serializer[Any]):
    network = serializers.CharField()
    root_key = Hex()
    canisters = CanistersShape()
    height = serializers.IntegerField(
        allow_null=True, help_text="null while the chain does not answer, or does not say"
    )
    block_time_ns = Ns(allow_null=True)
    token = TokenInfoShape()
    logs = LogShape(many=True)


class ActivityShape(serializers.Serializer[Any]):
    canister = PrincipalText()
    name = serializers.CharField()
    index = serializers.IntegerField()
    btype = serializers.CharField()
    at_ns = Ns()
    title = serializers.CharField()
    principals = serializers.ListField(child=PrincipalText())
    dataset_id = serializers.IntegerField(allow_null=True)
    job_id = serializers.IntegerField(allow_null=True)
    model = PrincipalText(allow_null=True)
    proposal_id = serializers.IntegerField(allow_null=True)


class BlockShape(serializers.Serializer[Any]):
    canister = PrincipalText()
    name = serializers.CharField()
    index = serializers.IntegerField()
    btype = serializers.CharField()
    at_ns = Ns()
    hash = Hex()
    phash = Hex(allow_null=True)
    block = AnyObject(help_text="the ICRC-3 value, each part under its tag")


class NetworkApi(ApiView):
    @described("What network this is, and how far it is indexed", response=NetworkShape, errors=(503,))
    def get(self, request: Request) -> Response:
        return Response(network_json())


class ActivityApi(ApiView):
    @described(
        "What happened on the chain, newest first",
        response=ActivityShape,
        page=True,
        query={"canister": "a principal: only that log", "principal": "only what names this principal"},
        errors=(),
    )
    def get(self, request: Request) -> Response:
        rows = selectors.activity(
            canister=self.query_principal("canister"), principal=self.query_principal("principal")
        )
        return self.page(rows, selectors.activity_json)


class BlockApi(ApiView):
    @described("One block as the canister has it", response=BlockShape)
    def get(self, request: Request, canister: str, index: int) -> Response:
        found = selectors.block_json(principal_text(canister, "canister"), index)
        if found is None:
            raise NotFound("No such block is indexed. See activity for those that are.")
        return Response(found)

"""The forms of answers about models and proposals, for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from marketplace.core.openapi import AnyObject, E8s, Hex, Ns, PrincipalText, ProofShape, TimelineShape
from marketplace.jobs.shapes import AttributionShape, MetricShape

from .record import KINDS, STATES


class LiveShape(serializers.Serializer[Any]):
    proposal_id = serializers.IntegerField()
    title = serializers.CharField()
    manifest_hash = Hex()
    wasm_sha256 = Hex()
    max_abs_error_e9 = serializers.IntegerField()
    live_at_ns = Ns()
    proof = ProofShape()


class ModelSummaryShape(serializers.Serializer[Any]):
    canister = PrincipalText()
    name = serializers.CharField()
    job_id = serializers.IntegerField()
    inference = PrincipalText()
    creator = PrincipalText()
    state = serializers.ChoiceField(["no_release", "live"])
    live = LiveShape(allow_null=True)
    holders = serializers.IntegerField()
    price_e8s = E8s()
    paid_calls = serializers.IntegerField()
    revenue_e8s = E8s()
    created_at_ns = Ns()
    proof = ProofShape()


class ProposalSummaryShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    model = PrincipalText()
    title = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS.values()))
    proposer = PrincipalText()
    state = serializers.ChoiceField(list(STATES))
    yes = serializers.IntegerField()
    no = serializers.IntegerField()
    total = serializers.IntegerField()
    deadline_ns = Ns()
    submitted_at_ns = Ns()
    decided_at_ns = Ns(allow_null=True)
    critical = serializers.BooleanField()
    proof = ProofShape()


class VoteShape(ProposalSummaryShape):
    model_name = serializers.CharField()
    shares = serializers.IntegerField()


class BallotShape(serializers.Serializer[Any]):
    owner = PrincipalText()
    shares = serializers.IntegerField()
    vote = serializers.ChoiceField(["yes", "no"], allow_null=True)
    at_ns = Ns(allow_null=True)


class ProposalShape(ProposalSummaryShape):
    summary = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    payload = AnyObject()
    manifest_hash = Hex(allow_null=True)
    ballots = BallotShape(many=True)
    log = TimelineShape(many=True)
    live_metrics = MetricShape(many=True, allow_null=True)


class ParametersShape(serializers.Serializer[Any]):
    price_e8s = E8s()
    treasury_bps = serializers.IntegerField()
    voting_period_ns = Ns()
    quiet_period_ns = Ns()


class HolderShape(serializers.Serializer[Any]):
    owner = PrincipalText()
    shares = serializers.IntegerField()


class PartShape(serializers.Serializer[Any]):
    owner = PrincipalText()
    amount_e8s = E8s()


class CallShape(serializers.Serializer[Any]):
    payer = PrincipalText()
    price_e8s = E8s()
    treasury_e8s = E8s()
    parts = PartShape(many=True)
    at_ns = Ns()
    proof = ProofShape()


class ModelShape(ModelSummaryShape):
    parameters = ParametersShape()
    holders = HolderShape(many=True)  # type: ignore[assignment]  # a list here, a number in the summary
    treasury_e8s = E8s()
    releases = ProposalSummaryShape(many=True)
    interface = AnyObject(allow_null=True)
    card = AnyObject(allow_null=True)
    attribution = AttributionShape(many=True)
    calls = CallShape(many=True)

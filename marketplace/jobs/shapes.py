"""The forms of requests and answers about jobs: what is checked on the way in, and what the OpenAPI schema says of the way out."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.openapi import AnyObject, E8s, Hex, Ns, PrincipalText, ProofShape, TimelineShape

MAX_SECONDS = 365 * 86_400
MAX_E8S = 10**18  # the jobs canister's own bound
_NATURAL = re.compile(r"0|[1-9][0-9]{0,30}")
STATES = [
    "proposed", "approved", "funded", "claimed", "running", "submitted", "settled", "denied", "expired", "cancelled", "failed",
]  # fmt: skip


class NaturalText(serializers.Field[int, Any, str, Any]):
    """A natural number as a decimal string (a JSON number is taken too), up to `most`."""

    default_error_messages = {
        "invalid": 'a natural number as a decimal string, such as "150000000"',
        "large": "at most {most}",
    }

    def __init__(self, *, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.most = most

    def to_internal_value(self, data: Any) -> int:
        text = str(data) if type(data) is int and 0 <= data <= self.most else data
        if not isinstance(text, str) or not _NATURAL.fullmatch(text):
            self.fail("invalid")
        if int(text) > self.most:
            self.fail("large", most=self.most)
        return int(text)

    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": "string", "pattern": "^[0-9]{1,19}$", "description": "e8s, as a decimal string"})
class Amount(NaturalText):
    def __init__(self, **options: Any) -> None:
        super().__init__(most=MAX_E8S, **options)


@extend_schema_field(
    {"type": "string", "pattern": "^[0-9]{1,20}$", "description": "a natural number below 2^64, as a decimal string"}
)
class Seed(NaturalText):
    def __init__(self, **options: Any) -> None:
        super().__init__(most=(1 << 64) - 1, **options)


class WholeNumber(serializers.IntegerField):
    """A JSON number; text and truth values are not taken for one."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class ConfigInput(serializers.Serializer[Any]):
    recipe = serializers.CharField(max_length=60)
    config = serializers.DictField()


class ConfigShape(serializers.Serializer[Any]):
    config_hash = Hex()
    code_hash = Hex()
    config = AnyObject()


class DatasetUseShape(serializers.Serializer[Any]):
    dataset_id = WholeNumber(min_value=1, max_value=10**15)
    version = WholeNumber(min_value=1, max_value=10**6)


class TermsShape(serializers.Serializer[Any]):
    contributors_bps = WholeNumber(min_value=0, max_value=10_000)
    builder_bps = WholeNumber(min_value=0, max_value=10_000)
    worker_bps = WholeNumber(min_value=0, max_value=10_000)
    valuation = serializers.ChoiceField(["shapley"])


class JobInput(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=200)
    purpose = serializers.CharField(max_length=60)
    recipe = serializers.CharField(max_length=60)
    config = serializers.DictField()
    datasets = serializers.ListField(child=DatasetUseShape(), min_length=1, max_length=64)
    seed = Seed(required=False, allow_null=True)
    terms = TermsShape(required=False, allow_null=True)
    worker_fee_e8s = Amount()
    budget_e8s = Amount()
    worker = serializers.CharField(
        required=False, allow_null=True, max_length=240, help_text="a principal, or a worker's name"
    )
    approve_within_s = WholeNumber(required=False, allow_null=True, min_value=1, max_value=MAX_SECONDS)
    finish_within_s = WholeNumber(required=False, allow_null=True, min_value=2, max_value=MAX_SECONDS)
    key = Hex(
        required=False,
        allow_null=True,
        min_length=32,
        max_length=64,
        help_text="the same key again proposes the same job once",
    )


class RecipeShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    code_hash = Hex()
    config_schema = AnyObject()
    default_config = AnyObject()
    task = serializers.CharField()


class WorkerShape(serializers.Serializer[Any]):
    principal = PrincipalText()
    name = serializers.CharField()
    encryption_key = Hex()
    registered_at_ns = Ns()
    proof = ProofShape()


class MetricShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    value_ppm = serializers.IntegerField()


class JobSummaryShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    purpose = serializers.CharField()
    recipe = serializers.CharField()
    builder = PrincipalText()
    state = serializers.ChoiceField(STATES)
    reason = serializers.CharField(allow_blank=True)
    waits_for = serializers.CharField(allow_null=True)
    datasets = DatasetUseShape(many=True)
    budget_e8s = E8s()
    worker = PrincipalText(allow_null=True)
    proposed_at_ns = Ns()
    updated_at_ns = Ns()
    metrics = MetricShape(many=True)
    model = PrincipalText(allow_null=True)
    proof = ProofShape()


class ApprovalShape(serializers.Serializer[Any]):
    dataset_id = serializers.IntegerField()
    dataset_title = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()
    owner = PrincipalText()
    policy_version = serializers.IntegerField()
    price_e8s = E8s()
    state = serializers.ChoiceField(["pending", "approved", "denied", "revoked"])
    by = serializers.ChoiceField(["policy", "owner"], allow_null=True)
    reason = serializers.CharField(allow_null=True)
    workers = serializers.ListField(child=PrincipalText())
    at_ns = Ns()
    proof = ProofShape()


class RequestShape(JobSummaryShape):
    waiting = ApprovalShape(many=True)


class StepShape(TimelineShape):
    by = PrincipalText(allow_null=True)


class ArtifactShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    sha256 = Hex()
    size_bytes = serializers.IntegerField()


class AttributionShape(serializers.Serializer[Any]):
    dataset_id = serializers.IntegerField()
    dataset_title = serializers.CharField(allow_blank=True)
    owner = PrincipalText()
    value_ppm = serializers.IntegerField()
    low_ppm = serializers.IntegerField()
    high_ppm = serializers.IntegerField()
    share_bps = serializers.IntegerField()


class ResultShape(serializers.Serializer[Any]):
    metrics = MetricShape(many=True)
    utility = serializers.CharField()
    transcript_hash = Hex()
    manifest_hash = Hex()
    artifacts = ArtifactShape(many=True)
    attribution = AttributionShape(many=True)


class ShareShape(serializers.Serializer[Any]):
    owner = PrincipalText()
    role = serializers.ChoiceField(["contributor", "builder", "worker"])
    dataset_id = serializers.IntegerField(allow_null=True)
    share_bps = serializers.IntegerField()


class PayoutShape(serializers.Serializer[Any]):
    owner = PrincipalText()
    kind = serializers.ChoiceField(["price", "worker_fee", "refund"])
    dataset_id = serializers.IntegerField(allow_null=True)
    amount_e8s = E8s()
    claimed_block = serializers.IntegerField(allow_null=True)


class JobShape(JobSummaryShape):
    code_hash = Hex()
    config_hash = Hex()
    config = AnyObject(allow_null=True)
    seed = serializers.CharField()
    compute = serializers.ChoiceField(["central", "federated"])
    terms = TermsShape()
    worker_fee_e8s = E8s()
    escrow_e8s = E8s()
    approve_by_ns = Ns()
    finish_by_ns = Ns()
    approvals = ApprovalShape(many=True)
    timeline = StepShape(many=True)
    result = ResultShape(allow_null=True)
    shares = ShareShape(many=True)
    payouts = PayoutShape(many=True)


class ProgressShape(serializers.Serializer[Any]):
    events = serializers.ListField(child=AnyObject())

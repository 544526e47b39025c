"""The forms of this app's answers and requests, for the schema that the page's types are made from."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.openapi import AnyObject, E8s, Hex, Ns, PrincipalText, ProofShape, TimelineShape


def _word_or_list(word: str, tag: str, items: dict[str, Any]) -> dict[str, Any]:
    listed = {
        "type": "object",
        "properties": {tag: {"type": "array", "items": items}},
        "required": [tag],
        "additionalProperties": False,
    }
    return {"oneOf": [{"type": "string", "enum": [word]}, listed]}


_TEXT = {"type": "string"}


@extend_schema_field(_word_or_list("Anyone", "Principals", _TEXT))
class AudienceField(serializers.JSONField):
    """Anyone, or named principals."""


@extend_schema_field(_word_or_list("Any", "Listed", _TEXT))
class ListedField(serializers.JSONField):
    """Any, or those listed."""


class PolicyShape(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    audience = AudienceField()
    purposes = ListedField()
    code = ListedField()
    compute = serializers.ChoiceField(choices=["Central", "Federated", "Either"])
    columns = serializers.ListField(child=serializers.CharField(), allow_null=True)
    price_e8s = E8s()
    max_uses = serializers.IntegerField(allow_null=True)
    expires_at_ns = Ns(allow_null=True)
    max_epsilon_micros = serializers.IntegerField(allow_null=True)
    decision = serializers.ChoiceField(choices=["AutoApprove", "Ask", "Deny"])
    workers = serializers.ListField(child=PrincipalText())
    set_at_ns = Ns()
    sentence = serializers.CharField(help_text="the policy in plain words")
    proof = ProofShape()


class DatasetSummaryShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    owner = PrincipalText()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=["active", "withdrawn"])
    version = serializers.IntegerField()
    row_count = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    columns = serializers.IntegerField(allow_null=True)
    task = serializers.CharField(allow_null=True)
    policy = PolicyShape(allow_null=True)
    uses = serializers.IntegerField()
    registered_at_ns = Ns()
    proof = ProofShape()


class VersionShape(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    ciphertext_root = Hex()
    plaintext_commitment = Hex()
    manifest_hash = Hex()
    schema_hash = Hex()
    card_hash = Hex()
    profile_hash = Hex()
    mock_hash = Hex()
    row_count = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    registered_at_ns = Ns()
    stored_bytes = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="every chunk of the sealed file is here")
    proof = ProofShape()


class DatasetShape(DatasetSummaryShape):
    versions = VersionShape(many=True)
    card = AnyObject(allow_null=True, help_text="as its owner wrote it; null while it is not here or cannot be read")
    schema = AnyObject(allow_null=True)
    profile = AnyObject(allow_null=True)
    mock = AnyObject(allow_null=True, help_text="synthetic rows, never real ones")
    history = TimelineShape(many=True)
    policies = PolicyShape(many=True)


class KeyShape(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    worker = PrincipalText()


class BlobShape(serializers.Serializer[Any]):
    sha256 = Hex()
    size_bytes = serializers.IntegerField()


class UploadInput(serializers.Serializer[Any]):
    manifest = AnyObject(help_text="of the sealed file")


class UploadMissingShape(serializers.Serializer[Any]):
    missing = serializers.ListField(
        child=serializers.IntegerField(), help_text="indices of the chunks still to be sent"
    )


class UploadShape(UploadMissingShape):
    manifest_hash = Hex()
    size_bytes = serializers.IntegerField()

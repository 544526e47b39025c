"""HTTP: signing in and out, who I am, and API tokens."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from marketplace.core.api import ApiView, hex_bytes, principal_text
from marketplace.core.openapi import AnyObject, Hex, Ns, PrincipalText, described

from . import selectors, services
from .authentication import BearerAuthentication
from .delegations import MAX_KEY_BYTES, MAX_SIGNATURE_BYTES
from .models import ApiToken


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's base has no types
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "the secret of a session (cws_...) or an API token (cwt_...)",
        }


class ChallengeThrottle(AnonRateThrottle):
    """By address: by principal it would let anybody lock out anybody."""

    scope = "challenge"

    def get_rate(self) -> str:
        return f"{settings.CHALLENGES_A_MINUTE}/min"

    def allow_request(self, request: Request, view: APIView) -> bool:
        return request.method != "POST" or bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return f"throttle_{self.scope}_{self.get_ident(request)}"


class ChallengeInput(serializers.Serializer[Any]):
    principal = serializers.CharField(max_length=80)


class ChallengeShape(serializers.Serializer[Any]):
    challenge = Hex()
    message = Hex(help_text="what to sign: a domain separator and the challenge")
    expires_at_ns = Ns()


class ChallengeApi(ApiView):
    throttle_classes = [ChallengeThrottle]

    @described("Ask for something to sign", request=ChallengeInput, response=ChallengeShape, errors=(415, 429))
    def post(self, request: Request) -> Response:
        principal = principal_text(self.read(ChallengeInput)["principal"], "principal")
        challenge = services.challenge_make(principal=principal)
        message = services.challenge_message(bytes.fromhex(challenge.nonce))
        return Response(
            {"challenge": challenge.nonce, "message": message.hex(), "expires_at_ns": str(challenge.expires_at_ns)}
        )


class SignInInput(serializers.Serializer[Any]):
    principal = serializers.CharField(max_length=80)
    challenge = serializers.CharField(max_length=64)
    public_key = serializers.CharField(max_length=2 * MAX_KEY_BYTES, help_text="DER in hex, of the key that signed")
    signature = serializers.CharField(max_length=2 * MAX_SIGNATURE_BYTES)
    delegations = serializers.ListField(child=AnyObject(), required=False, default=list, max_length=20)
    root_public_key = serializers.CharField(max_length=2 * MAX_KEY_BYTES, required=False, allow_null=True, default=None)


class SessionShape(serializers.Serializer[Any]):
    session = serializers.CharField(help_text="the secret, shown this once")
    principal = PrincipalText()
    expires_at_ns = Ns()


class SignInApi(ApiView):
    @described("Sign in with a signed challenge", request=SignInInput, response=SessionShape, errors=(415,))
    def post(self, request: Request) -> Response:
        given = self.read(SignInInput)
        root = given["root_public_key"]
        secret, session = services.sign_in(
            principal=principal_text(given["principal"], "principal"),
            challenge=hex_bytes(given["challenge"], "challenge", 32),
            public_key=hex_bytes(given["public_key"], "public_key"),
            signature=hex_bytes(given["signature"], "signature"),
            delegations=given["delegations"],
            root_public_key=None if root is None else hex_bytes(root, "root_public_key"),
        )
        return Response(
            {"session": secret, "principal": session.principal, "expires_at_ns": str(session.expires_at_ns)}
        )


class SignOutApi(ApiView):
    @described("End this session", status=204, errors=(403,))
    def post(self, request: Request) -> Response:
        services.session_only(self.caller)
        services.sign_out(hashed=str(request.auth))
        return Response(status=204)


class MeShape(serializers.Serializer[Any]):
    principal = PrincipalText()
    token_id = serializers.IntegerField(allow_null=True)
    expires_at_ns = Ns()


class MeApi(ApiView):
    @described("Who I am", response=MeShape, errors=())
    def get(self, request: Request) -> Response:
        caller = self.caller
        expires_at_ns = selectors.expiry_of(caller, str(request.auth))
        return Response(
            {"principal": caller.principal, "token_id": caller.token_id, "expires_at_ns": str(expires_at_ns)}
        )


class TokenInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    targets = serializers.ListField(child=serializers.CharField(max_length=80), min_length=1, max_length=20)


class TokenShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    public_key = Hex()
    targets = serializers.ListField(child=PrincipalText())
    expires_at_ns = Ns()
    created_at_ns = Ns()
    last_used_at_ns = Ns(allow_null=True)
    state = serializers.ChoiceField(choices=["pending", "active", "revoked", "expired"])


class DelegationRequestShape(serializers.Serializer[Any]):
    public_key = Hex(help_text="DER: delegate to this key")
    targets = serializers.ListField(child=PrincipalText())
    max_expires_at_ns = Ns()


class TokenMadeShape(TokenShape):
    delegation_request = DelegationRequestShape()


class TokenSecretShape(TokenShape):
    secret = serializers.CharField(help_text="shown this once")


class ActivateInput(serializers.Serializer[Any]):
    delegation = AnyObject(help_text="agent-js's DelegationChain JSON")


def _made(token: ApiToken) -> dict[str, Any]:
    shown = selectors.token_json(token)
    request = {"public_key": token.public_key, "targets": token.targets, "max_expires_at_ns": shown["expires_at_ns"]}
    return {**shown, "delegation_request": request}


class TokensApi(ApiView):
    @described("My API tokens", response=TokenShape, page=True, errors=(403,))
    def get(self, request: Request) -> Response:
        rows = selectors.tokens_of(services.session_only(self.caller).principal)
        return self.page(rows, lambda tokens: [selectors.token_json(token) for token in tokens])

    @described(
        "Begin an API token", request=TokenInput, response=TokenMadeShape, status=201, errors=(403, 409, 415, 503)
    )
    def post(self, request: Request) -> Response:
        principal = services.session_only(self.caller).principal
        given = self.read(TokenInput)
        return Response(
            _made(services.token_make(principal=principal, name=given["name"], targets=given["targets"])), status=201
        )


class TokenApi(ApiView):
    @described("Revoke an API token", status=204, errors=(403, 404))
    def delete(self, request: Request, token_id: int) -> Response:
        services.token_revoke(token_id=token_id, principal=services.session_only(self.caller).principal)
        return Response(status=204)


class TokenActivateApi(ApiView):
    @described(
        "Hand over the signed delegation", request=ActivateInput, response=TokenSecretShape, errors=(403, 404, 409, 415)
    )
    def post(self, request: Request, token_id: int) -> Response:
        principal = services.session_only(self.caller).principal
        chain = self.read(ActivateInput)["delegation"]
        secret, token = services.token_activate(token_id=token_id, principal=principal, chain=chain)
        return Response({**selectors.token_json(token), "secret": secret})

"""Signing in, and API tokens.

Whoever signs a fresh challenge with a principal's key, or with a session key that the principal delegated to, is that principal. An API
token goes further: its owner signs a delegation to a key that this server holds, for named canisters and a limited time, and with it the
server calls those canisters as them, and can do nothing else (`acting`)."""

from __future__ import annotations

import secrets
import time
from typing import Any

from django.conf import settings
from django.db import transaction

from canisters.client import KeyIdentity
from canisters.interface import keys
from canisters.interface.principal import Principal
from marketplace.chain.canisters import CORE, deployment
from marketplace.chain.selectors import cooperative_ids
from marketplace.core.caller import Caller
from marketplace.core.errors import Invalid, NotAllowed, NotFound, NotSignedIn, WrongState

from .acting import acting_agent
from .delegations import delegation_verify
from .key_sealing import key_seal
from .models import ApiToken, Challenge, Session
from .selectors import secret_hash

__all__ = [
    "acting_agent",
    "challenge_make",
    "challenge_message",
    "session_only",
    "sign_in",
    "sign_out",
    "token_activate",
    "token_make",
    "token_revoke",
]

SIGN_IN_DOMAIN = b"\x13commonweight-signin"
SESSION_PREFIX = "cws_"
TOKEN_PREFIX = "cwt_"
CLOCK_SLACK_NS = 5 * 60 * 10**9  # of the clock that the delegation's expiry was made by
MAX_TOKENS = 50  # that are neither revoked nor expired, of one person
MAX_TARGETS = 10
_SELF_AUTHENTICATING = 2


# --- signing in ---


def challenge_make(*, principal: str) -> Challenge:
    """Something to sign, for one sign-in within CHALLENGE_NS. Raises Invalid: this principal has no key that could sign."""
    if Principal.from_text(principal).raw[-1:] != bytes([_SELF_AUTHENTICATING]):
        wanted = "a key's principal; not the anonymous one, not a canister's"
        raise Invalid("Only a principal that belongs to a key can sign in.", fields={"principal": wanted})
    now_ns = time.time_ns()
    Challenge.objects.filter(expires_at_ns__lte=now_ns).delete()
    Session.objects.filter(expires_at_ns__lte=now_ns).delete()
    expires_at_ns = now_ns + settings.CHALLENGE_NS
    return Challenge.objects.create(nonce=secrets.token_hex(32), principal=principal, expires_at_ns=expires_at_ns)


def challenge_message(nonce: bytes) -> bytes:
    """What is signed: the domain keeps it apart from requests and delegations to the chain."""
    return SIGN_IN_DOMAIN + nonce


def sign_in(
    *,
    principal: str,
    challenge: bytes,
    public_key: bytes,
    signature: bytes,
    delegations: list[Any],
    root_public_key: bytes | None,
) -> tuple[str, Session]:
    """Check a signed challenge. Returns the session's secret, which is kept nowhere, and the session.

    `public_key`: DER, of the key that signed. `delegations`: from the principal's own key (`root_public_key`) to that one, or none.
    Raises: NotSignedIn (what was signed proves nothing); Invalid (it cannot be read)."""
    if not _take(challenge, principal):
        raise NotSignedIn(
            "This challenge is not, or no longer, open for this principal. Ask for a new one.", code="challenge_refused"
        )
    now_ns = time.time_ns()
    expires_at_ns = now_ns + settings.SESSION_NS
    root = public_key
    if delegations:
        if root_public_key is None:
            raise Invalid(
                "A delegated key needs its root.", fields={"root_public_key": "DER in hex, of the principal's own key"}
            )
        root = root_public_key
        expires_at_ns = min(expires_at_ns, _delegated_until(delegations, root, public_key, now_ns))
    if str(Principal.self_authenticating(root)) != principal:
        raise NotSignedIn("The key does not belong to this principal.", code="wrong_key")
    try:
        keys.verify_signature(public_key, challenge_message(challenge), signature)
    except keys.BadSignature as error:
        raise NotSignedIn(f"The signature does not prove who you are: {error}.", code="bad_signature") from error
    secret = SESSION_PREFIX + secrets.token_urlsafe(32)
    session = Session.objects.create(
        secret_hash=secret_hash(secret), principal=principal, created_at_ns=now_ns, expires_at_ns=expires_at_ns
    )
    return secret, session


def _take(challenge: bytes, principal: str) -> bool:
    """Use the challenge up, whatever comes of it: two requests with the same one cannot both succeed."""
    row = Challenge.objects.filter(nonce=challenge.hex(), principal=principal, expires_at_ns__gt=time.time_ns())
    taken, _ = row.delete()
    return taken == 1


def _delegated_until(delegations: list[Any], root: bytes, signer: bytes, now_ns: int) -> int:
    """A narrow delegation was given for less than being this person, to somebody who may be another server."""
    found = delegation_verify(delegations, root_key=root, leaf_key=signer, now_ns=now_ns)
    if found.targets is not None or found.narrowed:
        said = "This delegation is for some canisters or calls only: it cannot sign in. Delegate without targets."
        raise NotSignedIn(said, code="delegation_narrow")
    return found.expires_at_ns


def sign_out(*, hashed: str) -> None:
    """`hashed`: of the session's secret."""
    Session.objects.filter(secret_hash=hashed).delete()


def session_only(caller: Caller) -> Caller:
    """Raises NotAllowed when an API token asks for what only the person may do."""
    if caller.token_id is not None:
        raise NotAllowed("An API token cannot do that: sign in with your own key.", code="token_not_allowed")
    return caller


# --- API tokens ---


def token_make(*, principal: str, name: str, targets: list[str]) -> ApiToken:
    """A new key on this server, useless until its owner delegates to it. `targets`: names or principals of canisters.

    Raises: Invalid (a target is none of this marketplace's canisters), WrongState (too many tokens), ChainUnavailable."""
    named = _targets(targets)
    key = KeyIdentity()
    now_ns = time.time_ns()
    with transaction.atomic():
        living = ApiToken.objects.filter(principal=principal, expires_at_ns__gt=now_ns).exclude(
            state=ApiToken.State.REVOKED
        )
        if living.count() >= MAX_TOKENS:
            raise WrongState(
                f"You have {MAX_TOKENS} tokens. Revoke one that you no longer need.", code="too_many_tokens"
            )
        return ApiToken.objects.create(
            principal=principal,
            name=name,
            public_key=key.der_pubkey.hex(),
            targets=named,
            sealed_key=key_seal(key.private_key, key.der_pubkey),
            created_at_ns=now_ns,
            expires_at_ns=now_ns + settings.TOKEN_MAX_NS,
        )


def _targets(asked: list[str]) -> list[str]:
    known = {kind: str(deployment().canisters[kind]) for kind in CORE}
    allowed = {*known.values(), *cooperative_ids()}
    named = sorted({known.get(target, target) for target in asked})
    for target in named:
        if target not in allowed:
            wanted = f"{', '.join(CORE)}, or the principal of a cooperative"
            raise Invalid(f"'{target[:80]}' is no canister of this marketplace.", fields={"targets": wanted})
    if not 1 <= len(named) <= MAX_TARGETS:
        raise Invalid("A token needs targets.", fields={"targets": f"1 to {MAX_TARGETS} canisters"})
    return named


def token_activate(*, token_id: int, principal: str, chain: dict[str, Any]) -> tuple[str, ApiToken]:
    """Take the delegation that makes the token work. Returns its secret, which is kept nowhere, and the token.

    `chain`: agent-js's JSON form, from the principal's key, to this token's key, for exactly its targets, for at most TOKEN_MAX_NS.
    Raises: NotFound (no such token of this principal); WrongState (used or revoked); NotSignedIn, Invalid (it is another chain)."""
    with transaction.atomic():
        token = _own_token(token_id, principal)
        if token.state != ApiToken.State.PENDING:
            raise WrongState(f"This token is {token.state} already. Make a new one.")
        expires_at_ns = _require_delegation(token, chain)
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token.state = ApiToken.State.ACTIVE
        token.chain = {"delegations": chain["delegations"], "publicKey": chain["publicKey"]}
        token.secret_hash = secret_hash(secret)
        token.expires_at_ns = expires_at_ns
        token.save()
    return secret, token


def _require_delegation(token: ApiToken, chain: dict[str, Any]) -> int:
    now_ns = time.time_ns()
    try:
        root = bytes.fromhex(chain["publicKey"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            "The delegation lacks its publicKey.", fields={"delegation": "as DelegationChain.toJSON gives it"}
        ) from error
    leaf = bytes.fromhex(token.public_key)
    found = delegation_verify(chain.get("delegations"), root_key=root, leaf_key=leaf, now_ns=now_ns)
    if found.principal != token.principal:
        raise Invalid("The delegation is somebody else's.", fields={"delegation": f"from the key of {token.principal}"})
    if found.narrowed:
        raise Invalid("The delegation is narrowed by permissions.", fields={"delegation": "without permissions"})
    if found.targets != frozenset(token.targets):
        wanted = f"targets exactly {', '.join(token.targets)}"
        raise Invalid("The delegation is for other canisters than the token.", fields={"delegation": wanted})
    if found.expires_at_ns > now_ns + settings.TOKEN_MAX_NS + CLOCK_SLACK_NS:
        days = settings.TOKEN_MAX_NS // (24 * 3600 * 10**9)
        raise Invalid("The delegation lasts too long.", fields={"delegation": f"at most {days} days"})
    return found.expires_at_ns


def token_revoke(*, token_id: int, principal: str) -> None:
    """Forget the key: nothing that was delegated to it can be used any more. Raises NotFound."""
    with transaction.atomic():
        token = _own_token(token_id, principal)
        token.state = ApiToken.State.REVOKED
        token.sealed_key, token.chain, token.secret_hash = b"", None, None
        token.save()


def _own_token(token_id: int, principal: str) -> ApiToken:
    token = ApiToken.objects.select_for_update().filter(id=token_id, principal=principal).first()
    if token is None:
        raise NotFound("You have no such token.")
    return token

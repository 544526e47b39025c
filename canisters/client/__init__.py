"""The Python client to canisters, on ic-py: whatever in Python talks to a canister goes through here.

ic-py brings the identities, the agent's shape and the request's signature; here are the checks that it leaves out (certificates, query
signatures, HTTP status), nonces, one kept-alive connection, synchronous calls and typed errors. `typed` has one client a canister, made
from its committed .did; `management` creates and installs canisters; `verification` checks a whole story offline."""

from .agent import ChainAgent, fetch_root_key
from .contracts import Contract, contract
from .errors import (
    AnswerMalformed,
    BadArgument,
    CallRejected,
    CertificateRefused,
    ChainUnavailable,
    ClientError,
    IdentityUnreadable,
    NotAllowed,
    RequestRefused,
)
from .identities import DelegatedIdentity, KeyIdentity, anonymous, delegate
from .receipt import Receipt

__all__ = [
    "AnswerMalformed",
    "BadArgument",
    "CallRejected",
    "CertificateRefused",
    "ChainAgent",
    "ChainUnavailable",
    "ClientError",
    "Contract",
    "DelegatedIdentity",
    "IdentityUnreadable",
    "KeyIdentity",
    "NotAllowed",
    "Receipt",
    "RequestRefused",
    "anonymous",
    "contract",
    "delegate",
    "fetch_root_key",
]

"""The Python client to canisters, on ic-py: whatever in Python talks to a canister goes through here.

ic-py brings the identities, the agent's shape and the request's signature; here are the checks that it leaves out (certificates, query
signatures, HTTP status), nonces, one kept-alive connection, synchronous calls and typed errors. `contracts` gives one client a canister,
made from its committed .did. `verification` checks a whole story offline."""

from .agent import ChainAgent, Receipt
from .contracts import Contract, contract
from .errors import AnswerMalformed, CallRejected, CertificateRefused, ChainUnavailable, ClientError
from .identities import DelegatedIdentity, KeyIdentity, anonymous, delegate

__all__ = [
    "AnswerMalformed",
    "CallRejected",
    "CertificateRefused",
    "ChainAgent",
    "ChainUnavailable",
    "ClientError",
    "Contract",
    "DelegatedIdentity",
    "KeyIdentity",
    "Receipt",
    "anonymous",
    "contract",
    "delegate",
]

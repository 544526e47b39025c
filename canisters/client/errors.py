"""What can go wrong when talking to the chain.

ClientError
|- ChainUnavailable      nothing is known: the same call may be sent again (it runs once)
|- RequestRefused        the network did not let the request in; `status` is its HTTP status
|- CallRejected          the canister, or the network for it, said no: `code`, `error_code`, `message`
|- CertificateRefused    the answer is not proven: it must not be believed
|- AnswerMalformed       the answer is not in the form that its .did promises
|- BadArgument           the call does not fit its .did, nothing was sent
|- NotAllowed            this identity cannot do that (an expired delegation, a canister outside its targets), nothing was sent
`- IdentityUnreadable    a key file or delegation cannot be used
"""

from __future__ import annotations


class ClientError(Exception):
    """Root of this package's errors."""


class ChainUnavailable(ClientError):
    """The network did not answer in time."""


class RequestRefused(ClientError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the network refused the request ({status}): {message}")
        self.status = status
        self.message = message


class CallRejected(ClientError):
    """`code`: 1 system, 2 passing fault, 3 no such destination, 4 by the canister, 5 the canister failed, 6 outcome unknown."""

    def __init__(self, code: int, message: str, error_code: str | None = None) -> None:
        super().__init__(f"{message} ({error_code})" if error_code else message)
        self.code = code
        self.message = message
        self.error_code = error_code


class CertificateRefused(ClientError):
    """A certificate or a query's signature does not hold."""


class AnswerMalformed(ClientError):
    """Bytes that cannot be what they should be."""


class BadArgument(ClientError):
    """The call does not fit the interface; nothing was sent."""


class NotAllowed(ClientError):
    """What this identity may not do; nothing was sent."""


class IdentityUnreadable(ClientError):
    """A key or delegation that cannot be read or used."""

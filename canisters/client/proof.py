"""Where the wire's refusals become this package's: a certificate that does not hold, or does not say what is asked of it.

The agent, receipts and the verifier all read certificates through here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from canisters.interface import cbor, certificate, hash_tree, leb128
from canisters.interface.certificate import Certificate
from canisters.interface.principal import MalformedPrincipal, Principal

from .errors import CertificateRefused


@contextmanager
def proving() -> Iterator[None]:
    """Whatever is wrong with a certificate inside becomes CertificateRefused."""
    try:
        yield
    except certificate.CertificateRefused as error:
        raise CertificateRefused(str(error)) from error
    except (cbor.MalformedCbor, leb128.MalformedLeb128, hash_tree.MalformedTree, MalformedPrincipal) as error:
        raise CertificateRefused(f"the certificate holds something malformed: {error}") from error


def verified(data: bytes, root_key: bytes, canister_id: Principal | None, now_ns: int | None) -> Certificate:
    """A certificate that holds. `now_ns`: it may be five minutes away from it, or None when its age does not matter.

    Raises CertificateRefused."""
    with proving():
        proven = certificate.verify(data, root_key=root_key, canister_id=canister_id, now_ns=now_ns)
        _ = proven.time_ns
    return proven


def value_at(proven: Certificate, *path: bytes) -> bytes | None:
    """The value, or None when its absence is proven. Raises CertificateRefused when the certificate does not say."""
    with proving():
        return proven.lookup(*path)


def required_at(proven: Certificate, *path: bytes) -> bytes:
    """The value. Raises CertificateRefused when it is not there."""
    with proving():
        return proven.require(*path)

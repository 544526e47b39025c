"""Who signs: key pairs (Ed25519, secp256k1) and sessions delegated from one; and the signed request that the agent sends.

Built on ic-py's identities, with what they lack: delegations keep their targets and permissions, files are written for their owner only.
A chain of delegations is in agent-js's JSON form, so that a browser can make one and Python use it.
Source: interface specification, "Authentication".
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from canisters.interface import cbor, keys
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map, request_id

from .errors import IdentityUnreadable, NotAllowed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its generated parser has escapes that newer Pythons warn of
    from ic.identity import DelegateIdentity, Identity

Chain = dict[str, Any]
KEY_BYTES = 32
MAX_DELEGATIONS = 20  # of a chain; source: interface specification, "Authentication"


class KeyIdentity(Identity):  # type: ignore[misc]  # ic-py has no types
    """A key pair. `private_key`: 32 bytes, or none for a new one. `kind`: "ed25519" or "secp256k1". Raises IdentityUnreadable."""

    def __init__(self, private_key: bytes = b"", kind: str = "ed25519") -> None:
        if kind not in ("ed25519", "secp256k1"):
            raise IdentityUnreadable(f"a key is ed25519 or secp256k1, not {kind}")
        if len(private_key) not in (0, KEY_BYTES):
            raise IdentityUnreadable(f"a private key has {KEY_BYTES} bytes, not {len(private_key)}")
        super().__init__(privkey=private_key.hex(), type=kind)
        self._ed25519 = ed25519.Ed25519PrivateKey.from_private_bytes(self.private_key) if kind == "ed25519" else None

    def sign(self, msg: bytes) -> tuple[bytes, bytes]:
        """The public key in DER, and 64 bytes of signature; ic-py's arithmetic on Ed25519 takes several times as long."""
        if self._ed25519 is None:
            public_key, signature = super().sign(msg)
            return public_key, signature
        return self.der_pubkey, self._ed25519.sign(msg)

    @property
    def principal(self) -> Principal:
        return Principal.self_authenticating(self.der_pubkey)

    @property
    def private_key(self) -> bytes:
        return bytes.fromhex(self.privkey)

    def __repr__(self) -> str:  # ic-py's own would print the private key
        return f"KeyIdentity({self.principal})"

    __str__ = __repr__

    def to_pem(self) -> bytes:
        """PKCS #8 as every tool reads it; ic-py's own form for secp256k1 is refused by stricter ones."""
        if self.key_type == "ed25519":
            key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
            key = ed25519.Ed25519PrivateKey.from_private_bytes(self.private_key)
        else:
            key = ec.derive_private_key(int.from_bytes(self.private_key, "big"), ec.SECP256K1())
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def load(cls, path: Path) -> KeyIdentity:
        """Raises IdentityUnreadable."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise IdentityUnreadable(f"{path} is not an unencrypted private key in PEM form: {error}") from error
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(key.private_bytes_raw(), "ed25519")
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256K1):
            return cls(key.private_numbers().private_value.to_bytes(KEY_BYTES, "big"), "secp256k1")
        raise IdentityUnreadable(f"{path} holds a key of another kind: Ed25519 and secp256k1 can be used")

    def save(self, path: Path) -> None:
        """Write the private key, readable by its owner only, whole or not at all. Raises FileExistsError: a key is never overwritten."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.to_pem())
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            Path(draft).unlink()

    @classmethod
    def load_or_create(cls, path: Path) -> KeyIdentity:
        """Raises IdentityUnreadable."""
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was quicker: its key counts
                cls().save(path)
        return cls.load(path)


class Anonymous(Identity):  # type: ignore[misc]  # ic-py has no types
    def __init__(self) -> None:
        super().__init__(anonymous=True)

    @property
    def principal(self) -> Principal:
        return Principal.anonymous()


def anonymous() -> Anonymous:
    return Anonymous()


class DelegatedIdentity(DelegateIdentity):  # type: ignore[misc]  # ic-py has no types
    """A session key that may act for the chain's root, on the chain's targets, until it expires."""

    def __init__(self, session: KeyIdentity, chain: Chain) -> None:
        try:
            super().__init__(session, chain)
            self._delegations = [_signed(entry) for entry in chain["delegations"]]
            _ = self.targets
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IdentityUnreadable(f"not a delegation chain in agent-js's JSON form: {error}") from error
        if not 1 <= len(self._delegations) <= MAX_DELEGATIONS:
            raise IdentityUnreadable(f"a chain has 1 to {MAX_DELEGATIONS} delegations, not {len(self._delegations)}")
        if self._delegations[-1]["delegation"]["pubkey"] != session.der_pubkey:
            raise IdentityUnreadable("the delegation is for another session key")

    def __repr__(self) -> str:
        return f"DelegatedIdentity({self.principal})"

    __str__ = __repr__

    @property
    def principal(self) -> Principal:
        return Principal.self_authenticating(self.der_pubkey)

    @property
    def expires_at_ns(self) -> int:
        return min(int(entry["delegation"]["expiration"]) for entry in self._delegations)

    @property
    def targets(self) -> set[Principal] | None:
        """The canisters it may be used on; None: any."""
        named = [
            set(map(Principal, e["delegation"]["targets"])) for e in self._delegations if "targets" in e["delegation"]
        ]
        return set.intersection(*named) if named else None

    @property
    def reads_only(self) -> bool:
        """Whether a hop narrows it to queries."""
        return any("permissions" in entry["delegation"] for entry in self._delegations)

    def verify_chain(self, now_ns: int | None = None) -> None:
        """Check every signature and expiry. Raises IdentityUnreadable: a server does this before it keeps a token."""
        key = self.der_pubkey
        for entry in self._delegations:
            delegation = entry["delegation"]
            try:
                keys.verify_signature(key, keys.IC_DELEGATION + hash_of_map(delegation), entry["signature"])
            except keys.BadSignature as error:
                raise IdentityUnreadable(f"the delegation's signature does not hold: {error}") from error
            key = delegation["pubkey"]
        if self.expires_at_ns <= (time.time_ns() if now_ns is None else now_ns):
            raise IdentityUnreadable("the delegation has expired: make a new one")

    def require(self, content: dict[str, Any], now_ns: int) -> None:
        """Say before anything is sent what the network would refuse. Raises NotAllowed."""
        if self.expires_at_ns <= now_ns:
            raise NotAllowed("the delegation has expired: make a new one")
        if self.reads_only and content["request_type"] == "call":
            raise NotAllowed("the delegation is for reading only: this call needs one without that limit")
        targets, raw = self.targets, content.get("canister_id")
        if targets is not None and raw is not None and Principal(raw) not in targets:
            raise NotAllowed(f"the delegation does not name {Principal(raw)} among its targets")


AnyIdentity = KeyIdentity | Anonymous | DelegatedIdentity


def envelope(content: dict[str, Any], identity: AnyIdentity, now_ns: int) -> tuple[bytes, bytes]:
    """The request id and the signed request in CBOR. Raises NotAllowed.

    ic-py's own compares the identity's exact type, so that a subclass would be sent without its delegations."""
    identifier = request_id(content)
    fields: dict[str, Any] = {"content": content}
    if isinstance(identity, DelegatedIdentity):
        identity.require(content, now_ns)
        fields["sender_delegation"] = identity.delegations
    if not isinstance(identity, Anonymous):
        fields["sender_pubkey"] = identity.der_pubkey
        fields["sender_sig"] = identity.sign(keys.IC_REQUEST + identifier)[1]
    return identifier, cbor.dumps(fields)


def _signed(entry: dict[str, Any]) -> dict[str, Any]:
    given = entry["delegation"]
    delegation: dict[str, Any] = {"pubkey": bytes.fromhex(given["pubkey"]), "expiration": int(given["expiration"], 16)}
    if given.get("targets") is not None:
        delegation["targets"] = [bytes.fromhex(target) for target in given["targets"]]
    if given.get("permissions") is not None:
        delegation["permissions"] = given["permissions"]
    return {"delegation": delegation, "signature": bytes.fromhex(entry["signature"])}


def delegate(
    root: KeyIdentity | DelegatedIdentity,
    session_key_der: bytes,
    *,
    expires_at_ns: int,
    targets: Sequence[Principal] | None,
    permissions: str | None = None,
) -> Chain:
    """A chain that lets `session_key_der` act for `root`'s principal. `targets`: canisters, or None for any.

    `permissions`: "queries" for reading only, or None. Returns agent-js's JSON form: hex throughout, the expiry without 0x."""
    delegation: dict[str, Any] = {"pubkey": session_key_der, "expiration": expires_at_ns}
    if targets is not None:
        delegation["targets"] = [target.raw for target in targets]
    if permissions is not None:
        delegation["permissions"] = permissions
    _, signature = root.sign(keys.IC_DELEGATION + hash_of_map(delegation))
    before = list(root.delegations) if isinstance(root, DelegatedIdentity) else []
    hops = [*before, {"delegation": delegation, "signature": signature}]
    return {"delegations": [_as_json(hop) for hop in hops], "publicKey": root.der_pubkey.hex()}


def _as_json(entry: dict[str, Any]) -> dict[str, Any]:
    delegation = entry["delegation"]
    shown: dict[str, Any] = {"pubkey": delegation["pubkey"].hex(), "expiration": f"{delegation['expiration']:x}"}
    if "targets" in delegation:
        shown["targets"] = [target.hex() for target in delegation["targets"]]
    if "permissions" in delegation:
        shown["permissions"] = delegation["permissions"]
    return {"delegation": shown, "signature": entry["signature"].hex()}


def chain_from_json(text: str) -> Chain:
    """Raises IdentityUnreadable."""
    try:
        chain = json.loads(text)
    except ValueError as error:
        raise IdentityUnreadable("the delegation is not JSON") from error
    if not isinstance(chain, dict) or not {"delegations", "publicKey"} <= set(chain):
        raise IdentityUnreadable("the delegation lacks `delegations` or `publicKey`")
    return chain

"""Who this machine's worker is: its identity on the chain, and the key that owners wrap content keys for.

Both are made once, in WORKER_DIR, readable by their owner only. Losing them loses the keys that were wrapped for this worker, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from canisters.client import ChainAgent, KeyIdentity
from canisters.interface.principal import Principal
from marketplace.chain.canisters import chain_agent, jobs, ok
from marketplace.core.errors import ChainRefused

from .models import Worker


@dataclass(frozen=True, repr=False)
class WorkerKeys:
    identity: KeyIdentity
    encryption_key: ec.EllipticCurvePrivateKey

    @property
    def principal(self) -> Principal:
        return self.identity.principal

    @property
    def public_point(self) -> bytes:
        """65 bytes: the uncompressed P-256 point that stands on the chain."""
        return self.encryption_key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )


def worker_keys(folder: Path | None = None) -> WorkerKeys:
    """Read this worker's keys, or make them. Raises IdentityUnreadable, ValueError: a file is damaged, and is left as it is."""
    folder = folder or Path(settings.WORKER_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    identity = KeyIdentity.load_or_create(folder / "identity.pem")
    path = folder / "encryption_key.pem"
    if not path.exists():
        _make_encryption_key(path)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"{path} is not a P-256 key: move it away to have a new worker made")
    return WorkerKeys(identity, key)


@contextlib.contextmanager
def worker_agent(keys: WorkerKeys) -> Iterator[ChainAgent]:
    """The worker on the chain, over a connection that is closed in the end. Raises ChainUnavailable before anything is deployed."""
    with chain_agent().acting_as(keys.identity) as agent:
        yield agent


def worker_register(keys: WorkerKeys, agent: ChainAgent) -> None:
    """See that the chain knows this worker. Nothing is sent when the index does. Raises ClientError, ChainRefused."""
    if Worker.objects.filter(principal=str(keys.principal)).exists():
        return
    canister = jobs(agent)
    try:
        ok(canister.worker_register({"name": settings.WORKER_NAME, "encryption_key": keys.public_point}))
    except ChainRefused as error:
        if "another worker has it" not in error.message:
            raise
        name = f"{settings.WORKER_NAME[:48]} {str(keys.principal)[:11]}"
        ok(canister.worker_register({"name": name, "encryption_key": keys.public_point}))


def _make_encryption_key(path: Path) -> None:
    """Whole or not at all; another process's key, if it was quicker, counts."""
    data = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()

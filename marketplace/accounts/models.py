"""Challenges, sessions and API tokens: what the server remembers of who proved to be whom. Secrets are kept as hashes or encrypted."""

from __future__ import annotations

from django.db import models

from marketplace.core.json_field import JsonText


class Challenge(models.Model):
    """To be signed once. `nonce`: 32 bytes in hex."""

    nonce = models.CharField(max_length=64, primary_key=True)
    principal = models.CharField(max_length=80)
    expires_at_ns = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"challenge for {self.principal}"


class Session(models.Model):
    """A sign-in. `secret_hash`: SHA-256 of the bearer's secret, hex."""

    secret_hash = models.CharField(max_length=64, primary_key=True)
    principal = models.CharField(max_length=80, db_index=True)
    created_at_ns = models.BigIntegerField()
    expires_at_ns = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"session of {self.principal}"


class ApiToken(models.Model):
    """A delegation to a key that the server holds, for a few named canisters. `sealed_key`: the key, encrypted (see `sealing`); empty
    once revoked. `chain`: the delegation, in agent-js's JSON form. `public_key`: DER in hex."""

    class State(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        REVOKED = "revoked"

    principal = models.CharField(max_length=80, db_index=True)
    name = models.CharField(max_length=100)
    public_key = models.TextField()
    targets = JsonText()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    sealed_key = models.BinaryField(default=b"")
    chain = JsonText(null=True)
    secret_hash = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001  # unique, so none must be NULL
    created_at_ns = models.BigIntegerField()
    expires_at_ns = models.BigIntegerField()
    last_used_at_ns = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"token {self.id} of {self.principal} ({self.state})"

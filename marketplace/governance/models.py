"""Models, owners, proposals and paid calls, as the logs of the factory and of each cooperative have them. Made by `projection` alone.

`Founding` comes from the factory's log, everything else from the cooperative's own: the two are read in no known order and meet when read."""

from __future__ import annotations

from django.db import models

from marketplace.core.json_field import JsonText


class Founding(models.Model):
    """The factory's entry of a model."""

    canister = models.CharField(max_length=80, primary_key=True)
    job_id = models.BigIntegerField(db_index=True)
    inference = models.CharField(max_length=80)
    creator = models.CharField(max_length=80)
    created_at_ns = models.BigIntegerField()
    block = models.BigIntegerField()

    def __str__(self) -> str:
        return f"founding of {self.canister}"


class Cooperative(models.Model):
    """A model as its cooperative tells it. `record`: name, parameters, live release, income (see `record`)."""

    canister = models.CharField(max_length=80, primary_key=True)
    record = JsonText()

    def __str__(self) -> str:
        return f"cooperative {self.canister}"


class Holder(models.Model):
    cooperative = models.ForeignKey(Cooperative, models.CASCADE, related_name="holders")
    owner = models.CharField(max_length=80, db_index=True)
    shares = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cooperative", "owner"], name="holder_once")]

    def __str__(self) -> str:
        return f"{self.owner}: {self.shares}"


class Proposal(models.Model):
    """`record`: the proposal in the API's form, without `payload`, which can be large."""

    cooperative = models.ForeignKey(Cooperative, models.CASCADE, related_name="proposals")
    number = models.BigIntegerField()
    kind = models.CharField(max_length=20)
    state = models.CharField(max_length=20, db_index=True)
    deadline_ns = models.BigIntegerField()
    record = JsonText()
    payload = JsonText()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cooperative", "number"], name="proposal_once")]

    def __str__(self) -> str:
        return f"proposal {self.number} of {self.cooperative_id} ({self.state})"


class Ballot(models.Model):
    """A holder's voice in one proposal, with the shares held when it was submitted."""

    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="ballots")
    owner = models.CharField(max_length=80, db_index=True)
    shares = models.IntegerField()
    voted = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["proposal", "owner"], name="ballot_once")]

    def __str__(self) -> str:
        return f"ballot of {self.owner}"


class Call(models.Model):
    """A paid inference."""

    cooperative = models.ForeignKey(Cooperative, models.CASCADE, related_name="calls")
    block = models.BigIntegerField()
    record = JsonText()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cooperative", "block"], name="call_once")]

    def __str__(self) -> str:
        return f"call {self.block} of {self.cooperative_id}"


class Income(models.Model):
    """What a paid call, or one given back, credits to one principal. `shares`: held at that time."""

    cooperative = models.ForeignKey(Cooperative, models.CASCADE, related_name="incomes")
    block = models.BigIntegerField()
    owner = models.CharField(max_length=80, db_index=True)
    kind = models.CharField(max_length=10)
    amount_e8s = models.BigIntegerField()
    shares = models.IntegerField(default=0)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cooperative", "block", "owner"], name="income_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount_e8s} e8s to {self.owner}"


class Claim(models.Model):
    """Revenue that was taken out."""

    cooperative = models.ForeignKey(Cooperative, models.CASCADE, related_name="claims")
    block = models.BigIntegerField()
    owner = models.CharField(max_length=80, db_index=True)
    amount_e8s = models.BigIntegerField()
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cooperative", "block"], name="claim_once")]

    def __str__(self) -> str:
        return f"{self.amount_e8s} e8s taken by {self.owner}"

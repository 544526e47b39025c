"""Jobs, approvals, payouts and workers, as the jobs canister's log has them. Rows are made by `projection` and, `JobWait` apart, by nothing else.

`Job.record` is the whole job in the API's form (see `record`); the columns beside it and the other tables are what is searched by."""

from __future__ import annotations

from django.db import models

from marketplace.core.json_field import JsonText


class Job(models.Model):
    id = models.BigIntegerField(primary_key=True)
    state = models.CharField(max_length=20, db_index=True)
    builder = models.CharField(max_length=80, db_index=True)
    worker = models.CharField(max_length=80, default="", db_index=True)
    record = JsonText()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"job {self.id} ({self.state})"


class Approval(models.Model):
    """One dataset that a job names, and its owner's word."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="approvals")
    dataset_id = models.BigIntegerField(db_index=True)
    owner = models.CharField(max_length=80, db_index=True)
    state = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "dataset_id"], name="approval_once")]

    def __str__(self) -> str:
        return f"{self.job_id}: dataset {self.dataset_id} {self.state}"


class Payout(models.Model):
    """What a job's escrow owes to somebody. `claimed_block`: of the ledger, once taken out."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="payouts")
    position = models.IntegerField()
    owner = models.CharField(max_length=80, db_index=True)
    kind = models.CharField(max_length=20)
    dataset_id = models.BigIntegerField(null=True)
    amount_e8s = models.BigIntegerField()
    claimed_block = models.BigIntegerField(null=True)
    at_ns = models.BigIntegerField()
    block = models.BigIntegerField()

    class Meta:
        ordering = ["job_id", "position"]
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="payout_once")]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.kind} of {self.amount_e8s} e8s to {self.owner}"


class Worker(models.Model):
    principal = models.CharField(max_length=80, primary_key=True)
    name = models.CharField(max_length=240)
    encryption_key = models.CharField(max_length=130)
    registered_at_ns = models.BigIntegerField()
    block = models.BigIntegerField()

    class Meta:
        ordering = ["registered_at_ns", "principal"]

    def __str__(self) -> str:
        return f"worker {self.name}"


class JobModel(models.Model):
    """The cooperative that was founded on a job. Its block may be read before those of the job, hence a table of its own."""

    job_id = models.BigIntegerField(primary_key=True)
    canister = models.CharField(max_length=80)

    def __str__(self) -> str:
        return f"{self.job_id}: {self.canister}"


class JobWait(models.Model):
    """What this machine's worker waits for before it can claim a job. Not of the chain: the next look finds it anew."""

    job_id = models.BigIntegerField(primary_key=True)
    text = models.TextField()
    looked_at_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.job_id} waits for {self.text}"

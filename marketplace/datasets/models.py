"""Datasets, versions and policies as the registry's log has them (rows made by `projection` and by nothing else), and uploads, which are
ours: who sent which chunks of which sealed file."""

from __future__ import annotations

from django.db import models

from marketplace.core.json_field import JsonText


class Dataset(models.Model):
    """`title`: as registered; `searched`: the same, for the search. `version`, `row_count`, `size_bytes`: of the newest version.
    `decision`: of the policy in force, empty without one. `block`: the registry's block that last changed it."""

    id = models.BigIntegerField(primary_key=True)
    owner = models.CharField(max_length=80, db_index=True)
    title = JsonText()
    searched = models.TextField()
    state = models.CharField(max_length=10, db_index=True)
    version = models.IntegerField()
    row_count = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    decision = models.CharField(max_length=12, default="", db_index=True)
    uses = models.BigIntegerField(default=0)
    registered_at_ns = models.BigIntegerField()
    canister = models.CharField(max_length=80)
    block = models.BigIntegerField()

    def __str__(self) -> str:
        return f"dataset {self.id} ({self.state})"


class DatasetVersion(models.Model):
    """Hashes in hex. `size_bytes`: of the ciphertext."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="versions")
    version = models.IntegerField()
    ciphertext_root = models.CharField(max_length=64)
    plaintext_commitment = models.CharField(max_length=64)
    manifest_hash = models.CharField(max_length=64, db_index=True)
    schema_hash = models.CharField(max_length=64)
    card_hash = models.CharField(max_length=64)
    profile_hash = models.CharField(max_length=64)
    mock_hash = models.CharField(max_length=64)
    row_count = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    registered_at_ns = models.BigIntegerField()
    block = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="dataset_version_once")]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id} version {self.version}"


class Policy(models.Model):
    """One version of an owner's policy; the highest is in force. `terms`: in the API's form (`policy.terms_json`)."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="policies")
    version = models.BigIntegerField()
    terms = JsonText()
    set_at_ns = models.BigIntegerField()
    block = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="policy_once")]

    def __str__(self) -> str:
        return f"policy {self.version} of dataset {self.dataset_id}"


class BlobsGiven(models.Model):
    """How many bytes of public blobs somebody has brought."""

    principal = models.CharField(max_length=80, primary_key=True)
    size_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.size_bytes} bytes by {self.principal}"


class SealedUpload(models.Model):
    """A sealed file that somebody declared. Its manifest is a public blob under `manifest_hash`. `principal`: whose quota it counts on."""

    manifest_hash = models.CharField(max_length=64, primary_key=True)
    principal = models.CharField(max_length=80, db_index=True)
    size_bytes = models.BigIntegerField()
    created_at_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return f"upload {self.manifest_hash[:12]} ({self.size_bytes} bytes)"


class SealedChunk(models.Model):
    """One chunk of a declared file. `sha256`: hex. `is_here`: kept, and safe on disk."""

    upload = models.ForeignKey(SealedUpload, models.CASCADE, related_name="chunks")
    index = models.IntegerField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.IntegerField()
    is_here = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["upload", "index"], name="sealed_chunk_once")]

    def __str__(self) -> str:
        return f"chunk {self.index} of {self.upload_id[:12]}"

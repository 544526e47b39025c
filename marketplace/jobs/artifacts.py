"""What a finished job leaves behind, and the result that goes on the chain: each artifact a public blob named by its SHA-256.

Other apps add artifacts of their own (settings.JOB_ARTIFACT_MAKERS): a function that takes a `TrainedJob` and returns artifacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

import training
from canisters.client.typed.jobs import Metric, Result
from canisters.interface.icrc3 import to_value, value_hash
from marketplace.client.canonical import canonical_json, sha256
from marketplace.core import blobs

from .errors import Deterministic
from .record import Record

MAX_ARTIFACTS = 256  # what the jobs canister takes


@dataclass(frozen=True)
class Artifact:
    """`data`: its bytes, or None when `sha256` names something that is not a blob of its own."""

    name: str
    sha256: bytes
    size_bytes: int
    data: bytes | None

    @classmethod
    def of(cls, name: str, data: bytes) -> Artifact:
        return cls(name, sha256(data), len(data), data)


@dataclass(frozen=True)
class TrainedJob:
    """A job whose training is done, as those who make artifacts of it need it. `metrics`: as they stand on the chain."""

    job_id: int
    title: str
    outcome: training.Outcome
    metrics: list[Metric]
    note: Callable[[str], None]

    @property
    def card_json(self) -> bytes:
        return canonical_json(self.outcome.card)


ArtifactMaker = Callable[[TrainedJob], Sequence[Artifact]]


def trained_job(record: Record, outcome: training.Outcome, note: Callable[[str], None]) -> TrainedJob:
    metrics: list[Metric] = [{"name": name, "value_ppm": ppm(value)} for name, value in sorted(outcome.metrics.items())]
    return TrainedJob(record["id"], record["title"], outcome, metrics, note)


def made_artifacts(trained: TrainedJob, config_json: bytes) -> list[Artifact]:
    """All artifacts but the log, which ends last. Raises Deterministic, also out of the makers."""
    found = [
        Artifact.of("model.onnx", trained.outcome.onnx),
        Artifact.of("transcript.json", trained.outcome.transcript),
        Artifact.of("card.json", trained.card_json),
        Artifact.of("config.json", config_json),
    ]
    for path in settings.JOB_ARTIFACT_MAKERS:
        maker: ArtifactMaker = import_string(path)
        found.extend(maker(trained))
    if len(found) >= MAX_ARTIFACTS:
        raise Deterministic(
            "too_large",
            f"The result has {len(found) + 1} artifacts and {MAX_ARTIFACTS} can be recorded: train a smaller network.",
        )
    return found


def result_of(trained: TrainedJob, artifacts: list[Artifact]) -> Result:
    """What the chain is told, after every blob is safely kept."""
    for artifact in artifacts:
        if artifact.data is not None:
            blobs.blob_keep(artifact.data)
    listed = [{"name": a.name, "sha256": a.sha256, "size_bytes": a.size_bytes} for a in artifacts]
    outcome = trained.outcome
    return {
        "metrics": trained.metrics,
        "artifacts": listed,  # type: ignore[typeddict-item]  # a list of artifacts
        "manifest_hash": value_hash(to_value(listed)),
        "transcript_hash": sha256(outcome.transcript),
        "utility": outcome.utility,
        "attribution": [
            {"dataset_id": a.dataset_id, "value_ppm": ppm(a.value), "low_ppm": ppm(a.low), "high_ppm": ppm(a.high)}
            for a in outcome.attribution
        ],
    }


def ppm(value: float) -> int:
    """Millionths. Rounding keeps the order of two values. Raises Deterministic for what is no number."""
    try:
        return round(value * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise Deterministic("diverged", "A figure of the result is not a number: lower the learning rate.") from error

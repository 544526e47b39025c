"""One job from files to outcome: load, train, evaluate, attribute, export. Everything that happens is told to `on_event`.

The network that is released is the first repetition's network of all datasets together, so it is one of those whose utilities make the
values. Nothing is written anywhere: who calls keeps the outcome or, after an error, has nothing to clean up.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from .canonical import sha256_hex
from .card import model_card
from .data.joined import Joined, join
from .errors import BadConfig
from .export import OUTPUT_NAME, Sample, export_onnx
from .loop import Epoch, Scaled, Settings, as_inputs, chosen_device, device_name, predict, reproducible, train
from .metrics import Floats, accuracy, confusion, constant_prediction, log_loss, measure, utility_of
from .networks import plan_of
from .outcome import OnEvent, Outcome, Part, ShouldStop
from .recipe import Recipe, recipe
from .seeds import MAX_SEED, derived_seed
from .transcript import write_transcript
from .valuation.exact import Coalition
from .valuation.game import Record, attribute, chosen_method, play

PHASES = ("load", "train", "evaluate", "attribute", "export")
# A release carries one to four vectors for its equality test on the chain.
SAMPLES = 4
_CHECKED_ROWS = 64
_VERSIONS = ("numpy", "onnx", "onnxscript", "torch")


class _Teller:
    """Stamps the events of a run."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    def tell(self, kind: str, **fields: Any) -> None:
        self._on_event({"kind": kind, "at_ns": str(time.time_ns()), **fields})

    def phase(self, name: str) -> None:
        self.tell("phase", phase=name, done=PHASES.index(name), total=len(PHASES))


@dataclass(frozen=True)
class _Released:
    """The network to be released, what it says of the evaluation set, and the losses on the way."""

    network: Scaled
    log_probabilities: Floats
    curve: list[dict[str, Any]]


def run_job(
    recipe_name: str,
    config: dict[str, Any],
    seed: int,
    parts: Sequence[Part],
    evaluation: bytes,
    on_event: OnEvent,
    should_stop: ShouldStop,
) -> Outcome:
    """See `training.run`. `should_stop` is asked once an epoch, so it must be cheap.

    Cost: (2**n - 1) * valuation.seeds trainings for n datasets by the exact method, at most rounds * n by the other.
    """
    teller = _Teller(on_event)
    teller.phase("load")
    chosen = recipe(recipe_name)
    config = chosen.checked(config)
    if not 0 <= seed <= MAX_SEED:
        raise BadConfig({"seed": f"must be from 0 to {MAX_SEED}"})
    chosen_method(config["valuation"]["method"], len(parts))
    plan = plan_of(chosen.network, config)
    joined = join(parts, evaluation, config, plan.features)
    _tell_data(joined, teller)
    settings = Settings(plan, len(joined.classes), config, seed, chosen_device(), should_stop)
    with reproducible(settings.device):
        teller.phase("train")
        released = _train_released(joined, settings, teller)
        teller.phase("evaluate")
        metrics = measure(released.log_probabilities, joined.evaluation.labels, joined.positive)
        teller.tell(
            "log", text="Evaluation set: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()) + "."
        )
        teller.phase("attribute")
        record = _play(joined, settings, released, teller)
        teller.phase("export")
        onnx = _export(chosen, joined, settings, released)
    outcome = _outcome(chosen, joined, settings, released, metrics, record, onnx)
    teller.tell("phase", phase=PHASES[-1], done=len(PHASES), total=len(PHASES))
    return outcome


def _tell_data(joined: Joined, teller: _Teller) -> None:
    for part in joined.parts:
        left_out = (
            f"; {part.rows_left_out} of them stand in the evaluation set and are left out" if part.rows_left_out else ""
        )
        teller.tell("log", text=f"Dataset {part.dataset_id}: {part.rows} rows{left_out}.")
    teller.tell("log", text=f"Evaluation set: {len(joined.evaluation)} rows, {len(joined.classes)} classes.")


def _train_released(joined: Joined, settings: Settings, teller: _Teller) -> _Released:
    evaluation, players = joined.evaluation, _players(joined)
    curve: list[dict[str, Any]] = []

    def on_epoch(epoch: Epoch) -> None:
        seen = predict(epoch.network, evaluation, settings, players)
        point = {
            "epoch": epoch.epoch,
            "train_loss": epoch.train_loss,
            "validation_loss": log_loss(seen, evaluation.labels),
            "accuracy": accuracy(seen, evaluation.labels),
        }
        curve.append(point)
        teller.tell("epoch", epochs=settings.config["epochs"], **point)

    network = train(joined.training, settings, 0, players, on_epoch)
    return _Released(network, predict(network, evaluation, settings, players), curve)


def _players(joined: Joined) -> tuple[int, ...]:
    return tuple(part.dataset_id for part in joined.parts)


def _empty_utility(joined: Joined, settings: Settings) -> float:
    labels = joined.evaluation.labels
    return utility_of(settings.config["utility"], constant_prediction(labels, settings.classes), labels)


def _play(joined: Joined, settings: Settings, released: _Released, teller: _Teller) -> Record:
    """Each coalition is trained at most once in a repetition, and that of all datasets in the first was already."""
    players, labels, name = _players(joined), joined.evaluation.labels, settings.config["utility"]
    empty_utility = _empty_utility(joined, settings)
    known = {(frozenset(players), 0): utility_of(name, released.log_probabilities, labels)}

    def utility(coalition: Coalition, repetition: int) -> float:
        if (coalition, repetition) not in known:
            members = tuple(sorted(coalition))
            rows = joined.training.of(members)
            if len(rows) == 0:
                return empty_utility
            network = train(rows, settings, repetition, members)
            known[coalition, repetition] = utility_of(
                name, predict(network, joined.evaluation, settings, members), labels
            )
        return known[coalition, repetition]

    return play(
        players,
        utility,
        utility_name=name,
        empty_utility=empty_utility,
        valuation=settings.config["valuation"],
        rng=np.random.Generator(np.random.PCG64(derived_seed(settings.seed, "walks"))),
        on_progress=lambda done, total: teller.tell("coalition", done=done, total=total),
    )


def _samples(joined: Joined, settings: Settings, count: int) -> list[Sample]:
    """Rows of the evaluation set, evenly spread over it. Public, as it is."""
    places = np.linspace(0, len(joined.evaluation) - 1, count).round().astype(int)
    inputs = as_inputs(joined.evaluation, settings.plan).numpy()
    return [{settings.plan.input_name: inputs[place : place + 1].copy()} for place in places]


def _export(chosen: Recipe, joined: Joined, settings: Settings, released: _Released) -> bytes:
    written = {"classes": list(joined.classes), "features": list(joined.feature_names), "recipe": chosen.name}
    shape = settings.plan.shape(len(joined.feature_names))
    checked_on = _samples(joined, settings, _CHECKED_ROWS)
    return export_onnx(released.network, settings.plan.input_name, shape, written, checked_on)


def _outcome(
    chosen: Recipe,
    joined: Joined,
    settings: Settings,
    released: _Released,
    metrics: dict[str, float],
    record: Record,
    onnx: bytes,
) -> Outcome:
    attribution = attribute(_players(joined), record)
    counts = confusion(released.log_probabilities, joined.evaluation.labels)
    transcript = write_transcript(
        chosen,
        joined,
        config=settings.config,
        seed=settings.seed,
        environment={
            "device": device_name(settings.device),
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _VERSIONS}},
        },
        record=record,
        attribution=attribution,
        measured={"metrics": metrics, "confusion": counts, "curve": released.curve, "onnx_sha256": sha256_hex(onnx)},
    )
    shape = settings.plan.shape(len(joined.feature_names))
    card = model_card(
        chosen,
        settings.config,
        joined,
        inputs=[{"name": settings.plan.input_name, "dtype": "float32", "shape": [1, *shape]}],
        outputs=[{"name": OUTPUT_NAME, "dtype": "float32", "shape": [1, len(joined.classes)]}],
        metrics=metrics,
        confusion=counts,
        attribution=attribution,
        parameters=sum(parameter.numel() for parameter in released.network.parameters()),
    )
    samples = _samples(joined, settings, SAMPLES)
    return Outcome(metrics, settings.config["utility"], attribution, onnx, transcript, samples, card)

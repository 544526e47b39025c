"""The model card: what the network is, what it was trained and measured on, what it is not for. JSON, shown on the model's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .data.joined import Joined
from .outcome import Attribution
from .recipe import Recipe

_MEANING = {
    "accuracy": "share of the evaluation set's rows whose class is right",
    "balanced_accuracy": "mean over the classes of the share of their rows that is right",
    "log_loss": "mean negative log-probability of the right class, negated: more is better",
}


def model_card(
    recipe: Recipe,
    config: dict[str, Any],
    joined: Joined,
    *,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    metrics: dict[str, float],
    confusion: list[list[int]],
    attribution: Sequence[Attribution],
    parameters: int,
) -> dict[str, Any]:
    return {
        "title": recipe.title,
        "description": recipe.description,
        "task": recipe.task,
        "recipe": recipe.name,
        "target": config["target"],
        "classes": list(joined.classes),
        "positive": joined.classes[joined.positive] if joined.positive is not None else None,
        "features": list(joined.feature_names),
        "inputs": inputs,
        "outputs": outputs,
        "parameters": parameters,
        "training": {
            "rows": len(joined.training),
            "datasets": [
                {"dataset_id": part.dataset_id, "rows": part.rows, "rows_left_out": part.rows_left_out}
                for part in joined.parts
            ],
        },
        "evaluation": {"sha256": joined.evaluation_sha256, "rows": len(joined.evaluation)},
        "metrics": metrics,
        "confusion": {"rows_are": "right class", "columns_are": "predicted class", "counts": confusion},
        "attribution": {
            "utility": config["utility"],
            "meaning": _MEANING[config["utility"]],
            "values": [asdict(entry) for entry in attribution],
        },
        "limits": [
            "Measured on one held-out set: on other data it can be better or worse.",
            "It answers for any input, also for one unlike all it was trained on, and its probabilities are not calibrated.",
            "The values say what each dataset added to this result, by this recipe and this measure; not what it is worth elsewhere.",
            "Trained without differential privacy: an answer can reveal something about the training rows.",
        ],
    }

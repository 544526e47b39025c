"""Learning, with no Django and no chain in sight: recipes, data, networks, the loop, valuation, export.

`run` is the whole of it: the contributors' plaintext files and a held-out set go in; a network in ONNX, its metrics, each contributor's
value, and a transcript from which the values can be recomputed come out. The worker calls it; the web application only lists and checks
recipes, so torch is loaded by `run` and by nothing else here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .canonical import canonical_json as config_bytes
from .errors import BadConfig, BadData, BadTranscript, Diverged, ExportFailed, Stopped, TrainingError
from .outcome import Attribution, OnEvent, Outcome, Part, ShouldStop, ignore_event, never_stop
from .recipe import Recipe, recipe, recipes
from .transcript import values_from_transcript

__all__ = [
    "Attribution",
    "BadConfig",
    "BadData",
    "BadTranscript",
    "Diverged",
    "ExportFailed",
    "Outcome",
    "Part",
    "Recipe",
    "Stopped",
    "TrainingError",
    "config_bytes",
    "recipe",
    "recipes",
    "run",
    "values_from_transcript",
]


def run(
    recipe_name: str,
    config: dict[str, Any],
    seed: int,
    parts: Sequence[Part],
    evaluation: bytes,
    on_event: OnEvent = ignore_event,
    should_stop: ShouldStop = never_stop,
) -> Outcome:
    """Train on the union of `parts`, measure on `evaluation`, value each part, export. See `pipeline.run_job`.

    Raises: BadConfig, BadData, Stopped, Diverged, ExportFailed; their texts quote no cell of a part.
    """
    from .pipeline import run_job  # torch takes seconds and 300 MB to load; who only lists recipes must not pay

    return run_job(recipe_name, config, seed, parts, evaluation, on_event, should_stop)

"""The transcript: canonical JSON from which anybody can recompute a job's attribution. Its SHA-256 stands on the chain.

It holds no row and no cell: hashes or commitments of the files, how many rows each had, the config, the seed, and the utility of every
coalition that was trained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .canonical import canonical_json, sha256_hex
from .data.joined import Joined
from .errors import BadTranscript
from .outcome import Attribution
from .recipe import Recipe
from .valuation.exact import coalitions_of
from .valuation.game import MAX_EXACT_PLAYERS, ExactRecord, Record, SampledRecord, attribute
from .valuation.permutation import Walk

FORMAT = "commonweight/transcript/v1"
_MAX_PLAYERS = 64
_MAX_REPETITIONS = 20


def write_transcript(
    chosen: Recipe,
    joined: Joined,
    *,
    config: dict[str, Any],
    seed: int,
    environment: dict[str, Any],
    record: Record,
    attribution: Sequence[Attribution],
    measured: dict[str, Any],
) -> bytes:
    """`environment`: device and versions. `measured`: metrics, confusion, curve and the hash of the ONNX file."""
    return canonical_json(
        {
            "format": FORMAT,
            "recipe": chosen.name,
            "code_hash": chosen.code_hash.hex(),
            "code": chosen.code_listing,
            "config": config,
            "config_hash": sha256_hex(canonical_json(config)),
            "seed": str(seed),
            **environment,
            "classes": list(joined.classes),
            "features": list(joined.feature_names),
            "parts": [asdict(part) for part in joined.parts],
            "evaluation": {"sha256": joined.evaluation_sha256, "rows": len(joined.evaluation)},
            "valuation": record.to_value(),
            "attribution": [asdict(entry) for entry in attribution],
            **measured,
        }
    )


def values_from_transcript(transcript: bytes) -> list[Attribution]:
    """Recompute the attribution from the recorded utilities, in the order of dataset id.

    Raises: BadTranscript, for bytes that are no transcript, and for one whose own hashes, games or values contradict each other.
    """
    try:
        value = json.loads(transcript)
        if canonical_json(value) != transcript:
            raise BadTranscript("the transcript is not in canonical form")
        if value["format"] != FORMAT:
            raise BadTranscript(f"the transcript's format is not {FORMAT}")
        players = [_whole(part["dataset_id"]) for part in value["parts"]]
        recomputed = attribute(players, _record(players, value["valuation"]))
        recorded = [_attribution(entry) for entry in value["attribution"]]
        hashes = {"code": "code_hash", "config": "config_hash"}
        wrong = [name for name, digest in hashes.items() if sha256_hex(canonical_json(value[name])) != value[digest]]
    except (KeyError, TypeError, ValueError, RecursionError, ArithmeticError) as error:
        if isinstance(error, BadTranscript):
            raise
        raise BadTranscript(
            f"the transcript lacks a part or has one of another kind ({type(error).__name__})"
        ) from None
    if wrong:
        raise BadTranscript(f"the transcript's {wrong[0]} does not have the hash that it states")
    if recorded != recomputed:
        raise BadTranscript("the transcript's values are not those that follow from its utilities")
    return recomputed


def _record(players: list[int], value: dict[str, Any]) -> Record:
    repetitions = _whole(value["repetitions"])
    if (
        players != sorted(set(players))
        or not 1 <= len(players) <= _MAX_PLAYERS
        or not 1 <= repetitions <= _MAX_REPETITIONS
    ):
        raise BadTranscript("the transcript's datasets are not in order, or they or the repetitions are too many")
    empty_utility = _number(value["empty_utility"])
    if value["method"] == "exact":
        return _exact(players, value, repetitions, empty_utility)
    if value["method"] == "permutation":
        return _sampled(players, value, repetitions, empty_utility)
    raise BadTranscript("the transcript's method is not known")


def _exact(players: list[int], value: dict[str, Any], repetitions: int, empty_utility: float) -> ExactRecord:
    coalitions = tuple(
        (tuple(_whole(member) for member in entry["members"]), tuple(_number(number) for number in entry["utilities"]))
        for entry in value["coalitions"]
    )
    # Asked first: many claimed datasets must not keep the reader busy for hours.
    complete = len(players) <= MAX_EXACT_PLAYERS and len(coalitions) == 2 ** len(players) - 1
    if not complete or [frozenset(members) for members, _ in coalitions] != list(coalitions_of(players)):
        raise BadTranscript("the transcript does not have every coalition once, in order")
    if any(len(utilities) != repetitions for _, utilities in coalitions):
        raise BadTranscript("a coalition does not have one utility for each repetition")
    return ExactRecord(str(value["utility"]), repetitions, empty_utility, coalitions)


def _sampled(players: list[int], value: dict[str, Any], repetitions: int, empty_utility: float) -> SampledRecord:
    walks = tuple(
        Walk(
            _whole(entry["repetition"]),
            tuple(_whole(player) for player in entry["order"]),
            tuple(_number(number) for number in entry["utilities"]),
        )
        for entry in value["walks"]
    )
    whole = tuple(_number(number) for number in value["whole_utilities"])
    truncation = _number(value["truncation"])
    if len(walks) != _whole(value["rounds"]) or len(walks) < 2 or len(whole) != repetitions:
        raise BadTranscript("the transcript does not have as many walks or utilities as it states")
    for index, walk in enumerate(walks):
        if (
            walk.repetition != index % repetitions
            or sorted(walk.order) != players
            or not 1 <= len(walk.utilities) <= len(players)
        ):
            raise BadTranscript(f"walk {index} is not an order of the datasets")
        near = [abs(whole[walk.repetition] - utility) < truncation for utility in walk.utilities]
        if any(near[:-1]) or (len(walk.utilities) < len(players) and not near[-1]):
            raise BadTranscript(f"walk {index} ends too early or too late")
    return SampledRecord(str(value["utility"]), repetitions, empty_utility, truncation, whole, walks)


def _attribution(entry: dict[str, Any]) -> Attribution:
    return Attribution(
        _whole(entry["dataset_id"]), _number(entry["value"]), _number(entry["low"]), _number(entry["high"])
    )


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadTranscript("the transcript has something else where a whole number belongs")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise BadTranscript("the transcript has something else where a number belongs")
    return float(value)

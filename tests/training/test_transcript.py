"""The attribution can be recomputed from the transcript alone, and a transcript that was touched is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import training
from training.canonical import canonical_json

pytestmark = pytest.mark.slow


def touched(transcript: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(transcript)
    change(value)
    return canonical_json(value)


def test_values_are_recomputed_from_the_utilities(finished):
    assert training.values_from_transcript(finished.outcome.transcript) == finished.outcome.attribution


def test_values_are_recomputed_from_sampled_orders(sampled):
    assert training.values_from_transcript(sampled.outcome.transcript) == sampled.outcome.attribution


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.update(format="commonweight/transcript/v0"), "format"),
        (lambda t: t["attribution"][0].update(value=0.5, high=0.5), "values are not those"),
        (lambda t: t["attribution"].pop(), "values are not those"),
        (lambda t: t["valuation"]["coalitions"][3]["utilities"].__setitem__(1, 0.99), "values are not those"),
        (lambda t: t["valuation"].update(empty_utility=0.1), "values are not those"),
        (lambda t: t["valuation"]["coalitions"].pop(2), "every coalition once"),
        (lambda t: t["valuation"]["coalitions"].insert(0, t["valuation"]["coalitions"][0]), "every coalition once"),
        (lambda t: t["valuation"]["coalitions"][0].update(members=[2]), "every coalition once"),
        (lambda t: t["valuation"]["coalitions"][0]["utilities"].pop(), "one utility for each repetition"),
        (lambda t: t["valuation"].update(method="guess"), "method is not known"),
        (lambda t: t["valuation"].update(repetitions=10**9), "too many"),
        (lambda t: t["valuation"].update(repetitions=True), "whole number"),
        (lambda t: t["valuation"].update(empty_utility="0.5"), "a number belongs"),
        (lambda t: t["parts"].reverse(), "not in order"),
        (lambda t: t["parts"].extend({"dataset_id": n} for n in range(4, 60)), "every coalition once"),
        (lambda t: t["parts"].clear(), "too many"),
        (lambda t: t["config"].update(epochs=7), "config does not have the hash"),
        (lambda t: t["code"]["files"].pop(), "code does not have the hash"),
        (lambda t: t.pop("valuation"), "lacks a part"),
        (lambda t: t.update(parts=3), "lacks a part"),
        (lambda t: t.update(valuation=[]), "lacks a part"),
    ],
)
def test_a_transcript_that_was_touched_is_refused(finished, change, says):
    with pytest.raises(training.BadTranscript, match=says):
        training.values_from_transcript(touched(finished.outcome.transcript, change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t["valuation"]["walks"].pop(), "as many walks"),
        (lambda t: t["valuation"]["whole_utilities"].pop(), "as many walks or utilities"),
        (lambda t: t["valuation"]["walks"][0].update(order=[1, 2, 3, 4, 5, 6, 6]), "walk 0 is not an order"),
        (lambda t: t["valuation"]["walks"][0].update(repetition=1), "walk 0 is not an order"),
        (lambda t: t["valuation"]["walks"][1].update(utilities=[]), "walk 1 is not an order"),
        (lambda t: t["valuation"]["walks"][1].update(utilities=[-5]), "walk 1 ends too early"),
        (lambda t: t["valuation"].update(truncation=1e9), "too early or too late"),
    ],
)
def test_a_transcript_of_sampled_orders_that_was_touched_is_refused(sampled, change, says):
    with pytest.raises(training.BadTranscript, match=says):
        training.values_from_transcript(touched(sampled.outcome.transcript, change))


@pytest.mark.parametrize("data", [b"", b"\xff", b"null", b"[]", b"{}", b"NaN", b"[" * 100_000])
def test_bytes_that_are_no_transcript_are_refused(data):
    with pytest.raises(training.BadTranscript):
        training.values_from_transcript(data)


def test_a_transcript_in_another_spelling_is_refused(finished):
    with pytest.raises(training.BadTranscript, match="canonical"):
        training.values_from_transcript(finished.outcome.transcript + b"\n")


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_any_part_replaced_by_anything_is_refused_or_recomputed_never_a_crash(finished, data):
    value = json.loads(finished.outcome.transcript)
    junk = data.draw(
        st.none() | st.booleans() | st.integers(-3, 5) | st.text(max_size=3) | st.lists(st.integers(0, 2), max_size=2)
    )
    place: Any = value
    for _ in range(data.draw(st.integers(1, 4))):
        if not isinstance(place, dict | list) or not place:
            break
        holder, key = place, data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place = holder[key]
    holder[key] = junk

    with contextlib.suppress(training.BadTranscript):
        assert training.values_from_transcript(canonical_json(value)) == finished.outcome.attribution

"""ONNX's own node tests: each passes in wasm, or is refused for a reason that stands here; none is wrong."""

from __future__ import annotations

import re

import pytest

from .node_tests import judged

AT_LEAST = 1720
# Why a test may be refused. Whatever is refused with other words is a fault.
REASONS = {
    "strings, sequences, optional values and maps are no tensors of numbers": (
        "a sequence, a map or optional", "it is object", "OptionalGetElement",
    ),
    "a decoder of images and a counter of n-grams are the caller's work": ("ImageDecoder", "TfIdfVectorizer"),
    "a network that is run is not trained, and gives the same answer to the same question": (
        "the domain 'ai.onnx.preview.training'", "it is in training mode", "Bernoulli", "RandomUniformLike",
    ),
    "a preview of what may become ONNX": ("the domain 'ai.onnx.preview'",),
    "a convolution whose taps are moved by data": ("DeformConv",),
    "a shape hangs on data that only a run knows": ("is only known at run time", "whose size cannot be told"),
    "a meaning from before opset 9": ("is not implemented",),
    "products of float64 matrices": ("float64, which is not computed here",),
}  # fmt: skip


@pytest.mark.slow
def test_node_tests_pass_in_wasm_or_are_refused_for_a_known_reason() -> None:
    found = judged()

    assert [f"{one.name}: {one.why}" for one in found if one.verdict in ("wrong", "broken")] == []
    known = re.compile("|".join(re.escape(words) for reason in REASONS.values() for words in reason))
    assert [f"{one.name}: {one.why}" for one in found if one.verdict == "refused" and not known.search(one.why)] == []
    assert sum(one.verdict == "passed" for one in found) >= AT_LEAST

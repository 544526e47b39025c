"""How many of ONNX's own node tests pass in wasm, and how those that do not end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.canisters.compiler.node_tests import judged

from .figure import Figure


def figures() -> Iterator[Figure]:
    """`passing` counts answers computed in wasm; apart stand those that were right but known before, because all inputs decide shapes."""
    verdicts = Counter(one.verdict for one in judged())
    yield Figure("compiler.node_tests.passing", verdicts["passed"], "tests", 1340, "higher")
    yield Figure("compiler.node_tests.known_beforehand", verdicts["constant"], "tests", None)
    yield Figure("compiler.node_tests.refused", verdicts["refused"], "tests", None)
    yield Figure("compiler.node_tests.wrong", verdicts["wrong"] + verdicts["broken"], "tests", 0)

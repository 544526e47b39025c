"""ONNX's own node tests through the compiler: `python -m tests.canisters.compiler.node_tests [--only PREFIX] [--refused]`.

Each test is a small model with inputs and expected outputs. It passes in wasm, is refused for a reason, or is wrong. What decides a shape
is an input in many of these tests and must be known when a model is compiled: exactly the inputs that the refusal names are made part of
the model. Those that compile are built some hundred at a time; a group that does not build or traps is halved until the culprit is alone.

Answers are held to the tolerance of the test. Halves may be two steps of their type away as well: we keep float32 within a chain of
operators, the expected values were rounded after each and are themselves up to 1.7 steps from what float32 gives.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from canisters.compiler import CannotCompile, build_model, frontend
from canisters.compiler.ir import verify
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks
from canisters.compiler.operators import REGISTRY
from canisters.compiler.passes import PASSES

from .cases import Case, run_together

GROUP = 150
# Twice the largest distance of neighbours, relative to them.
STEPS = {"float16": 2.0**-9, "bfloat16": 2.0**-6}
AT_RUN_TIME = re.compile(r"\('(?P<name>.*)'\) decides a shape and is only known at run time")


@dataclass(frozen=True)
class Judged:
    """`verdict`: passed, constant (right, but known before it runs, as all inputs decide shapes), refused, wrong, or broken (our own fault:
    no refusal, no answer). `why`: of the last three. `baked`: inputs that were made part of the model."""

    name: str
    verdict: str
    why: str = ""
    baked: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeTest:
    case: Case
    rtol: float
    atol: float
    baked: tuple[str, ...] = ()


def judged(prefixes: Sequence[str] = ("",)) -> list[Judged]:
    """Every node test whose name (without `test_`) begins with one of the prefixes."""
    found, ready = [], []
    for test in _tests(prefixes):
        if isinstance(test, Judged):
            found.append(test)
            continue
        loadable = _loadable(test)
        (found if isinstance(loadable, Judged) else ready).append(loadable)  # type: ignore[arg-type]
    groups: dict[tuple[tuple[str, int], ...], list[NodeTest]] = defaultdict(list)
    for test in ready:
        imports = tuple(sorted((entry.domain, entry.version) for entry in test.case.model.opset_import))
        groups[imports].append(test)
    for group in groups.values():
        for at in range(0, len(group), GROUP):
            found += _run(group[at : at + GROUP])
    return sorted(found, key=lambda one: one.name)


def _tests(prefixes: Sequence[str]) -> Iterator[NodeTest | Judged]:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # numpy's, while ONNX makes its test data
        found = load_model_tests(kind="node")
    for test in found:
        name = test.name.removeprefix("test_")
        if not name.startswith(tuple(prefixes)):
            continue
        graph, (inputs, outputs) = test.model.graph, test.data_sets[0]
        if not all(value.type.HasField("tensor_type") for value in (*graph.input, *graph.output)):
            yield Judged(name, "refused", "the model: an input or output is a sequence, a map or optional")
            continue
        given = {value.name: _array(data) for value, data in zip(graph.input, inputs, strict=True)}
        expected = {value.name: _array(data) for value, data in zip(graph.output, outputs, strict=True)}
        yield NodeTest(Case(name, test.model, given, expected), test.rtol, test.atol)


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


# --- what must be known beforehand ---


def _loadable(test: NodeTest) -> NodeTest | Judged:
    """The test as it can be compiled, or why it cannot."""
    while True:
        case = test.case
        try:
            _require_compiles(case.model.SerializeToString())
        except CannotCompile as error:
            named = _behind(case.model.graph, AT_RUN_TIME.search(str(error)))
            if not named:
                return Judged(case.name, "refused", str(error), test.baked)
            test = replace(test, case=_with_constants(case, named), baked=(*test.baked, *named))
        except Exception as error:
            return Judged(case.name, "broken", f"{type(error).__name__}: {error}", test.baked)
        else:
            return test


def _require_compiles(onnx_bytes: bytes) -> None:
    """Everything but the build of the wasm."""
    graph = frontend.load(onnx_bytes)
    for step in PASSES:
        graph = step(graph)
        verify(graph, after=step.__name__)
    for node in graph.nodes:
        lower = REGISTRY[node.op].lower
        assert lower is not None, f"no pass has replaced {node.op}"
        lower(node, graph, "f32")


def _behind(graph: onnx.GraphProto, found: re.Match[str] | None) -> tuple[str, ...]:
    """The model's inputs from which the tensor that a refusal names is computed."""
    if found is None:
        return ()
    wanted, inputs = {found["name"]}, [value.name for value in graph.input]
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
    return tuple(name for name in inputs if name in wanted)


def _with_constants(case: Case, names: Iterable[str]) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    kept = [value for value in case.model.graph.input if value.name not in names]
    model.graph.initializer.extend(numpy_helper.from_array(case.inputs[name], name) for name in names)
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return Case(case.name, model, {value.name: case.inputs[value.name] for value in kept}, case.expected)


# --- in wasm ---


def _run(group: list[NodeTest]) -> list[Judged]:
    try:
        answers = run_together([test.case for test in group]) if len(group) > 1 else _alone(group[0].case)
    except Exception as error:  # one case's failure must not hide the others' answers
        if len(group) == 1:
            return [Judged(group[0].case.name, "broken", f"{type(error).__name__}: {error}"[:2000], group[0].baked)]
        half = len(group) // 2
        return _run(group[:half]) + _run(group[half:])
    return [_verdict(test, answers[test.case.name]) for test in group]


def _alone(case: Case) -> dict[str, dict[str, np.ndarray]]:
    """As the model is: ONNX cannot rename what the loops within some models refer to."""
    built = build_model(case.model.SerializeToString())
    return {case.name: LocalModel(built.module.wasm, chunks(built.plan.weights_data)).run(case.inputs)}


def _verdict(test: NodeTest, answers: dict[str, np.ndarray]) -> Judged:
    why = "; ".join(
        filter(None, (_difference(test, answers[name], wanted) for name, wanted in test.case.expected.items()))
    )
    verdict = "wrong" if why else "passed" if test.case.inputs or not test.baked else "constant"
    return Judged(test.case.name, verdict, why, test.baked)


def _difference(test: NodeTest, got: np.ndarray, wanted: np.ndarray) -> str:
    if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
        return f"{got.dtype} {got.shape}, expected {wanted.dtype} {wanted.shape}"
    rtol = max(test.rtol, STEPS.get(got.dtype.name, 0.0))
    a, b = (array if array.dtype.kind in "iub" else array.astype(np.float64) for array in (got, wanted))
    if a.dtype.kind != "f":
        is_same = bool(np.array_equal(a, b))
    else:
        with np.errstate(all="ignore"):
            is_same = np.allclose(a, b, rtol=rtol, atol=max(test.atol, 1e-6), equal_nan=True)
    return "" if is_same else f"{a.ravel()[:8]}, expected {b.ravel()[:8]}"


# --- said to a person ---


def kind_of(why: str) -> str:
    """A refusal without what differs from test to test: names, numbers, shapes, what to do."""
    text = re.sub(r"^(\w+) '[^']*'", r"\1", why.split(". ")[0])
    text = re.sub(r"'[^']*'", "'...'", text)
    return re.sub(r"\([\d, ]*\)|\[[\d, -]*\]|\b\d+\b", "#", text)[:140]


def main() -> None:
    parser = argparse.ArgumentParser(description="How many of ONNX's node tests pass in wasm.")
    parser.add_argument(
        "--only", action="append", metavar="PREFIX", help="tests whose name begins so, without test_ (repeatable)"
    )
    parser.add_argument("--refused", action="store_true", help="name every refused test with its reason")
    parser.add_argument("--passed", action="store_true", help="name every test that passes")
    options = parser.parse_args()
    found = judged(tuple(options.only or [""]))
    counts = Counter(one.verdict for one in found)
    refused = Counter(kind_of(one.why) for one in found if one.verdict == "refused")
    for kind, count in sorted(refused.items(), key=lambda item: (-item[1], item[0])):
        print(f"refused {count:4}  {kind}")
    for one in found:
        is_shown = one.verdict in ("wrong", "broken") or (one.verdict == "refused" and options.refused)
        if is_shown or (one.verdict in ("passed", "constant") and options.passed):
            known = f" (known beforehand: {', '.join(one.baked)})" if one.baked else ""
            print(f"{one.verdict:8} {one.name}{known} {one.why}")
    print(f"{len(found)} node tests: {counts['passed']} pass, {counts['constant']} are constants, {counts['refused']} refused, "
          f"{counts['wrong']} wrong, {counts['broken']} broken")  # fmt: skip


if __name__ == "__main__":
    main()

"""Wall time of the compiled network under wasmtime against ONNX Runtime on one thread: a ratio of two minima, taken in turn in one process.

NaNs are canonical, as the network's nodes have them. Only the network itself is timed, on either side: no messages, no metering.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import onnx
import wasmtime

from canisters.compiler import build_model, wasm
from canisters.compiler.build import engine
from canisters.compiler.equality import session
from tests.canisters.compiler.networks import cnn, mlp

from .figure import Figure
from .kernels import wide

SECONDS, LEAST_RUNS = 1.5, 30


class Timed:
    """A compiled network in wasmtime, its weights and inputs in place. Raises AssertionError when it is not what ONNX Runtime computes."""

    def __init__(self, onnx_bytes: bytes, mode: str, inputs: Mapping[str, np.ndarray], *, tolerance: float) -> None:
        built = build_model(onnx_bytes, mode)
        plan, graph = built.plan, built.graph
        run = next(index for index, name in wasm.function_names(built.module.named).items() if name == "model_run")
        entries = [*wasm.exports(built.module.named), wasm.Export("model_run", wasm.FUNCTION_KIND, run)]
        parts = [wasm.export_section(entries) if part.number == wasm.EXPORT else part for part in wasm.sections(built.module.named)]
        its_engine = engine()
        module = wasmtime.Module(its_engine, wasm.assembled(parts))
        self._store = wasmtime.Store(its_engine)
        linker = wasmtime.Linker(its_engine)
        linker.define_unknown_imports_as_traps(module)
        exports = linker.instantiate(self._store, module).exports(self._store)
        memory = exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        memory.write(self._store, plan.weights_data, plan.weights_base)
        for name, array in inputs.items():
            memory.write(self._store, np.ascontiguousarray(array).tobytes(), plan.tensors[name])
        self._run = exports["model_run"]
        self.run()
        running = session(onnx_bytes)
        self.other: Callable[[], object] = lambda: running.run(None, dict(inputs))
        for name, wanted in zip(graph.outputs, running.run(None, dict(inputs)), strict=True):
            at = plan.tensors[name]
            found = np.frombuffer(memory.read(self._store, at, at + graph.type(name).size_bytes), wanted.dtype).reshape(wanted.shape)
            error = float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1e-30))
            assert error <= tolerance, f"{name} is {error:.1e} from ONNX Runtime's"

    def run(self) -> None:
        self._run(self._store)  # type: ignore[operator]


def ratio(ours: Callable[[], object], other: Callable[[], object]) -> float:
    """The least time of one over the least of the other; they run in turn, so that whatever slows the machine slows both."""
    least = [float("inf"), float("inf")]
    end, runs = time.perf_counter() + SECONDS, 0
    while runs < LEAST_RUNS or time.perf_counter() < end:
        for index, run in enumerate((ours, other)):
            start = time.perf_counter_ns()
            run()
            least[index] = min(least[index], time.perf_counter_ns() - start)
        runs += 1
    return least[0] / least[1]


def networks() -> Iterator[tuple[str, onnx.ModelProto | bytes, dict[str, np.ndarray], float | None]]:
    """Name, model, sample, and the goal of its f32 ratio."""
    from . import mobilenet  # torch takes seconds to import

    rng = np.random.default_rng(0)
    yield "mlp", mlp(), {"features": rng.standard_normal((1, 30)).astype(np.float32)}, 2.0
    yield "mlp_784", wide(), {"x": rng.standard_normal((1, 784)).astype(np.float32)}, 2.0
    yield "cnn_28", cnn(size=28), {"image": rng.standard_normal((1, 1, 28, 28)).astype(np.float32)}, 3.0
    yield "mobilenet_v2_224", mobilenet.exported(), mobilenet.image(), None


def figures() -> Iterator[Figure]:
    for name, model, sample, goal in networks():
        data = model if isinstance(model, bytes) else model.SerializeToString()
        for mode, tolerance in (("f32", 1e-4), ("int8", 0.1)):
            timed = Timed(data, mode, sample, tolerance=tolerance)
            yield Figure(f"compiler.wall.{name}.{mode}", round(ratio(timed.run, timed.other), 3), "times ONNX Runtime", goal)

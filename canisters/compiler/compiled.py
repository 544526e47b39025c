"""What the compiler gives back, in memory and as a folder: `CompiledModel.save(folder)`, `CompiledModel.load(folder)`.

    module.wasm       the inference canister           interface.json   mode, inputs, outputs, memory map
    weights/000 ...   its weights, by index            cost.json        instructions for each function, page charges
    model.c           the network as C                 passes.txt       the graph as it was loaded and after each pass that changed it

A folder appears whole or not at all, and replaces only what an earlier run has written.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from . import shell
from .cost import CostReport, measured
from .errors import BadFolder
from .memory import CHUNK_BYTES, Plan, chunks
from .pipeline import Built, Variant
from .slicing import MAX_MESSAGE, needs_slices, sliced

_STEP = re.compile(r"^== (\S+) ==$", re.MULTILINE)


class Release(Protocol):
    """What is put on a network, whatever kind of model it is."""

    @property
    def wasm(self) -> bytes: ...
    @property
    def weight_chunks(self) -> tuple[bytes, ...]: ...
    @property
    def interface(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class SavedRelease:
    """A Release as it was read from its folder."""

    wasm: bytes = field(repr=False)
    weight_chunks: tuple[bytes, ...] = field(repr=False)
    interface: dict[str, Any]


@dataclass(frozen=True)
class CompiledModel:
    """`wasm`: the whole inference canister. `weight_chunks`: its weights, uploaded by index after it is installed. `c_source`: model.c.
    `passes`: after loading and after each pass, the graph as text. `variant_costs`: by name, when there are variants; `cost` is the first's."""

    wasm: bytes = field(repr=False)
    wasm_chunks: tuple[bytes, ...] = field(repr=False)
    weight_chunks: tuple[bytes, ...] = field(repr=False)
    interface: dict[str, Any]
    cost: CostReport
    c_source: str = field(repr=False, default="")
    passes: tuple[tuple[str, str], ...] = field(repr=False, default=())
    variant_costs: Mapping[str, CostReport] = field(repr=False, default_factory=dict)

    def save(self, folder: Path) -> None:
        """Raises BadFolder (it holds something else), OSError."""
        require_ours(folder)
        with whole_folder(folder) as made:
            self.write(made)

    def write(self, folder: Path) -> None:
        """The files, into an empty folder."""
        write_release(folder, self, self.c_source)
        (folder / "cost.json").write_text(json.dumps(self._costs(), indent=1) + "\n")
        (folder / "passes.txt").write_text("".join(f"== {step} ==\n{text}\n" for step, text in self.passes))

    @classmethod
    def load(cls, folder: Path) -> CompiledModel:
        """Raises BadFolder: it is not a compiled model, or not a whole one."""
        release, costs = read_release(folder), read_json(folder, "cost.json")
        try:
            variants = costs.pop("variants", {})
            cost = CostReport.from_json(costs)
            variant_costs = {name: CostReport.from_json(entry) for name, entry in variants.items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadFolder(f"{folder}: cost.json is of another compiler: compile again") from error
        if len(release.wasm) != cost.module_bytes:
            raise BadFolder(f"{folder}: its files do not belong together: compile again")
        parts = _STEP.split(_read(folder, "passes.txt").decode())[1:]
        return cls(
            release.wasm,
            parts_of(release.wasm),
            release.weight_chunks,
            release.interface,
            cost,
            _read(folder, "model.c").decode(),
            tuple((step, text.strip("\n")) for step, text in zip(parts[::2], parts[1::2], strict=True)),
            variant_costs,
        )

    def _costs(self) -> dict[str, Any]:
        variants = {name: cost.as_json() for name, cost in self.variant_costs.items()}
        return {**self.cost.as_json(), **({"variants": variants} if variants else {})}


def compiled_model(
    built: Built, mode: str, passes: Sequence[tuple[str, str]] = (), slice_instructions: int = MAX_MESSAGE
) -> CompiledModel:
    """A module with its cost, measured, and all that is told about it. One that takes more than `slice_instructions` is built again, to
    run over several messages. Raises CannotCompile when that cannot be."""
    costs = {v.name: measured(built.module, v.graph, v.kernels, v.plan, v.name) for v in built.variants}
    if any(needs_slices(cost, slice_instructions) for cost in costs.values()):
        built = sliced(built, mode, next(iter(costs.values())), slice_instructions)
        costs = {name: replace(cost, module_bytes=len(built.module.wasm)) for name, cost in costs.items()}
    return CompiledModel(
        wasm=built.module.wasm,
        wasm_chunks=parts_of(built.module.wasm),
        weight_chunks=chunks(built.plan.weights_data),
        interface=_interface(built, mode),
        cost=next(iter(costs.values())),
        c_source=built.source,
        passes=tuple(passes),
        variant_costs=costs if any(costs) else {},
    )


def _interface(built: Built, mode: str) -> dict[str, Any]:
    """interface.json. `inputs` and `outputs` are the first variant's."""
    plan = built.plan
    named = [variant for variant in built.variants if variant.name]
    return {
        "compiler": shell.VERSION,
        "mode": mode,
        **_tensors(built.variants[0]),
        "weights_bytes": len(plan.weights_data),
        "memory": {
            "activations": list(plan.arena),
            "weights": [plan.weights_base, plan.weights_base + len(plan.weights_data)],
            "end": plan.end,
            "blocks": _blocks(plan),
        },
        **({"variants": [_variant(variant) for variant in named]} if named else {}),
    }


def _variant(variant: Variant) -> dict[str, Any]:
    """`weights_bytes`: what it reads of the weights, of which others may read some as well."""
    read = sum(end - start for start, end in variant.plan.weights_read)
    return {"name": variant.name, **_tensors(variant), "weights_bytes": read, "blocks": _blocks(variant.plan)}


def _tensors(variant: Variant) -> dict[str, Any]:
    graph = variant.graph
    return {
        "inputs": [shell.tensor_info(name, graph.type(name)) for name in graph.inputs],
        "outputs": [shell.tensor_info(name, graph.type(name)) for name in graph.outputs],
    }


def _blocks(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"name": b.name, "address": b.address, "size_bytes": b.size_bytes, "first_node": b.first, "last_node": b.last}
        for b in sorted(plan.blocks, key=lambda b: (b.address, b.first, b.name))
    ]


def write_release(folder: Path, release: Release, c_source: str) -> None:
    """Module, weights, interface and C, into an empty folder."""
    (folder / "weights").mkdir(parents=True)
    (folder / "module.wasm").write_bytes(release.wasm)
    for index, chunk in enumerate(release.weight_chunks):
        (folder / "weights" / f"{index:03}").write_bytes(chunk)
    (folder / "interface.json").write_text(json.dumps(release.interface, indent=1) + "\n")
    (folder / "model.c").write_text(c_source)


def read_release(folder: Path) -> SavedRelease:
    """Raises BadFolder: there is none, or not a whole one."""
    wasm, interface = _read(folder, "module.wasm"), read_json(folder, "interface.json")
    try:
        weights_bytes = int(interface["weights_bytes"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadFolder(f"{folder}: interface.json is of another compiler: compile again") from error
    weights = tuple(_read(folder, f"weights/{index:03}") for index in range(-(-weights_bytes // CHUNK_BYTES)))
    if sum(map(len, weights)) != weights_bytes:
        raise BadFolder(f"{folder}: its files do not belong together: compile again")
    return SavedRelease(wasm, weights, interface)


def parts_of(wasm: bytes) -> tuple[bytes, ...]:
    """A module in the pieces in which it is uploaded."""
    return tuple(wasm[at : at + CHUNK_BYTES] for at in range(0, len(wasm), CHUNK_BYTES))


def require_ours(folder: Path) -> None:
    """Nothing but what the compiler has written is ever replaced. Raises BadFolder."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise BadFolder(f"{folder} exists and is no folder of an earlier result: choose another one")
    ours = any((folder / name).is_file() for name in ("module.wasm", "stages.json"))
    if any(folder.iterdir()) and not ours:
        raise BadFolder(f"{folder} exists and is no earlier result: choose another one")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes its place only when the block ends well; an earlier one stays until then."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        made, old = Path(beside) / "made", Path(beside) / "old"
        made.mkdir()
        yield made
        if folder.exists():
            folder.rename(old)
        made.rename(folder)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write that takes its place only when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        Path(name).chmod(0o644)
        Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BadFolder(f"{folder} holds no compiled model ({name}: {error.strerror}): compile one first") from error


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Raises BadFolder."""
    try:
        found = json.loads(_read(folder, name))
    except ValueError as error:
        raise BadFolder(f"{folder}: {name} is damaged: compile again") from error
    if not isinstance(found, dict):
        raise BadFolder(f"{folder}: {name} is damaged: compile again")
    return found

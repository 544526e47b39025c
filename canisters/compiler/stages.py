"""A model cut into stages, each an inference canister of its own whose inputs are the outputs of the one before: `compile_stages`.

    DIR/stage0 ...     a compiled model each            DIR/stages.json    what passes between them, what each costs, what the cut costs

Nodes are lowered as in the whole, so all stages together give the same bits. For what one canister cannot hold there is no whole to
compare with, and cuts are chosen by estimated costs; otherwise they are chosen by measured ones.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import kinds, pipeline, shell
from .charges import (
    CALL_CYCLES,
    CALL_CYCLES_PER_BYTE,
    CYCLES_PER_INSTRUCTION,
    MAX_UPDATE,
    UPDATE_CYCLES,
    tensors_bytes,
)
from .compiled import CompiledModel, Release, compiled_model, read_json, read_release, require_ours, whole_folder
from .cost import CostReport, measured
from .errors import BadFolder, CannotCompile, DoesNotFit
from .ir import Array, Graph, verify
from .local import LocalModel
from .partition import Limits, cuts, estimated, stage_graphs

_UNLIMITED = 1 << 62


@dataclass(frozen=True)
class CompiledStages:
    """`stages` in their order. `whole`: cost of the same model in one canister, None when it does not fit one."""

    stages: tuple[CompiledModel, ...]
    whole: CostReport | None = None
    passes: tuple[tuple[str, str], ...] = ()

    def save(self, folder: Path) -> None:
        """Raises BadFolder (it holds something else), OSError."""
        require_ours(folder)
        with whole_folder(folder) as made:
            for index, stage in enumerate(self.stages):
                stage.write(made / f"stage{index}")
            (made / "stages.json").write_text(json.dumps(self.as_json(), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> CompiledStages:
        """Raises BadFolder: it is not a model in stages, or not a whole one."""
        told = read_json(folder, "stages.json")
        if told.get("language"):
            raise BadFolder(f"{folder} holds the stages of a language model, which run on a network only: use deploy")
        try:
            names = [str(stage["folder"]) for stage in told["stages"]]
            whole = CostReport.from_json(told["whole"]) if told["whole"] else None
        except (KeyError, TypeError, ValueError) as error:
            raise BadFolder(f"{folder}: stages.json is of another compiler: compile again") from error
        if names != [f"stage{index}" for index in range(len(names))] or not names:
            raise BadFolder(f"{folder}: stages.json is damaged: compile again")
        stages = tuple(CompiledModel.load(folder / name) for name in names)
        for before, after in itertools.pairwise(stages):
            if before.interface["outputs"] != after.interface["inputs"]:
                raise BadFolder(f"{folder}: its stages do not belong together: compile again")
        return cls(stages, whole)

    def as_json(self) -> dict[str, Any]:
        return {
            "compiler": shell.VERSION,
            "stages": [
                {
                    "folder": f"stage{index}",
                    "inputs": [tensor["name"] for tensor in stage.interface["inputs"]],
                    "outputs": [tensor["name"] for tensor in stage.interface["outputs"]],
                    **asdict(charge),
                }
                for index, (stage, charge) in enumerate(zip(self.stages, self.charges(), strict=True))
            ],
            "whole": self.whole.as_json() if self.whole else None,
            "split": self.split_cost(),
        }

    def charges(self) -> Iterator[StageCharge]:
        answer = tensors_bytes(self.stages[-1].interface["outputs"])
        for index, stage in enumerate(self.stages):
            received = tensors_bytes(stage.interface["inputs"])
            run = UPDATE_CYCLES + stage.cost.total * CYCLES_PER_INSTRUCTION
            hop = CALL_CYCLES + CALL_CYCLES_PER_BYTE * (received + answer) if index else 0
            yield StageCharge(
                stage.cost.total,
                stage.cost.weights_bytes,
                stage.cost.memory_bytes,
                received,
                tensors_bytes(stage.interface["outputs"]),
                run + hop,
            )

    def split_cost(self) -> dict[str, int]:
        """What all stages together cost, and how much more that is than in one canister, where it fits one."""
        charges = list(self.charges())
        found = {
            "instructions": sum(charge.instructions for charge in charges),
            "cycles": sum(charge.cycles for charge in charges),
            "bytes_between": sum(charge.bytes_in for charge in charges[1:]),
            "dearest_stage": max(charge.instructions for charge in charges),
        }
        if self.whole is not None:
            found["more_instructions"] = found["instructions"] - self.whole.total
            found["more_cycles"] = found["cycles"] - UPDATE_CYCLES - self.whole.total * CYCLES_PER_INSTRUCTION
        return found


def stage_releases(folder: Path) -> list[Release]:
    """The stages that `compile` has written there, of either kind, in their order. Raises BadFolder."""
    told = read_json(folder, "stages.json")
    if not told.get("language"):
        return list(CompiledStages.load(folder).stages)
    count = len(told.get("stages", ()))
    if not count:
        raise BadFolder(f"{folder}: stages.json is damaged: compile again")
    return [read_release(folder / f"stage{index}") for index in range(count)]


def load_compiled(folder: Path) -> CompiledModel | CompiledStages:
    """Whichever `compile` has written there. Raises BadFolder."""
    if (folder / "stages.json").exists():
        return CompiledStages.load(folder)
    if (folder / "interface.json").exists() and "vocabulary" in read_json(folder, "interface.json"):
        raise BadFolder(f"{folder} holds a language model, which has no graph to show: use run or deploy")
    return CompiledModel.load(folder)


@dataclass(frozen=True)
class StageCharge:
    """One stage in one request. `instructions`: page charges included. `cycles`: its update call, and the call that brought it the request
    and took the answer back; the first stage's request is the caller's own."""

    instructions: int
    weights_bytes: int
    memory_bytes: int
    bytes_in: int
    bytes_out: int
    cycles: int


def compile_graph_in_stages(
    graph: Graph,
    count: int,
    mode: str = "f32",
    limits: Limits | None = None,
    passes: Sequence[tuple[str, str]] = (),
    begin: pipeline.Begin = pipeline.unwatched,
) -> CompiledStages:
    """`graph`: after all passes. Raises CannotCompile, BuildFailed."""
    begin("lower")
    kernels = pipeline.lowered(graph, mode)
    costs = estimated(graph, kernels, mode)
    whole = None
    with suppress(DoesNotFit):
        built = pipeline.build_lowered({"": (graph, kernels)}, mode, begin)
        begin("measure")
        whole = measured(built.module, graph, kernels, built.plan)
        found = iter(whole.functions)
        costs = [next(found).instructions if kernels[node.name].code else 0.0 for node in graph.nodes]
    stages = []
    for index, part in enumerate(stage_graphs(graph, cuts(graph, kernels, costs, count, limits))):
        begin(f"stage {index}")
        verify(part, after=f"cutting stage {index}")
        of_part = {node.name: kernels[node.name] for node in part.nodes}
        built = pipeline.build_lowered({"": (part, of_part)}, mode, kind=kinds.stage(index + 1, count))
        stages.append(compiled_model(built, mode, passes, slice_instructions=_UNLIMITED))
        _require_one_message(index, stages[-1].cost)
    return CompiledStages(tuple(stages), whole, tuple(passes))


def _require_one_message(index: int, cost: CostReport) -> None:
    """A stage is not split over messages as well. Raises CannotCompile."""
    if cost.total > MAX_UPDATE:
        raise CannotCompile(
            f"stage {index + 1}",
            f"it takes {cost.total:,} instructions, and a message may take {MAX_UPDATE:,}",
            "Ask for more stages, or for int8 weights",
        )


class LocalStages:
    """All stages on this machine, one after the other."""

    def __init__(self, compiled: CompiledStages) -> None:
        self.models = [LocalModel(stage.wasm, stage.weight_chunks) for stage in compiled.stages]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Raises BadInput."""
        found = dict(inputs)
        for model in self.models:
            found = model.run(found)
        return found

    def used(self) -> list[int]:
        """Instructions of each stage in the last run, page charges left out."""
        return [model.canister.used() for model in self.models]

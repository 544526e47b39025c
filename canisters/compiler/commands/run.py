"""`run DIR --inputs IN.npz --outputs OUT.npz`: one inference in wasmtime, through the canister's own doors, metered as the network meters."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from canisters.compiler.ir import Array
from canisters.compiler.local import LocalModel
from canisters.compiler.stages import CompiledStages, LocalStages, load_compiled

from . import language
from .options import arrays_of, followed, size, write_arrays


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `compile` wrote")
    parser.add_argument("--inputs", type=Path, required=True, metavar="IN.npz", help="arrays by the inputs' names")
    parser.add_argument("--outputs", type=Path, required=True, metavar="OUT.npz", help="file to write")
    parser.add_argument("--count", type=size, default=16, help="of a language model: tokens to make (default: 16)")


def run(arguments: argparse.Namespace) -> int:
    inputs = arrays_of(arguments.inputs)
    speaker = language.saved_language_model(arguments.folder)
    if speaker is not None:
        outputs, count = language.generated(speaker, inputs, arguments.count)
        return _written(arguments.outputs, outputs, [f"{count:,} instructions to generate"])
    compiled = load_compiled(arguments.folder)
    if isinstance(compiled, CompiledStages):
        stages = LocalStages(compiled)
        outputs = stages.run(inputs)
        used = [f"stage {index}: {count:,} instructions" for index, count in enumerate(stages.used())]
    else:
        model = LocalModel(compiled.wasm, followed(compiled.weight_chunks, "weights", "MiB"))
        outputs = model.run(inputs)
        used = [f"{model.canister.used():,} instructions"]
    return _written(arguments.outputs, outputs, used)


def _written(path: Path, outputs: Mapping[str, Array], used: list[str]) -> int:
    write_arrays(path, outputs)
    for name, array in outputs.items():
        print(f"{name}: {array.dtype.name} {array.shape}")
    print("\n".join(used) + ", page charges left out")
    return 0

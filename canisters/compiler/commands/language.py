"""Language models by the same verbs: `compile FOLDER` of a Hugging Face checkpoint, and `run DIR`, which takes tokens and gives tokens."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from canisters.compiler.compiled import SavedRelease, read_release, require_ours, whole_folder, write_release
from canisters.compiler.errors import BadInput
from canisters.compiler.ir import Array
from canisters.compiler.language import (
    MODES,
    CompiledLanguageModel,
    LocalLanguageModel,
    compile_language_model,
    compile_language_stages,
)

from .options import BadUse, followed, size, stepping

# What only a graph has.
_OF_GRAPHS = ("shape", "axis", "const", "variant", "sample", "http")


def add_compile(parser: argparse.ArgumentParser) -> None:
    """What only a language model has."""
    parser.add_argument("--context", type=size, metavar="TOKENS", help="of a language model: how long a session may be")
    parser.add_argument("--slots", type=size, metavar="N", help="of a language model: sessions at a time (default: 4)")
    parser.add_argument(
        "--open",
        action="store_true",
        help="of a language model: anybody who signs may use it, not only its controllers",
    )


def is_checkpoint(path: Path) -> bool:
    return path.is_dir() and (path / "config.json").is_file()


def require_graph(arguments: argparse.Namespace) -> None:
    """Raises BadUse when an .onnx file is given what only a language model takes."""
    if arguments.context or arguments.slots or arguments.open:
        raise BadUse(
            "--context, --slots and --open are for language models: give their folder, which holds config.json"
        )


def compile_checkpoint(arguments: argparse.Namespace) -> None:
    """Raises BadUse, CannotCompile, BadFolder."""
    if given := [name for name in _OF_GRAPHS if getattr(arguments, name)]:
        raise BadUse(
            f"--{given[0]} is for .onnx files: a language model takes --context, --slots, --open and --quantize"
        )
    mode: Any = arguments.quantize or "f32"
    if mode not in MODES:
        raise BadUse(f"--quantize {mode} is not offered for language models: take one of {', '.join(MODES[1:])}")
    require_ours(arguments.out)
    settings: dict[str, Any] = {
        "mode": mode,
        "context": arguments.context,
        "slots": arguments.slots or 4,
        "is_open": arguments.open,
    }
    with stepping(arguments.model.name) as begin:
        if arguments.stages:
            stages = compile_language_stages(arguments.model, arguments.stages, **settings, begin=begin)
        else:
            stages = (compile_language_model(arguments.model, **settings, begin=begin),)
    with whole_folder(arguments.out) as made:
        if arguments.stages:
            write_language_stages(made, stages)
        else:
            write_release(made, stages[0], stages[0].c_source)
    for stage in stages:
        told = stage.interface
        print(f"module {len(stage.wasm):,} bytes, weights {told['weights_bytes']:,} bytes in {told['chunks']} chunks")
    told = stages[0].interface
    print(
        f"{told['family']}: {told['slots']} sessions of up to {told['context']} tokens, memory {told['memory']['end']:,} bytes"
    )


def write_language_stages(folder: Path, stages: Sequence[CompiledLanguageModel]) -> None:
    """A folder for each, and stages.json with their order."""
    for index, stage in enumerate(stages):
        write_release(folder / f"stage{index}", stage, stage.c_source)
    told = [
        {"folder": f"stage{index}", "weights_bytes": s.interface["weights_bytes"]} for index, s in enumerate(stages)
    ]
    (folder / "stages.json").write_text(json.dumps({"stages": told, "language": True}, indent=1) + "\n")


def saved_language_model(folder: Path) -> SavedRelease | None:
    """None when the folder holds another kind of model. Raises BadFolder."""
    if not (folder / "interface.json").is_file():
        return None
    release = read_release(folder)
    return release if "vocabulary" in release.interface else None


def generated(release: SavedRelease, inputs: Mapping[str, Array], count: int) -> tuple[dict[str, Array], int]:
    """The likeliest tokens after `tokens` (n), and the instructions of their making. Raises BadInput."""
    tokens = inputs.get("tokens")
    if (
        tokens is None
        or set(inputs) != {"tokens"}
        or tokens.ndim != 1
        or not tokens.size
        or tokens.dtype.kind not in "iu"
    ):
        raise BadInput("a language model takes one array of integers, `tokens`, of at least one token")
    model = LocalLanguageModel(release.wasm, followed(release.weight_chunks, "weights", "MiB"))
    session = model.open()
    if tokens.min() < 0:
        raise BadInput("a token is not negative")
    model.prompt(session, [int(token) for token in tokens])
    made: list[int] = []
    used = 0
    while len(made) < count:
        answer: Any = model.generate(session, count - len(made))
        made += answer.tokens
        used += answer.instructions
        if answer.finish != "Instructions":
            break
    return {"tokens": np.array(made, np.int64)}, used

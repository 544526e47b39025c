"""`explain DIR`: the graph before and after each pass, and the memory map, drawn in the terminal and in DIR/memory.svg."""

from __future__ import annotations

import argparse
from pathlib import Path

from canisters.compiler.compiled import CompiledModel, whole_file
from canisters.compiler.explain import changes, memory_svg, memory_text
from canisters.compiler.stages import CompiledStages, load_compiled


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `compile` wrote")


def run(arguments: argparse.Namespace) -> int:
    compiled = load_compiled(arguments.folder)
    parts = list(compiled.stages) if isinstance(compiled, CompiledStages) else [compiled]
    for line in changes(parts[0].passes):
        print(line)
    for index, part in enumerate(parts):
        stage = len(parts) > 1 or part is not compiled
        _memory(part, arguments.folder / f"stage{index}" if stage else arguments.folder)
    return 0


def _memory(compiled: CompiledModel, folder: Path) -> None:
    print(f"\nmemory of {folder.name}:")
    print(memory_text(compiled.interface))
    with whole_file(folder / "memory.svg") as path:
        path.write_text(memory_svg(compiled.interface))
    print(f"drawn in {folder / 'memory.svg'}")

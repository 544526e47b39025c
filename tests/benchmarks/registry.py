"""The groups of figures, in the order in which they run. A group's module has `figures()`, which yields each when it is measured."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from .figure import Figure


@dataclass(frozen=True)
class Group:
    """`prefixes`: what its figures' names begin with. `expected`: about how many there are, for the progress bar."""

    module: str
    prefixes: tuple[str, ...]
    expected: int

    def may_have(self, only: str) -> bool:
        return any(prefix.startswith(only) or only.startswith(prefix) for prefix in self.prefixes)

    def figures(self) -> Iterator[Figure]:
        found: Iterator[Figure] = importlib.import_module(f"{__package__}.{self.module}").figures()
        return found


GROUPS = (
    Group("node_tests", ("compiler.node_tests.",), 4),
    Group("kernels", ("compiler.gemm_", "compiler.gemv_", "compiler.mlp", "compiler.cnn"), 108),
    Group("mobilenet", ("compiler.mobilenet_v2_224.",), 21),
    Group("tinygrad", ("compiler.tinygrad.",), 10),
    Group("wall", ("compiler.wall.mlp", "compiler.wall.cnn", "compiler.wall.mobilenet"), 8),
    Group("stages", ("compiler.stages.",), 4),
    Group("language", ("compiler.gpt2.", "compiler.qwen2.", "compiler.wall.gpt2_decode."), 14),
    Group("network", ("replica.load_", "replica.client.", "replica.restart_", "replica.idle.", "replica.query.", "replica.commit_"), 14),
)

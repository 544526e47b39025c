"""What it costs to cut a model over several canisters: a Llama-shaped decoder of four layers, 16 tokens, in four stages."""

from __future__ import annotations

from collections.abc import Iterator

from canisters.compiler import compile_stages
from tests.canisters.compiler import decoders, language_models

from .figure import Figure

STAGES = 4


def figures() -> Iterator[Figure]:
    data = decoders.llama_onnx(decoders.LLAMA, language_models.tensors_of(decoders.LLAMA), 16)
    stages = compile_stages(data, STAGES)
    split, name = stages.split_cost(), f"compiler.stages.llama_in_{STAGES}"
    yield Figure(f"{name}.more_instructions", split["more_instructions"], "instructions", None)
    yield Figure(f"{name}.more_cycles", split["more_cycles"], "cycles", None)
    yield Figure(f"{name}.bytes_between", split["bytes_between"], "bytes", None)
    # 1 / STAGES were an even cut.
    yield Figure(f"{name}.dearest_stage", round(split["dearest_stage"] / split["instructions"], 4), "ratio", None)

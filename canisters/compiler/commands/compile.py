"""`compile MODEL --out DIR`: writes the canister, its weights and what is told about them. DIR appears whole or not at all."""

from __future__ import annotations

import argparse
from pathlib import Path

from canisters.compiler import CompiledModel, CompiledStages, check_model, compile_model, compile_stages
from canisters.compiler.compiled import require_ours
from canisters.compiler.pipeline import STEPS
from canisters.compiler.slicing import MAX_MESSAGE

from . import language
from .check import said
from .options import BadUse, add_model, arrays_of, compiling, model_bytes, settings_of, size, unique


def add(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder to write; replaced when it holds an earlier result",
    )
    parser.add_argument(
        "--sample", type=Path, metavar="IN.npz", help="inputs of your own, to say how accurate the result is on them"
    )
    parser.add_argument(
        "--slice-instructions",
        type=size,
        metavar="N",
        default=MAX_MESSAGE,
        help="what one message may take: a network that takes more runs over several (default: the network's own limit)",
    )
    parser.add_argument(
        "--http",
        action="store_true",
        help="with a JSON door for plain HTTP, which a controller may open (deploy --open-http)",
    )
    language.add_compile(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--stages", type=size, metavar="N", help="cut it over N canisters, each in a folder of its own")
    how.add_argument(
        "--variant",
        action="append",
        default=[],
        type=_variant,
        metavar="NAME:AXIS=SIZE,...",
        help="one of several sizes that the same canister takes; may be repeated",
    )


def _variant(text: str) -> tuple[str, dict[str, int]]:
    name, parted, sizes = text.partition(":")
    try:
        axes = {axis: size(value) for axis, _, value in (part.rpartition("=") for part in sizes.split(","))}
        if not parted or not name or "" in axes:
            raise ValueError
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as in --variant eight:batch=8") from error
    return name, axes


def run(arguments: argparse.Namespace) -> int:
    if language.is_checkpoint(arguments.model):
        language.compile_checkpoint(arguments)
        return 0
    language.require_graph(arguments)
    require_ours(arguments.out)  # before minutes are spent
    data, settings = model_bytes(arguments.model), settings_of(arguments)
    variants = unique(arguments.variant, "--variant")
    sample = arrays_of(arguments.sample) if arguments.sample else None
    if sample is not None and arguments.stages:
        raise BadUse("--sample is for one canister: leave --stages out, all stages together give the same bits")
    compiled: CompiledModel | CompiledStages
    if arguments.stages and arguments.http:
        raise BadUse("--http is for one canister: leave --stages out")
    if arguments.stages:
        with compiling(arguments.model.name, len(STEPS) - 1 + arguments.stages) as begin:
            compiled = compile_stages(data, arguments.stages, **settings, begin=begin)
        print(stages_summary(compiled))
    else:
        with compiling(arguments.model.name, len(STEPS) * max(1, len(variants))) as begin:
            compiled = compile_model(
                data,
                **settings,
                variants=variants or None,
                slice_instructions=arguments.slice_instructions,
                http=arguments.http,
                begin=begin,
            )
        print(summary(compiled))
        if sample is not None:
            print(said(check_model(data, compiled, [sample], constants=settings["constants"])))
    compiled.save(arguments.out)
    return 0


def summary(compiled: CompiledModel) -> str:
    cost = compiled.cost
    lines = [
        f"module {cost.module_bytes:,} bytes, weights {cost.weights_bytes:,} bytes in {len(compiled.weight_chunks)} chunks, memory {cost.memory_bytes:,} bytes"
    ]
    for name, of in (compiled.variant_costs or {"": cost}).items():
        whose = f"one inference of {name}" if name else "one inference"
        lines.append(
            f"{whose}: {of.total:,} instructions = {of.instructions:,} executed + {of.page_charges:,} for {of.pages_read} pages touched"
        )
        if of.macs:
            lines.append(
                f"network: {of.kernel_instructions:,} instructions for {of.macs:,} multiply-accumulates, {of.per_mac:.2f} each"
            )
    if compiled.variant_costs:
        lines.append(shared(compiled))
    return "\n".join(lines)


def shared(compiled: CompiledModel) -> str:
    """How much of the variants' weights is one and the same."""
    alone = sum(variant["weights_bytes"] for variant in compiled.interface["variants"])
    kept = compiled.interface["weights_bytes"]
    return f"weights of all variants: {kept:,} bytes, {alone - kept:,} fewer than apart"


def stages_summary(compiled: CompiledStages) -> str:
    lines = [
        f"stage {index}: {charge.instructions:,} instructions, weights {charge.weights_bytes:,} bytes, memory {charge.memory_bytes:,} bytes; "
        f"{charge.bytes_in:,} bytes in, {charge.bytes_out:,} out; {charge.cycles:,} cycles"
        for index, charge in enumerate(compiled.charges())
    ]
    split = compiled.split_cost()
    lines.append(f"one request: {split['instructions']:,} instructions and {split['cycles']:,} cycles in all stages")
    if compiled.whole:
        lines.append(
            f"the split costs {split['more_instructions']:,} instructions and {split['more_cycles']:,} cycles more than one canister"
        )
    else:
        lines.append("one canister could not hold it")
    return "\n".join(lines)

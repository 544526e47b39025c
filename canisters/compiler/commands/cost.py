"""`cost DIR`: what each node costs, what a message costs, in instructions and cycles, and how many inferences fit into one."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from canisters.compiler.charges import Charges
from canisters.compiler.cost import PAGE_READ, PAGE_WRITTEN, CostReport
from canisters.compiler.stages import CompiledStages, load_compiled

from .compile import stages_summary


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `compile` wrote")
    parser.add_argument("--json", action="store_true", help="the same figures for programs")


def run(arguments: argparse.Namespace) -> int:
    compiled = load_compiled(arguments.folder)
    if isinstance(compiled, CompiledStages):
        print(json.dumps(compiled.as_json(), indent=1) if arguments.json else stages_summary(compiled))
        return 0
    charges = Charges.of(compiled.cost, compiled.interface)
    if arguments.json:
        print(json.dumps({**compiled.cost.as_json(), "charges": asdict(charges)}, indent=1))
        return 0
    for variant in compiled.interface.get("variants", [{"name": ""}]):
        cost = compiled.variant_costs.get(variant["name"], compiled.cost)
        if variant["name"]:
            print(f"--- variant {variant['name']} ---")
            charges = Charges.of(cost, variant)
        print("\n".join([*nodes(cost), "", *message(cost, charges)]))
    return 0


def nodes(cost: CostReport) -> list[str]:
    """A line for each node: instructions, its share, multiply-accumulates."""
    width = max((len(function.name) for function in cost.functions), default=4)
    lines = [f"{'node':<{width}} {'instructions':>16} {'share':>7} {'MACs':>16} {'per MAC':>8}"]
    for f in cost.functions:
        share = f.instructions / max(1, cost.kernel_instructions)
        macs = f"{f.macs:>16,} {f.instructions / f.macs:>8.2f}" if f.macs else ""
        lines.append(f"{f.name:<{width}} {f.instructions:>16,} {share:>7.1%} {macs}".rstrip())
    return lines


def message(cost: CostReport, charges: Charges) -> list[str]:
    figures: list[tuple[str, Any, str]] = [
        ("network", cost.kernel_instructions, "instructions"),
        ("whole message", cost.instructions, "instructions, reading the request and writing the answer included"),
        (
            "page charges",
            cost.page_charges,
            f"instructions: {cost.pages_read} pages read at {PAGE_READ:,}, {cost.pages_written} of them written at {PAGE_WRITTEN:,} more",
        ),
        ("one inference", charges.first, f"instructions in its own message, {charges.slices} slice(s) of 2 B"),
        ("each further", charges.further, "instructions in the same message, whose pages are touched already"),
        ("a query holds", charges.in_query, "inferences (5 B instructions)"),
        ("an update holds", charges.in_update, "inferences (40 B instructions)"),
        ("update call", charges.ingress_cycles, "cycles, asked from outside"),
        ("canister's call", charges.call_cycles, "cycles, request and reply included; a query is free"),
        ("uploading", charges.upload_cycles, "cycles for module and weights, once"),
        ("keeping", charges.storage_cycles_per_year, "cycles a year for memory and weights"),
    ]
    return [f"{name:<16} {value:>22,} {what}" for name, value, what in figures]

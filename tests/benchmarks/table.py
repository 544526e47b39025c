"""Writes measured figures into docs/performance.md: the table of goals, and every figure below it. The text around them is written by hand.

`python -m tests.benchmarks.table [--figures var/bench.json] [--document docs/performance.md]`. Exit code 1 when a figure of the table is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .figure import Figure

ROOT = Path(__file__).parents[2]
MARKS = {kind: (f"<!-- {kind}: written by tests.benchmarks.table -->", f"<!-- end of {kind} -->") for kind in ("goals", "figures")}


@dataclass(frozen=True)
class Row:
    """`peers`: what others measured, from their own sources. `limit`: what the network's table allows at best. `names`: figures, in order."""

    what: str
    names: tuple[str, ...]
    peers: str = ""
    limit: str = ""


_GPT2, _QWEN2 = "compiler.gpt2", "compiler.qwen2"
ROWS = (
    Row("f32 product 48x768x768, a multiply-accumulate", ("compiler.gemm_48x768x768.f32.per_mac",), "3.82: DFINITY's hand-written SIMD", "1.5"),
    Row("tinygrad's own kernels for that product, times ours", ("compiler.tinygrad.gemm_48x768x768.over_ours",)),
    Row("tinygrad's for the MLP (784-512-256-10) and the CNN, times ours", ("compiler.tinygrad.mlp_784.over_ours", "compiler.tinygrad.cnn_28.over_ours")),
    Row("int8 product 48x768x768, a multiply-accumulate", ("compiler.gemm_48x768x768.int8.per_mac",), "2.7: llama.cpp's q8_0", "0.5"),
    Row("f32 row 1x768x768", ("compiler.gemv_768x768.f32.per_mac",), "", "1.75"),
    Row("int8 row", ("compiler.gemv_768x768.int8.per_mac",), "", "0.625"),
    Row("int4 row", ("compiler.gemv_768x768.int4.per_mac",), "", "about 0.94"),
    Row("MobileNetV2 1.0 224 with page charges, f32", ("compiler.mobilenet_v2_224.f32.total",), "24 B before SIMD, under 5 B after: image-classification", "0.45 B"),
    Row("MobileNetV2, int8", ("compiler.mobilenet_v2_224.int8.total",), "", "0.15 B"),
    Row("GPT-2 124M, a token at position 64, int8, alone with page charges", (f"{_GPT2}.int8.token_alone",), "1.12 B: candle, f32", ""),
    Row("GPT-2 124M, a token of 32 in one call, int8", (f"{_GPT2}.int8.token_of_32",), "1.12 B: candle, f32", "0.062 B"),
    Row("GPT-2 124M, a prompt of 32 tokens and what comes next, int8", (f"{_GPT2}.int8.prompt_32_with_logits",), "11.06 B: candle, f32", ""),
    Row("Qwen2-shaped decoder of 0.5 B parameters, int8, tokens of an update call", (f"{_QWEN2}.int8.tokens_a_call",), "25: llama_cpp_canister", ""),
    Row("module of the MLP, bytes", ("compiler.mlp.f32.module", "compiler.mlp.int8.module"), "megabytes", ""),
    Row("module of the CNN, bytes", ("compiler.cnn.f32.module", "compiler.cnn.int8.module"), "megabytes", ""),
    Row("module of GPT-2 124M without weights, bytes", (f"{_GPT2}.module",), "megabytes", ""),
    Row("compile time of GPT-2 124M, seconds", (f"{_GPT2}.compile",), "", ""),
    Row("memory to compile GPT-2 124M", (f"{_GPT2}.compile_memory",), "", ""),
    Row("wall time against ONNX Runtime: MLP (30-16-2)", ("compiler.wall.mlp.f32", "compiler.wall.mlp.int8"), "", ""),
    Row("wall time: MLP (784-512-256-10)", ("compiler.wall.mlp_784.f32", "compiler.wall.mlp_784.int8"), "", ""),
    Row("wall time: CNN", ("compiler.wall.cnn_28.f32", "compiler.wall.cnn_28.int8"), "", ""),
    Row("wall time: GPT-2 124M, a decoded token, int8", ("compiler.wall.gpt2_decode.int8",), "", ""),
    Row("ONNX node tests passing, of 1,884", ("compiler.node_tests.passing",), "about 85 %: tract", "1,884"),
    Row("embedded network, 32 connections: updates a second", ("replica.load_32.updates",), "710: feasibility study", ""),
    Row("queries a second", ("replica.load_32.queries",), "1,718: study", ""),
    Row("128 connections: 99th percentile of an update, seconds", ("replica.load_128.update_p99",), "2.3: study", ""),
    Row("canisters.client, all verified, one caller: median update, ms", ("replica.client.update",), "8: study", ""),
    Row("median query, ms", ("replica.client.query",), "3: study", ""),
    Row("a query on 1 GiB, all resident, times one on 16 MiB", ("replica.query.1_gib_over_16_mib",), "67: study", ""),
    Row("commit of 1,000 scattered pages, ms", ("replica.commit_1000_pages",), "9 to 23: study", ""),
    Row("restart with 50 canisters, compiled code kept, seconds", ("replica.restart_50_canisters",), "", ""),
    Row("idle: processor use, percent", ("replica.idle.cpu",), "", ""),
    Row("idle: memory, MiB", ("replica.idle.memory",), "", ""),
)  # fmt: skip


def read(path: Path) -> dict[str, Figure]:
    """By name. Raises OSError, ValueError."""
    return {entry["name"]: Figure(**entry) for entry in json.loads(path.read_text())}


def shown(value: float, unit: str) -> str:
    """Three or four digits that tell something."""
    if unit == "bytes" and value >= 1e7:
        return f"{value / 2**20:,.0f} MiB"
    if abs(value) >= 1e8:
        return f"{value / 1e9:.3f} B"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"


def goals_table(figures: Mapping[str, Figure], rows: Sequence[Row] = ROWS) -> list[str]:
    lines = ["| what | measured | goal | limit | others |", "|---|---|---|---|---|"]
    for row in rows:
        found = [figures[name] for name in row.names if name in figures]
        kinds = [_kind(figure.name) for figure in found]
        values = ", ".join((f"{kind}: " if len(found) > 1 and kind else "") + shown(f.value, f.unit) for f, kind in zip(found, kinds, strict=True))
        goal = next((f for f in found if f.goal is not None), None)
        said = "" if goal is None or goal.goal is None else f"{'at most' if goal.better == 'lower' else 'at least'} {shown(goal.goal, goal.unit)}"
        missed = [f for f in found if f.is_met is False]
        said += f"; **missed{' in ' + ', '.join(_kind(f.name) for f in missed) if len(found) > len(missed) else ''}**" if missed else ""
        lines.append(f"| {row.what} | {values or 'not measured'} | {said} | {row.limit} | {row.peers} |")
    return lines


def _kind(name: str) -> str:
    """f32, int8 or int4, when the name says so."""
    return next((part for part in name.split(".") if part in ("f32", "int8", "int4")), "")


def figures_table(figures: Mapping[str, Figure]) -> list[str]:
    rows = [f"| `{f.name}` | {f.value:,} | {f.unit} |" for f in sorted(figures.values(), key=lambda f: f.name)]
    return ["| figure | value | unit |", "|---|---|---|", *rows]


def filled(document: str, figures: Mapping[str, Figure]) -> str:
    """The document with both tables renewed. Raises ValueError when a mark is missing."""
    for kind, lines in (("goals", goals_table(figures)), ("figures", figures_table(figures))):
        start, end = MARKS[kind]
        if document.count(start) != 1 or document.count(end) != 1:
            raise ValueError(f"the document has no single pair of marks {start} and {end}")
        before, rest = document.split(start)
        _, after = rest.split(end)
        document = f"{before}{start}\n" + "\n".join(lines) + f"\n{end}{after}"
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.table", description="Measured figures into docs/performance.md.")
    parser.add_argument("--figures", type=Path, default=ROOT / "var" / "bench.json", help="what python -m tests.benchmarks wrote")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "performance.md")
    given = parser.parse_args(arguments)
    try:
        figures = read(given.figures)
        written = filled(given.document.read_text(), figures)
    except (OSError, ValueError, TypeError) as error:
        parser.error(str(error))
    given.document.write_text(written)
    missing = [name for row in ROWS for name in row.names if name not in figures]
    for name in missing:
        print(f"not measured: {name}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

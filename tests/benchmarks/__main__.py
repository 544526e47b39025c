"""Measures every figure, or those whose names begin with --only, prints them and writes them as JSON.

Exit code 0 whether goals are met or not: a figure is no verdict. 1 when a group of figures could not be measured; the others are kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from .figure import Figure
from .registry import GROUPS

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measured figures of the project.")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench.json", help="JSON file to write; what it holds of other figures is kept with --only")
    parser.add_argument("--only", default="", metavar="PREFIX", help="only figures whose names begin with this")
    given = parser.parse_args(arguments)
    groups = [group for group in GROUPS if group.may_have(given.only)]
    if not groups:
        parser.error(f"no figure begins with {given.only!r}; groups begin with {', '.join(p for g in GROUPS for p in g.prefixes)}")
    found: list[Figure] = []
    failed = []
    with tqdm(total=sum(group.expected for group in groups), unit="figure", leave=False, mininterval=1) as bar:
        for group in groups:
            bar.set_description(group.module)
            try:
                for figure in group.figures():
                    bar.update()
                    found += [figure] if figure.name.startswith(given.only) else []
            except Exception:
                failed.append(group.module)
                traceback.print_exc()
    show(found)
    write(given.out, found, keep_others=bool(given.only or failed))
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def show(figures: Sequence[Figure]) -> None:
    width = max((len(figure.name) for figure in figures), default=0)
    for figure in figures:
        goal = "" if figure.goal is None else f"  goal {figure.goal:,}{' met' if figure.is_met else ' MISSED'}"
        print(f"{figure.name:<{width}} {figure.value:>16,} {figure.unit}{goal}")


def write(out: Path, figures: Sequence[Figure], *, keep_others: bool) -> None:
    """All at once, so that a reader never sees half a file."""
    by_name = {entry["name"]: entry for entry in json.loads(out.read_text())} if keep_others and out.exists() else {}
    by_name |= {figure.name: asdict(figure) for figure in figures}
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    partial.write_text(json.dumps(list(by_name.values()), indent=1) + "\n")
    partial.rename(out)


if __name__ == "__main__":
    sys.exit(main())

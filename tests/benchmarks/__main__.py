"""Prints every figure and writes them as JSON. Exit code 0 whether goals are met or not: a figure is no verdict."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from .compiler import NETWORKS, figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Deterministic figures of the project.")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    per_network = 14
    found = [asdict(figure) for figure in tqdm(figures(), total=per_network * len(NETWORKS), unit="figure", leave=False)]
    width = max(len(figure["name"]) for figure in found)
    for figure in found:
        goal = "" if figure["goal"] is None else f"  goal {figure['goal']:,}{' met' if figure['value'] <= figure['goal'] else ''}"
        print(f"{figure['name']:<{width}} {figure['value']:>14,} {figure['unit']}{goal}")
    partial = arguments.out.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.rename(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/performance.md is what `python -m tests.benchmarks.table` writes: its figures exist, its marks are whole, and it is renewed, not edited."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import table
from tests.benchmarks.figure import Figure
from tests.benchmarks.registry import GROUPS

PAGE = table.ROOT / "docs" / "performance.md"


def committed_figures() -> dict[str, float]:
    return {name: float(value.replace(",", "")) for name, value in re.findall(r"^\| `(\S+)` \| (\S+) \|", PAGE.read_text(), re.MULTILINE)}


def test_every_figure_of_the_page_belongs_to_a_group() -> None:
    names = [*committed_figures(), *(name for row in table.ROWS for name in row.names)]

    assert [name for name in names if not any(group.may_have(name) for group in GROUPS)] == []


def test_every_goal_of_the_page_is_measured() -> None:
    names = committed_figures()

    assert [name for row in table.ROWS for name in row.names if name not in names] == []


def test_the_page_is_filled_in_again_to_the_same_text() -> None:
    figures = {"compiler.gemm_48x768x768.f32.per_mac": Figure("compiler.gemm_48x768x768.f32.per_mac", 1.7666, "instructions", 1.85)}

    once = table.filled(PAGE.read_text(), figures)

    assert "| 1.767 | at most 1.85 |" in once
    assert table.filled(once, figures) == once
    assert once.split("## Where")[1].split("## All figures")[0] == PAGE.read_text().split("## Where")[1].split("## All figures")[0]


def test_a_missed_goal_is_said() -> None:
    rows = (table.Row("a ratio", ("a.f32", "a.int8")),)
    figures = {"a.f32": Figure("a.f32", 3.2, "times", 2.0), "a.int8": Figure("a.int8", 1.2, "times", 2.0)}

    (line,) = table.goals_table(figures, rows)[2:]

    assert "f32: 3.2, int8: 1.2" in line
    assert "missed in f32" in line
    higher = replace(figures["a.f32"], better="higher")
    assert "missed" not in table.goals_table({"a.f32": higher}, rows)[2]


def test_a_page_without_marks_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "bench.json"
    page.write_text("no marks")
    figures.write_text("[]")

    with pytest.raises(SystemExit):
        table.main(["--figures", str(figures), "--document", str(page)])

    assert page.read_text() == "no marks"
    assert "no single pair of marks" in capsys.readouterr().err


def test_a_part_of_the_figures_leaves_the_others_in_the_file(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    old = [Figure("compiler.a", 1, "bytes", None), Figure("compiler.b", 2, "bytes", None)]
    benchmarks.write(out, old, keep_others=False)

    benchmarks.write(out, [replace(old[0], value=3)], keep_others=True)

    assert json.loads(out.read_text()) == [asdict(replace(old[0], value=3)), asdict(old[1])]


def test_a_prefix_that_no_figure_has_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(["--out", str(tmp_path / "bench.json"), "--only", "nothing"])

    assert "no figure begins with 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "bench.json").exists()

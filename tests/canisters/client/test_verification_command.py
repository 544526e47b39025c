"""`python -m canisters.client`: collect, verify, status, whoami, and their exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from canisters.client.__main__ import main
from canisters.interface.principal import Principal

from .forgery import ROOT_KEY
from .story import Story

pytestmark = pytest.mark.slow


@pytest.fixture
def at_hand(bundle: bytes, story: Story, tmp_path: Path) -> Path:
    (tmp_path / "bundle.cbor").write_bytes(bundle)
    for name, data in story.blobs.items():
        (tmp_path / "blobs" / name[:2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "blobs" / name[:2] / name).write_bytes(data)
    story.deployment.save(tmp_path / "deployment.json")
    return tmp_path


def test_the_command_verifies_with_nothing_but_a_key(at_hand: Path, replica: Any, repository: Path) -> None:
    """In a process that can reach no network."""
    command = ["-m", "canisters.client", "verify", "--root-key", replica.root_key.hex(), str(at_hand / "bundle.cbor")]
    cut_off = "import socket, sys, runpy; socket.socket.connect = None; sys.argv = sys.argv[1:]; runpy.run_module('canisters.client', run_name='__main__', alter_sys=False)"
    done = subprocess.run(
        [sys.executable, "-c", cut_off, *command[1:], "--blobs", str(at_hand / "blobs")],
        capture_output=True,
        text=True,
        cwd=repository,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"all \d+ checks hold, as of 20", done.stdout)


def test_the_command_collects_what_it_verifies(
    at_hand: Path, replica: Any, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_hand / "receipt.cbor").write_bytes(story.receipts[0].to_bytes())
    out = at_hand / "made" / "bundle.cbor"

    assert (
        main(
            [
                "collect",
                "--deployment",
                str(at_hand / "deployment.json"),
                "--out",
                str(out),
                "--receipt",
                str(at_hand / "receipt.cbor"),
            ]
        )
        == 0
    )
    assert main(["verify", "--root-key", replica.root_key.hex(), str(out), "--json", "--job", str(story.job)]) == 0

    shown = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert shown["ok"] is True
    assert {check["job"] for check in shown["checks"]} == {None, story.job}


def test_the_command_ends_with_one_when_something_is_wrong(at_hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["verify", "--root-key", ROOT_KEY.hex(), str(at_hand / "bundle.cbor")])

    assert code == 1
    assert "FAILED  registry log: its tip is not proven" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given",
    [
        ["nothing.cbor"],
        ["bundle.cbor", "--blobs", "nowhere"],
        ["deployment.json"],
        ["bundle.cbor", "--modules", "blobs"],
    ],
)
def test_the_command_ends_with_two_when_it_has_nothing_to_go_on(
    at_hand: Path, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [part if part.startswith("--") else str(at_hand / part) for part in given]

    assert main(["verify", "--root-key", ROOT_KEY.hex(), *paths]) == 2
    assert capsys.readouterr().err


def test_the_command_says_what_runs_and_whose_key_it_is(
    at_hand: Path, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    story.people["north"].save(at_hand / "north.pem")

    assert main(["status", "--deployment", str(at_hand / "deployment.json")]) == 0
    assert main(["whoami", "--key", str(at_hand / "north.pem")]) == 0
    assert main(["whoami", "--key", str(at_hand / "nobody.pem")]) == 2

    told = capsys.readouterr()
    assert f"registry {story.deployment.canisters['registry']}: module" in told.out
    assert str(story.principal("north")) in told.out
    assert Principal.from_text(told.out.split()[-1]) == story.principal("north")
    assert "nobody.pem" in told.err

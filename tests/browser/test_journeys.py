"""The page in a real browser, on the real running system: each journey is a script that node runs, and says where it stands as it goes.

The Chromium is the one inside npm `@sparticuz/chromium`; nothing of the page or the chain is replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canisters.client import Receipt

pytestmark = pytest.mark.browser
HERE = Path(__file__).resolve().parent
Journey = Callable[..., None]


@pytest.fixture
def journey(stack: Any) -> Journey:
    """Run one journey against the stack (more variables may be given); its own words are the failure's."""

    def run(name: str, **variables: object) -> None:
        environment = {**os.environ, "BASE_URL": stack.url, **{k: str(v) for k, v in variables.items()}}
        command = ["node", str(HERE / name)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=420, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"

    return run


def test_anybody_can_look_around_in_any_width_and_colour(
    journey: Journey, stack: Any, repository: Path, tmp_path: Path
) -> None:
    deployment, bundle = tmp_path / "deployment.json", tmp_path / "line.bundle"

    journey("look.mjs", DEPLOYMENT=deployment)

    # The two commands that the drawer gives for checking without us.
    root_key = stack.story["network"]["root_key"]
    for command in (
        ["collect", "--deployment", str(deployment), "--out", str(bundle)],
        ["verify", str(bundle), "--root-key", root_key],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "canisters.client", *command],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_three_people_go_the_whole_line_with_keys_that_never_leave_their_browsers(
    journey: Journey, stack: Any, tmp_path: Path
) -> None:
    kept = tmp_path / "receipt.cbor"

    journey("line.mjs", RECEIPT=kept)

    receipt = Receipt.from_bytes(kept.read_bytes())
    assert receipt.method_name == "infer"
    assert receipt.verify(bytes.fromhex(stack.story["network"]["root_key"])) > 0


def test_each_kind_of_key_signs_in_and_makes_tokens_and_none_can_be_copied(journey: Journey) -> None:
    journey("keys.mjs")


def test_altered_answers_broken_files_and_strangers_are_refused(journey: Journey) -> None:
    journey("refusals.mjs")

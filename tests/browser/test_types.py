"""The page's types of what the API answers, held to the API's own schema."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def schema(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "schema.json"
    command = [sys.executable, "manage.py", "spectacular", "--format", "openapi-json", "--file", str(path)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True, timeout=120)
    return path


def differences(schema: Path) -> list[str]:
    done = subprocess.run(
        ["node", str(HERE / "types.mjs"), str(schema)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_page_reads_no_field_that_the_api_does_not_give_and_each_as_what_it_is(schema: Path) -> None:
    assert differences(schema) == []


def test_a_field_that_the_api_dropped_or_gives_otherwise_is_named(schema: Path, tmp_path: Path) -> None:
    altered = json.loads(schema.read_text())
    shapes = altered["components"]["schemas"]
    del shapes["ModelShape"]["properties"]["treasury_e8s"]
    shapes["MetricShape"]["properties"]["value_ppm"] = {"type": "string"}
    path = tmp_path / "altered.json"
    path.write_text(json.dumps(altered))

    assert differences(path) == [
        "Metric.value_ppm: the page reads number, the server gives text",
        "Model.treasury_e8s: the server does not give it",
    ]

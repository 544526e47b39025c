"""The same line with everything that the marketplace keeps in PostgreSQL: played, verified, and rebuilt from the chain."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgres import postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_story_is_played_on_postgresql_and_its_index_is_rebuilt(tmp_path: Path, marketplace_at: Any, story_on: Any) -> None:
    with postgres() as database_url, marketplace_at(tmp_path, database_url) as url:
        story = story_on(url, tmp_path, "breast-cancer")
        address = f"{url}/api/market/models/{story['cooperative']['canister']}"
        before = httpx.get(address, trust_env=False)
        environment = {**os.environ, "COMMONWEIGHT_STATE": str(tmp_path), "DATABASE_URL": database_url}
        rebuilt = subprocess.run([sys.executable, "manage.py", "reindex"], env=environment, capture_output=True, text=True, check=False)
        after = httpx.get(address, trust_env=False)

    assert story["verified"] is True
    assert story["job"]["state"] == "settled"
    assert story["release"]["state"] == "live"
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert (before.status_code, after.content) == (200, before.content)
    assert not list(tmp_path.glob("*.sqlite3"))

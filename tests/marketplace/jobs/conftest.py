"""The worker's folder, and the real scene."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.marketplace.conftest import Chain, SignedIn
from tests.marketplace.jobs.scene import Scene


@pytest.fixture(autouse=True)
def worker_folder(settings: Any, tmp_path: Path) -> Path:
    settings.WORKER_DIR = tmp_path / "worker"
    settings.WORKER_NAME = f"worker {secrets.token_hex(4)}"
    settings.JOB_ARTIFACT_MAKERS = []
    return settings.WORKER_DIR


@pytest.fixture
def scene(chain: Chain, signed_in: SignedIn, broker: str) -> Scene:
    return Scene(chain, signed_in)

"""The real scene of the jobs' tests, here with the artifacts that make a release."""

from __future__ import annotations

from typing import Any

import pytest

from tests.marketplace.jobs.conftest import scene as scene
from tests.marketplace.jobs.conftest import worker_folder as worker_folder
from tests.marketplace.jobs.scene import Scene


@pytest.fixture
def releasing(scene: Scene, settings: Any) -> Scene:
    settings.JOB_ARTIFACT_MAKERS = ["marketplace.releases.services.release_artifacts"]
    return scene

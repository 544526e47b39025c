"""The marketplace's settings for a worker under test: without the artifacts that other apps make."""

from __future__ import annotations

from marketplace.config.settings import *  # noqa: F403

JOB_ARTIFACT_MAKERS: list[str] = []

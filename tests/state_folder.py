"""A folder of its own for each run's state. Django reads its settings before any conftest is loaded, so this is a plugin that pyproject.toml
names: without it, tests would write into the developer's own ./var."""

from __future__ import annotations

import os
import tempfile

_STATE = tempfile.TemporaryDirectory(prefix="commonweight-tests-")
os.environ.setdefault("COMMONWEIGHT_STATE", _STATE.name)

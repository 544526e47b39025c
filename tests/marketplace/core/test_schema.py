"""The OpenAPI schema is right: endpoints do what it says, for whatever it allows and for what it does not, and never fail.

Each operation of the apps below jobs is tried with generated requests, as nobody and as somebody who owns a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.marketplace.builders import Blocks, person
from tests.marketplace.conftest import SignedIn

APPS = ("activity", "auth", "blobs", "blocks", "datasets", "health", "me", "tokens", "uploads")
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES = 6


@pytest.fixture(scope="module")
def schema_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "openapi.json"
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(path))
    return path


def test_the_schema_is_valid_and_says_something_of_every_endpoint(schema_file: Path) -> None:
    paths = json.loads(schema_file.read_text())["paths"]

    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert any(code.startswith("2") for code in operation["responses"]), (method, path)
            assert "401" in operation["responses"], (method, path)


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """Each request would close the test's connection at its end, as Django's own test client knows."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.usefixtures("one_connection")
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@pytest.mark.parametrize("app", APPS)
def test_every_endpoint_keeps_to_the_schema_whatever_is_sent(
    app: str, schema_file: Path, blocks: Blocks, signed_in: SignedIn, no_chain: Any, broker: str, settings: Any
) -> None:
    settings.CHALLENGES_A_MINUTE = 10**6
    owner = person()
    blocks.dataset(owner)
    blocks.policy()
    tried = 0
    for operation in operations(schema_file, app):
        for headers in ({"Authorization": ""}, signed_in(owner).headers):
            tried += attacked(operation, headers)

    assert tried >= EXAMPLES


def operations(schema_file: Path, app: str) -> list[Any]:
    schema = schemathesis.openapi.from_path(schema_file)
    schema.app = get_wsgi_application()
    prefix = f"/api/market/{app}"
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if operation.path == prefix or operation.path.startswith(f"{prefix}/")]


def attacked(operation: Any, headers: dict[str, str]) -> int:
    """Send generated requests; returns how many."""
    sent = 0
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @given(case=operation.as_strategy(generation_mode=mode))
        @hypothesis_settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def attack(case: Any) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate(headers=headers, checks=CHECKS)

        attack()
    return sent

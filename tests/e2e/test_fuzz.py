"""Whatever is sent to the API of a running marketplace, signed in or not, it never answers with a server's error."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from canisters.client import KeyIdentity
from marketplace.client import Market, Person

pytestmark = [pytest.mark.story, pytest.mark.timeout(900)]
STREAMS = "/events"  # a stream ends when its job does; tests/marketplace/jobs reads it


@pytest.fixture(scope="module")
def api_schema(stack: Any) -> Any:
    return schemathesis.openapi.from_url(f"{stack.api}schema").exclude(path_regex=f"{STREAMS}$")


@pytest.fixture(scope="module")
def secret(stack: Any) -> str:
    with Market(stack.url) as market, closing(Person(market, KeyIdentity(), bytes.fromhex(stack.story["network"]["root_key"]))) as person:
        person.sign_in()
        return str(person.market.secret)


def test_no_input_is_a_servers_error(api_schema: Any, secret: str) -> None:
    operations = [found.ok() for found in api_schema.get_all_operations()]
    assert len(operations) > 30

    failures = [failure for operation in operations for failure in failing(operation, secret)]

    assert failures == []


def failing(operation: Any, secret: str) -> list[str]:
    """What an operation answers that no operation should, for inputs drawn from its schema."""
    found: list[str] = []

    @given(case=operation.as_strategy())
    @settings(max_examples=15, deadline=None, derandomize=True, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    def asked(case: Any) -> None:
        for authorization in ({}, {"Authorization": f"Bearer {secret}"}):
            answer = case.call(headers=authorization, timeout=30)
            if answer.status_code >= 500:
                found.append(f"{case.as_curl_command()} -> {answer.status_code} {answer.text[:200]}")
            elif answer.status_code >= 400 and not well_said(answer):
                found.append(f"{case.as_curl_command()} -> {answer.status_code}, and the error says too little: {answer.text[:200]}")

    asked()
    return found[:3]


def well_said(answer: Any) -> bool:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(error["code"]) and len(error["message"]) > 10

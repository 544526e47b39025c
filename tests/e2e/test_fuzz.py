"""Whatever is sent to the API of a running marketplace, signed in or not, it never answers with a server's error."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

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


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_no_input_is_a_servers_error(case: Any, secret: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {secret}"}):
        answer = case.call(headers={**headers, **{k: v for k, v in (case.headers or {}).items() if k.lower() != "authorization"}})

        case.validate_response(answer, checks=[not_a_server_error])
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["code"]
            assert len(error["message"]) > 10

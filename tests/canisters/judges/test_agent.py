"""The official JavaScript client, unmodified and with verification on, judges the embedded network."""

from __future__ import annotations

import pytest

CHECKS = [
    "the root key it fetches is the one that was told",
    "an update is answered with a certificate",
    "a query is answered and its signature holds",
    "a trap is told and rolled back",
    "a reject is told",
    "a rejected query is signed too",
    "inspect_message refuses at the door",
    "an update that does not exist is refused",
    "calls without waiting are polled",
    "five updates at once all count",
    "certified data is proven",
    "status, controllers and module hash are readable",
    "a Motoko canister runs, and its interface is readable",
    "a module of more than two megabytes goes through chunks",
    "secp256k1 and P-256 keys sign",
    "a delegation acts for its root, on its targets only",
    "a delegation of a delegation acts for its root, and its targets stay",
    "a delegation by another key than the one before it is refused",
    "a WebAuthn credential signs updates and queries",
    "a WebAuthn credential delegates to a session key",
    "a WebAuthn signature of another challenge is refused",
    "an answer to a query that was changed on the way is refused",
    "a certificate that was changed on the way is refused",
    "the state shows what is public, proves what is absent and keeps the rest",
    "an expired delegation is refused",
    "another root key is not believed",
]


@pytest.fixture(scope="module")
def verdicts(verdicts_of, probe, compiled, large_probe, tmp_path_factory) -> dict[str, str]:
    files = tmp_path_factory.mktemp("agent")
    for name, wasm in (("probe", probe), ("ledger", compiled("ledger")), ("large", large_probe)):
        (files / name).write_bytes(wasm)
    return verdicts_of("agent.mjs", **{name: str(files / name) for name in ("probe", "ledger", "large")})


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_agent_js_finds_that(check: str, verdicts: dict[str, str]) -> None:
    assert verdicts[check] == "ok"


@pytest.mark.slow
def test_agent_js_checks_nothing_beyond_the_list(verdicts: dict[str, str]) -> None:
    assert sorted(verdicts) == sorted(CHECKS)

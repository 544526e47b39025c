"""Through the page's own origin, as a browser does it: a signed call over the proxy, verified by the client, served by the real server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.typed import Ledger
from marketplace.chain import proxy
from tests.marketplace.conftest import Chain

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page_url(chain: Chain) -> Iterator[str]:
    from marketplace.config.asgi import application

    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="warning", lifespan="off"))

    async def serve() -> None:
        await server.serve()
        await proxy._client().aclose()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    until_s = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_calls_and_queries_pass_verified(chain: Chain, page_url: str) -> None:
    deployment = chain.deployment
    with ChainAgent(page_url, deployment.root_key, KeyIdentity()) as agent:
        ledger = Ledger(agent, deployment.canisters["ledger"])

        claimed = ledger.faucet_claim()

        assert "Ok" in claimed
        assert ledger.icrc1_balance_of({"owner": agent.principal, "subaccount": None}) == 100_000_000_000


def test_a_body_above_the_limit_is_refused_by_the_real_server(page_url: str) -> None:
    answer = httpx.post(f"{page_url}/api/market/blobs", content=b"x" * (7 << 20), trust_env=False)

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


def test_the_network_says_how_it_stands(chain: Chain, page_url: str) -> None:
    shown = httpx.get(f"{page_url}/api/market/network", trust_env=False).json()

    assert shown["height"] > 0
    assert shown["token"]["faucet_e8s"] == "100000000000"
    assert abs(int(shown["block_time_ns"]) - time.time_ns()) < 60 * 10**9
    assert (shown["token"]["symbol"], shown["token"]["decimals"], shown["token"]["fee_e8s"]) == ("CWT", 8, "10000")

"""The HTTP gateway: plain HTTP clients talk to a canister as to a web server."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parent / "standin" / "Web.mo"


@pytest.fixture(scope="module")
def module(motoko_module: Callable[[Path], bytes]) -> bytes:
    return motoko_module(SOURCE)


@pytest.fixture
def site(chain: Any, module: bytes, replica: Any) -> Iterator[httpx.Client]:
    """A browser at the canister's own address: its name leads to this machine, as every name under localhost does."""
    canister = chain.install(chain.agent(), module)
    with browser(replica.port, str(canister)) as client:
        yield client


def browser(port: int, canister: str, host: str = "localhost") -> httpx.Client:
    headers = {"Host": f"{canister}.{host}:{port}"}
    return httpx.Client(base_url=f"http://localhost:{port}", headers=headers, trust_env=False)


def test_a_canister_answers_as_a_web_server(site: httpx.Client) -> None:
    answer = site.post("/echo/here?a=1", content=b"12345", headers={"X-Mine": "hello"})

    assert (answer.status_code, answer.text) == (200, "POST /echo/here?a=1 v2 hello 5")
    assert (answer.headers["content-type"], answer.headers["x-kept"]) == ("text/plain", "yes")
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-response-verified"] == "no"
    assert site.get("/elsewhere").status_code == 404


def test_what_must_change_something_is_asked_again_as_an_update(site: httpx.Client) -> None:
    answers = [site.put("/count", content=b"abc") for _ in range(3)]

    assert [(a.status_code, a.text) for a in answers] == [(201, f"PUT {i} 3") for i in (1, 2, 3)]


def test_a_long_answer_comes_in_pieces(site: httpx.Client) -> None:
    assert site.get("/long").text == "0 1 2 3 4 "


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(site: httpx.Client) -> None:
    with pytest.raises(httpx.TransportError):
        site.get("/cut")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/broken/header", 502, "header"),
        ("/broken/status", 502, "status is 99"),
        ("/trap", 502, "on purpose"),
        ("/count/trap", 502, "on purpose"),
    ],
)
def test_a_canister_that_fails_is_a_bad_gateway(site: httpx.Client, path: str, status: int, words: str) -> None:
    answer = site.get(path)

    assert (answer.status_code, "set-cookie" in answer.headers) == (status, False)
    assert words in answer.text


def test_a_canister_is_named_by_its_host_or_by_a_parameter(chain: Any, module: bytes, replica: Any) -> None:
    canister = str(chain.install(chain.agent(), module))

    with browser(replica.port, f"{canister}.raw") as raw, browser(replica.port, "nobody") as nobody:
        assert raw.get("/echo").status_code == 200
        assert nobody.get("/echo").status_code == 404
    by_parameter = httpx.get(f"{replica.url}/echo?canisterId={canister}", trust_env=False)
    assert by_parameter.text.startswith(f"GET /echo?canisterId={canister}")
    assert "No canister is named" in httpx.get(f"{replica.url}/", trust_env=False).text


def test_a_canister_that_is_not_there_or_is_no_web_server_is_told_so(chain: Any, probe: bytes, replica: Any) -> None:
    silent = chain.install(chain.agent(), probe, b"")

    with browser(replica.port, str(Principal(b"\x00\x00\x00\x00\x00\x99\x99\x99\x01\x01"))) as missing:
        assert (missing.get("/").status_code, "not found" in missing.get("/").text) == (404, True)
    with browser(replica.port, str(silent)) as none:
        assert "no query method 'http_request'" in none.get("/").text


def test_the_networks_own_paths_stay_its_own_at_a_canisters_address(site: httpx.Client) -> None:
    assert site.get("/api/v2/status").headers["content-type"] == "application/cbor"


def test_more_than_a_message_can_hold_is_refused(site: httpx.Client) -> None:
    answer = site.post("/echo", content=bytes((2 << 20) + 1))

    assert (answer.status_code, "at most" in answer.text) == (413, True)


def test_a_request_that_is_no_http_harms_nothing(replica: Any, site: httpx.Client) -> None:
    raw = http.client.HTTPConnection("localhost", replica.port, timeout=10)
    raw.putrequest("GET", "/echo", skip_host=True)
    raw.putheader("Host", "a" * 300 + ".localhost")
    raw.endheaders()

    assert raw.getresponse().status == 404
    assert site.get("/echo").status_code == 200
    raw.close()


@pytest.mark.parametrize("path", ["/long", "/cut", "/echo", "/count"])
def test_whoever_goes_away_in_the_middle_harms_nothing(replica: Any, site: httpx.Client, path: str) -> None:
    """The network says nothing on its error output of it either: the fixture looks when all is over."""
    host = site.headers["host"]
    for sent in (b"12345", b"1"):
        for _ in range(10):
            with socket.create_connection(("localhost", replica.port)) as raw:
                raw.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n".encode() + sent)

    assert site.get("/echo").status_code == 200

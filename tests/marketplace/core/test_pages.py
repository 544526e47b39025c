"""The page's files, the headers every answer carries, and refusals that say what to do and never show a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.marketplace.conftest import Api


@pytest.fixture
def page(settings: Any, tmp_path: Path) -> Path:
    """A built page."""
    settings.FRONTEND_DIR = tmp_path / "dist"
    (settings.FRONTEND_DIR / "assets").mkdir(parents=True)
    (settings.FRONTEND_DIR / "index.html").write_text("<!doctype html><title>Commonweight</title>")
    (settings.FRONTEND_DIR / "assets" / "index-D3fA_9xQ.js").write_text("export default 1")
    (settings.FRONTEND_DIR / "favicon.ico").write_bytes(b"icon")
    return tmp_path / "dist"


@pytest.mark.parametrize(
    "address", ["/", "/index.html", "/datasets/7", "/models/rwlgt-iiaaa-aaaaa-aaaaa-cai", "/no/such/place"]
)
def test_every_address_of_the_page_gives_the_page_and_never_from_a_cache(
    page: Path, client: Client, address: str
) -> None:
    answer = client.get(address)

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>Commonweight</title>" in answer.content
    assert answer["Cache-Control"] == "no-cache"


def test_a_file_with_a_hash_in_its_name_is_cached_for_ever(page: Path, client: Client) -> None:
    answer = client.get("/assets/index-D3fA_9xQ.js")

    assert (answer.status_code, answer.content) == (200, b"export default 1")
    assert "javascript" in answer["Content-Type"]
    assert "immutable" in answer["Cache-Control"]


def test_another_file_is_cached_for_a_minute(page: Path, client: Client) -> None:
    answer = client.get("/favicon.ico")

    assert answer["Cache-Control"] == "max-age=60, public"
    assert client.get("/favicon.ico", headers={"If-Modified-Since": answer["Last-Modified"]}).status_code == 304
    assert client.get("/favicon.ico", headers={"Range": "bytes=1-2"}).content == b"co"


@pytest.mark.parametrize(
    "address", ["/assets/index-old.js", "/missing.png", "/../secret_key.txt", "/assets/%2e%2e/%2e%2e/settings.py"]
)
def test_a_file_that_is_not_there_is_not_the_page(page: Path, client: Client, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 404
    assert b"<title>" not in answer.content


def test_a_page_built_anew_is_served_without_a_restart(page: Path, client: Client) -> None:
    client.get("/favicon.ico")
    (page / "assets" / "index-New_9xQ4.js").write_text("export default 2")
    (page / "index.html").write_text("<title>new</title>")

    assert client.get("/assets/index-New_9xQ4.js").content == b"export default 2"
    assert b"new" in client.get("/").content


def test_without_a_built_page_one_is_told_what_to_run(settings: Any, tmp_path: Path, client: Client) -> None:
    settings.FRONTEND_DIR = tmp_path / "nothing"

    answer = client.get("/datasets")

    assert answer.status_code == 503
    assert "make build" in answer.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_page_is_only_read(page: Path, client: Client, method: str) -> None:
    assert getattr(client, method)("/datasets").status_code == 405


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/assets/index-D3fA_9xQ.js",
        "/api/market/datasets",
        "/api/market/nothing",
        "/api/v2/nothing",
        "/missing.png",
    ],
)
def test_every_answer_carries_the_headers_that_keep_a_browser_safe(page: Path, api: Api, address: str) -> None:
    answer = api.client.get(address)

    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "no-referrer"


def test_the_documentation_loads_nothing_from_elsewhere(api: Api) -> None:
    answer = api.client.get("/api/market/docs")
    script = api.client.get("/api/market/docs?script=")

    assert answer.status_code == 200
    assert b"http://" not in answer.content.replace(b"http://www.w3.org", b"")
    assert b"https://" not in answer.content
    assert b"<script>" not in answer.content
    assert "javascript" in script["Content-Type"]
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"):
        assert f"/api/market/docs/files/{name}".encode() in answer.content
        assert api.client.get(f"/api/market/docs/files/{name}").status_code == 200


def test_an_unknown_endpoint_is_said_in_json(api: Api) -> None:
    for address in ("/api/market/nothing", "/api/", "/api/v9/status", "/api/market/datasets/"):
        answer = api.client.get(address)

        assert answer.status_code == 404, address
        assert answer.json()["error"]["code"] == "not_found"


def test_a_fault_of_ours_shows_no_trace(db: None, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fails(**_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("marketplace.datasets.selectors.datasets", fails)

    answer = Client(raise_request_exception=False).get("/api/market/datasets", headers={"Host": "localhost"})

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert b"secret detail" not in answer.content
    assert b"Traceback" not in answer.content


def test_a_host_that_is_not_ours_is_refused_in_words(client: Client, settings: Any) -> None:
    answer = client.get("/api/market/datasets", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert "<html" not in answer.content.decode()


def test_only_json_is_taken_where_json_is_wanted(api: Api) -> None:
    answer = api.client.post("/api/market/auth/challenge", {"principal": "x"})

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"


def test_another_method_is_refused_naming_those_that_there_are(api: Api) -> None:
    answer = api.client.patch("/api/market/datasets")

    assert answer.status_code == 405
    assert "GET" in answer["Allow"]

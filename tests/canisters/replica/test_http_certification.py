"""The HTTP gateway hands a certified response on only when it is what the canister certified, in both versions of the protocol.

The canister of standin/Certified.mo serves whatever a test gives it; the trees and hashes are made here, from the protocol's text."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.management import Management
from canisters.interface import cbor, hash_tree, leb128
from canisters.interface.candid import encode, parse_did
from canisters.replica.http_certification import NotCertified, parse_expression

SOURCE = Path(__file__).parent / "standin" / "Certified.mo"
SERVE = parse_did(
    "service : { serve : (blob, record { status_code : nat16; headers : vec record { text; text }; body : blob; rest : opt blob; witness : text }) -> () }"
).methods["serve"]
NOTHING = "default_certification(ValidationArgs{no_certification:Empty{}})"
RESPONSE = (
    "default_certification(ValidationArgs{certification:Certification{no_request_certification:Empty{},response_certification:"
    'ResponseCertification{certified_response_headers:ResponseHeaderList{headers:["Content-Type","Location"]}}}})'
)
WHOLE = (
    "default_certification ( ValidationArgs { certification: Certification { request_certification: RequestCertification "
    '{ certified_request_headers: ["X-Mine"], certified_query_parameters: ["a", "b"] }, response_certification: '
    'ResponseCertification { response_header_exclusions: ResponseHeaderList { headers: ["Date"] } } } } )'
)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hash_of(pairs: list[tuple[str, str | int]], body: bytes) -> bytes:
    """Of the pseudo headers, the headers and the body of one side of an exchange."""
    values = [leb128.encode_unsigned(value) if isinstance(value, int) else value.encode() for _, value in pairs]
    digests = sorted(sha256(name.encode()) + sha256(value) for (name, _), value in zip(pairs, values, strict=True))
    return sha256(sha256(b"".join(digests)) + sha256(body))


@dataclass(frozen=True)
class Page:
    """What the canister serves and certifies: a version 2 page at /page, until a test says otherwise."""

    expression: str = RESPONSE
    body: bytes = b"hello"
    rest: bytes | None = None
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "text/plain")])
    request: bytes = b""
    path: tuple[str, ...] = ("http_expr", "page", "<$>")
    version: int = 2

    def tree(self) -> hash_tree.Tree:
        whole = self.body + (self.rest or b"")
        if self.version == 1:
            return hash_tree.build({b"http_assets": {b"/page": sha256(whole)}})
        seen = [(":ic-cert-status", self.status), ("ic-certificateexpression", self.expression)]
        seen += [(name.lower(), value) for name, value in self.headers if name != "Date"]
        below: Any = b"" if self.expression == NOTHING else {self.request: {hash_of(seen, whole): b""}}
        found: Any = {sha256(self.expression.encode()): below}
        for label in reversed(self.path):
            found = {label.encode(): found}
        return hash_tree.build(found)

    def witness(self, tree: hash_tree.Tree) -> str:
        shown = [f"tree=:{encoded(hash_tree.to_cbor_value(tree))}:"]
        if self.version == 2:
            shown += ["version=2", f"expr_path=:{encoded(list(self.path))}:"]
        return ", ".join(shown)


def encoded(value: Any) -> str:
    return base64.b64encode(cbor.dumps(value)).decode()


class Site:
    def __init__(self, agent: Any, canister: Any, port: int) -> None:
        self.agent, self.id, self.port = agent, canister, port

    def serve(self, certified: Page, served: Page | None = None, witness: str | None = None) -> None:
        """Certify one page and serve it, or another one in its place."""
        tree, shown = certified.tree(), served or certified
        headers = [("IC-CertificateExpression", shown.expression)] if shown.version == 2 else []
        page = {
            "status_code": shown.status,
            "headers": [*headers, *shown.headers],
            "body": shown.body,
            "rest": shown.rest,
            "witness": witness or shown.witness(tree),
        }
        self.agent.update_raw(self.id, "serve", encode(SERVE.arguments, [tree.digest, page]))

    def get(self, url: str = "/page", kind: str = "", method: str = "GET", **headers: str) -> httpx.Response:
        host = {"Host": f"{self.id}.{kind}localhost:{self.port}"}
        return httpx.request(
            method, f"http://localhost:{self.port}{url}", headers={**host, **headers}, trust_env=False, timeout=30
        )


@pytest.fixture(scope="module")
def site(replica: Any, motoko_module: Callable[[Path], bytes]) -> Iterator[Site]:
    """One canister for all: every test says anew what it serves."""
    with ChainAgent(replica.url, replica.root_key, KeyIdentity()) as agent:
        canister = Management(agent).create()
        Management(agent).install(canister, motoko_module(SOURCE), encode([], []))
        yield Site(agent, canister, replica.port)


slow = pytest.mark.slow
REQUEST = hash_of([("x-mine", "1"), (":ic-cert-method", "GET"), (":ic-cert-query", "a=1&b=2")], b"")


@slow
@pytest.mark.parametrize(
    "page",
    [
        Page(),
        Page(expression=NOTHING),
        Page(status=404),
        Page(rest=b" and more"),
        Page(path=("http_expr", "<*>")),
        Page(version=1),
        Page(version=1, rest=b" and more"),
        Page(version=1, body=gzip.compress(b"hello", mtime=0), headers=[("Content-Encoding", "gzip")]),
    ],
)
def test_what_the_canister_certified_is_handed_on(site: Site, page: Page) -> None:
    site.serve(page)

    answer = site.get()

    plain = b"hello" if page.headers[0][0] == "Content-Encoding" else page.body
    assert (answer.status_code, answer.content) == (page.status, plain + (page.rest or b""))
    assert answer.headers["x-response-verified"] == "yes"


@slow
@pytest.mark.parametrize(
    ("certified", "served"),
    [
        (Page(), Page(body=b"other")),
        (Page(rest=b" and more"), Page(rest=b" and less")),
        (Page(), Page(status=201)),
        (Page(), Page(headers=[("Content-Type", "text/html")])),
        (Page(), Page(headers=[("Content-Type", "text/plain"), ("Location", "/elsewhere")])),
        (Page(), Page(expression=NOTHING)),
        (Page(), Page(expression="default_certification(anything)")),
        (Page(path=("http_expr", "other", "<$>")), Page(path=("http_expr", "other", "<$>"))),
        (Page(), Page(path=("http_expr", "<*>"))),
        (Page(), Page(path=("nothing", "page", "<$>"))),
        (Page(version=1), Page(version=1, body=b"other")),
    ],
)
def test_what_it_did_not_certify_is_refused_but_shown_on_the_raw_host(
    site: Site, certified: Page, served: Page
) -> None:
    site.serve(certified, served)

    refused, raw = site.get(), site.get(kind="raw.")

    assert refused.status_code == 503
    assert refused.text.startswith("The response of the canister is not certified: ")
    assert served.body not in refused.content
    assert raw.status_code == served.status
    assert "x-response-verified" not in raw.headers


@slow
def test_a_body_that_is_not_in_its_encoding_is_refused(site: Site) -> None:
    site.serve(Page(version=1, headers=[("Content-Encoding", "gzip")], body=b"no gzip"))

    answer = site.get()

    assert (answer.status_code, "its body is not gzip" in answer.text) == (503, True)


@slow
@pytest.mark.parametrize(
    "witness",
    [
        "tree=:AAAA:",
        "tree=:AAAA",
        "tree=:!!:, version=2",
        "version=2",
        "nonsense",
        "tree=:gA==:, tree=:gA==:",
        "tree=:2dn3gQA=:, version=3",
    ],
)
def test_a_malformed_header_is_refused(site: Site, witness: str) -> None:
    site.serve(Page(), witness=witness)

    assert site.get().status_code == 503


@slow
def test_a_tree_that_is_not_the_certified_one_is_refused(site: Site) -> None:
    forged = Page(body=b"forged")
    site.serve(Page(), forged, witness=forged.witness(forged.tree()))

    answer = site.get()

    assert answer.status_code == 503
    assert "not the canister's certified data" in answer.text


@slow
def test_a_canister_that_can_do_better_is_not_believed_by_its_body_alone(
    chain: Any, motoko_module: Callable[[Path], bytes], replica: Any
) -> None:
    name = b"icp:public supported_certificate_versions"
    section = bytes([len(name)]) + name + b"1, 2"
    agent = chain.agent()
    wasm = motoko_module(SOURCE) + b"\x00" + bytes([len(section)]) + section
    site = Site(agent, chain.install(agent, wasm), replica.port)

    site.serve(Page(version=1))

    assert site.get().status_code == 503
    site.serve(Page())
    assert site.get().headers["x-response-verified"] == "yes"


@slow
def test_a_request_is_certified_with_its_method_query_and_headers(site: Site) -> None:
    site.serve(Page(expression=WHOLE, request=REQUEST, headers=[("Content-Type", "text/plain"), ("Date", "today")]))

    assert site.get("/page?a=1&c=3&b=2", **{"X-Mine": "1"}).headers["x-response-verified"] == "yes"
    assert site.get("/page?a=1&b=3", **{"X-Mine": "1"}).status_code == 503
    assert site.get("/page?a=1&b=2", **{"X-Mine": "2"}).status_code == 503
    assert site.get("/page?a=1&b=2", method="PUT", **{"X-Mine": "1"}).status_code == 503
    assert site.get("/page", **{"X-Mine": "1"}).status_code == 503


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default_certification()",
        "default_certification(ValidationArgs{})",
        NOTHING + "x",
        NOTHING.replace("no_certification", "no certification"),
        RESPONSE.replace('"Location"', "Location"),
        RESPONSE.replace("certified_response_headers", "other_headers"),
        RESPONSE.replace("no_request_certification:Empty{},", ""),
    ],
)
def test_an_expression_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(NotCertified, match="malformed"):
        parse_expression(text)


def test_an_expression_may_have_white_space_between_its_parts() -> None:
    parsed = parse_expression(WHOLE)

    assert parsed is not None
    assert (parsed.request, parsed.response, parsed.excludes) == ((["x-mine"], ["a", "b"]), ["date"], True)
    assert parse_expression(NOTHING) is None

"""Whether a canister's HTTP response is what the canister certified: the gateway asks before it hands a response on.

A response carries a certificate of the network, a hash tree of the canister whose root the certificate shows, and (version 2) the expression
that says which parts of request and response are hashed into that tree. Version 1 knows a path and a body only.
Source: HTTP Gateway Protocol Specification, "Response Verification" and "Legacy Response Verification".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from canisters.interface import cbor, certificate, hash_tree, leb128
from canisters.interface.certificate import CertificateRefused
from canisters.interface.hash_tree import Absent, Found, Tree
from canisters.interface.principal import Principal

HEADER, EXPRESSION_HEADER = "ic-certificate", "ic-certificateexpression"
MAX_DECODED_BYTES = 64 << 20
Headers = list[tuple[str, str]]


class NotCertified(ValueError):
    """The response is not what the canister certified, or its certification cannot be read."""


@dataclass(frozen=True)
class Exchange:
    """A request and the whole response to it. `url`: path and query as they were sent."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        return self.url.partition("?")[0]


def is_certified(headers: Headers) -> bool:
    """Whether a response claims to be certified at all."""
    return any(name.lower() == HEADER for name, _ in headers)


def verify(exchange: Exchange, canister_id: Principal, *, root_key: bytes, now_ns: int, versions: bytes | None) -> None:
    """Raises NotCertified. `versions`: the canister's metadata `supported_certificate_versions`, or None when it has none."""
    fields = _fields(_only(exchange.headers, HEADER))
    tree = _proven_tree(fields, canister_id, root_key, now_ns)
    version = fields.get("version", "1")
    if version == "1":
        if versions is not None and b"2" in [part.strip() for part in versions.split(b",")]:
            raise NotCertified("the canister supports version 2 of the certification but answers with version 1")
        _verify_body(exchange, tree)
    elif version == "2":
        _verify_exchange(exchange, tree, _octets(fields, "expr_path"))
    else:
        raise NotCertified(f"the version {version[:20]} of the certification is not known")


# --- the certificate header ---


def _only(headers: Headers, wanted: str) -> str:
    found = [value for name, value in headers if name.lower() == wanted]
    if len(found) != 1:
        raise NotCertified(f"it has {len(found)} headers {wanted}, not one")
    return found[0]


def _fields(header: str) -> dict[str, str]:
    """A dictionary of RFC 8941 as far as the protocol uses it: numbers, and octets between colons, which stay encoded."""
    fields: dict[str, str] = {}
    for part in header.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not re.fullmatch(r":[A-Za-z0-9+/=]*:|[0-9]+", value) or name in fields:
            raise NotCertified("its header IC-Certificate is malformed")
        fields[name] = value
    return fields


def _octets(fields: dict[str, str], name: str) -> Any:
    """What a field's octets hold, decoded from CBOR."""
    value = fields.get(name, "")
    if not value.startswith(":"):
        raise NotCertified(f"its header IC-Certificate has no {name}")
    try:
        return cbor.loads(base64.b64decode(value.strip(":"), validate=True))
    except (binascii.Error, cbor.MalformedCbor) as error:
        raise NotCertified(f"the {name} of its header IC-Certificate is malformed: {error}") from error


def _proven_tree(fields: dict[str, str], canister_id: Principal, root_key: bytes, now_ns: int) -> Tree:
    """The canister's tree, once the certificate shows its root as the canister's certified data."""
    try:
        tree = hash_tree.from_cbor_value(_octets(fields, "tree"))
        _octets(fields, "certificate")
        signed = base64.b64decode(fields["certificate"].strip(":"))
        proof = certificate.verify(signed, root_key=root_key, canister_id=canister_id, now_ns=now_ns)
        shown = proof.require(b"canister", canister_id.raw, b"certified_data")
    except (CertificateRefused, hash_tree.MalformedTree) as error:
        raise NotCertified(str(error)) from error
    if shown != tree.digest:
        raise NotCertified("the root of its tree is not the canister's certified data")
    return tree


# --- version 1 ---


def _verify_body(exchange: Exchange, tree: Tree) -> None:
    found = hash_tree.lookup(tree, [b"http_assets", exchange.path.encode()])
    if isinstance(found, Absent):
        found = hash_tree.lookup(tree, [b"http_assets", b"/index.html"])
    if not isinstance(found, Found):
        raise NotCertified(f"its tree does not show {exchange.path}")
    encodings = [value for name, value in exchange.headers if name.lower() == "content-encoding"]
    bodies = [
        exchange.body,
        _decoded(exchange.body, encodings),
    ]  # gateways accept either: canisters hash what they store
    if found.value not in [hashlib.sha256(body).digest() for body in bodies]:
        raise NotCertified("its body is not the certified one")


def _decoded(body: bytes, encodings: list[str]) -> bytes:
    if encodings in ([], ["identity"]):
        return body
    window = {"gzip": 31, "deflate": 15}.get(encodings[0])
    if len(encodings) > 1 or window is None:
        raise NotCertified(f"its encoding {', '.join(encodings)[:40]} is not known")
    try:
        return zlib.decompressobj(window).decompress(body, MAX_DECODED_BYTES)
    except zlib.error as error:
        raise NotCertified(f"its body is not {encodings[0]}") from error


# --- version 2 ---


@dataclass(frozen=True)
class Expression:
    """What is certified. `request`: names of headers and of query parameters, None for nothing of the request; `response`: names of
    headers, and whether these are the ones left out. An expression that certifies nothing is None instead."""

    request: tuple[list[str], list[str]] | None
    response: list[str]
    excludes: bool


_STRINGS = r'\[((?:"[^"\0\n]*",?)*)\]'
_EXPRESSION = re.compile(
    r"default_certification\(ValidationArgs\{(?:(?P<nothing>no_certification:Empty\{\})|certification:Certification\{"
    rf"(?:no_request_certification:Empty\{{\}}|request_certification:RequestCertification\{{certified_request_headers:{_STRINGS},"
    rf"certified_query_parameters:{_STRINGS}\}}),response_certification:ResponseCertification\{{"
    rf"(?P<kind>response_header_exclusions|certified_response_headers):ResponseHeaderList\{{headers:{_STRINGS}\}}\}}\}})\}}\)"
)


def parse_expression(text: str) -> Expression | None:
    """Raises NotCertified for anything but the protocol's own grammar; white space between its parts is allowed."""
    squeezed = "".join(
        part if index % 2 else re.sub(r"\s", "", part) for index, part in enumerate(re.split(r'("[^"]*")', text))
    )
    found = _EXPRESSION.fullmatch(squeezed.replace(",}", "}").replace(",)", ")"))
    if found is None:
        raise NotCertified("its header IC-CertificateExpression is malformed")
    if found["nothing"]:
        return None
    headers, parameters, response = found[2], found[3], found[5]
    request = None if headers is None else (_names(headers), _listed(parameters))
    return Expression(request, _names(response), found["kind"] == "response_header_exclusions")


def _listed(text: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text)


def _names(text: str) -> list[str]:
    return [name.lower() for name in _listed(text)]


def _verify_exchange(exchange: Exchange, tree: Tree, path: Any) -> None:
    labels = _expression_path(exchange, tree, path)
    text = _only(exchange.headers, EXPRESSION_HEADER)
    below = hash_tree.subtree(tree, [*labels, hashlib.sha256(text.encode()).digest()])
    if below is None:
        raise NotCertified("its tree does not show its expression")
    expression = parse_expression(text)
    if expression is None:
        return
    request = b"" if expression.request is None else _request_hash(exchange, *expression.request)
    found = hash_tree.lookup(below, [request, _response_hash(exchange, expression)])
    if not isinstance(found, Found) or found.value != b"":
        raise NotCertified("its tree does not show this response to this request")


def _expression_path(exchange: Exchange, tree: Tree, path: Any) -> list[bytes]:
    """The labels of a valid path, which must be the most specific one that the tree has for the URL."""
    if not isinstance(path, list) or len(path) < 2 or not all(isinstance(part, str) for part in path):
        raise NotCertified("its expression path is malformed")
    segments = exchange.path.removeprefix("/").split("/")
    if path[0] != "http_expr" or path[-1] not in ("<$>", "<*>"):
        raise NotCertified("its expression path is malformed")
    exact = ["http_expr", *segments, "<$>"]
    wildcards = [["http_expr", *segments[:count], "<*>"] for count in range(len(segments), -1, -1)]
    candidates = [exact, *wildcards]
    if path not in candidates:
        raise NotCertified("its expression path does not lead to this URL")
    for better in candidates[: candidates.index(path)]:
        if not isinstance(hash_tree.lookup(tree, [part.encode() for part in better]), Absent) or _leads(tree, better):
            raise NotCertified("its tree may have a more specific path for this URL")
    return [part.encode() for part in path]


def _leads(tree: Tree, path: list[str]) -> bool:
    return hash_tree.subtree(tree, [part.encode() for part in path]) is not None


def _value_digest(value: str | int) -> bytes:
    return hashlib.sha256(leb128.encode_unsigned(value) if isinstance(value, int) else value.encode()).digest()


def _request_hash(exchange: Exchange, headers: list[str], parameters: list[str]) -> bytes:
    pairs: list[tuple[str, str | int]] = [
        (name.lower(), value) for name, value in exchange.request_headers if name.lower() in headers
    ]
    pairs.append((":ic-cert-method", exchange.method))
    _, has_query, query = exchange.url.partition("?")
    if has_query:
        kept = [part for part in query.split("&") if part.partition("=")[0] in parameters]
        pairs.append((":ic-cert-query", "&".join(kept)))
    return _hashed(pairs, exchange.request_body)


def _response_hash(exchange: Exchange, expression: Expression) -> bytes:
    pairs: list[tuple[str, str | int]] = [(":ic-cert-status", exchange.status)]
    for given, value in exchange.headers:
        name = given.lower()
        if name == EXPRESSION_HEADER or (name != HEADER and (name in expression.response) != expression.excludes):
            pairs.append((name, value))
    return _hashed(pairs, exchange.body)


def _hashed(pairs: Iterable[tuple[str, str | int]], body: bytes) -> bytes:
    """As the interface specification hashes a map, but a name may come more than once."""
    digests = sorted(hashlib.sha256(name.encode()).digest() + _value_digest(value) for name, value in pairs)
    return hashlib.sha256(hashlib.sha256(b"".join(digests)).digest() + hashlib.sha256(body).digest()).digest()

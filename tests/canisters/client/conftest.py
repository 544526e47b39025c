"""A canister of a few lines that counts, on the shared network, and a proxy that alters what passes through it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import wasmtime

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.management import Management
from canisters.client.verification import collect
from canisters.interface.principal import Principal

from .forgery import Forgery
from .story import Story, play

COUNTER = """
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_caller_size" (func $caller_size (result i32)))
  (import "ic0" "msg_caller_copy" (func $caller_copy (param i32 i32 i32)))
  (import "ic0" "msg_reject" (func $reject (param i32 i32)))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "not today")
  (func (export "canister_update inc")
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
    (call $append (i32.const 0) (i32.const 8)) (call $reply))
  (func $get (call $append (i32.const 0) (i32.const 8)) (call $reply))
  (export "canister_query get" (func $get))
  (func $whoami
    (call $caller_copy (i32.const 128) (i32.const 0) (call $caller_size))
    (call $append (i32.const 128) (call $caller_size)) (call $reply))
  (export "canister_query whoami" (func $whoami))
  (export "canister_update whoami_certified" (func $whoami))
  (func $refuse (call $reject (i32.const 64) (i32.const 9)))
  (export "canister_query refuse_query" (func $refuse))
  (export "canister_update refuse" (func $refuse))
  (func (export "canister_update fail")
    (i64.store (i32.const 0) (i64.const 99)) (call $trap (i32.const 64) (i32.const 9))))
"""


@pytest.fixture(scope="session")
def counter_wasm() -> bytes:
    return bytes(wasmtime.wat2wasm(COUNTER))


@pytest.fixture
def counter(replica: Any, counter_wasm: bytes) -> Principal:
    """A counter of the test's own: inc, get, whoami, whoami_certified, refuse, refuse_query, fail."""
    with ChainAgent(replica.url, replica.root_key, KeyIdentity()) as agent:
        canister_id = Management(agent).create()
        Management(agent).install(canister_id, counter_wasm, b"")
    return canister_id


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


Alter = Callable[[str, Answer], Answer]


@dataclass
class Proxy:
    """A server between the client and the network. `alter(path, answer)` gives what is passed on; `drop` ends connections first."""

    url: str = ""
    alter: Alter = lambda _path, answer: answer
    drop_before: int = 0  # so many requests get no answer and do not reach the network
    drop_after: int = 0  # so many requests reach the network and get no answer
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0


@pytest.fixture
def proxy(replica: Any) -> Iterator[Proxy]:
    shared = Proxy()
    behind = urlsplit(replica.url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            shared.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            shared.seen.append((self.path, body))
            if shared.drop_before > 0:
                shared.drop_before -= 1
                self.close_connection = True
                return
            answer = self.forward(body)
            if shared.drop_after > 0:
                shared.drop_after -= 1
                self.close_connection = True
                return
            answer = shared.alter(self.path, answer)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def do_GET(self) -> None:
            self.do_POST()

        def forward(self, body: bytes) -> Answer:
            onward = http.client.HTTPConnection(behind, timeout=30)
            onward.request(self.command, self.path, body, {"Content-Type": "application/cbor"})
            response = onward.getresponse()
            answer = Answer(response.status, response.read())
            onward.close()
            return answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    shared.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield shared
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def agent(replica: Any) -> Iterator[ChainAgent]:
    """A fresh key on the shared network."""
    with ChainAgent(replica.url, replica.root_key, KeyIdentity()) as made:
        yield made


@pytest.fixture
def through(replica: Any, proxy: Proxy) -> Iterator[ChainAgent]:
    """A fresh key that reaches the network through the proxy, and waits two seconds at most."""
    with ChainAgent(proxy.url, replica.root_key, KeyIdentity(), timeout_s=2.0) as made:
        yield made


# --- the whole line, played once ---


@pytest.fixture(scope="session")
def story(replica: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    played = play(replica.url, tmp_path_factory.mktemp("story"))
    yield played
    played.close()


@pytest.fixture(scope="session")
def bundle(story: Story) -> bytes:
    with story.deployment.agent() as agent:
        return collect(agent, story.deployment.canisters, story.receipts)


@pytest.fixture
def forgery(bundle: bytes, replica: Any) -> Forgery:
    return Forgery.of(bundle, replica.root_key)

"""An ordinary icp-cli project: `icp network start` runs our launcher, and start, deploy, call, tokens, cycles and stop work with no download."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import wasmtime

from canisters.replica.launcher import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROJECT = """
networks:
  - name: local
    mode: managed
    gateway:
      port: 0
canisters:
  - name: answer
    build:
      steps:
        - type: pre-built
          path: answer.wasm
"""
ANSWER = """
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "DIDL\\00\\01\\7d\\2a")
  (func (export "canister_query answer") (call $append (i32.const 0) (i32.const 8)) (call $reply)))
"""
Icp = Callable[..., str]


@pytest.fixture(scope="module")
def icp(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Icp]:
    """icp(arguments...) within a project whose network runs."""
    home = tmp_path_factory.mktemp("project")
    (home / "icp.yaml").write_text(PROJECT)
    (home / "answer.wasm").write_bytes(bytes(wasmtime.wat2wasm(ANSWER)))
    binary = repository / "node_modules/@icp-sdk/icp-cli-linux-x64/bin/icp"
    launcher = repository / "canisters/replica/icp-launcher"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "ICP_HOME": str(home / "icp"), "DO_NOT_TRACK": "1"}
    env["ICP_CLI_NETWORK_LAUNCHER_PATH"] = str(launcher)

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [binary, *arguments], cwd=home, env=env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
        )  # fmt: skip
        assert ran.returncode == 0, f"icp {' '.join(arguments)}: {ran.stderr[-2000:]}"
        return ran.stdout + ran.stderr

    run("identity", "new", "owner", "--storage", "plaintext")
    run("identity", "default", "owner")
    run("network", "start", "-d")
    yield run
    run("network", "stop")


def test_a_project_is_deployed_and_called(icp: Icp) -> None:
    icp("deploy")

    assert "42" in icp("canister", "call", "answer", "answer", "()", "--query")


def test_icp_is_transferred_and_cycles_are_minted_for_it_once(icp: Icp) -> None:
    before = icp("token", "balance")
    icp("token", "transfer", "1.5", "aaaaa-aa")
    minted = icp("cycles", "mint", "--icp", "2")

    assert "1000000.00000000 ICP" in before
    assert "Minted 9_999_900_000_000 cycles" in minted
    assert "999996.49" in icp("token", "balance")


def test_cycles_are_transferred(icp: Icp) -> None:
    def balance() -> int:
        return int(re.search(r"([\d_]+) cycles", icp("cycles", "balance"))[1].replace("_", ""))  # type: ignore[index]

    before = balance()
    icp("cycles", "transfer", "1000000000", "aaaaa-aa")

    assert balance() == before - 1_000_000_000 - 100_000_000


def test_a_canister_that_nobody_here_wrote_is_a_web_page(icp: Icp) -> None:
    """The Candid UI that `icp network start` installs: somebody else's module, asked through the gateway."""
    address = re.search(r"http://([a-z0-9-]+\.localhost):(\d+)/", icp("deploy"))
    assert address is not None

    page = httpx.get(f"http://localhost:{address[2]}/", headers={"Host": f"{address[1]}:{address[2]}"}, trust_env=False)

    assert page.status_code == 200
    assert "Candid UI" in page.text
    assert page.headers["content-type"] == "text/html"


def test_another_interface_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--interface-version", "2.0.0", "--state-dir", str(tmp_path), "--status-dir", str(tmp_path)])

    assert code == 1
    assert "speaks interface 1.x" in capsys.readouterr().err


def test_what_the_tool_waits_for_appears_whole(repository: Path, tmp_path: Path) -> None:
    command = [
        repository / "canisters/replica/icp-launcher",
        "--state-dir",
        tmp_path / "state",
        "--status-dir",
        tmp_path / "status",
        "--ii",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    for _ in range(600):
        if (tmp_path / "status" / "status.json").exists():
            break
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)

    told = json.loads((tmp_path / "status" / "status.json").read_text())
    process.terminate()
    process.communicate(timeout=30)

    assert process.returncode == 0
    assert "no --ii" in said
    assert (told["v"], len(bytes.fromhex(told["root_key"]))) == ("1", 133)

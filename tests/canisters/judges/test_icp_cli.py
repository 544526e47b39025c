"""The `icp` command, unmodified, judges the embedded network: it checks certificates and query signatures by the root key it is given."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LEDGER_ARGUMENT = '(record { name = "T"; symbol = "T"; fee_e8s = 10000 : nat; minting_account = null; faucet_e8s = opt (100000 : nat) })'
PRINCIPAL = r"[a-z0-9]{5}(?:-[a-z0-9]{3,5}){2,}"
Icp = Callable[..., str]


class Failed(AssertionError):
    """The command ended with an error; the text is what it said."""


@pytest.fixture(scope="module")
def icp(replica, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Icp:
    """icp("canister", "status", id) gives the command's output. It has a home, a project and an identity of its own."""
    home = tmp_path_factory.mktemp("icp")
    binary = repository / "node_modules/@icp-sdk/icp-cli-linux-x64/bin/icp"
    network = f"  - name: dev\n    mode: connected\n    url: {replica.url}\n    root-key: {replica.root_key.hex()}\n"
    (home / "icp.yaml").write_text(f"networks:\n{network}environments:\n  - name: dev\n    network: dev\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "ICP_HOME": str(home / "icp"), "DO_NOT_TRACK": "1"}

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [binary, *arguments], cwd=home, env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )  # fmt: skip
        if ran.returncode != 0:
            raise Failed(f"icp {' '.join(arguments)[:200]}: {ran.stderr}")
        return ran.stdout + ran.stderr

    run("identity", "new", "judge", "--storage", "plaintext")
    run("identity", "default", "judge")
    return run


@pytest.fixture(scope="module")
def ledger_file(compiled, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("wasm") / "ledger.wasm"
    path.write_bytes(compiled("ledger"))
    return path


def created(icp: Icp) -> str:
    return re.findall(PRINCIPAL, icp("canister", "create", "--detached", "-n", "dev"))[-1]


@pytest.fixture
def ledger(icp: Icp, ledger_file: Path) -> str:
    canister = created(icp)
    icp("canister", "install", canister, "-n", "dev", "--wasm", str(ledger_file), "--args", LEDGER_ARGUMENT)
    return canister


def cycles(icp: Icp) -> int:
    return int(re.search(r"([\d_]+) cycles", icp("cycles", "balance", "-n", "dev")).group(1).replace("_", ""))


def test_it_pings_the_network(icp: Icp, replica) -> None:
    told = json.loads(icp("network", "ping", "dev"))

    assert told["replica_health_status"] == "healthy"
    assert bytes(told["root_key"]) == replica.root_key


def test_it_calls_and_queries_a_canister_it_installed(icp: Icp, ledger: str) -> None:
    claimed = icp("canister", "call", ledger, "faucet_claim", "()", "-n", "dev")
    name = icp("canister", "call", ledger, "icrc1_name", "()", "--query", "-n", "dev")

    assert "Ok = 0" in claimed
    assert '"T"' in name


def test_it_reads_status_settings_and_metadata(icp: Icp, ledger: str) -> None:
    me = icp("identity", "principal").strip()

    status = icp("canister", "status", ledger, "-n", "dev")
    settings = icp("canister", "settings", "show", ledger, "-n", "dev")
    interface = icp("canister", "metadata", ledger, "candid:service", "-n", "dev")

    assert "Status: Running" in status
    assert me in status
    assert me in settings
    assert "icrc1_transfer" in interface


def test_it_changes_settings(icp: Icp, ledger: str) -> None:
    other = "aaaaa-aa"

    icp("canister", "settings", "update", ledger, "-n", "dev", "--add-controller", other, "-f")
    icp("canister", "settings", "update", ledger, "-n", "dev", "--freezing-threshold", "1000000")

    shown = icp("canister", "settings", "show", ledger, "-n", "dev")
    assert other in shown
    assert "1_000_000" in shown


def test_it_upgrades_keeping_state_and_reinstalls_forgetting_it(icp: Icp, ledger: str, ledger_file: Path) -> None:
    icp("canister", "call", ledger, "faucet_claim", "()", "-n", "dev")
    again = ("canister", "install", ledger, "-n", "dev", "--wasm", str(ledger_file), "--args", LEDGER_ARGUMENT)

    icp(*again, "--mode", "upgrade")
    kept = icp("canister", "call", ledger, "icrc1_total_supply", "()", "--query", "-n", "dev")
    icp(*again, "--mode", "reinstall", "--yes")
    forgotten = icp("canister", "call", ledger, "icrc1_total_supply", "()", "--query", "-n", "dev")

    assert "100_000" in kept
    assert "(0" in forgotten


def test_it_installs_a_module_of_more_than_two_megabytes(icp: Icp, large_probe: bytes, tmp_path: Path) -> None:
    wasm = tmp_path / "large.wasm"
    wasm.write_bytes(large_probe)
    canister = created(icp)

    icp("canister", "install", canister, "-n", "dev", "--wasm", str(wasm))

    assert "Module hash: 0x" in icp("canister", "status", canister, "-n", "dev")


def test_it_stops_starts_and_deletes_a_canister_and_gets_its_cycles_back(icp: Icp, ledger: str) -> None:
    before = cycles(icp)

    icp("canister", "stop", ledger, "-n", "dev")
    assert "Status: Stopped" in icp("canister", "status", ledger, "-n", "dev")
    icp("canister", "start", ledger, "-n", "dev")
    assert "Status: Running" in icp("canister", "status", ledger, "-n", "dev")
    icp("canister", "stop", ledger, "-n", "dev")
    deleted = icp("canister", "delete", ledger, "-n", "dev")

    assert "Recovered" in deleted
    assert cycles(icp) > before
    with pytest.raises(Failed, match="not found"):
        icp("canister", "status", ledger, "-n", "dev")


def test_it_shows_a_canisters_log(icp: Icp, probe: bytes, tmp_path: Path) -> None:
    wasm = tmp_path / "probe.wasm"
    wasm.write_bytes(probe)
    canister = created(icp)
    icp("canister", "install", canister, "-n", "dev", "--wasm", str(wasm))

    icp("canister", "call", canister, "print", "--args-format", "hex", "68656c6c6f", "-n", "dev", "-o", "hex")

    assert "hello" in icp("canister", "logs", canister, "-n", "dev")


def test_it_refuses_a_network_with_another_root_key(icp: Icp, replica, ledger: str) -> None:
    other = bytearray(replica.root_key)
    other[-1] ^= 1

    with pytest.raises(Failed, match="Certificate verification failed"):
        icp("canister", "status", ledger, "-n", replica.url, "-k", bytes(other).hex())


def test_it_takes_restores_downloads_uploads_and_deletes_snapshots(icp: Icp, ledger: str, tmp_path: Path) -> None:
    def supply() -> str:
        return icp("canister", "call", ledger, "icrc1_total_supply", "()", "--query", "-n", "dev")

    icp("canister", "stop", ledger, "-n", "dev")
    taken = icp("canister", "snapshot", "create", ledger, "-n", "dev", "--quiet").strip()
    icp("canister", "snapshot", "download", ledger, taken, "-n", "dev", "--output", str(tmp_path / "kept"))
    icp("canister", "start", ledger, "-n", "dev")
    icp("canister", "call", ledger, "faucet_claim", "()", "-n", "dev")
    afterwards = supply()
    icp("canister", "stop", ledger, "-n", "dev")
    icp("canister", "snapshot", "restore", ledger, taken, "-n", "dev")
    icp("canister", "start", ledger, "-n", "dev")
    restored = supply()
    icp("canister", "call", ledger, "faucet_claim", "()", "-n", "dev")
    icp("canister", "stop", ledger, "-n", "dev")
    put = icp(
        "canister", "snapshot", "upload", ledger, "-n", "dev", "--input", str(tmp_path / "kept"), "--quiet"
    ).split()[0]
    icp("canister", "snapshot", "restore", ledger, put, "-n", "dev")
    icp("canister", "start", ledger, "-n", "dev")
    uploaded = supply()
    icp("canister", "snapshot", "delete", ledger, taken, "-n", "dev")

    assert ("100_000" in afterwards, "(0" in restored, "(0" in uploaded) == (True, True, True)
    left = icp("canister", "snapshot", "list", ledger, "-n", "dev")
    assert (put in left, taken in left) == (True, False)

"""Deploying: once, again, after a change, after being killed, and what it says when it cannot."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canisters.client import ClientError, KeyIdentity
from canisters.client.deployment import CANISTERS, Deployment, DeploymentUnreadable
from canisters.client.typed import Jobs, Ledger
from canisters.deploy import MAINNET_ROOT_KEY, CannotDeploy, deploy, main
from canisters.interface import leb128
from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow


def with_another_hash(wasm: bytes) -> bytes:
    """The same module with one more custom section: it does the same and has another hash."""
    content = b"\x04test" + secrets.token_bytes(8)
    return wasm + b"\x00" + leb128.encode_unsigned(len(content)) + content


@pytest.fixture(scope="module")
def state(replica: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed")
    deploy(replica.url, folder)
    return folder


@pytest.fixture
def deployment(state: Path) -> Deployment:
    return Deployment.load(state / "deployment.json")


def test_a_deployment_leaves_four_canisters_that_know_each_other(deployment: Deployment) -> None:
    with deployment.agent(KeyIdentity()) as agent:
        minted = Ledger(agent, deployment.canisters["ledger"]).faucet_claim()
        refused = Jobs(agent, deployment.canisters["jobs"]).job_propose(job_on_dataset(999))
        controllers = {name: agent.controllers(canister_id) for name, canister_id in deployment.canisters.items()}

    assert "Ok" in minted
    assert refused == {"Err": {"NotFound": "dataset 999 version 1"}}  # the registry's word, through the jobs canister
    assert controllers == {name: [deployment.deployer] for name in CANISTERS}


def test_the_deployer_cannot_make_tokens(state: Path, deployment: Deployment) -> None:
    with deployment.agent(KeyIdentity.load(state / "deployer.pem")) as agent:
        ledger = Ledger(agent, deployment.canisters["ledger"])
        answer = ledger.icrc1_transfer(
            {"to": {"owner": Principal(b"\x01" * 10), "subaccount": None}, "amount": 1, "fee": None, "memo": None}
        )

        assert ledger.icrc1_minting_account() is None
    assert "InsufficientFunds" in answer["Err"]


def test_a_second_deployment_changes_nothing(replica: Any, state: Path, deployment: Deployment) -> None:
    said: list[str] = []
    deploy(replica.url, state)
    again = deploy(replica.url, state, say=said.append)

    assert again == deployment
    assert [line.split(":")[1].strip().split(" (")[0] for line in said] == ["up to date"] * 4
    assert not (state / "deployment.draft.json").exists()


def test_a_changed_module_is_upgraded_and_keeps_what_it_held(
    replica: Any, state: Path, deployment: Deployment, tmp_path: Path, compiled: Callable[[str], bytes]
) -> None:
    with deployment.agent(KeyIdentity()) as agent:
        ledger = Ledger(agent, deployment.canisters["ledger"])
        ledger.faucet_claim()
        for name in CANISTERS:
            wasm = compiled(name)
            (tmp_path / f"{name}.wasm").write_bytes(with_another_hash(wasm) if name == "ledger" else wasm)

        said: list[str] = []
        deploy(replica.url, state, wasm=tmp_path, say=said.append)

        held = ledger.icrc1_balance_of({"owner": agent.principal, "subaccount": None})
    assert held == 100_000_000_000
    assert [line for line in said if "upgraded, state kept" in line] == [
        f"ledger: upgraded, state kept ({deployment.canisters['ledger']})"
    ]


def test_a_network_on_another_port_is_the_same_network(
    replica: Any, state: Path, deployment: Deployment, tmp_path: Path
) -> None:
    moved = replica.url.replace("localhost", "127.0.0.1")

    assert deploy(moved, state).canisters == deployment.canisters
    assert Deployment.load(state / "deployment.json").url == moved
    deploy(replica.url, state)


@pytest.mark.parametrize("lines", [0, 1, 3, 5, 7])
def test_a_deployment_killed_at_any_step_goes_on_where_it_was(
    replica: Any, tmp_path: Path, lines: int, repository: Path
) -> None:
    command = [sys.executable, "-m", "canisters.deploy", "--url", replica.url, "--state", str(tmp_path)]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
    draft = tmp_path / "deployment.draft.json"
    known = json.loads(draft.read_text())["canisters"] if draft.exists() else {}

    finished = deploy(replica.url, tmp_path)

    assert len(known) >= min(lines, 4)
    assert known.items() <= finished.as_json()["canisters"].items()
    with finished.agent() as agent:
        assert all(agent.module_hash(canister_id) for canister_id in finished.canisters.values())


def test_two_deployments_into_one_folder_do_not_run_at_once(replica: Any, state: Path) -> None:
    def again(_text: str) -> None:
        deploy(replica.url, state)

    with pytest.raises(CannotDeploy, match="another deployment into .* is under way"):
        deploy(replica.url, state, say=again)


def test_canisters_that_are_not_compiled_are_named_before_anything_is_begun(replica: Any, tmp_path: Path) -> None:
    with pytest.raises(
        CannotDeploy, match="registry, jobs, ledger, cooperatives not compiled .* run `make build` first"
    ):
        deploy(replica.url, tmp_path / "state", wasm=tmp_path)

    assert not (tmp_path / "state").exists()


def test_a_network_that_does_not_answer_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--url", "http://localhost:1", "--state", str(tmp_path)])

    assert code == 1
    assert "the network cannot be reached: http://localhost:1 does not answer" in capsys.readouterr().err
    assert not (tmp_path / "deployment.json").exists()


def test_a_folder_of_another_network_is_left_alone(replica: Any, state: Path, tmp_path: Path) -> None:
    fields = json.loads((state / "deployment.json").read_text())
    before = json.dumps({**fields, "root_key": MAINNET_ROOT_KEY.hex()})
    (tmp_path / "deployment.json").write_text(before)

    with pytest.raises(CannotDeploy, match="another root key"):
        deploy(replica.url, tmp_path)
    assert (tmp_path / "deployment.json").read_text() == before


def test_a_key_that_does_not_control_the_canisters_is_refused(
    replica: Any, deployment: Deployment, tmp_path: Path, compiled: Callable[[str], bytes]
) -> None:
    for name in CANISTERS:
        (tmp_path / f"{name}.wasm").write_bytes(with_another_hash(compiled(name)))
    deployment.save(tmp_path / "deployment.json")

    with pytest.raises(CannotDeploy, match="registry: the network refused to upgrade"):
        deploy(replica.url, tmp_path, wasm=tmp_path)


def test_a_key_from_far_away_is_not_believed(tmp_path: Path) -> None:
    with pytest.raises(CannotDeploy, match="give the network's root key with --root-key"):
        deploy("http://chain.example:8000", tmp_path)


def test_nothing_is_created_for_cycles_that_cost(replica: Any, tmp_path: Path) -> None:
    with pytest.raises(CannotDeploy, match="pass --canister registry=ID"):
        deploy(replica.url, tmp_path, "ic", root_key=replica.root_key)


def test_ids_made_elsewhere_are_used(replica: Any, state: Path, deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "deployer.pem").write_bytes((state / "deployer.pem").read_bytes())
    deploy(replica.url, tmp_path, "pocketic", canisters=deployment.canisters)

    other = dict(deployment.canisters, registry=Principal(b"\x01" * 10))
    with pytest.raises(CannotDeploy, match="registry is .* already, not"):
        deploy(replica.url, tmp_path, "pocketic", canisters=other)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"network": "embedded"}', '{"network": 1, "url": 2, "root_key": "zz"}']
)
def test_a_damaged_record_is_refused_and_kept(replica: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "deployment.json").write_text(text)

    with pytest.raises(DeploymentUnreadable):
        Deployment.load(tmp_path / "deployment.json")
    with pytest.raises(ClientError, match="cannot be read"):
        deploy(replica.url, tmp_path)
    assert (tmp_path / "deployment.json").read_text() == text


def test_no_record_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeploymentUnreadable, match="python -m canisters.deploy"):
        Deployment.load(tmp_path / "deployment.json")


def test_the_deployers_key_is_for_its_owner_only(state: Path) -> None:
    assert (state / "deployer.pem").stat().st_mode & 0o077 == 0


def test_the_command_says_what_it_did(replica: Any, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--url", replica.url, "--state", str(state)])

    assert code == 0
    assert "deployed to http://localhost" in capsys.readouterr().out


@pytest.mark.parametrize("given", [["--canister", "bank=aaaaa-aa"], ["--canister", "jobs=zzz"], ["--root-key", "zz"]])
def test_a_bad_option_is_refused(tmp_path: Path, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--url", "http://localhost:1", "--state", str(tmp_path), *given])

    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def job_on_dataset(dataset_id: int) -> Any:
    now = time.time_ns()
    return {
        "key": secrets.token_bytes(16),
        "title": "A job",
        "purpose": "research",
        "recipe": "tabular_mlp",
        "datasets": [{"dataset_id": dataset_id, "version": 1}],
        "code_hash": bytes(32),
        "config_hash": bytes(32),
        "seed": 1,
        "compute": {"Central": None},
        "terms": {"contributors_bps": 10_000, "builder_bps": 0, "worker_bps": 0, "valuation": "shapley"},
        "worker_fee_e8s": 0,
        "budget_e8s": 0,
        "approve_by_ns": now + 3600 * 10**9,
        "finish_by_ns": now + 7200 * 10**9,
    }

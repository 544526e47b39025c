"""Each canister's log is whole, chained and certified, and says what happened; docs/log.md and docs/canisters.md leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from canisters.client import Contract
from canisters.client.contracts import service
from canisters.interface.icrc3 import from_value
from tests.canisters.motoko.world import CWT, FEE, World, btypes, ok, proven_log, split

pytestmark = pytest.mark.slow


def logs(world: World) -> dict[str, Contract]:
    return {name: getattr(world, name)(world.person()) for name in ("registry", "jobs", "ledger", "cooperatives")}


def test_every_canisters_log_chains_up_to_a_certified_tip(world: World) -> None:
    model = world.model(manners=())
    model.propose({"Parameters": world.parameters()})

    for log in [*logs(world).values(), model.as_(world.person())]:
        assert len(proven_log(log)) > 0


def test_the_log_of_a_job_tells_its_story_in_order(world: World) -> None:
    builder = world.rich()
    start = world.jobs(builder).icrc3_get_blocks([])["log_length"]

    job_id = world.settled(builder, {world.dataset(world.person()): 5})
    ok(world.jobs(builder).payout_claim(job_id))

    mine = proven_log(world.jobs(builder))[start:]
    assert btypes(mine) == [
        "job_proposed", "job_approved", "job_funded", "job_claimed", "job_started", "job_submitted", "job_settled", "payout_claimed",
    ]  # fmt: skip
    settled = from_value(dict(mine[6]["Map"])["tx"])
    assert settled["job_id"] == job_id
    assert sum(p["amount_e8s"] for p in settled["payouts"]) == 10 * CWT
    assert sum(s["share_bps"] for s in settled["shares"]) == 10_000


def test_a_ledger_block_has_the_form_of_its_standard(world: World) -> None:
    sender, receiver = world.rich(), world.person()
    args = {
        "from_subaccount": None,
        "to": {"owner": receiver.principal, "subaccount": None},
        "amount": 5,
        "fee": None,
        "memo": b"m",
    }

    index = ok(world.ledger(sender).icrc1_transfer({**args, "created_at_time": world.time_ns}))

    (found,) = world.ledger(sender).icrc3_get_blocks([{"start": index, "length": 1}])["blocks"]
    block = from_value(found["block"])
    assert (block["btype"], block["fee"]) == ("1xfer", FEE)
    assert block["tx"] == {
        "amt": 5, "from": [sender.principal.raw], "to": [receiver.principal.raw], "memo": b"m", "ts": block["tx"]["ts"],
    }  # fmt: skip


def test_a_log_is_read_in_any_pieces(world: World) -> None:
    world.rich()
    ledger = world.ledger(world.person())
    length = ledger.icrc3_get_blocks([])["log_length"]

    pieces = ledger.icrc3_get_blocks(
        [{"start": length - 1, "length": 10**30}, {"start": 0, "length": 1}, {"start": length, "length": 5}]
    )

    assert [b["id"] for b in pieces["blocks"]] == [length - 1, 0]
    assert pieces["archived_blocks"] == ledger.icrc3_get_archives({"from": None}) == []


def test_parts_of_a_split_sum_to_the_whole() -> None:
    for total in (0, 1, 7, 9_999, 10_000, 123_456_789):
        for weights in ([1], [1, 1, 1], [5, 0, 3, 3], [10**9, 1], [2, 3, 5, 7, 11, 13]):
            assert sum(split(total, weights)) == total


@pytest.mark.parametrize("name", ["registry", "jobs", "ledger", "cooperatives", "cooperative", "inference", "language"])
def test_the_table_of_methods_has_every_method_and_names_tests_that_exist(repository: Path, name: str) -> None:
    page = (repository / "docs/canisters.md").read_text()
    section = page.split(f"## {name}\n")[1].split("\n## ")[0]
    tests = "".join(path.read_text() for path in (repository / "tests/canisters").rglob("test_*.py"))

    listed = set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))
    named = set(re.findall(r"\b(test_\w+)\b", section))

    assert listed == set(service(name).methods)
    assert named
    assert not [test for test in named if f"def {test}(" not in tests and f"{test}.py" not in section]


@pytest.mark.parametrize("name", ["registry", "jobs", "ledger", "cooperatives"])
def test_the_table_of_blocks_has_every_type(world: World, repository: Path, name: str) -> None:
    page = (repository / "docs/log.md").read_text()
    section = page.split(f"## {name}\n")[1].split("\n## ")[0]

    offered = {t["block_type"] for t in getattr(world, name)(world.person()).icrc3_supported_block_types()}

    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == offered


def test_the_table_of_blocks_has_every_type_of_a_cooperative(world: World, repository: Path) -> None:
    section = (repository / "docs/log.md").read_text().split("## cooperative\n")[1].split("\n## ")[0]
    cooperative = world.model(manners=()).as_(world.person())

    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == {
        t["block_type"] for t in cooperative.icrc3_supported_block_types()
    }

"""Releases install themselves when they are adopted, go live when they answer as trained, and are sold to the last unit.

Where a test is about the cooperative, a stand-in is installed for the compiled network (standin/Echo.mo); the last tests install a real one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import compile_model
from canisters.interface.icrc3 import to_value, value_hash
from tests.canisters.motoko.world import CWT, FEE, HOUR, Model, World, err, ok, sha, split, together

pytestmark = pytest.mark.slow


def chunk(model: Model, proposal_id: int, index: int, data: bytes, part: str = "Wasm") -> dict[str, Any]:
    args = {"proposal_id": proposal_id, "part": {part: None}, "index": index, "data": data}
    answer: dict[str, Any] = model.as_(model.world.person()).chunk_upload(args)
    return answer


def live(model: Model) -> int | None:
    found = model.info()["live"]
    return found["proposal_id"] if found else None


def test_an_adopted_release_goes_live_as_voted_for(world: World) -> None:
    model = world.model()

    proposal_id = model.release()

    manifest = model.releases[0][0]
    inference = model.info()["inference"]
    assert model.state(proposal_id) == {"Live": None}
    assert model.info()["live"]["wasm_sha256"] == manifest["wasm_sha256"] == world.person().module_hash(inference)
    assert model.info()["live"]["max_abs_error_e9"] == 0
    assert inference == model.entry["inference"]
    assert world.person().controllers(inference) == [model.canister]


def test_it_is_installed_without_anybodys_call(world: World) -> None:
    model = world.model()
    proposal_id = model.propose({"Release": model.releases[0][0]})
    model.vote(proposal_id, True, *model.holders)
    model.upload(proposal_id)

    world.eventually(
        lambda: model.as_(model.builder).proposal_get(proposal_id)["state"], lambda state: state == {"Live": None}
    )


def test_an_adopted_release_waits_for_its_chunks(world: World) -> None:
    model = world.model()
    proposal_id = model.propose({"Release": model.releases[0][0]})
    model.vote(proposal_id, True, *model.holders)

    waiting = model.state(proposal_id)
    unsold = model.ask(world.rich())
    model.upload(proposal_id)

    assert waiting == {"Adopted": None}
    assert err(unsold) == ("NotLive", None)
    assert model.state(proposal_id) == {"Live": None}


def test_the_former_release_serves_until_the_next_one_is_tested_and_is_superseded(world: World) -> None:
    model = world.model(manners=("echo", "echo", "echo"))
    first = model.release(0)
    served_first = model.info()["inference"]

    second = model.release(1)
    served_second = model.info()["inference"]
    third = model.release(2)

    assert model.state(first) == model.state(second) == {"Superseded": None}
    assert model.state(third) == {"Live": None}
    assert served_second != served_first == model.info()["inference"]
    assert world.person().controllers(served_second) == [model.canister]
    assert ok(model.ask(model.payer()))["manifest_hash"] == model.info()["live"]["manifest_hash"]


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        ("wrong", "differs by 3000000000e-9"),
        ("misshapen", "cannot be compared"),
        ("refuse", "as told"),
        ("trap", "as told"),
        ("unsealed", "weights are missing"),
    ],
)
def test_a_release_that_does_not_answer_as_trained_fails_and_leaves_the_former_live(
    world: World, manner: str, says: str
) -> None:
    model = world.model(manners=("echo", manner))
    first = model.release(0)
    before = model.info()

    failing = model.release(1)

    assert says in model.state(failing)["Failed"]
    assert {k: model.info()[k] for k in ("live", "inference")} == {k: before[k] for k in ("live", "inference")}
    assert model.state(first) == {"Live": None}
    assert ok(model.ask(model.payer()))["manifest_hash"] == before["live"]["manifest_hash"]


def test_a_first_release_that_fails_is_never_sold(world: World) -> None:
    model = world.model(manners=("wrong", "echo"))

    model.release(0)
    unsold = model.ask(world.rich())
    good = model.release(1)

    assert err(unsold) == ("NotLive", None)
    assert model.state(good) == {"Live": None}


def test_a_vote_that_fails_leaves_the_old_release_live(world: World) -> None:
    model = world.model(manners=("echo", "echo"))
    first = model.release(0)
    proposal_id = model.propose({"Release": model.releases[1][0]})
    model.upload(proposal_id, 1)

    model.vote(proposal_id, False, *model.holders)

    assert model.state(proposal_id) == {"Rejected": None}
    assert live(model) == first
    assert model.as_(model.builder).proposal_get(proposal_id)["wasm_staged"] == []
    assert err(chunk(model, proposal_id, 0, model.releases[1][1][0]))[0] == "Closed"


def test_a_release_adopted_earlier_does_not_come_back_over_a_later_one(world: World) -> None:
    model = world.model(manners=("echo", "echo"))
    withheld = model.propose({"Release": model.releases[0][0]})
    model.vote(withheld, True, *model.holders)

    later = model.release(1)
    late_chunk = chunk(model, withheld, 0, model.releases[0][1][0])

    assert model.state(later) == {"Live": None}
    assert model.state(withheld) == {"Superseded": None}
    assert err(late_chunk)[0] == "Closed"


def test_only_chunks_that_the_manifest_names_are_taken(world: World) -> None:
    model = world.model()
    manifest, chunks, weights = model.releases[0]
    proposal_id = model.propose({"Release": manifest})
    forged = bytes(len(chunks[0]))

    unknown = chunk(model, proposal_id, len(chunks), chunks[0])
    unknown_weights = chunk(model, proposal_id, len(weights), weights[0], "Weights")
    other_size = chunk(model, proposal_id, 0, chunks[0] + b"\x00")
    other_bytes = chunk(model, proposal_id, 0, forged)
    other_part = chunk(model, proposal_id, 0, weights[1], "Weights")

    assert err(unknown) == err(unknown_weights) == ("UnknownChunk", None)
    assert "another size" in err(other_size)[1]
    assert err(other_bytes) == ("WrongHash", {"expected": sha(chunks[0]), "got": sha(forged)})
    assert err(other_part)[0] in ("WrongHash", "Invalid")
    assert model.as_(model.builder).proposal_get(proposal_id)["wasm_staged"] == []
    assert (
        ok(chunk(model, proposal_id, 1, chunks[1]))
        == ok(chunk(model, proposal_id, 1, chunks[1]))
        == {"complete": False}
    )


def test_a_manifest_that_no_settled_job_has_on_record_cannot_be_proposed(world: World) -> None:
    model = world.model()
    running = world.running(world.rich(), [world.dataset(world.person())])
    altered = {**model.releases[0][0], "tolerance_e9": 9_999_999}

    for manifest, says in [
        (altered, "does not have this release"),
        (world.manifest("echo", running)[0], "no result"),
        (world.manifest("echo", 10**9)[0], "job"),
    ]:
        refused = model.as_(model.builder).proposal_submit({"title": "x", "summary": "", "kind": {"Release": manifest}})
        assert says in err(refused)[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"equality": []},
        {"equality": [{"inputs": [], "outputs": []}]},
        {"tolerance_e9": 10_000_001},
        {"wasm_chunks": []},
        {"wasm_chunks": [{"sha256": sha("x"), "size_bytes": 2**20 + 1}]},
        {"wasm_chunks": [{"sha256": sha("x"), "size_bytes": 2**20}] * 101},
        {"weight_chunks": [{"sha256": sha("x"), "size_bytes": 1}] * 201},
        {"card_hash": b"short"},
        {"metrics": [{"name": "", "value_ppm": 1}]},
    ],
)
def test_a_manifest_that_could_not_be_held_to_anything_is_refused(
    world: World, shared: Model, changes: dict[str, Any]
) -> None:
    manifest = {**shared.releases[0][0], **changes}

    refused = shared.as_(shared.builder).proposal_submit({"title": "x", "summary": "", "kind": {"Release": manifest}})

    assert err(refused)[0] == "Invalid"


# --- income ---


@pytest.fixture(scope="module")
def shared(world: World) -> Model:
    """A live model that tests ask and do not change."""
    model = world.model(count=3)
    model.release()
    return model


def owed(model: Model) -> dict[Any, int]:
    return {h.principal: model.as_(h).claimable(h.principal) for h in model.holders}


def test_a_paid_answer_is_split_to_the_last_unit(world: World, shared: Model) -> None:
    payer, before = shared.payer(1), owed(shared)
    held, had = world.balance(shared.canister), world.balance(payer.principal)
    treasury = shared.info()["treasury_e8s"]

    receipt = ok(shared.ask(payer))

    parts = {p["owner"]: p["amount_e8s"] for p in receipt["parts"]}
    holders = shared.info()["holders"]
    to_treasury = 1_000_003 * 500 // 10_000
    expected = split(1_000_003 - to_treasury, [h["shares"] for h in holders])
    assert parts == dict(zip([h["owner"] for h in holders], expected, strict=True))
    assert sum(parts.values()) + to_treasury == receipt["price_e8s"] == 1_000_003
    assert {p: owed(shared)[p] - before[p] for p in before} == parts
    assert shared.info()["treasury_e8s"] == treasury + to_treasury
    assert world.balance(shared.canister) == held + 1_000_003
    assert world.balance(payer.principal) == had - 1_000_003 - FEE


def test_the_block_of_a_paid_answer_commits_to_question_and_answer(world: World, shared: Model) -> None:
    question = world.tensor(3.0, 4.0)

    receipt = ok(shared.ask(shared.payer(1), question))

    (found,) = shared.as_(world.person()).icrc3_get_blocks([{"start": receipt["block"], "length": 1}])["blocks"]
    tx = dict(dict(found["block"]["Map"])["tx"]["Map"])
    assert tx["request_hash"] == {"Blob": value_hash(to_value([question]))}
    assert tx["answer_hash"] == {"Blob": value_hash(to_value(receipt["outputs"]))}


def test_who_has_not_paid_gets_no_answer(world: World, shared: Model) -> None:
    rich, poor = world.rich(), world.person()
    allowed = world.rich()
    world.allow(allowed, shared.canister, 1_000_003)  # without the ledger's fee

    assert "approve the price" in err(shared.ask(rich))[1]
    assert err(shared.ask(poor))[0] == "Payment"
    assert err(shared.ask(allowed))[0] == "Payment"
    assert err(shared.ask(shared.payer(1), most=1_000_002)) == ("PriceChanged", {"price_e8s": 1_000_003})


@pytest.mark.parametrize("name", ["something else", "trap"])
def test_the_price_of_a_failed_answer_goes_back_to_who_paid(world: World, shared: Model, name: str) -> None:
    payer, before = shared.payer(1), owed(shared)

    refused = shared.ask(payer, world.tensor(1.0, name=name))
    claimable = shared.as_(payer).claimable(payer.principal)
    claimed = ok(shared.as_(payer).revenue_claim())

    assert err(refused)[0] == "Inference"
    assert claimable == 1_000_003
    assert claimed["amount_e8s"] == 1_000_003 - FEE
    assert owed(shared) == before


def test_revenue_is_claimed_once(world: World, shared: Model) -> None:
    owner = shared.owners[0]
    ok(shared.ask(shared.payer(1)))
    due, before = shared.as_(owner).claimable(owner.principal), world.balance(owner.principal)

    answers = together(*[lambda: shared.as_(world.again(owner)).revenue_claim()] * 4)

    assert [ok(a)["amount_e8s"] for a in answers if "Ok" in a] == [due - FEE]
    assert {err(a)[0] for a in answers if "Err" in a} <= {"Busy", "NotFound"}
    assert world.balance(owner.principal) == before + due - FEE


def test_revenue_below_the_ledgers_fee_waits_and_adds_up(world: World) -> None:
    model = world.model(price_e8s=20_000)
    model.release()
    payer = model.payer()
    ok(model.ask(payer))
    owner = model.owners[0]

    early = model.as_(owner).revenue_claim()
    ok(model.ask(payer))

    assert "does not cover the ledger's fee" in err(early)[1]
    assert ok(model.as_(owner).revenue_claim())["amount_e8s"] == 2 * 5_067 - FEE


def test_the_owners_may_give_answers_away(world: World) -> None:
    model = world.model(price_e8s=0)
    model.release()

    receipt = ok(model.ask(world.person()))

    assert receipt["price_e8s"] == sum(p["amount_e8s"] for p in receipt["parts"]) == 0


def test_what_was_sold_before_a_transfer_of_shares_stays_with_who_held_them(world: World) -> None:
    model = world.model(price_e8s=CWT)
    model.release()
    seller, buyer, payer = model.owners[1], world.person(), model.payer()
    ok(model.ask(payer))
    earned = model.as_(seller).claimable(seller.principal)

    transfer = {
        "from_subaccount": None,
        "to": {"owner": buyer.principal, "subaccount": None},
        "amount": 5_333,
        "fee": None,
    }
    ok(model.as_(seller).icrc1_transfer({**transfer, "memo": None, "created_at_time": None}))
    ok(model.ask(payer))

    assert model.as_(seller).claimable(seller.principal) == earned == model.as_(buyer).claimable(buyer.principal)


def test_answers_asked_for_while_the_next_release_is_installed_are_sold_or_given_back(world: World) -> None:
    model = world.model(manners=("echo", "wrong", "echo"))
    model.release(0)
    payers = [model.payer(30) for _ in range(2)]
    money = world.balance(model.canister)

    def buy(payer: Any) -> list[dict[str, Any]]:
        mine = world.again(payer)
        return [model.ask(mine) for _ in range(15)]

    answers, more, _, _ = together(
        lambda: buy(payers[0]), lambda: buy(payers[1]), lambda: model.release(1), lambda: model.release(2)
    )

    sold = [a for a in answers + more if "Ok" in a]
    back = sum(model.as_(p).claimable(p.principal) for p in payers)
    given = 1_000_003 * (30 - len(sold))
    assert all(ok(a)["outputs"] == [world.tensor(1.0, 2.0)] for a in sold)
    assert len(sold) >= 25
    assert back == given
    assert world.balance(model.canister) == money + 30 * 1_000_003
    assert sum(owed(model).values()) + model.info()["treasury_e8s"] + back == world.balance(model.canister)


def test_a_release_is_voted_on_for_an_hour_and_its_chunks_are_given_up_when_it_fails(world: World) -> None:
    model = world.model()
    proposal_id = model.propose({"Release": model.releases[0][0]})
    model.upload(proposal_id)

    world.advance(HOUR)

    assert model.state(proposal_id) == {"Rejected": None}
    assert model.as_(model.builder).proposal_get(proposal_id)["weights_staged"] == []


# --- a real network ---


def small_network() -> bytes:
    """features (1, 4) -> probabilities (1, 3), as ONNX."""
    weights = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["probabilities"])],
        "small",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def trained_answer(network: bytes, features: list[float]) -> Any:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    return session.run(None, {"features": np.array([features], np.float32)})[0][0]


def real_release(world: World, expected_shift: float = 0.0) -> Any:
    """From the job's id to a release of the small network; `expected_shift` falsifies what its manifest says it answers."""
    network = small_network()
    compiled = compile_model(network)
    features = [0.5, -1.0, 2.0, 0.25]
    answers = trained_answer(network, features) + expected_shift
    vector = {
        "inputs": [world.tensor(*features)],
        "outputs": [world.tensor(*map(float, answers), name="probabilities")],
    }

    def of(job_id: int) -> tuple[dict[str, Any], list[bytes], list[bytes]]:
        chunks, weights = list(compiled.wasm_chunks), list(compiled.weight_chunks)
        return world.manifest_of(job_id, compiled.wasm, chunks, weights, equality=[vector]), chunks, weights

    return of


def test_a_compiled_network_goes_live_and_answers_as_it_was_trained(world: World) -> None:
    model = world.model(manners=(real_release(world),))
    features = [1.5, 0.125, -0.75, 3.0]

    proposal_id = model.release()
    receipt = ok(model.ask(model.payer(1), world.tensor(*features)))

    answer = np.frombuffer(receipt["outputs"][0]["data"], "<f4")
    assert model.state(proposal_id) == {"Live": None}
    assert model.info()["live"]["max_abs_error_e9"] < 1_000
    assert np.abs(answer - trained_answer(small_network(), features)).max() < 1e-6
    assert receipt["instructions"] > 0
    description = world.inference(world.person(), model.info()["inference"]).describe()
    assert description["release_hash"] == receipt["manifest_hash"]


def test_a_network_that_does_not_answer_as_its_manifest_says_never_serves(world: World) -> None:
    model = world.model(manners=(real_release(world), real_release(world, expected_shift=0.001)))
    model.release(0)
    before = model.info()["live"]

    failing = model.release(1)

    assert "an answer differs" in model.state(failing)["Failed"]
    assert model.info()["live"] == before
    ok(model.ask(model.payer(1), world.tensor(1.0, 2.0, 3.0, 4.0)))


def test_a_question_that_does_not_fit_the_network_is_given_back_with_what_would(world: World) -> None:
    model = world.model(manners=(real_release(world),))
    model.release()
    payer = model.payer(1)

    kind, says = err(model.ask(payer, world.tensor(1.0)))

    assert kind == "Inference"
    assert "features" in says
    assert model.as_(payer).claimable(payer.principal) == 1_000_003

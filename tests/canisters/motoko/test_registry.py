"""The registry: whose data it is, under which policy, and what a policy says to a request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.canisters.motoko.world import CODE, HOUR, World, err, ok, sha

pytestmark = pytest.mark.slow


def request_of(world: World, dataset_id: int, **changes: Any) -> dict[str, Any]:
    asked = {
        "dataset_id": dataset_id,
        "version": 1,
        "builder": world.operator.principal,
        "purpose": "research",
        "code_hash": CODE,
        "compute": {"Central": None},
        "epsilon_micros": None,
    }
    return {**asked, **changes}


def verdict(world: World, dataset_id: int, **changes: Any) -> tuple[str, str]:
    """The decision and its reason."""
    found = world.registry(world.operator).policy_preview(request_of(world, dataset_id, **changes))
    return next(iter(found["decision"])), found["reason"]


def test_a_registration_sent_twice_registers_once(world: World) -> None:
    owner = world.person()
    args = world.register_args()

    first = ok(world.registry(owner).dataset_register(args))
    second = ok(world.registry(owner).dataset_register(args))

    assert first == second
    assert world.registry(owner).dataset_get(first["dataset_id"])["owner"] == owner.principal


def test_the_same_key_of_another_owner_is_another_dataset(world: World) -> None:
    args = world.register_args()

    mine = ok(world.registry(world.person()).dataset_register(args))
    yours = ok(world.registry(world.person()).dataset_register(args))

    assert mine["dataset_id"] != yours["dataset_id"]


def test_a_dataset_without_policy_is_denied_to_everybody(world: World) -> None:
    dataset_id = world.dataset(world.person(), policy=False)

    decision, reason = verdict(world, dataset_id)

    assert decision == "Deny"
    assert "no policy" in reason


@pytest.mark.parametrize(
    ("terms", "changes", "reason"),
    [
        ({"purposes": {"Listed": ["health"]}}, {}, "purpose"),
        ({"code": {"Listed": [sha("other code")]}}, {}, "code"),
        ({"compute": {"Federated": None}}, {}, "federated"),
        ({"compute": {"Central": None}}, {"compute": {"Federated": None}}, "central"),
        ({"max_epsilon_micros": 1_000_000}, {}, "promises none"),
        ({"max_epsilon_micros": 1_000_000}, {"epsilon_micros": 2_000_000}, "stronger privacy"),
    ],
)
def test_a_request_outside_the_policy_is_denied_with_the_reason(
    world: World, terms: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    dataset_id = world.dataset(world.person(), **terms)

    decision, why = verdict(world, dataset_id, **changes)

    assert decision == "Deny"
    assert reason in why


def test_a_policy_for_named_builders_is_denied_to_the_others(world: World) -> None:
    friend = world.person()
    dataset_id = world.dataset(world.person(), audience={"Principals": [friend.principal]})

    assert verdict(world, dataset_id, builder=friend.principal)[0] == "AutoApprove"
    assert verdict(world, dataset_id)[0] == "Deny"


def test_a_request_within_the_policy_gets_what_the_policy_says(world: World) -> None:
    by_itself = world.dataset(world.person(), max_epsilon_micros=1_000_000)
    by_hand = world.dataset(world.person(), decision={"Ask": None})

    assert verdict(world, by_itself, epsilon_micros=1_000_000)[0] == "AutoApprove"
    assert verdict(world, by_hand)[0] == "Ask"


def test_an_expired_policy_allows_nothing(world: World) -> None:
    dataset_id = world.dataset(world.person(), expires_at_ns=world.time_ns + HOUR)
    assert verdict(world, dataset_id)[0] == "AutoApprove"

    world.advance(HOUR)

    assert verdict(world, dataset_id)[0] == "Deny"


def test_a_withdrawn_dataset_is_denied_and_can_be_restored(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner)

    ok(world.registry(owner).dataset_withdraw(dataset_id))
    denied = verdict(world, dataset_id)
    ok(world.registry(owner).dataset_restore(dataset_id))

    assert denied[0] == "Deny"
    assert "withdrawn" in denied[1]
    assert verdict(world, dataset_id)[0] == "AutoApprove"


def test_a_withdrawn_dataset_takes_neither_version_nor_policy(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner)
    ok(world.registry(owner).dataset_withdraw(dataset_id))

    version = world.registry(owner).dataset_add_version({"dataset_id": dataset_id, "version": world.version_args()})
    policy = world.registry(owner).policy_set({"dataset_id": dataset_id, "expected_version": 1, "terms": world.terms()})

    assert err(version) == ("Withdrawn", None)
    assert err(policy) == ("Withdrawn", None)


def test_a_policy_set_over_another_than_the_expected_one_is_refused(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner)

    stale = world.registry(owner).policy_set({"dataset_id": dataset_id, "expected_version": 0, "terms": world.terms()})

    assert err(stale) == ("Stale", {"current_version": 1})


def test_versions_are_numbered_and_kept(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner)

    added = ok(
        world.registry(owner).dataset_add_version(
            {"dataset_id": dataset_id, "version": world.version_args(row_count=7)}
        )
    )

    versions = world.registry(owner).dataset_get(dataset_id)["versions"]
    assert added["version"] == 2
    assert [v["args"]["row_count"] for v in versions] == [100, 7]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("row_count", 0),
        ("row_count", 10**30),
        ("size_bytes", 0),
        ("card_hash", b"short"),
        ("ciphertext_root", bytes(33)),
    ],
)
def test_a_version_that_cannot_be_true_is_refused_by_name(world: World, field: str, value: Any) -> None:
    args = world.register_args(version=world.version_args(**{field: value}))

    kind, says = err(world.registry(world.person()).dataset_register(args))

    assert kind == "Invalid"
    assert field in says


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price_e8s", 10**18 + 1),
        ("workers", []),
        ("max_uses", 0),
        ("max_uses", 10**40),
        ("max_epsilon_micros", 10**40),
        ("columns", []),
        ("columns", ["x" * 201]),
        ("purposes", {"Listed": ["x" * 61]}),
        ("audience", {"Principals": []}),
        ("code", {"Listed": [b"short"]}),
        ("expires_at_ns", 1),
    ],
)
def test_terms_that_mean_nothing_are_refused_by_name(world: World, field: str, value: Any) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner, policy=False)
    asked = {"dataset_id": dataset_id, "expected_version": 0, "terms": world.terms(**{field: value})}

    kind, says = err(world.registry(owner).policy_set(asked))

    assert kind == "Invalid"
    assert field in says
    assert world.registry(owner).dataset_get(dataset_id)["policy"] is None


def test_a_page_of_datasets_is_never_longer_than_an_answer_may_be(world: World) -> None:
    owner = world.person()
    columns = [f"{i:0200d}" for i in range(1_000)]  # 200 kB of policy
    ids = [world.dataset(owner, columns=columns) for _ in range(9)]

    found: list[int] = []
    while len(found) < len(ids):
        page = world.registry(owner).datasets_list({"start": ids[0] - 1 + len(found), "length": len(ids) - len(found)})
        assert page["datasets"]
        found += [d["id"] for d in page["datasets"]]

    assert found == ids

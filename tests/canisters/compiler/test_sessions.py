"""Sessions of a language model's canister: whose they are, how long they live, what they draw, and what is refused to whom."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from canisters.compiler.language import (
    CompiledLanguageModel,
    LocalLanguageModel,
    SessionRefused,
    compile_language_model,
)
from canisters.compiler.local import CONTROLLER, LocalCanister, Rejected, Trapped
from canisters.interface.candid import encode

from .language_models import VOCABULARY, config_of, saved, tensors_of

pytestmark = pytest.mark.slow

ANONYMOUS = bytes([4])
STRANGER, SECOND = bytes([9, 9, 9]), bytes([2])
IDLE_SECONDS = 60
NS = 10**9
TEXT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 35, 8, 97 - 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("gpt2"), config_of("gpt2"), tensors_of(config_of("gpt2")))


@pytest.fixture(scope="module")
def compiled(folder: Path) -> CompiledLanguageModel:
    return compile_language_model(
        folder, mode="f32", context=32, slots=3, sessions_per_caller=2, idle_seconds=IDLE_SECONDS
    )


@pytest.fixture(scope="module")
def shared(compiled: CompiledLanguageModel) -> LocalLanguageModel:
    local = LocalLanguageModel(compiled.wasm, compiled.weight_chunks)
    local.canister.controllers.add(SECOND)
    return local


@pytest.fixture
def model(shared: LocalLanguageModel) -> Iterator[LocalLanguageModel]:
    """With no session open, before and after."""
    yield shared
    for caller in (CONTROLLER, SECOND):
        for session in shared.call("sessions", caller=caller):
            shared.close(session, caller=caller)


@pytest.fixture(scope="module")
def open_model(folder: Path) -> LocalLanguageModel:
    made = compile_language_model(folder, mode="f32", context=32, slots=3, is_open=True)
    return LocalLanguageModel(made.wasm, made.weight_chunks)


def error_of(call: Any, *arguments: Any, **named: Any) -> Any:
    with pytest.raises(SessionRefused) as caught:
        call(*arguments, **named)
    return caught.value.error


FIELDS = {
    "session_open": ("seed", "temperature", "top_k", "top_p", "max_tokens"), "prompt": ("session", "length", "tokens", "max_instructions"),
    "generate": ("session", "length", "count", "max_instructions"), "session_read": ("session",), "session_close": ("session",), "sessions": (),
}  # fmt: skip


def asked(method: str, **values: Any) -> tuple[dict[str, Any], ...]:
    """What the method takes, from these values or plain ones."""
    plain = {
        "seed": 0,
        "temperature": 0.0,
        "top_k": 0,
        "top_p": 1.0,
        "max_tokens": 0,
        "length": 0,
        "tokens": [1],
        "count": 1,
        "max_instructions": 0,
    }
    record = {name: {**plain, **values}[name] for name in FIELDS[method]}
    return (record,) if record else ()


# --- isolation ---


def test_sessions_under_way_at_the_same_time_do_not_see_each_other(model: LocalLanguageModel) -> None:
    texts = {CONTROLLER: TEXT[:5], SECOND: TEXT[5:]}
    alone = {}
    for caller, text in texts.items():
        session = model.open(caller=caller)
        model.prompt(session, text, caller=caller)
        alone[caller] = model.generate(session, 8, caller=caller).tokens
        model.close(session, caller=caller)

    both = {caller: model.open(caller=caller) for caller in texts}
    for step in range(len(TEXT)):
        for caller, session in both.items():
            model.prompt(session, texts[caller][step : step + 1], caller=caller)
    made: dict[bytes, list[int]] = {caller: [] for caller in texts}
    for _ in range(8):
        for caller, session in both.items():
            made[caller] += model.generate(session, 1, caller=caller).tokens

    assert made == alone
    assert model.read(both[SECOND], caller=SECOND) == texts[SECOND] + alone[SECOND]


def test_a_slot_shows_nothing_of_the_session_that_had_it_before(
    model: LocalLanguageModel, compiled: CompiledLanguageModel
) -> None:
    session = model.open()
    model.prompt(session, TEXT[:6])
    fresh = model.generate(session, 6).tokens
    model.close(session)
    # Not even values that a computation would keep: NaN in what a session before has left.
    start, size = compiled.memory.slots, compiled.memory.slot_count * compiled.shape.slot_bytes
    model.canister.write(start, b"\xff" * size)

    again = model.open()
    model.prompt(again, TEXT[:6])

    assert model.generate(again, 6).tokens == fresh


@pytest.mark.parametrize("method", ["prompt", "generate", "session_read", "session_close"])
def test_somebody_elses_session_does_not_exist(model: LocalLanguageModel, method: str) -> None:
    session = model.open()
    model.prompt(session, TEXT[:3])
    before = model.read(session)

    answer = model.call(method, *asked(method, session=session, length=3), caller=SECOND)

    assert answer == {"Err": {"UnknownSession": None}}
    assert model.call("sessions", caller=SECOND) == []
    assert model.read(session) == before


@pytest.mark.parametrize("caller", [ANONYMOUS, STRANGER])
@pytest.mark.parametrize("method", ["session_open", "prompt", "generate", "session_read", "session_close", "sessions"])
def test_nobody_but_controllers_is_let_in(model: LocalLanguageModel, method: str, caller: bytes) -> None:
    session = model.open()

    with pytest.raises(Rejected, match="only a controller|anonymous"):
        model.call(method, *asked(method, session=session), caller=caller)

    assert model.call("sessions") == [session]


def test_an_open_canister_lets_in_everybody_who_signs_with_one_session_each(open_model: LocalLanguageModel) -> None:
    session = open_model.open(caller=STRANGER)
    open_model.prompt(session, TEXT[:3], caller=STRANGER)

    made = open_model.generate(session, 2, caller=STRANGER)

    assert len(made.tokens) == 2
    assert error_of(open_model.open, caller=STRANGER) == {"TooManySessions": {"limit": 1}}
    with pytest.raises(Rejected, match="anonymous"):
        open_model.open(caller=ANONYMOUS)
    with pytest.raises(Rejected, match="only a controller"):
        open_model.call("weights_upload", {"index": 0, "data": b""}, caller=STRANGER)
    with pytest.raises(Rejected, match="only a controller"):
        open_model.call("seal", caller=STRANGER)
    open_model.close(session, caller=STRANGER)


@pytest.mark.parametrize(
    ("caller", "closed", "opened"), [(CONTROLLER, True, True), (STRANGER, False, True), (ANONYMOUS, False, False)]
)
def test_strangers_calls_are_turned_away_before_they_cost_anything(
    model: LocalLanguageModel, open_model: LocalLanguageModel, caller: bytes, closed: bool, opened: bool
) -> None:
    accepted = []
    for canister in (model.canister, open_model.canister):
        canister.message.accepted = False
        canister.message.caller, canister.message.method = caller, "generate"
        canister.run("canister_inspect_message")
        accepted.append(canister.message.accepted)

    assert accepted == [closed, opened]


# --- a call that comes twice, too late, or with something wrong ---


def test_a_call_that_arrives_twice_is_carried_out_once(model: LocalLanguageModel) -> None:
    session = model.open()
    prompt, generate = (
        asked("prompt", session=session, tokens=TEXT[:4]),
        asked("generate", session=session, length=4, count=3),
    )
    model.call("prompt", *prompt)
    made = model.call("generate", *generate)["Ok"]["tokens"]

    again = [model.call("prompt", *prompt), model.call("generate", *generate)]

    assert again == [{"Err": {"WrongPosition": {"length": 7}}}] * 2
    assert model.read(session) == TEXT[:4] + made


def test_a_token_outside_the_vocabulary_changes_nothing(model: LocalLanguageModel) -> None:
    session = model.open()
    model.prompt(session, TEXT[:2])

    error = error_of(model.prompt, session, [5, VOCABULARY, 6])

    assert error == {"UnknownToken": {"index": 1, "vocabulary": VOCABULARY}}
    assert model.read(session) == TEXT[:2]


def test_generating_before_a_prompt_is_refused(model: LocalLanguageModel) -> None:
    assert error_of(model.generate, model.open(), 1) == {"NothingGiven": None}


def test_an_empty_prompt_and_no_tokens_are_both_nothing(model: LocalLanguageModel) -> None:
    session = model.open()
    model.prompt(session, TEXT[:2])

    empty = model.call("prompt", {"session": session, "length": 2, "tokens": [], "max_instructions": 0})["Ok"]
    none = model.generate(session, 0)

    assert (empty["taken"], empty["length"]) == (0, 2)
    assert (none.tokens, none.finish) == ([], "Count")


def test_the_context_can_be_filled_to_the_last_token_and_not_further(model: LocalLanguageModel) -> None:
    session = model.open()
    model.prompt(session, (TEXT * 3)[:30])

    too_much = error_of(model.prompt, session, [1, 2, 3])
    made = model.generate(session, 10)
    more = model.generate(session, 1)

    assert too_much == {"ContextFull": {"left": 2}}
    assert (len(made.tokens), made.finish, made.length) == (2, "ContextFull", 32)
    assert (more.tokens, more.finish) == ([], "ContextFull")
    assert error_of(model.prompt, session, [1]) == {"ContextFull": {"left": 0}}


def test_a_session_makes_no_more_than_max_tokens_over_all_its_calls(model: LocalLanguageModel) -> None:
    session = model.open(max_tokens=5)
    model.prompt(session, TEXT[:2])

    finishes = [model.generate(session, count).finish for count in (3, 10, 10)]

    assert finishes == ["Count", "MaxTokens", "MaxTokens"]
    assert len(model.read(session)) == 2 + 5


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"temperature": float("nan")}, "temperature"), ({"temperature": -1.0}, "temperature"), ({"temperature": 1e-30}, "temperature"),
        ({"temperature": float("inf")}, "temperature"), ({"top_p": 0.0}, "top_p"), ({"top_p": 1.5}, "top_p"), ({"top_p": float("nan")}, "top_p"),
        ({"top_k": 257}, "top_k"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused_in_words(
    model: LocalLanguageModel, option: dict[str, float], said: str
) -> None:
    error = error_of(model.open, **option)

    assert said in error["BadOption"]
    assert model.call("sessions") == []


@pytest.mark.parametrize(
    "argument", [b"", b"DIDL", b"DIDL\x00\x00", b"DIDL\x01\x6c\x00\x01\x00", b"DIDL" + b"\xff" * 40]
)
@pytest.mark.parametrize("method", ["session_open", "prompt", "generate", "session_close"])
def test_malformed_arguments_end_the_call_with_words(model: LocalLanguageModel, method: str, argument: bytes) -> None:
    with pytest.raises(Trapped, match="the argument is not what this method takes"):
        model.canister.call(f"canister_update {method}", argument)

    assert model.call("sessions") == []


# --- slots ---


def test_a_caller_holds_as_many_sessions_as_it_may(model: LocalLanguageModel) -> None:
    first, second = model.open(), model.open()

    error = error_of(model.open)
    model.close(first)

    assert error == {"TooManySessions": {"limit": 2}}
    assert model.call("sessions") == [second]
    assert error_of(model.read, first) == {"UnknownSession": None}
    assert model.open() not in (first, second)


def test_the_least_recently_used_session_makes_room_once_it_is_idle(model: LocalLanguageModel) -> None:
    start = model.canister.time_ns
    older, newer = model.open(), model.open()
    model.canister.time_ns += 10 * NS
    third = model.open(caller=SECOND)
    model.prompt(older, TEXT[:2])  # used after `newer`
    full = error_of(model.open, caller=SECOND)
    model.canister.time_ns = start + IDLE_SECONDS * NS

    fourth = model.open(caller=SECOND)

    assert full == {"NoFreeSlot": {"free_at_ns": start + IDLE_SECONDS * NS}}
    assert error_of(model.generate, newer, 1) == {"Evicted": None}
    assert model.read(older) == TEXT[:2]
    assert sorted(model.call("sessions", caller=SECOND)) == sorted([third, fourth])
    with pytest.raises(SessionRefused, match="UnknownSession"):
        model.read(newer, caller=SECOND)


def test_an_upgrade_keeps_the_weights_and_ends_all_sessions(compiled: CompiledLanguageModel) -> None:
    before = LocalLanguageModel(compiled.wasm, compiled.weight_chunks)
    session = before.open()
    before.prompt(session, TEXT[:6])
    wanted = before.generate(session, 4).tokens

    canister = LocalCanister(compiled.wasm, stable=bytes(before.canister.stable))
    canister.time_ns = before.canister.time_ns + NS
    canister.call("canister_post_upgrade", b"")
    after = LocalLanguageModel(compiled.wasm, (), canister=canister)
    early = error_of(after.generate, session, 1)
    again = after.open()
    after.prompt(again, TEXT[:6])

    assert early == error_of(after.read, session) == {"EndedByUpgrade": None}
    assert after.generate(again, 4).tokens == wanted
    assert again != session


def test_no_session_is_opened_before_the_weights_are_sealed(compiled: CompiledLanguageModel) -> None:
    canister = LocalCanister(compiled.wasm)
    canister.call("canister_init", encode(LocalLanguageModel.service().init, ({"release_hash": bytes(32)},)))
    model = LocalLanguageModel(compiled.wasm, (), canister=canister)

    error = error_of(model.open)

    assert error == {"NotSealed": None}
    assert model.call("describe")["sealed"] is False


# --- sampling ---

LOGITS = np.array([2.0, 0.5, -1.0, 1.5, 0.0, 2.0, -3.0, 0.25, -0.5, 1.0, -2.0], np.float32)


@pytest.fixture(scope="module")
def dice(tmp_path_factory: pytest.TempPathFactory) -> LocalLanguageModel:
    """A model that answers LOGITS whatever it is given: its layers add nothing, and all its tokens are embedded alike."""
    config = config_of(
        "llama", vocab_size=len(LOGITS), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
        max_position_embeddings=2048, eos_token_id=6, rope_parameters=None,
    )  # fmt: skip
    tensors = {name: torch.zeros_like(tensor) for name, tensor in tensors_of(config).items()}
    tensors["model.embed_tokens.weight"][:, 0] = 1.0
    tensors["model.norm.weight"][:] = 8**-0.5  # the norm of one in eight is the root of eight
    tensors["lm_head.weight"][:, 0] = torch.from_numpy(LOGITS)
    made = compile_language_model(
        saved(tmp_path_factory.mktemp("dice"), config, tensors), mode="f32", context=2048, slots=1
    )
    return LocalLanguageModel(made.wasm, made.weight_chunks)


def drawn(dice: LocalLanguageModel, count: int, **options: Any) -> list[int]:
    """Through ends, which do not end a session."""
    session, tokens = dice.open(**options), []
    dice.prompt(session, [0])
    while len(tokens) < count:
        tokens += dice.generate(session, count - len(tokens)).tokens
    dice.close(session)
    return tokens


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


@functools.cache
def chances(temperature: float, top_k: int, top_p: float) -> tuple[float, ...]:
    """What each token's share should be."""
    order = np.argsort(-LOGITS, kind="stable")
    kept = order[:top_k] if top_k else order
    shares = softmax(LOGITS[kept] / temperature)
    if top_p < 1:
        kept = kept[: int(np.searchsorted(np.cumsum(shares), top_p) + 1)]
        shares = softmax(LOGITS[kept] / temperature)
    return tuple(float(shares[list(kept).index(token)]) if token in kept else 0.0 for token in range(len(LOGITS)))


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.5, 0, 1.0), (2.0, 4, 1.0), (1.0, 0, 0.7), (1.0, 5, 0.6), (1.0, 256, 1.0)],
)
def test_tokens_are_drawn_as_often_as_their_share_says(
    dice: LocalLanguageModel, temperature: float, top_k: int, top_p: float
) -> None:
    count, wanted = 2000, chances(temperature, top_k, top_p)

    tokens = drawn(dice, count, seed=11, temperature=temperature, top_k=top_k, top_p=top_p)

    found = Counter(tokens)
    for token, share in enumerate(wanted):
        assert (found[token] > 0) <= (share > 0)
        assert abs(found[token] / count - share) < 4 * (share * (1 - share) / count) ** 0.5 + 1e-9
    assert sum(wanted) == pytest.approx(1)


def test_the_same_seed_draws_the_same_tokens_and_another_one_others(dice: LocalLanguageModel) -> None:
    first, again, other = (drawn(dice, 200, seed=seed, temperature=1.0) for seed in (5, 5, 6))

    assert first == again
    assert first != other


def test_of_equal_logits_the_lower_token_is_the_likeliest(dice: LocalLanguageModel) -> None:
    assert drawn(dice, 3) == drawn(dice, 3, temperature=1.0, top_k=1) == [0, 0, 0]


def test_an_end_token_is_given_and_ends_the_call(dice: LocalLanguageModel) -> None:
    session = dice.open(seed=3, temperature=100.0)
    dice.prompt(session, [0])

    made = dice.generate(session, 1000)

    dice.close(session)
    assert (made.finish, made.tokens[-1]) == ("EndToken", 6)
    assert 6 not in made.tokens[:-1]

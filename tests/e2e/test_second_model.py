"""A second model, a small convolutional network on digits, goes the whole line on the same marketplace."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.story, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def story(stack: Any, story_on: Any) -> dict[str, Any]:
    return dict(story_on(stack.url, stack.state, "digits"))


def test_the_convolutional_network_goes_the_whole_line(story: dict[str, Any]) -> None:
    assert story["job"]["state"] == "settled"
    assert story["job"]["metrics"]["accuracy"] > 0.85
    assert story["release"]["state"] == "live"
    assert story["inference"]["max_abs_error"] < 1e-5
    assert story["verified"] is True


def test_its_cooperative_is_another_canister(stack: Any, story: dict[str, Any]) -> None:
    assert story["cooperative"]["canister"] != stack.story["cooperative"]["canister"]
    assert story["inference"]["controllers"] == [story["cooperative"]["canister"]]

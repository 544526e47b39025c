"""The parts of real data that the story uses: cut as promised, and the noisy contributor's value comes out visibly smaller."""

from __future__ import annotations

import hashlib

import pytest

import training
from training.data import samples


def lines_of(data: bytes) -> list[str]:
    return data.decode().splitlines()[1:]


@pytest.mark.parametrize(
    ("make", "sizes", "left"),
    [
        (samples.breast_cancer_parts, samples.BREAST_CANCER_ROWS, 569 - 450),
        (samples.digits_parts, samples.DIGITS_ROWS, 1797 - 1400),
    ],
)
def test_every_row_goes_to_one_contributor_or_to_the_evaluation_set(make, sizes, left):
    files, evaluation = make(1)

    assert {name: len(lines_of(data)) for name, data in files.items()} == sizes
    assert len(lines_of(evaluation)) == left
    assert len({data.splitlines()[0] for data in [*files.values(), evaluation]}) == 1


@pytest.mark.parametrize("make", [samples.breast_cancer_parts, samples.digits_parts])
def test_two_in_five_of_the_noisy_contributors_classes_are_wrong_and_nobody_elses(make, monkeypatch):
    noisy, evaluation = make(1)
    monkeypatch.setattr(samples, "NOISE", 0.0)
    clean, _ = make(1)

    wrong = {
        name: sum(a != b for a, b in zip(lines_of(noisy[name]), lines_of(clean[name]), strict=True)) for name in noisy
    }
    assert wrong.pop("harbour") == round(0.4 * len(lines_of(noisy["harbour"])))
    assert not any(wrong.values())


def test_one_seed_makes_the_same_files_and_another_makes_others():
    assert samples.breast_cancer_parts(1) == samples.breast_cancer_parts(1)
    assert samples.breast_cancer_parts(1)[1] != samples.breast_cancer_parts(2)[1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("recipe", "target", "make", "accuracy"),
    [
        ("tabular_mlp", samples.BREAST_CANCER_TARGET, samples.breast_cancer_parts, 0.9),
        ("image_cnn", samples.DIGITS_TARGET, samples.digits_parts, 0.9),
    ],
)
def test_with_the_default_config_the_noisy_contributor_is_worth_visibly_less(recipe, target, make, accuracy, seed):
    files, evaluation = make(seed)
    names = ["north", "lake", "harbour"]
    config = {"target": target, "evaluation_sha256": hashlib.sha256(evaluation).hexdigest()}

    outcome = training.run(
        recipe, config, seed, [training.Part(n, files[name]) for n, name in enumerate(names)], evaluation
    )

    worth = dict(zip(names, outcome.attribution, strict=True))
    assert outcome.metrics["accuracy"] >= accuracy
    assert worth["harbour"].value < 0.8 * min(worth["north"].value, worth["lake"].value)
    assert worth["harbour"].high < min(worth["north"].low, worth["lake"].low)

"""Files become rows in one order, whoever hands them over in which, and each row knows whose it is."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import training
from training.data.joined import join
from training.data.scaling import fit_scaling
from training.errors import BadConfig, BadData


def rows(start: int, count: int = 12) -> list[str]:
    """Rows that are all different, of two classes."""
    return [f"{start + index},{index},{'yes' if index % 2 else 'no'}" for index in range(count)]


@pytest.fixture
def make(table):
    """join() with the config's evaluation hash filled in."""

    def made(files: dict[int, bytes], evaluation: bytes, features=None, **config):
        digest = config.pop("evaluation_sha256", hashlib.sha256(evaluation).hexdigest())
        checked = training.recipe("tabular_mlp").checked({"target": "kind", "evaluation_sha256": digest, **config})
        return join([training.Part(number, data) for number, data in files.items()], evaluation, checked, features)

    return made


@pytest.fixture
def held_out(table):
    return table("a,b,kind", *rows(1000))


def test_rows_stand_by_dataset_and_line_and_know_both(make, table, held_out):
    joined = make({9: table("a,b,kind", *rows(0)), 2: table("kind,b,a", "yes,7,70", "no,8,80")}, held_out)

    assert joined.training.owners.tolist() == [2, 2] + [9] * 12
    assert joined.training.lines.tolist() == [2, 3, *range(2, 14)]
    assert joined.training.features[:3].tolist() == [[70.0, 7.0], [80.0, 8.0], [0.0, 0.0]]
    assert [part.dataset_id for part in joined.parts] == [2, 9]


def test_the_rows_of_some_datasets_keep_their_order(make, table, held_out):
    joined = make({number: table("a,b,kind", *rows(number * 100, 4)) for number in (3, 1, 2)}, held_out)

    some = joined.training.of([3, 1])

    assert some.owners.tolist() == [1] * 4 + [3] * 4
    assert some.features[:, 0].tolist() == [100, 101, 102, 103, 300, 301, 302, 303]


def test_rows_that_stand_in_the_evaluation_set_are_left_out_and_counted(make, table, held_out):
    joined = make({1: table("a,b,kind", *rows(0)), 2: table("a,b,kind", *rows(1000, 5), *rows(500, 5))}, held_out)

    assert [(part.rows, part.rows_left_out) for part in joined.parts] == [(12, 0), (10, 5)]
    assert len(joined.training.of([2])) == 5


def test_a_copy_is_recognised_however_its_numbers_are_written(make, table, held_out):
    copied = [line.replace(",", ".000,", 1) for line in rows(1000)]

    joined = make({1: table("a,b,kind", *rows(0)), 2: table("a,b,kind", *copied)}, held_out)

    assert len(joined.training.of([2])) == 0


def test_equal_rows_are_kept_where_the_config_says_so(make, table, held_out):
    joined = make({1: table("a,b,kind", *rows(1000))}, held_out, evaluation_overlap="keep")

    assert len(joined.training) == 12


def test_who_has_only_the_evaluation_set_to_train_on_is_told_so(make, table, held_out):
    with pytest.raises(BadData, match=r"the datasets together: 0 rows .* \(12 more stand in the evaluation set"):
        make({1: held_out}, held_out)


def test_classes_come_in_the_order_of_the_config(make, table, held_out):
    assert make({1: table("a,b,kind", *rows(0))}, held_out, labels=["yes", "no"]).classes == ("yes", "no")


def test_classes_without_a_config_are_those_of_the_evaluation_set_numbers_by_size(make, table):
    evaluation = table("a,b,kind", *[f"{n},0,{label}" for n, label in enumerate(["10", "9.0", "nan", "x", "-1"] * 3)])

    joined = make({1: table("a,b,kind", *[f"{n},1,{10 if n % 2 else 9}" for n in range(12)])}, evaluation)

    assert joined.classes == ("-1", "9", "10", "nan", "x")


@pytest.mark.parametrize("config", [{}, {"labels": ["yes", "no"]}])
def test_an_unknown_class_is_refused_at_its_place_unquoted(make, table, held_out, config):
    with pytest.raises(BadData) as refusal:
        make({5: table("a,b,kind", *rows(0), "1,2,secret")}, held_out, **config)

    assert (refusal.value.dataset_id, refusal.value.line, refusal.value.column) == (5, 14, "kind")
    assert "secret" not in str(refusal.value)


def test_labels_that_mean_the_same_class_are_refused(make, table, held_out):
    with pytest.raises(BadConfig) as refusal:
        make({1: table("a,b,kind", *rows(0))}, held_out, labels=["1", "1.0"])

    assert "labels" in refusal.value.fields


def test_a_positive_class_that_the_data_lacks_is_refused(make, table, held_out):
    with pytest.raises(BadConfig) as refusal:
        make({1: table("a,b,kind", *rows(0))}, held_out, positive="maybe")

    assert "positive" in refusal.value.fields


def test_parts_with_differing_columns_are_refused_by_name(make, table, held_out):
    with pytest.raises(BadData, match="dataset 2, line 1, column 'b': the column is missing"):
        make({1: table("a,b,kind", *rows(0)), 2: table("a,c,kind", *rows(0))}, held_out)


def test_an_evaluation_set_other_than_the_one_in_the_config_is_refused(make, table, held_out):
    with pytest.raises(BadData, match="the evaluation set: its SHA-256 is not the one in the config"):
        make({1: table("a,b,kind", *rows(0))}, held_out, evaluation_sha256="00" * 32)


@pytest.mark.parametrize(
    ("files", "evaluation", "says"),
    [
        ({}, rows(1000), "the job: there is no dataset"),
        ({1: rows(0, 4)}, rows(1000), "the datasets together: 4 rows"),
        ({1: [line for line in rows(0, 40) if "yes" in line]}, rows(1000), "20 rows with 1 classes"),
        ({1: rows(0)}, rows(1000, 4), "the evaluation set: has 4 rows"),
        ({1: rows(0)}, [line for line in rows(0, 40) if "yes" in line], "there are 1 classes"),
        ({1: rows(0)}, [f"{n},1,{n}.5" for n in range(120)], "there are 120 classes"),
        ({n: rows(0) for n in range(65)}, rows(1000), "there are 65 datasets"),
    ],
)
def test_too_little_or_too_much_is_refused(make, table, files, evaluation, says):
    with pytest.raises(BadData, match=says):
        make({number: table("a,b,kind", *lines) for number, lines in files.items()}, table("a,b,kind", *evaluation))


def test_a_dataset_named_twice_is_refused(table, held_out):
    checked = training.recipe("tabular_mlp").checked(
        {"target": "kind", "evaluation_sha256": hashlib.sha256(held_out).hexdigest()}
    )
    twice = [training.Part(3, table("a,b,kind", *rows(0)))] * 2

    with pytest.raises(BadData, match="dataset 3: is named twice"):
        join(twice, held_out, checked, None)


def test_a_file_with_a_commitment_is_named_by_it_and_not_by_its_hash(table, held_out):
    checked = training.recipe("tabular_mlp").checked(
        {"target": "kind", "evaluation_sha256": hashlib.sha256(held_out).hexdigest()}
    )
    data = table("a,b,kind", *rows(0))

    committed = join([training.Part(1, data, b"\x07" * 32)], held_out, checked, None).parts[0]
    plain = join([training.Part(1, data)], held_out, checked, None).parts[0]

    assert (committed.commitment, committed.sha256) == ("07" * 32, None)
    assert (plain.commitment, plain.sha256) == (None, hashlib.sha256(data).hexdigest())


def test_scaling_gives_each_column_mean_0_and_deviation_1():
    features = np.random.default_rng(1).normal(loc=(5, -300), scale=(0.01, 40), size=(200, 2)).astype(np.float32)

    scaling = fit_scaling(features, by_column=True)

    scaled = (features.astype(np.float64) - scaling.mean) / scaling.deviation
    assert scaled.mean(axis=0) == pytest.approx([0, 0], abs=1e-4)
    assert scaled.std(axis=0) == pytest.approx([1, 1], abs=1e-4)


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1, 1e-42, 1e30])
def test_a_column_that_does_not_vary_is_only_shifted(constant):
    scaling = fit_scaling(np.full((30, 1), constant, dtype=np.float32), by_column=True)

    assert scaling.deviation.tolist() == [1.0]


def test_one_scale_over_all_columns_keeps_their_differences():
    scaling = fit_scaling(np.array([[0, 4], [0, 4]], dtype=np.float32), by_column=False)

    assert (scaling.mean.tolist(), scaling.deviation.tolist()) == ([2.0], [2.0])

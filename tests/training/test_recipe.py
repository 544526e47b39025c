"""Recipes and their configs: complete, canonical, and refused field by field."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import training
from training.canonical import canonical_json

GOOD = {"target": "kind", "evaluation_sha256": "ab" * 32}


def refused(config: object, recipe: str = "tabular_mlp") -> dict[str, str]:
    with pytest.raises(training.BadConfig) as refusal:
        training.recipe(recipe).checked(config)
    return refusal.value.fields


def test_listing_and_checking_recipes_does_not_load_torch():
    script = (
        "import sys, training; r = training.recipes()[0]; r.code_hash; r.checked({'evaluation_sha256': 'ab' * 32});"
        "sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.parametrize("recipe", training.recipes(), ids=lambda recipe: recipe.name)
def test_defaults_are_complete_but_for_the_evaluation_set(recipe):
    config = recipe.checked({"evaluation_sha256": "ab" * 32})

    assert config == {**recipe.default_config, "evaluation_sha256": "ab" * 32}
    assert set(config) == set(recipe.config_schema["required"])
    assert refused({}, recipe.name) == {
        "evaluation_sha256": "name the evaluation set by its SHA-256, 64 lower-case hex digits"
    }


@pytest.mark.parametrize("recipe", training.recipes(), ids=lambda recipe: recipe.name)
def test_the_code_hash_is_the_hash_of_the_listing_and_differs_by_recipe(recipe):
    listing = recipe.code_listing

    assert hashlib.sha256(canonical_json(listing)).digest() == recipe.code_hash
    assert len({other.code_hash for other in training.recipes()}) == len(training.recipes())
    assert set(listing["versions"]) == {"numpy", "torch"}
    assert all("+" not in version for version in listing["versions"].values())


def test_the_code_hash_covers_every_source_but_the_other_network_and_the_makers_of_samples(repository):
    listed = {
        recipe.name: {file["path"]: file["sha256"] for file in recipe.code_listing["files"]}
        for recipe in training.recipes()
    }

    sources = {path.relative_to(repository).as_posix(): path for path in (repository / "training").rglob("*.py")}
    assert set(sources) - set(listed["tabular_mlp"]) == {"training/networks/cnn.py", "training/data/samples.py"}
    assert set(sources) - set(listed["image_cnn"]) == {"training/networks/mlp.py", "training/data/samples.py"}
    for files in listed.values():
        assert all(hashlib.sha256(sources[path].read_bytes()).hexdigest() == digest for path, digest in files.items())


def test_who_changes_what_a_recipe_hands_out_does_not_change_its_code_hash():
    recipe = training.recipe("tabular_mlp")
    before = recipe.code_hash

    recipe.code_listing["files"].clear()

    assert recipe.code_hash == before


def test_a_checked_config_checks_to_itself():
    once = training.recipe("tabular_mlp").checked({**GOOD, "hidden": [4]})

    assert training.recipe("tabular_mlp").checked(once) == once


def test_one_config_has_one_text_however_its_numbers_and_keys_were_written():
    recipe = training.recipe("tabular_mlp")

    one = training.config_bytes(recipe.checked({**GOOD, "epochs": 60.0, "weight_decay": 1.0}))
    other = training.config_bytes(recipe.checked(dict(reversed([*GOOD.items(), ("weight_decay", 1), ("epochs", 60)]))))

    assert one == other
    assert b" " not in one
    assert b"60.0" not in one


def test_a_part_of_the_valuation_keeps_the_other_defaults():
    config = training.recipe("tabular_mlp").checked({**GOOD, "valuation": {"seeds": 5}})

    assert config["valuation"] == {"seeds": 5, "method": "auto", "rounds": 60, "truncation": 0}


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"epochs": 0}, "epochs", "at least 1"),
        ({"epochs": 1e9}, "epochs", "at most 2000"),
        ({"epochs": True}, "epochs", "whole number"),
        ({"epochs": 2.5}, "epochs", "whole number"),
        ({"epochs": float("nan")}, "epochs", "finite"),
        ({"learning_rate": 0}, "learning_rate", "more than 0"),
        ({"learning_rate": float("inf")}, "learning_rate", "finite"),
        ({"learning_rate": "fast"}, "learning_rate", "a number"),
        ({"hidden": [8, 0]}, "hidden.1", "at least 1"),
        ({"hidden": [8] * 9}, "hidden", "at most 8 entries"),
        ({"target": ""}, "target", "not be empty"),
        ({"target": "a\x00b"}, "target", "control character"),
        ({"target": "\ud800"}, "target", "half a character"),
        ({"features": []}, "features", "at least 1"),
        ({"features": ["a", "a"]}, "features", "twice"),
        ({"features": ["a", "kind"]}, "features", "target column"),
        ({"labels": ["only"]}, "labels", "at least 2"),
        ({"labels": ["x", "y"], "positive": "z"}, "positive", "one of the labels"),
        ({"labels": ["x", "y", "z"], "positive": "z"}, "positive", "two classes only"),
        ({"evaluation_sha256": "AB" * 32}, "evaluation_sha256", "lower-case"),
        ({"utility": "profit"}, "utility", "one of accuracy"),
        ({"evaluation_overlap": "maybe"}, "evaluation_overlap", "one of leave_out, keep"),
        ({"valuation": {"seeds": 0}}, "valuation.seeds", "at least 1"),
        ({"valuation": {"seed": 3}}, "valuation.seed", "no such field"),
        ({"valuation": {"method": "guess"}}, "valuation.method", "one of auto"),
        ({"valuation": []}, "valuation", "an object"),
        ({"hiden": [3]}, "hiden", "no such field; there are batch_size"),
        ({"device": "cuda"}, "device", "no such field"),
        ({"target": [[[[[[["x"]]]]]]]}, "target.0.0.0.0", "too deeply"),
    ],
)
def test_a_wrong_field_is_refused_under_its_name(change, field, says):
    fields = refused({**GOOD, **change})

    assert says in fields[field]


def test_all_wrong_fields_are_named_at_once():
    assert set(refused({"epochs": 0, "batch_size": -1, "nonsense": 1})) == {
        "epochs",
        "batch_size",
        "nonsense",
        "evaluation_sha256",
    }


@pytest.mark.parametrize("config", [None, [], "x", 3])
def test_what_is_no_object_is_refused(config):
    assert refused(config) == {"config": "must be an object"}


def test_an_image_recipe_has_no_feature_columns_to_choose():
    assert "features" in refused({**GOOD, "features": ["a"]}, "image_cnn")


def test_a_recipe_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(training.BadConfig) as refusal:
        training.recipe("transformer")

    assert "tabular_mlp, image_cnn" in refusal.value.fields["recipe"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
field_names = st.sampled_from(training.recipe("tabular_mlp").config_schema["required"]) | st.text(max_size=5)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(field_names, json_values, max_size=5))
def test_whatever_json_comes_is_either_a_config_with_a_hash_or_refused_in_plain_text(config):
    try:
        checked = training.recipe("tabular_mlp").checked({**GOOD, **config})
    except training.BadConfig as refusal:
        json.dumps(refusal.fields, ensure_ascii=False).encode("utf-8")
    else:
        assert training.config_bytes(checked)

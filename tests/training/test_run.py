"""A whole job: what comes out, that it comes out the same again, and what stops it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

import training
from training.canonical import canonical_json
from training.loop import DEVICE_VARIABLE

pytestmark = pytest.mark.slow


def test_a_run_gives_metrics_values_for_every_dataset_and_a_card(finished, problem):
    outcome = finished.outcome

    assert set(outcome.metrics) == {"accuracy", "balanced_accuracy", "log_loss", "auc"}
    assert outcome.metrics["accuracy"] > 0.7
    assert outcome.utility == "accuracy"
    assert [entry.dataset_id for entry in outcome.attribution] == [1, 2, 3]
    assert all(entry.low <= entry.value <= entry.high for entry in outcome.attribution)
    assert outcome.card["classes"] == ["no", "yes"]
    assert outcome.card["features"] == ["a", "b", "c", "d"]
    assert outcome.card["training"] == {
        "rows": 140,
        "datasets": [{"dataset_id": n, "rows": rows, "rows_left_out": 0} for n, rows in ((1, 60), (2, 40), (3, 40))],
    }
    assert sum(map(sum, outcome.card["confusion"]["counts"])) == 80
    json.dumps(outcome.card, allow_nan=False)


def test_the_values_sum_to_what_all_data_adds_over_none(finished):
    game = json.loads(finished.outcome.transcript)["valuation"]
    whole = game["coalitions"][-1]

    assert whole["members"] == [1, 2, 3]
    gained = sum(whole["utilities"]) / len(whole["utilities"]) - game["empty_utility"]
    assert sum(entry.value for entry in finished.outcome.attribution) == pytest.approx(gained, abs=1e-15)


def test_the_released_network_is_one_of_those_that_were_valued(finished):
    whole = json.loads(finished.outcome.transcript)["valuation"]["coalitions"][-1]

    assert whole["utilities"][0] == finished.outcome.metrics["accuracy"]


def test_without_data_the_utility_is_that_of_the_most_frequent_class(finished, problem):
    labels = [line.rsplit(b",", 1)[1] for line in problem.evaluation.splitlines()[1:]]

    found = json.loads(finished.outcome.transcript)["valuation"]["empty_utility"]

    assert found == max(labels.count(b"yes"), labels.count(b"no")) / len(labels)


def test_events_tell_the_phases_in_order_every_epoch_and_every_coalition(finished):
    phases = [(event["phase"], event["done"], event["total"]) for event in finished.events if event["kind"] == "phase"]
    epochs = [event for event in finished.events if event["kind"] == "epoch"]
    coalitions = [(event["done"], event["total"]) for event in finished.events if event["kind"] == "coalition"]

    assert phases == [(name, n, 5) for n, name in enumerate(["load", "train", "evaluate", "attribute", "export"])] + [
        ("export", 5, 5)
    ]
    assert [(event["epoch"], event["epochs"]) for event in epochs] == [(n, 6) for n in range(1, 7)]
    assert all({"train_loss", "validation_loss", "accuracy"} <= set(event) for event in epochs)
    assert coalitions == [(n, 7) for n in range(1, 8)]
    assert all(int(event["at_ns"]) > 0 for event in finished.events)
    json.dumps(finished.events, allow_nan=False)


def test_the_same_again_gives_the_same_bytes(finished, problem):
    again = problem.run(parts=list(reversed(problem.parts)))

    assert again.transcript == finished.outcome.transcript
    assert again.onnx == finished.outcome.onnx


def test_another_process_with_other_threads_and_hashes_gives_the_same_bytes(finished, problem, tmp_path):
    (tmp_path / "evaluation").write_bytes(problem.evaluation)
    for part in problem.parts:
        (tmp_path / str(part.dataset_id)).write_bytes(part.data)
    config = {**problem.config, "evaluation_sha256": hashlib.sha256(problem.evaluation).hexdigest()}
    script = f"""
import hashlib, pathlib, training
here = pathlib.Path({str(tmp_path)!r})
parts = [training.Part(n, (here / str(n)).read_bytes()) for n in (1, 2, 3)]
outcome = training.run("tabular_mlp", {config!r}, 1, parts, (here / "evaluation").read_bytes())
print(hashlib.sha256(outcome.onnx).hexdigest(), hashlib.sha256(outcome.transcript).hexdigest())
"""

    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "PYTHONHASHSEED": "123"}
    printed = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout

    here = finished.outcome
    assert printed.split() == [hashlib.sha256(data).hexdigest() for data in (here.onnx, here.transcript)]


def test_another_seed_trains_another_network(finished, problem):
    events: list[dict[str, object]] = []

    with pytest.raises(training.Stopped):
        problem.run(seed=2, on_event=events.append, should_stop=iter([False, True]).__next__)

    losses = [
        event["train_loss"] for event in [*finished.events, *events] if event["kind"] == "epoch" and event["epoch"] == 1
    ]
    assert len(set(losses)) == 2


def test_small_images_are_trained_and_exported_whatever_their_sides():
    rng = np.random.default_rng(6)
    bright = [[int(9 * (place % 7 > 3) * label + rng.integers(3)) for place in range(35)] for label in [0, 1] * 30]
    lines = [",".join(map(str, [*pixels, index % 2])) for index, pixels in enumerate(bright)]
    header = ",".join([*(f"pixel_{place}" for place in range(35)), "side"])
    evaluation = "\n".join([header, *lines[40:]]).encode()
    config = {"target": "side", "height": 5, "width": 7, "epochs": 8, "valuation": {"seeds": 1}}
    config["evaluation_sha256"] = hashlib.sha256(evaluation).hexdigest()

    outcome = training.run(
        "image_cnn", config, 1, [training.Part(8, "\n".join([header, *lines[:40]]).encode())], evaluation
    )

    assert outcome.metrics["accuracy"] > 0.9
    assert [sample["image"].shape for sample in outcome.samples] == [(1, 1, 5, 7)] * 4
    assert outcome.card["inputs"] == [{"name": "image", "dtype": "float32", "shape": [1, 1, 5, 7]}]
    assert {node.op_type for node in onnx.load_from_string(outcome.onnx).graph.node} >= {
        "Conv",
        "MaxPool",
        "Gemm",
        "Softmax",
    }


def test_a_run_leaves_torch_as_it_was(problem):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()

    with pytest.raises(training.Stopped):
        problem.run(should_stop=iter([False, True]).__next__)

    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("epochs_before", [0, 3, 6, 40])
def test_a_run_stops_within_an_epoch_of_being_asked_wherever_it_is(problem, epochs_before):
    asked = iter(range(10_000))

    with pytest.raises(training.Stopped):
        problem.run(should_stop=lambda: next(asked) >= epochs_before)

    assert next(asked) == epochs_before + 1


def test_a_loss_that_is_no_longer_a_number_is_told_with_advice(problem):
    with pytest.raises(
        training.Diverged, match=r"training on datasets 1, 2, 3\. Lower the learning rate \(now 10; a tenth"
    ):
        problem.run(learning_rate=10, weight_decay=10, epochs=400)


def test_a_prediction_that_is_no_number_is_told_with_advice(problem):
    extreme = problem.evaluation.replace(b"\n", b"\n1e30,1e30,-1e30,1e30,yes\n", 1)
    tiny = [
        training.Part(
            1, b"a,b,c,d,kind\n" + b"".join(b"%de-36,0,0,0,%s\n" % (n, b"yes" if n % 2 else b"no") for n in range(40))
        )
    ]

    with pytest.raises(
        training.Diverged, match="a prediction on the evaluation set was not a number, after training on dataset 1"
    ):
        problem.run(parts=tiny, evaluation=extreme)


def test_a_contributor_who_copied_the_evaluation_set_gets_nothing(problem):
    outcome = problem.run(parts=[*problem.parts[:2], training.Part(3, problem.evaluation)], valuation={"seeds": 2})

    copied = outcome.attribution[2]
    assert (copied.value, copied.low, copied.high) == (0, 0, 0)
    assert json.loads(outcome.transcript)["parts"][2]["rows_left_out"] == 80


def test_more_datasets_than_exact_can_take_are_valued_by_sampling(sampled):
    game = json.loads(sampled.outcome.transcript)["valuation"]

    assert (game["method"], game["rounds"], len(game["walks"])) == ("permutation", 5, 5)
    assert [event["total"] for event in sampled.events if event["kind"] == "coalition"] == [5] * 5
    assert [entry.dataset_id for entry in sampled.outcome.attribution] == list(range(1, 8))


@pytest.mark.parametrize("utility", ["log_loss", "balanced_accuracy"])
def test_the_config_chooses_what_data_is_valued_by(problem, utility):
    outcome = problem.run(utility=utility, valuation={"seeds": 1})

    whole = json.loads(outcome.transcript)["valuation"]["coalitions"][-1]["utilities"][0]
    assert outcome.utility == utility
    assert (
        whole
        == {"log_loss": -outcome.metrics["log_loss"], "balanced_accuracy": outcome.metrics["balanced_accuracy"]}[
            utility
        ]
    )


def test_bad_input_is_refused_before_anything_is_trained(problem):
    events: list[dict[str, object]] = []

    with pytest.raises(training.BadConfig) as refusal:
        problem.run(epochs=0, on_event=events.append)
    with pytest.raises(training.BadConfig):
        problem.run(recipe="transformer")
    with pytest.raises(training.BadConfig):
        problem.run(seed=2**64)
    with pytest.raises(training.BadConfig):
        problem.run(parts=[training.Part(n, b"") for n in range(11)], valuation={"method": "exact"})
    with pytest.raises(training.BadData):
        problem.run(parts=[training.Part(1, b"")])

    assert set(refusal.value.fields) == {"epochs"}
    assert not [event for event in events if event["kind"] == "epoch"]


@pytest.mark.parametrize("name", ["cuda:99", "meta", "quantum"])
def test_a_device_that_is_not_there_is_refused(problem, monkeypatch, name):
    monkeypatch.setenv(DEVICE_VARIABLE, name)

    with pytest.raises(training.TrainingError, match="there is no such device here"):
        problem.run()


def test_the_transcript_names_code_config_seed_and_files_by_their_hashes(finished, problem):
    transcript = json.loads(finished.outcome.transcript)

    recipe = training.recipe("tabular_mlp")
    config = recipe.checked({**problem.config, "evaluation_sha256": hashlib.sha256(problem.evaluation).hexdigest()})
    assert finished.outcome.transcript == canonical_json(transcript)
    assert transcript["code_hash"] == recipe.code_hash.hex()
    assert transcript["config_hash"] == hashlib.sha256(training.config_bytes(config)).hexdigest()
    assert transcript["seed"] == "1"
    assert [part["sha256"] for part in transcript["parts"]] == [
        hashlib.sha256(part.data).hexdigest() for part in problem.parts
    ]
    assert transcript["evaluation"] == {"sha256": hashlib.sha256(problem.evaluation).hexdigest(), "rows": 80}
    assert transcript["onnx_sha256"] == hashlib.sha256(finished.outcome.onnx).hexdigest()
    assert transcript["metrics"] == finished.outcome.metrics
    assert len(transcript["curve"]) == 6

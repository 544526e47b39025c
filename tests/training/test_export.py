"""The exported network: computes what was trained, carries nothing of the machine, and refuses to be anything else."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from training.data.scaling import Scaling
from training.errors import ExportFailed
from training.export import OPERATORS, export_onnx
from training.loop import Scaled
from training.networks import plan_of


@pytest.fixture(scope="module")
def scaling() -> Scaling:
    return Scaling(np.array([3.0, -40.0, 0.5], dtype=np.float32), np.array([2.0, 100.0, 0.1], dtype=np.float32))


def network_of(scaling: Scaling, body: nn.Module | None = None) -> Scaled:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        plan = plan_of("mlp", {"features": None, "hidden": [5]})
        return Scaled(scaling, body or plan.build(3, 2))


def samples(count: int = 20) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(8)
    return [
        {"features": rng.normal(loc=(3, -40, 0.5), scale=(2, 100, 0.1), size=(1, 3)).astype(np.float32)}
        for _ in range(count)
    ]


def answers(data: bytes, sample: dict[str, np.ndarray]) -> np.ndarray:
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(["probabilities"], sample)[0]


@pytest.mark.slow
def test_the_file_answers_what_the_network_answers_scaling_and_softmax_included(scaling):
    network = network_of(scaling)

    data = export_onnx(network, "features", (3,), {"classes": ["no", "yes"]}, samples())

    for sample in samples():
        raw = sample["features"]
        scaled = torch.from_numpy((raw - scaling.mean) / scaling.deviation)
        expected = torch.softmax(network.body(scaled), dim=1).detach().numpy()
        assert answers(data, sample) == pytest.approx(expected, abs=1e-6)


def test_the_interface_is_one_row_in_and_one_row_of_probabilities_out(finished):
    model = onnx.load_from_string(finished.outcome.onnx)

    described = [
        (
            value.name,
            [dimension.dim_value for dimension in value.type.tensor_type.shape.dim],
            value.type.tensor_type.elem_type,
        )
        for value in [*model.graph.input, *model.graph.output]
    ]
    assert described == [
        ("features", [1, 4], onnx.TensorProto.FLOAT),
        ("probabilities", [1, 2], onnx.TensorProto.FLOAT),
    ]
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {
        "classes": ["no", "yes"],
        "features": ["a", "b", "c", "d"],
        "recipe": "tabular_mlp",
    }


def test_the_samples_of_a_run_fit_the_file(finished):
    assert len(finished.outcome.samples) == 4
    for sample in finished.outcome.samples:
        found = answers(finished.outcome.onnx, sample)
        assert found.shape == (1, 2)
        assert found.sum() == pytest.approx(1, abs=1e-6)


def test_the_files_answers_have_the_accuracy_that_was_measured(finished, problem):
    lines = [line.split(",") for line in problem.evaluation.decode().splitlines()[1:]]
    session = onnxruntime.InferenceSession(finished.outcome.onnx, providers=["CPUExecutionProvider"])

    found = [session.run(None, {"features": np.array([line[:4]], dtype=np.float32)})[0].argmax() for line in lines]

    right = sum(["no", "yes"][index] == line[4] for index, line in zip(found, lines, strict=True))
    assert right / len(lines) == finished.outcome.metrics["accuracy"]


def test_the_file_tells_nothing_of_where_it_was_made(finished, repository):
    model = onnx.load_from_string(finished.outcome.onnx)

    for trace in (str(repository).encode(), b"site-packages", b".py", b"stack_trace", b"+cpu", b"+cu"):
        assert trace not in finished.outcome.onnx
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


@pytest.mark.slow
def test_weights_that_are_the_same_make_the_same_bytes(scaling):
    one, other = (export_onnx(network_of(scaling), "features", (3,), {}, samples(1)) for _ in range(2))

    assert one == other


@pytest.mark.slow
def test_an_operator_that_cannot_run_on_the_chain_is_refused_by_name(scaling):
    with pytest.raises(ExportFailed, match="Tanh"):
        export_onnx(network_of(scaling, nn.Sequential(nn.Linear(3, 2), nn.Tanh())), "features", (3,), {}, samples(1))


@pytest.mark.slow
def test_a_network_that_answers_differently_once_exported_is_refused(scaling):
    class TwoFaced(nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs) * (1.0 if torch.compiler.is_exporting() else -1.0)

    with pytest.raises(ExportFailed, match="answers differ"):
        export_onnx(network_of(scaling, TwoFaced(3, 2)), "features", (3,), {}, samples(1))

"""Networks as the recipes export them from torch, compiled in both modes: equal to ONNX Runtime, and within their budgets."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from canisters.compiler import compare_with_onnxruntime, compile_model

pytestmark = pytest.mark.slow
Export = Callable[[str], bytes]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """exported("mlp"), exported("cnn"), exported("lenet"): ONNX bytes by torch's own exporter."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    flat = nn.Flatten(1)
    networks: dict[str, tuple[Any, str, tuple[int, ...]]] = {
        "mlp": (nn.Sequential(nn.BatchNorm1d(30), nn.Linear(30, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 2), nn.Softmax(-1)), "features", (1, 30)),
        "wide": (nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10), nn.Softmax(-1)), "features", (1, 784)),
        "cnn": (nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), flat, nn.Linear(16, 10), nn.Softmax(-1)), "image", (1, 1, 8, 8)),
        "lenet": (nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), flat, nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10), nn.Softmax(-1)), "image", (1, 1, 28, 28)),
        "mobile": (nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 24, 1), nn.BatchNorm2d(24), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), flat, nn.Linear(24, 5), nn.LogSoftmax(-1)), "image", (1, 3, 32, 32)),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("onnx")

    def export(name: str) -> bytes:
        path: Path = folder / f"{name}.onnx"
        if not path.exists():
            network, given, shape = networks[name]
            for layer in network.modules():
                if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):  # as after training
                    layer.running_mean.uniform_(-1, 1)
                    layer.running_var.uniform_(0.5, 2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the exporter's, about its own internals
                program = torch.onnx.export(
                    network.eval(),
                    (torch.zeros(shape),),
                    dynamo=True,
                    input_names=[given],
                    output_names=["probabilities"],
                    external_data=False,
                    verbose=False,
                )
            program.save(str(path))
        return path.read_bytes()

    return export


def samples(compiled: Any, count: int = 16) -> list[dict[str, np.ndarray]]:
    given = compiled.interface["inputs"][0]
    return [
        {given["name"]: np.random.default_rng(i).standard_normal(given["shape"]).astype(np.float32)}
        for i in range(count)
    ]


@pytest.mark.parametrize("name", ["mlp", "wide", "cnn", "lenet", "mobile"])
def test_an_exported_network_answers_like_onnx_runtime(exported: Export, name: str) -> None:
    data = exported(name)
    compiled = compile_model(data)

    report = compare_with_onnxruntime(data, compiled, samples(compiled))

    assert report.max_abs_error < 1e-5
    assert report.labels_agree == 1.0


@pytest.mark.parametrize("name", ["mlp", "wide", "cnn", "lenet", "mobile"])
def test_int8_stays_within_two_per_cent(exported: Export, name: str) -> None:
    data = exported(name)
    compiled = compile_model(data, mode="int8")

    report = compare_with_onnxruntime(data, compiled, samples(compiled))

    assert report.max_rel_error < 0.02


@pytest.mark.parametrize(
    ("name", "mode", "per_mac"),
    [
        ("wide", "f32", 1.95),
        ("wide", "int8", 0.80),
        ("cnn", "f32", 2.05),
        ("cnn", "int8", 1.25),
        ("lenet", "f32", 2.4),
        ("lenet", "int8", 1.6),
    ],
)
def test_an_exported_network_stays_within_its_budget(exported: Export, name: str, mode: str, per_mac: float) -> None:
    cost = compile_model(exported(name), mode=mode).cost  # type: ignore[arg-type]

    assert cost.per_mac <= per_mac
    assert cost.module_bytes < 50_000


def test_int8_costs_less_than_f32_and_takes_a_quarter_of_the_room(exported: Export) -> None:
    plain, small = (compile_model(exported("wide"), mode=mode).cost for mode in ("f32", "int8"))  # type: ignore[arg-type]

    assert small.total < plain.total / 2.5
    assert small.weights_bytes < plain.weights_bytes / 3.9

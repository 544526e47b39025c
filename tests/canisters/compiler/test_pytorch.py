"""PyTorch modules straight into the compiler: the canister's answers are the module's own."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import onnx
import pytest

from canisters.compiler import CannotCompile, build_model
from canisters.compiler.frontends.pytorch import from_torch
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks

torch = pytest.importorskip("torch")
nn = torch.nn


def answers(data: bytes, *inputs: np.ndarray) -> list[np.ndarray]:
    built = build_model(data)
    names = [value.name for value in onnx.load_from_string(data).graph.input]
    local = LocalModel(built.module.wasm, chunks(built.plan.weights_data))
    return list(local.run(dict(zip(names, inputs, strict=True))).values())


def seeded() -> np.random.Generator:
    torch.manual_seed(0)
    return np.random.default_rng(0)


def network() -> Any:
    return nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Dropout(0.5), nn.Linear(16, 3), nn.Softmax(-1)
    )


@pytest.mark.slow
def test_a_module_in_training_is_exported_for_use_and_goes_on_training() -> None:
    rng, module = seeded(), network()
    x = rng.standard_normal((4, 6)).astype(np.float32)
    module[1].running_mean.uniform_(-1, 1)

    data = from_torch(module, (torch.zeros(4, 6),), input_names=["features"], output_names=["probabilities"])

    assert all(part.training for part in module.modules())
    assert [value.name for value in onnx.load_from_string(data).graph.input] == ["features"]
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(answers(data, x)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_inputs_two_outputs_and_an_exported_program() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.join = nn.Bilinear(4, 4, 5)

        def forward(self, a: Any, b: Any) -> Any:
            joined = torch.tanh(self.join(a, b))
            return joined, joined.argmax(dim=-1)

    rng, module = seeded(), Pair().eval()
    a, b = (rng.standard_normal((3, 4)).astype(np.float32) for _ in range(2))
    examples = (torch.zeros(3, 4), torch.zeros(3, 4))
    with torch.no_grad():
        expected = [found.numpy() for found in module(torch.from_numpy(a), torch.from_numpy(b))]

    for data in (from_torch(module, examples), from_torch(torch.export.export(module, examples))):
        found = answers(data, a, b)

        np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.slow
def test_the_same_module_gives_the_same_bytes_without_paths_of_this_machine() -> None:
    seeded()
    module = nn.Linear(6, 3)

    first, second = (from_torch(module, (torch.zeros(1, 6),)) for _ in range(2))

    assert first == second
    assert b"site-packages" not in first
    assert b".py" not in first


@pytest.mark.slow
def test_a_module_that_branches_on_values_is_refused_with_what_torch_says() -> None:
    class Branching(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2 if float(x.sum()) > 0 else x - 1

    module = Branching().train()

    with pytest.raises(CannotCompile) as caught:
        from_torch(module, (torch.zeros(2),))

    assert "torch cannot export it" in caught.value.reason
    assert module.training


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(CannotCompile, match=r"Give an nn\.Module"):
        from_torch(lambda x: x, (torch.zeros(1),))


def test_without_torch_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.split(".")[0] == "torch":
            raise ImportError(name)
        return plain(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(CannotCompile) as caught:
        from_torch(None)
    assert caught.value.what_to_do == "Install it: pip install torch onnxscript"

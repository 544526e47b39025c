"""MobileNetV2 1.0 at 224x224, written in torch with seeded weights: what an image classifier of the usual size costs in one message.

Source of the architecture: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2.
"""

from __future__ import annotations

import functools
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from canisters.compiler import MODES, compile_model
from canisters.compiler.equality import reference_outputs
from canisters.compiler.local import LocalModel

from .figure import Figure

# Expansion, output channels, repeats, stride of the first: table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
SIZE, CLASSES = 224, 1000
GOALS = {"f32": 0.80e9, "int8": 0.40e9}


def _layer(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, linear: bool = False) -> list[nn.Module]:
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return layers if linear else [*layers, nn.ReLU6()]


class Bottleneck(nn.Module):
    """Widened by a 1x1 convolution, filtered channel by channel, narrowed again; added to its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = _layer(inputs, hidden) if expansion > 1 else []
        self.layers = nn.Sequential(*widen, *_layer(hidden, hidden, 3, stride, hidden), *_layer(hidden, outputs, linear=True))
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.is_residual else self.layers(x)


def network() -> nn.Module:
    """With statistics of batch normalisation taken from two passes of noise, so that activations keep their scale, as trained ones do."""
    torch.manual_seed(0)
    layers, channels = _layer(3, 32, 3, 2), 32
    for expansion, outputs, repeats, stride in STAGES:
        for index in range(repeats):
            layers.append(Bottleneck(channels, outputs, expansion, stride if index == 0 else 1))
            channels = outputs
    layers += [*_layer(channels, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(1), nn.Linear(1280, CLASSES)]
    model = nn.Sequential(*layers)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all passes
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, 3, SIZE // 2, SIZE // 2))
    return model.eval()


@functools.cache
def exported() -> bytes:
    """As ONNX, by torch's own exporter."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it says that torchvision is not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about its own internals
        program = torch.onnx.export(
            network(), (torch.zeros(1, 3, SIZE, SIZE),), dynamo=True, input_names=["image"], output_names=["scores"], external_data=False, verbose=False,
        )  # fmt: skip
    held = io.BytesIO()
    program.save(held)
    return held.getvalue()


def image(seed: int = 0) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(seed).standard_normal((1, 3, SIZE, SIZE)).astype(np.float32)}


def figures() -> Iterator[Figure]:
    """Instructions with page charges, by mode, and how far the answer is from ONNX Runtime's on one image of noise."""
    data, given = exported(), image()
    wanted = reference_outputs(data, [given])[0]["scores"]
    for mode in MODES:
        compiled = compile_model(data, mode=mode)  # type: ignore[arg-type]
        cost, name = compiled.cost, f"compiler.mobilenet_v2_224.{mode}"
        yield Figure(f"{name}.total", cost.total, "instructions", GOALS.get(mode))
        yield Figure(f"{name}.executed", cost.instructions, "instructions", None)
        yield Figure(f"{name}.page_charges", cost.page_charges, "instructions", None)
        yield Figure(f"{name}.per_mac", round(cost.per_mac, 4), "instructions", None)
        yield Figure(f"{name}.module", cost.module_bytes, "bytes", None)
        yield Figure(f"{name}.weights", cost.weights_bytes, "bytes", None)
        found = LocalModel(compiled.wasm, compiled.weight_chunks).run(given)["scores"]
        yield Figure(f"{name}.error", float(f"{np.abs(found - wanted).max() / np.abs(wanted).max():.2e}"), "ratio", None)

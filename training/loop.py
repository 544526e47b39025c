"""The training loop: minibatches, cross-entropy, AdamW. Reproducible to the bit on one kind of machine with one version of torch.

The order of batches and the initial weights come from the seed alone; torch runs on one thread with its deterministic algorithms, so
the number of cores changes nothing. The device comes from the environment, never from the config: it is the worker's affair.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .data.joined import Rows
from .data.scaling import Scaling, fit_scaling
from .errors import Diverged, Stopped, TrainingError
from .metrics import Floats, log_softmax
from .networks import Plan
from .outcome import ShouldStop
from .seeds import derived_seed

DEVICE_VARIABLE = "COMMONWEIGHT_DEVICE"
# With this workspace cuBLAS is deterministic. Source: torch's notes on reproducibility.
_CUBLAS_WORKSPACE = ":4096:8"
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class Settings:
    """How a network is trained, whatever it is trained on."""

    plan: Plan
    classes: int
    config: dict[str, Any]
    seed: int
    device: torch.device
    should_stop: ShouldStop


@dataclass(frozen=True)
class Epoch:
    """`network`: still in training. `train_loss`: mean cross-entropy over the epoch's batches, in nats. `epoch` counts from 1."""

    epoch: int
    train_loss: float
    network: Scaled


class Scaled(nn.Module):
    """Raw rows to logits: (x - mean) / deviation, then `body`. The scaling is a part of what is exported."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, scaling: Scaling, body: nn.Module) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(scaling.mean))
        self.register_buffer("deviation", torch.from_numpy(scaling.deviation))
        self.body = body

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.body(self.scaled(inputs))  # type: ignore[no-any-return]  # torch types the call of a module as Any

    def scaled(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs - self.mean) / self.deviation


def chosen_device() -> torch.device:
    """Raises: TrainingError, when the environment names a device that this machine does not have."""
    name = os.environ.get(DEVICE_VARIABLE, "cpu")
    try:
        device = torch.device(name)
        usable = device.type == "cpu" or (
            device.type == "cuda" and torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
        )
    except RuntimeError:
        usable = False
    if not usable:
        raise TrainingError(
            f"{DEVICE_VARIABLE}={name}: there is no such device here. Use cpu, or cuda on a machine that has one."
        )
    return device


def device_name(device: torch.device) -> str:
    """As the transcript names it: rounding differs between kinds of device."""
    return "cpu" if device.type == "cpu" else f"cuda: {torch.cuda.get_device_name(device)}"


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """One thread and deterministic algorithms inside; as it was before, outside."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", _CUBLAS_WORKSPACE)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)


def train(
    rows: Rows,
    settings: Settings,
    repetition: int,
    members: tuple[int, ...],
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Scaled:
    """Train a fresh network on `rows`. `members`: whose rows they are, for the text of an error.

    All coalitions of one repetition start from the same weights: what differs between their utilities is then their data.
    Raises: Stopped (asked once an epoch), Diverged.
    """
    config, device = settings.config, settings.device
    network = _fresh_network(rows, settings, repetition).to(device)
    inputs = network.scaled(as_inputs(rows, settings.plan).to(device))
    labels = torch.from_numpy(rows.labels).to(device)
    optimizer = torch.optim.AdamW(
        network.body.parameters(), lr=config["learning_rate"], weight_decay=config["weight_decay"], foreach=False
    )
    order = torch.Generator().manual_seed(derived_seed(settings.seed, "order", repetition))
    for epoch in range(1, config["epochs"] + 1):
        if settings.should_stop():
            raise Stopped
        total = torch.zeros((), device=device)
        for batch in torch.split(torch.randperm(len(rows), generator=order).to(device), config["batch_size"]):
            loss = nn.functional.cross_entropy(network.body(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            total += loss.detach() * len(batch)
        train_loss = total.item() / len(rows)
        if not _all_finite(train_loss, network):
            raise Diverged(f"the loss was no longer a number in epoch {epoch}", members, config["learning_rate"])
        if on_epoch is not None:
            on_epoch(Epoch(epoch, train_loss, network))
    return network


def _fresh_network(rows: Rows, settings: Settings, repetition: int) -> Scaled:
    scaling = fit_scaling(rows.features, by_column=settings.plan.scaled_by_column)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(settings.seed, "weights", repetition))
        return Scaled(scaling, settings.plan.build(rows.features.shape[1], settings.classes))


def _all_finite(train_loss: float, network: Scaled) -> bool:
    """A loss can still be a number when the last step of the epoch has already broken the weights."""
    total = torch.tensor(train_loss) + sum(parameter.detach().abs().sum().cpu() for parameter in network.parameters())
    return bool(torch.isfinite(total))


def as_inputs(rows: Rows, plan: Plan) -> torch.Tensor:
    """float32 (rows, *plan.shape)."""
    return torch.from_numpy(rows.features).reshape(len(rows), *plan.shape(rows.features.shape[1]))


def predict(network: Scaled, rows: Rows, settings: Settings, members: tuple[int, ...]) -> Floats:
    """Log-probabilities, float64 (rows, classes). `members`: whose rows `network` was trained on. Raises: Diverged."""
    with torch.no_grad():
        pieces = torch.split(as_inputs(rows, settings.plan), _ROWS_AT_ONCE)
        logits = torch.cat([network(piece.to(settings.device)).cpu() for piece in pieces])
    if not bool(torch.isfinite(logits).all()):
        raise Diverged("a prediction on the evaluation set was not a number", members, settings.config["learning_rate"])
    return log_softmax(logits.double().numpy())

"""Who takes part in a story, with which data: four contributors to a tabular model (scikit-learn's breast cancer data), or three to a small
convolutional one (its digits), and a builder who holds the evaluation set."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from canisters.client.typed.cooperative import TensorBlob
from canisters.client.typed.registry import PolicyTerms
from canisters.interface.principal import Principal
from training.data.samples import breast_cancer_parts, digits_parts

E8S = 10**8
PRICE_E8S = 2 * E8S


@dataclass(frozen=True)
class Contributor:
    """`decision`: what the policy does with a request that fits it: AutoApprove, Ask or Deny. `table`: CSV."""

    name: str
    title: str
    about: str
    decision: str
    table: bytes

    def terms(self, workers: list[Principal], purpose: str) -> PolicyTerms:
        return {
            "audience": {"Anyone": None},
            "purposes": {"Listed": [purpose]},
            "code": {"Any": None},
            "compute": {"Central": None},
            "price_e8s": PRICE_E8S,
            "decision": {self.decision: None},
            "workers": workers if self.decision != "Deny" else [],
        }


@dataclass(frozen=True)
class Cast:
    """`evaluation`: CSV of the builder's held-out rows. `input_name`, `input_shape`: of the network; a row's features fill it in order."""

    model: str
    purpose: str
    recipe: str
    target: str
    seed: int
    collected: str
    contributors: tuple[Contributor, ...]
    evaluation: bytes
    input_name: str
    input_shape: tuple[int, ...]
    settings: dict[str, Any]

    @property
    def willing(self) -> tuple[Contributor, ...]:
        return tuple(c for c in self.contributors if c.decision != "Deny")

    @property
    def denying(self) -> tuple[Contributor, ...]:
        return tuple(c for c in self.contributors if c.decision == "Deny")

    def config(self, evaluation_sha256: str) -> dict[str, Any]:
        """The builder's settings; what is left out is the recipe's default."""
        return {"target": self.target, "evaluation_sha256": evaluation_sha256, **self.settings}

    def questions(self, count: int) -> list[TensorBlob]:
        """The first rows of the evaluation set without their labels, as the network takes them."""
        table = csv.DictReader(io.StringIO(self.evaluation.decode()))
        rows = [[float(v) for k, v in row.items() if k != self.target] for row, _ in zip(table, range(count), strict=False)]
        return [
            {
                "name": self.input_name,
                "dtype": "float32",
                "shape": list(self.input_shape),
                "data": np.array(row, dtype="<f4").tobytes(),
            }
            for row in rows
        ]


def breast_cancer() -> Cast:
    parts, evaluation = breast_cancer_parts(7)
    roles = {
        "north": ("North Clinic biopsies", "Measured and labelled twice, by two pathologists.", "AutoApprove"),
        "lake": ("Lake Hospital biopsies", "One site, one pathologist.", "Ask"),
        "harbour": ("Harbour Laboratory biopsies", "Collected over many sites; labels were typed by hand.", "AutoApprove"),
        "hill": ("Hill Practice biopsies", "A small practice that shows its data and lends it to nobody yet.", "Deny"),
    }
    return Cast(
        model="Breast cancer screening",
        purpose="breast cancer screening research",
        recipe="tabular_mlp",
        target="diagnosis",
        seed=7,
        collected="Fine-needle aspirates; part of the Wisconsin diagnostic breast cancer data.",
        contributors=tuple(Contributor(name, *role, table=parts[name]) for name, role in roles.items()),
        evaluation=evaluation,
        input_name="features",
        input_shape=(1, 30),
        settings={},
    )


def digits() -> Cast:
    parts, evaluation = digits_parts(7)
    roles = (
        ("Central post office digits", "Scanned and labelled by two clerks.", "AutoApprove"),
        ("Harbour customs digits", "Scanned at the counter.", "AutoApprove"),
        ("Village school digits", "Written and labelled by children.", "Ask"),
    )
    return Cast(
        model="Handwritten digits",
        purpose="reading forms",
        recipe="image_cnn",
        target="digit",
        seed=7,
        collected="Handwritten digits of 8 x 8 pixels; part of the UCI optical recognition data.",
        contributors=tuple(Contributor(name, *role, table=parts[name]) for name, role in zip(parts, roles, strict=True)),
        evaluation=evaluation,
        input_name="image",
        input_shape=(1, 1, 8, 8),
        settings={},
    )


CASTS = {"breast-cancer": breast_cancer, "digits": digits}

"""Recipes: what can be trained, declared as data. The web application lists them and checks configs; `pipeline` carries them out.

A policy allows a recipe by its code hash: SHA-256 over the sources that decide the outcome and the versions of what they stand on. A
config is complete and canonical before it is hashed, so one hash means one training.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .canonical import canonical_json, sha256_hex
from .checking import checked_config
from .config_schemas import IMAGE_CNN, IMAGE_CNN_DEFAULTS, TABULAR_MLP, TABULAR_MLP_DEFAULTS
from .errors import BadConfig

_ROOT = Path(__file__).resolve().parent
_NETWORKS = _ROOT / "networks"
# Makes files for tests and for the story; no training reads it.
_DECIDES_NOTHING = frozenset({"data/samples.py"})
_PINNED = ("numpy", "torch")


@dataclass(frozen=True)
class Recipe:
    """`network`: the module of `training.networks` that builds it. `code_hash`: 32 bytes."""

    name: str
    title: str
    description: str
    task: str
    network: str
    config_schema: dict[str, Any]
    default_config: dict[str, Any]

    @property
    def code_listing(self) -> dict[str, Any]:
        """What the code hash covers: path and SHA-256 of each source, and the versions beneath them."""
        return copy.deepcopy(_code_listing(self.name, self.network))

    @property
    def code_hash(self) -> bytes:
        return hashlib.sha256(canonical_json(self.code_listing)).digest()

    def checked(self, config: dict[str, Any]) -> dict[str, Any]:
        """Fill in the defaults and validate. Raises: BadConfig, with a text for each field."""
        return checked_config(config, self.config_schema, copy.deepcopy(self.default_config))


@cache
def _code_listing(recipe_name: str, network: str) -> dict[str, Any]:
    """The version of a package is its public one: torch's builds for CPU and CUDA (2.13.0+cpu) count as the same code."""
    files = []
    for path in sorted(_ROOT.rglob("*.py"), key=lambda path: path.relative_to(_ROOT).as_posix()):
        name = path.relative_to(_ROOT).as_posix()
        another_network = path.parent == _NETWORKS and path.stem not in ("__init__", network)
        if name not in _DECIDES_NOTHING and not another_network:
            files.append({"path": f"training/{name}", "sha256": sha256_hex(path.read_bytes())})
    versions = {package: metadata.version(package).split("+")[0] for package in _PINNED}
    return {"recipe": recipe_name, "files": files, "versions": versions}


_RECIPES = (
    Recipe(
        name="tabular_mlp",
        title="Classifier for tables",
        description="A multi-layer perceptron over numeric columns, which are scaled inside the network; it answers with a probability for each class.",
        task="tabular classification",
        network="mlp",
        config_schema=TABULAR_MLP,
        default_config=TABULAR_MLP_DEFAULTS,
    ),
    Recipe(
        name="image_cnn",
        title="Classifier for small images",
        description="A small convolutional network over one-channel images, one row of the table an image with its pixels in columns pixel_0, pixel_1 and so on; it answers with a probability for each class.",
        task="image classification",
        network="cnn",
        config_schema=IMAGE_CNN,
        default_config=IMAGE_CNN_DEFAULTS,
    ),
)


def recipes() -> tuple[Recipe, ...]:
    return _RECIPES


def recipe(name: str) -> Recipe:
    """Raises: BadConfig (field "recipe")."""
    for known in _RECIPES:
        if known.name == name:
            return known
    raise BadConfig({"recipe": f"there is no recipe '{name}'; there are {', '.join(known.name for known in _RECIPES)}"})

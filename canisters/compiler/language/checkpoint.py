"""The tensors of a folder of safetensors files, read piece by piece so that a large model never lies in memory as a whole.

model.safetensors, or the files that model.safetensors.index.json names, or the only *.safetensors of the folder. Weights come back as float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  teaches numpy the name bfloat16, which safetensors asks it for
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from .config import read_json, refused

Floats = npt.NDArray[np.float32]
_FLOATS = {"F32", "F16", "BF16"}
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class Checkpoint:
    """Made by `opened`. Shapes are checked against what the config promises before anything is read."""

    def __init__(self, files: dict[str, Any]) -> None:
        self._files = files  # by tensor
        self._asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._files[name].get_slice(name).get_shape())

    def require(self, name: str, shape: tuple[int, ...]) -> None:
        """Raises CannotCompile, with the tensor's name."""
        if name not in self._files:
            raise refused(
                f"tensor {name}",
                "the checkpoint does not hold it",
                "Check that all files are there and fit config.json",
            )
        found = self._files[name].get_slice(name)
        if tuple(found.get_shape()) != shape:
            raise refused(
                f"tensor {name}",
                f"its shape is {tuple(found.get_shape())}; config.json makes it {shape}",
                "Check the config",
            )
        if found.get_dtype() not in _FLOATS:
            raise refused(
                f"tensor {name}", f"its type is {found.get_dtype()}", "Save the model in float32, float16 or bfloat16"
            )
        self._asked.add(name)

    def left(self) -> list[str]:
        """Tensors that nobody has required."""
        return sorted(self._files.keys() - self._asked)

    def whole(self, name: str) -> Floats:
        return self._floats(name, self._files[name].get_tensor(name))

    def rows(self, name: str, first: int, last: int) -> Floats:
        return self._floats(name, self._files[name].get_slice(name)[first:last])

    def _floats(self, name: str, array: npt.NDArray[Any]) -> Floats:
        found = np.ascontiguousarray(array).astype(np.float32)
        if not np.isfinite(found).all():
            raise refused(f"tensor {name}", "it holds NaN or infinity", "Train or save the model again")
        return found


@contextmanager
def opened(folder: Path) -> Iterator[Checkpoint]:
    """Raises CannotCompile."""
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        for path in _paths(folder):
            try:
                file = stack.enter_context(safe_open(path, framework="np"))
                names = list(file.keys())
            except (SafetensorError, OSError) as error:
                raise refused(
                    path.name, f"it is no safetensors file ({error})", "Save or copy the file again"
                ) from error
            for name in names:
                if name in files:
                    raise refused(f"tensor {name}", "two files hold it", "Keep the files of one model in the folder")
                files[name] = file
        yield Checkpoint(files)


def _paths(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        where = read_json(folder / INDEX).get("weight_map")
        if not isinstance(where, dict) or not where or not all(isinstance(name, str) for name in where.values()):
            raise refused(INDEX, "it has no weight_map", "Save the model again")
        found = [folder / name for name in sorted(set(where.values()))]
        for path in found:
            if path.parent != folder or path.suffix != ".safetensors":
                raise refused(
                    INDEX, f"it names {path.name!r}, which is no safetensors file of the folder", "Save the model again"
                )
            if not path.is_file():
                raise refused(path.name, f"{INDEX} names it and it is not there", "Copy all files of the model")
        return found
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise refused(
            "the folder", f"it has {len(found)} safetensors files and no {INDEX}", f"Give one {SINGLE}, or the index"
        )
    return found

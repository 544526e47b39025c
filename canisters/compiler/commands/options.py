"""What the verbs have in common: options that describe a model, files of arrays, progress on a terminal."""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from tqdm import tqdm

from canisters.compiler.compiled import whole_file
from canisters.compiler.errors import BadInput
from canisters.compiler.frontends.onnx_file import onnx_bytes_of
from canisters.compiler.ir import Array
from canisters.compiler.pipeline import MODES, STEPS

T = TypeVar("T")


class BadUse(Exception):
    """The command line asks for something that cannot be done; the text says what to do."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def named(parse: Callable[[str], T], example: str) -> Callable[[str], tuple[str, T]]:
    """A parser of NAME=VALUE. The name may hold "=" itself: the last one parts them."""

    def read(text: str) -> tuple[str, T]:
        name, _, value = text.rpartition("=")
        try:
            if not name:
                raise ValueError
            return name, parse(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: write it as in {example}") from error

    return read


def size(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError
    return int(text)


def sizes(text: str) -> tuple[int, ...]:
    return tuple(size(part) for part in text.split(",")) if text else ()


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model and all that decides what is made of it."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="an .onnx file, with its weights inside or beside it; for `compile` also a language model's folder (config.json and safetensors)",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        type=named(sizes, "--shape image=1,3,224,224"),
        metavar="INPUT=SIZE,...",
        help="a whole input's shape, where the model leaves it open; may be repeated",
    )
    parser.add_argument(
        "--axis",
        action="append",
        default=[],
        type=named(size, "--axis batch=1"),
        metavar="NAME=SIZE",
        help="size of a symbolic axis; may be repeated",
    )
    parser.add_argument(
        "--const",
        action="append",
        default=[],
        type=named(Path, "--const steps=steps.npy"),
        metavar="INPUT=FILE.npy",
        help="an input that becomes part of the model; may be repeated",
    )
    parser.add_argument(
        "--quantize",
        choices=[mode for mode in MODES if mode != "f32"],
        help="weights in so many bits, activations in int16 while they are multiplied",
    )


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `add_model` read, as keywords of `compile_model`. Raises BadUse, BadInput, OSError."""
    return {
        "mode": arguments.quantize or "f32",
        "axes": unique(arguments.axis, "--axis"),
        "shapes": unique(arguments.shape, "--shape"),
        "constants": {name: array_of_file(path) for name, path in unique(arguments.const, "--const").items()},
    }


def unique(pairs: Iterable[tuple[str, T]], option: str) -> dict[str, T]:
    """Raises BadUse when a name is given twice."""
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise BadUse(f"{option} {name} is given twice: give it once")
        found[name] = value
    return found


def model_bytes(path: Path) -> bytes:
    """Raises BadUse, CannotCompile, OSError."""
    if path.is_dir():
        raise BadUse(f"{path} is a folder: give an .onnx file")
    return onnx_bytes_of(path)


def arrays_of(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file by name. Nothing in it is executed. Raises BadInput, OSError."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise BadInput(f"{path} holds one array: save them by name, with numpy.savez")
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} is no .npz of plain arrays: write it with numpy.savez") from error


def array_of_file(path: Path) -> Array:
    """The array of an .npy file. Raises BadInput, OSError."""
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} is no .npy of a plain array: write it with numpy.save") from error
    if not isinstance(loaded, np.ndarray):
        loaded.close()
        raise BadInput(f"{path} holds several arrays: write one with numpy.save")
    return loaded


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz file, whole or not at all. numpy.savez would take some names for its own settings."""
    with whole_file(path) as made, zipfile.ZipFile(made, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


# --- progress, only where somebody watches ---


@contextmanager
def compiling(title: str, steps: int = len(STEPS)) -> Iterator[Callable[[str], None]]:
    """A bar over the steps of one compilation; call what it gives with each step that begins."""
    with tqdm(total=steps, desc=title, disable=not sys.stderr.isatty(), leave=False, unit="step") as bar:

        def begin(step: str) -> None:
            bar.set_postfix_str(step)
            bar.update()

        yield begin


@contextmanager
def stepping(title: str) -> Iterator[Callable[[str], None]]:
    """A bar over steps whose number is not known beforehand."""
    with tqdm(desc=title, disable=not sys.stderr.isatty(), leave=False, unit="step") as bar:

        def begin(step: str) -> None:
            bar.set_postfix_str(step)
            bar.update()

        yield begin


def followed(items: Sequence[T], title: str, unit: str) -> Sequence[T]:
    """The same items, with a bar while they are gone through."""
    if not sys.stderr.isatty():
        return items
    bar: Any = tqdm(items, desc=title, unit=unit, leave=False)
    return bar  # type: ignore[no-any-return]

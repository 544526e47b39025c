"""A PyTorch module, or a program of torch.export, to ONNX bytes, by torch's own exporter.

The one place of `canisters` that knows torch, and only inside its function: the compiler needs none. What torch writes into the file about
its own sources and where they lie is taken out, so that the same module gives the same bytes on every machine.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import onnx

from canisters.compiler.errors import CannotCompile

OPSET = 20
_NEEDED = "Install it: pip install torch onnxscript"


def from_torch(
    module: Any,
    example_inputs: Sequence[Any] = (),
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> bytes:
    """`module`: an nn.Module, exported in evaluation mode (and put back as it was), with `example_inputs` as its positional arguments; or a
    torch.export.ExportedProgram, which has its own. Sizes are those of the examples. Raises: CannotCompile, with what torch says."""
    try:
        import torch
        import torch.onnx
    except ImportError as error:
        raise CannotCompile("PyTorch", "the package torch is missing", _NEEDED) from error
    is_program = isinstance(module, torch.export.ExportedProgram)
    if not is_program and not isinstance(module, torch.nn.Module):
        raise CannotCompile(
            "PyTorch", f"it is a {type(module).__name__}", "Give an nn.Module or a torch.export.ExportedProgram"
        )
    with _quiet(), _evaluating(() if is_program else module.modules()):
        try:
            exported = torch.onnx.export(
                module,
                tuple(example_inputs),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
                input_names=list(input_names) if input_names else None,
                output_names=list(output_names) if output_names else None,
            )
        except Exception as error:  # torch raises whatever comes, and says at length what
            said = " ".join(str(error).split())[:300].rstrip(". ")
            raise CannotCompile(
                type(module).__name__,
                f"torch cannot export it: {said}",
                "Rewrite what it names, or leave out branches on values",
            ) from error
    if exported is None:
        raise CannotCompile(type(module).__name__, "torch exported nothing", "Rewrite it without branches on values")
    return _plain(exported.model_proto)


def _plain(model: onnx.ModelProto) -> bytes:
    """Without anything that depends on where and how the exporter is installed."""
    graph = model.graph
    for part in [
        model,
        graph,
        *graph.node,
        *graph.initializer,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *model.functions,
    ]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    model.producer_version = model.producer_version.split("+")[0]
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own internals and of packages that it would use if they were there."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


@contextmanager
def _evaluating(modules: Any) -> Iterator[None]:
    """Dropout off, batch norms fixed, and afterwards every part trains again that did before."""
    training = [part for part in modules if part.training]
    try:
        for part in training:
            part.training = False
        yield
    finally:
        for part in training:
            part.training = True

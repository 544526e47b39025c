"""`python -m canisters.compiler MODEL.onnx --out DIR`: compiles one model and writes what a release is made of.

    DIR/module.wasm      the inference canister          DIR/interface.json   inputs, outputs, memory map
    DIR/weights/000 ...  its weights, by index           DIR/cost.json        instructions for each function, page charges
    DIR/model.c          the network as C

DIR appears whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from . import MODES, CompiledModel, CompilerError, compile_model


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m canisters.compiler", description="ONNX in, an inference canister out."
    )
    parser.add_argument("model", type=Path, help="an .onnx file with its weights inside")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write; replaced when it holds an earlier result"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="f32",
        help="int8: weights in int8, activations in int16 while they are multiplied",
    )
    parser.add_argument(
        "--axis", action="append", default=[], metavar="NAME=SIZE", help="size of a symbolic axis; may be repeated"
    )
    parser.add_argument("--report", action="store_true", help="print what each function of the network costs")
    return parser.parse_args(argv)


class BadUse(Exception):
    """The command line asks for something that cannot be done; the text says what to do."""


def _axes(given: list[str]) -> dict[str, int]:
    found = {}
    for text in given:
        name, _, size = text.rpartition("=")
        if not name or not size.isdigit():
            raise BadUse(f"--axis {text}: write NAME=SIZE, as in --axis batch=1")
        found[name] = int(size)
    return found


def _write(compiled: CompiledModel, out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "module.wasm").exists())):
        raise BadUse(f"{out} exists and is no earlier result: choose another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        made = Path(folder) / "made"
        (made / "weights").mkdir(parents=True)
        (made / "module.wasm").write_bytes(compiled.wasm)
        for index, chunk in enumerate(compiled.weight_chunks):
            (made / "weights" / f"{index:03}").write_bytes(chunk)
        (made / "interface.json").write_text(json.dumps(compiled.interface, indent=1) + "\n")
        (made / "cost.json").write_text(json.dumps(compiled.cost.as_json(), indent=1) + "\n")
        (made / "model.c").write_text(compiled.c_source)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)


def _summary(compiled: CompiledModel, *, report: bool) -> str:
    cost = compiled.cost
    lines = [
        f"module {cost.module_bytes:,} bytes, weights {cost.weights_bytes:,} bytes in {len(compiled.weight_chunks)} chunks, memory {cost.memory_bytes:,} bytes",
        f"one inference: {cost.total:,} instructions = {cost.instructions:,} executed + {cost.page_charges:,} for {cost.pages_read} pages touched",
    ]
    if cost.macs:
        lines.append(
            f"network: {cost.kernel_instructions:,} instructions for {cost.macs:,} multiply-accumulates, {cost.per_mac:.2f} each"
        )
    if report:
        width = max((len(function.name) for function in cost.functions), default=0)
        for function in cost.functions:
            per_mac = f"{function.instructions / function.macs:8.2f} per MAC" if function.macs else ""
            lines.append(f"  {function.name:<{width}} {function.instructions:>14,} {per_mac}".rstrip())
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        compiled = compile_model(arguments.model.read_bytes(), mode=arguments.mode, axes=_axes(arguments.axis))
        _write(compiled, arguments.out)
    except (BadUse, CompilerError) as error:
        print(f"{arguments.model}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or arguments.model}: {error.strerror}", file=sys.stderr)
        return 1
    print(_summary(compiled, report=arguments.report))
    return 0


if __name__ == "__main__":
    sys.exit(main())

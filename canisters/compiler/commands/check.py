"""`check MODEL`: compiles it and holds its answers against ONNX Runtime's, on random inputs and on given ones. Exit code 1 when they differ."""

from __future__ import annotations

import argparse
from pathlib import Path

from canisters.compiler import check_model, compile_model
from canisters.compiler.checking import Check, random_sample, sample_of
from canisters.compiler.ir import Graph

from .options import add_model, arrays_of, compiling, model_bytes, settings_of, size


def add(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--inputs",
        type=Path,
        action="append",
        default=[],
        metavar="IN.npz",
        help="arrays by the inputs' names; may be repeated",
    )
    parser.add_argument(
        "--random", type=size, default=3, metavar="N", help="how many random inputs to try (default: 3)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random inputs (default: 0)")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="largest relative error that is no difference (default: 1e-4; 0.05 with int8, 0.25 with int4)",
    )


def run(arguments: argparse.Namespace) -> int:
    given = [arrays_of(path) for path in arguments.inputs]
    data, settings = model_bytes(arguments.model), settings_of(arguments)
    loaded: list[Graph] = []
    with compiling(arguments.model.name) as begin:
        compiled = compile_model(
            data,
            **settings,
            trace=lambda step, graph: loaded.append(graph) if step == "load" else None,
            begin=begin,
        )
    samples = [sample_of(arrays, loaded[0]) for arrays in given]
    samples += [random_sample(loaded[0], arguments.seed + index) for index in range(arguments.random)]
    check = check_model(data, compiled, samples, constants=settings["constants"], tolerance=arguments.tolerance)
    print(said(check))
    return 1 if check.differs else 0


def said(check: Check) -> str:
    report = check.report
    lines = [
        f"{report.samples} samples against ONNX Runtime: largest error {report.max_abs_error:.3g} absolute, {report.max_rel_error:.3g} relative; "
        f"mean {report.mean_abs_error:.3g}",
        f"smallest cosine of an output with its twin {report.cosine:.6f}; the same label in {report.labels_agree:.1%} of rows",
        f"DIFFERENT: {check.differs}" if check.differs else "the same model",
    ]
    return "\n".join(lines)

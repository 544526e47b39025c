"""`python -m canisters.compiler VERB ...`: what the Python API does, from a terminal. Each verb is a file in commands/.

Exit code 0 when it went well, 1 when it did not (one line says why and what to do), 2 when it was asked for wrongly.
"""

from __future__ import annotations

import argparse
import sys
from typing import Protocol

# The one way from the compiler to the chain: `deploy` is a verb of this command line, and what it does is written where both are known.
from canisters import deploy_model

from .commands import check, compile, cost, explain, run
from .commands.options import BadUse, Parser
from .errors import CompilerError


class _Verb(Protocol):
    def add(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, arguments: argparse.Namespace) -> int: ...


VERBS: dict[str, tuple[_Verb, str]] = {
    "compile": (compile, "make an inference canister of a model"),
    "run": (run, "compute one inference with it, metered"),
    "check": (check, "hold it against ONNX Runtime"),
    "cost": (cost, "what it costs on the network"),
    "explain": (explain, "what the compiler has done"),
    "deploy": (deploy_model, "put it on a network"),
}


def _parser() -> Parser:
    parser = Parser(prog="python -m canisters.compiler", description="A model in, an inference canister out.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (verb, what) in VERBS.items():
        verb.add(verbs.add_parser(name, help=what, description=(verb.__doc__ or what).split("\n\n")[0]))
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return VERBS[arguments.verb][0].run(arguments)
    except BadUse as error:
        return _failed(str(error), 2)
    except CompilerError as error:
        subject = getattr(arguments, "model", None)
        return _failed(f"{subject}: {error}" if subject else str(error), 1)
    except OSError as error:
        return _failed(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _failed("stopped; nothing was changed", 1)


def _failed(said: str, code: int) -> int:
    print(" ".join(said.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

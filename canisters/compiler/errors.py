"""What can go wrong between a model and its module.

CompilerError
├── CannotCompile   the model asks for something that is not offered: which node, why, what to do
├── BadInput        arrays given to a compiled model do not fit its interface
└── BuildFailed     our own fault: the C that was written does not compile, or the module breaks a rule of the network
"""

from __future__ import annotations


class CompilerError(Exception):
    """Base of everything the compiler raises on purpose."""


class CannotCompile(CompilerError):
    """`node`: the node's name (or what stands in its place), `reason`: one sentence, `what_to_do`: one sentence."""

    def __init__(self, node: str, reason: str, what_to_do: str) -> None:
        super().__init__(f"{node}: {reason}. {what_to_do}.")
        self.node = node
        self.reason = reason
        self.what_to_do = what_to_do


class BadInput(CompilerError):
    """An input is missing, unknown, or of another type or shape than the model takes."""


class BuildFailed(CompilerError):
    """The module could not be made. Not the model's fault."""

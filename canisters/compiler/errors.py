"""What can go wrong between a model and its module.

CompilerError
├── CannotCompile   the model asks for something that is not offered: which node, why, what to do
│   └── DoesNotFit  it is larger than one canister
├── BadInput        arrays given to a compiled model do not fit its interface
├── BadFolder       a folder does not hold what the compiler writes, or holds something else that would be lost
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


class DoesNotFit(CannotCompile):
    """Everything in it can be compiled, but not into one canister."""


class BadInput(CompilerError):
    """An input is missing, unknown, or of another type or shape than the model takes."""


class BadFolder(CompilerError):
    """A folder that cannot be read as a compiled model, or that must not be replaced by one."""


class BuildFailed(CompilerError):
    """The module could not be made. Not the model's fault."""

"""What can be wrong between the index and the chain.

IndexRefused           the index stays as it was; the text says what to do
|- OtherChain          the deployment's root key or canisters are not those that were indexed
|- LogRolledBack       a log is shorter, or another, than what was indexed: the chain went back in time
|- LogBroken           a block does not chain, or the certified tip is not what the blocks hash to
`- CannotApply         a block holds, and a projection of ours fails on it
"""

from __future__ import annotations


class IndexRefused(Exception):
    """Root of this app's errors."""


class OtherChain(IndexRefused):
    """The index belongs to another chain."""


class LogRolledBack(IndexRefused):
    """The log is not a continuation of the indexed one."""


class LogBroken(IndexRefused):
    """What was read cannot be proven: nothing of it is applied."""


class CannotApply(IndexRefused):
    """A fault of this program, not of the chain."""

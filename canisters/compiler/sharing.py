"""One C function for all nodes that compute the same on other places: layers of one shape, which deep networks repeat.

Two kernels do the same when their text is the same before places are filled in. The places become arguments: a call costs about a dozen
instructions, and a block that is repeated twelve times is compiled once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from string import Formatter

from .operators import Kernel


def places(code: str) -> list[str]:
    """The places that a kernel's text names, in order: x0, y0, w_NAME, s_NAME."""
    return list(dict.fromkeys(place for _, place, _, _ in Formatter().parse(code) if place))


def shared_names(kernels: Iterable[Kernel]) -> dict[str, str]:
    """A function's name for each text that at least two nodes have."""
    counted = Counter(kernel.code for kernel in kernels if kernel.code)
    repeated = [code for code, count in counted.items() if count > 1]
    return {code: f"shared_{index:0{len(str(len(repeated)))}}" for index, code in enumerate(repeated)}


def shared_function(name: str, code: str) -> str:
    """Its C. A place is an argument named like it."""
    found = places(code)
    text = code.format(**{place: _argument(place) for place in found})
    arguments = ", ".join(f"unsigned {_argument(place)}" for place in found) or "void"
    body = "\n".join("  " + line if line else line for line in text.split("\n"))
    return f"SHARED void {name}({arguments}) {{\n{body}\n}}\n"


def _argument(place: str) -> str:
    # The kernels' own text calls its variables x, y, step: an argument has a name that none of them has.
    return f"at_{place}"

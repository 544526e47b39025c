"""A rule written once, as C over lanes of float32 or of float64: `d.add(x, d.k(1.0))` is the text of that call in the dialect d."""

from __future__ import annotations

from collections.abc import Callable

from .elementwise import LONG_WORDS, PAIRS, WORDS, Lanes
from .registry import c_double, c_float

_PLAIN = ("add", "sub", "mul", "divide", "at_least", "at_most", "larger", "smaller", "choose")
_PAIRED = {"divide": "div", "at_least": "pmax", "at_most": "pmin", "larger": "max", "smaller": "min"}
_PRIMITIVES = ("eq", "ne", "lt", "gt", "le", "ge", "neg", "abs", "sqrt", "floor", "ceil", "nearest", "trunc")
_LOGIC = {"both": "wasm_v128_and", "either": "wasm_v128_or"}


class Dialect:
    """Any other attribute than those below is the C function of that name: primitives as they are, long functions with a suffix."""

    def __init__(self, dtype: str) -> None:
        self.is_words = dtype == "float32"

    def lanes(self, *, is_long: bool = False) -> Lanes:
        return (LONG_WORDS if is_long else WORDS) if self.is_words else PAIRS

    def k(self, value: float) -> str:
        return f"splat({c_float(value)})" if self.is_words else f"wasm_f64x2_splat({c_double(value)})"

    def __getattr__(self, name: str) -> Callable[..., str]:
        return lambda *arguments: f"{self._function(name)}({', '.join(arguments)})"

    def _function(self, name: str) -> str:
        if name in _LOGIC:
            return _LOGIC[name]
        if name == "choose" or (self.is_words and name in _PLAIN):
            return name
        if name in _PLAIN or name in _PRIMITIVES:
            return f"wasm_f{'32x4' if self.is_words else '64x2'}_{name if self.is_words else _PAIRED.get(name, name)}"
        return f"{name}{'_4' if name[-1].isdigit() else '4'}" if self.is_words else f"{name}_pair"


Rule = Callable[[Dialect, str], str]

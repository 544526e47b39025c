"""What the compiler has made of a model, for people: the graph after each pass as text, and the memory map as a drawing.

`graph_text` is what passes.txt holds; `changes` shows a pass as the lines it took away and put in; `memory_svg` and `memory_text` draw
the arena: addresses upwards, time (nodes in their order) to the right, each block for as long as it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from .ir import Array, Graph, Node

COLUMNS, ROWS = 72, 24
_WIDTH, _HEIGHT, _LEFT, _TOP = 960, 540, 100, 40
_LETTER_WIDTH = 7
_COLOURS = {"tensor": "#4e79a7", "scratch": "#f28e2b", "message": "#9c9c9c"}
_MARKS = {"tensor": "#", "scratch": "=", "message": "m"}
_LEGEND = {"tensor": "tensor", "scratch": "scratch of one node", "message": "the message that brings the inputs"}
_SHOWN_VALUES = 6


class Seen:
    """A trace (pipeline.Trace) that keeps the graph as text wherever a pass has changed it, and tells a further one."""

    def __init__(self, further: Callable[[str, Graph], None]) -> None:
        self._further = further
        self.passes: list[tuple[str, str]] = []

    def __call__(self, step: str, graph: Graph) -> None:
        self._keep(step, graph)
        self._further(step, graph)

    def of(self, variant: str) -> Callable[[str, Graph], None]:
        """The same for one of several variants, whose name goes before its steps."""

        def trace(step: str, graph: Graph) -> None:
            self._keep(f"{variant}.{step}" if variant else step, graph)
            self._further(step, graph)

        return trace

    def _keep(self, step: str, graph: Graph) -> None:
        text = graph_text(graph)
        if not self.passes or self.passes[-1][1] != text:
            self.passes.append((step, text))


def graph_text(graph: Graph) -> str:
    """One line a tensor that is given, one a node, one an output."""
    lines = [f"input {_shown(name)}: {graph.type(name)}" for name in graph.inputs]
    lines += [_node_text(graph, node) for node in graph.nodes]
    lines += [f"output {_shown(name)}: {graph.type(name)}" for name in graph.outputs]
    return "\n".join(lines)


def _node_text(graph: Graph, node: Node) -> str:
    outputs = ", ".join(f"{_shown(name)}: {graph.type(name)}" for name in node.outputs if name)
    inputs = ", ".join(_read_text(graph, name) for name in node.inputs)
    settings = "".join(f" {key}={_setting(value)}" for key, value in sorted(node.attributes.items()) if key != "opset")
    return f"{outputs} = {node.op}({inputs}){settings}"


def _read_text(graph: Graph, name: str) -> str:
    if not name:
        return "-"
    value = graph.constant(name)
    if value is None:
        return _shown(name)
    if value.size <= _SHOWN_VALUES and value.ndim < 2:
        return f"{value.tolist()}"
    return f"<{_shown(name)} {graph.type(name)}>"


def _setting(value: Any) -> str:
    if isinstance(value, Array.__origin__):  # type: ignore[attr-defined]
        return f"<{value.dtype.name} {tuple(value.shape)}>"
    return _shown(str(value))[:120]


def _shown(text: str) -> str:
    """Names are the model's: on one line, and nothing in them steers a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def changes(passes: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The graph as loaded, then for each pass the lines that it took away and put in. No two lines of a graph are equal."""
    before: list[str] = []
    for step, text in passes:
        lines = text.split("\n")
        yield f"{step}: {sum(' = ' in line for line in lines)} nodes"
        if step.endswith("load"):  # of the first variant, or of a further one
            yield from (f"  {line}" for line in lines)
        else:
            yield from (f"  - {line}" for line in _missing(before, lines))
            yield from (f"  + {line}" for line in _missing(lines, before))
        before = lines


def _missing(lines: Sequence[str], among: Sequence[str]) -> list[str]:
    there = set(among)
    return [line for line in lines if line not in there]


# --- the memory map ---


def regions(interface: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """What lies where: name, start, end."""
    memory = interface["memory"]
    (start, end), (first, last) = memory["activations"], memory["weights"]
    return [
        ("stack and data", 0, start),
        ("activations", start, end),
        ("weights", first, last),
        ("large messages", memory["end"], memory["end"]),
    ]


def memory_text(interface: Mapping[str, Any]) -> str:
    """For a terminal: the regions, then the arena with addresses upwards and nodes to the right."""
    lines = [f"  {start:#12x}  {end - start:>14,} bytes  {name}" for name, start, end in regions(interface)]
    for name, blocks in _maps(interface):
        first, last, low, high = _extent(blocks)
        lines += ["", f"activations{f' of variant {name}' if name else ''}, nodes {first} to {last}:"]
        grid = [[" "] * COLUMNS for _ in range(ROWS)]
        for block in blocks:
            across = _cells(block["first_node"] - first, block["last_node"] + 1 - first, last + 1 - first, COLUMNS)
            up = _cells(block["address"] - low, block["address"] + block["size_bytes"] - low, high - low, ROWS)
            for row in up:
                for column in across:
                    grid[row][column] = _MARKS[_kind(block)]
        step = (high - low) / ROWS
        lines += [f"  {int(low + row * step):#10x} |{''.join(grid[row])}|" for row in reversed(range(ROWS))]
    return "\n".join([*lines, "", "   ".join(f"{mark} {_LEGEND[kind]}" for kind, mark in _MARKS.items())])


def memory_svg(interface: Mapping[str, Any]) -> str:
    """The same as a picture; a block's name, size and place show when it is pointed at."""
    maps = _maps(interface)
    height = _TOP + len(maps) * (_HEIGHT + 2 * _TOP) + 60 + 20 * len(regions(interface))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + _LEFT + 40}" height="{height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for index, (name, blocks) in enumerate(maps):
        parts += _svg_map(name, blocks, _TOP + index * (_HEIGHT + 2 * _TOP))
    at = height - 20 * len(regions(interface)) - 20
    for index, (kind, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + 240 * index
        parts.append(f'<rect x="{x}" y="{at - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{at}">{_LEGEND[kind]}</text>')
    at += 20
    for name, start, end in regions(interface):
        parts.append(f'<text x="{_LEFT}" y="{at}">{start:#x}: {escape(name)}, {end - start:,} bytes</text>')
        at += 20
    return "\n".join([*parts, "</svg>", ""])


def _svg_map(name: str, blocks: Sequence[Mapping[str, Any]], top: float) -> Iterator[str]:
    first, last, low, high = _extent(blocks)
    wide, tall = _WIDTH / max(1, last + 1 - first), _HEIGHT / max(1, high - low)
    title = f"Activations{f' of variant {name}' if name else ''}: {high - low:,} bytes over {last - first} nodes"
    yield f'<text x="{_LEFT}" y="{top - 12}" font-size="14">{escape(title)}</text>'
    yield f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="#f4f4f4" stroke="#888888"/>'
    for share in range(5):
        address = low + (high - low) * share // 4
        yield f'<text x="{_LEFT - 8}" y="{top + _HEIGHT - _HEIGHT * share / 4 + 4:.1f}" text-anchor="end">{address:#x}</text>'
    for block in blocks:
        x, width = (
            _LEFT + (block["first_node"] - first) * wide,
            (block["last_node"] + 1 - block["first_node"]) * wide,
        )
        y = top + _HEIGHT - (block["address"] + block["size_bytes"] - low) * tall
        said = f"{block['name']}: {block['size_bytes']:,} bytes at {block['address']:#x}, nodes {block['first_node']} to {block['last_node']}"
        height = max(0.5, block["size_bytes"] * tall)
        yield (
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{_COLOURS[_kind(block)]}" '
            f'fill-opacity="0.8" stroke="#ffffff" stroke-width="0.5"><title>{escape(_shown(said))}</title></rect>'
        )
        letters = int((width - 8) / _LETTER_WIDTH)
        if height > _LETTER_WIDTH * 2 and letters > 2:
            name = str(block["name"]).removeprefix("tensor ")
            yield f'<text x="{x + 4:.2f}" y="{y + 14:.2f}" fill="#ffffff">{escape(_shown(name)[:letters])}</text>'
    yield f'<text x="{_LEFT}" y="{top + _HEIGHT + 16}">node {first}</text>'
    yield f'<text x="{_LEFT + _WIDTH}" y="{top + _HEIGHT + 16}" text-anchor="end">node {last}</text>'


def _maps(interface: Mapping[str, Any]) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    """A name and blocks for each variant, or one without a name."""
    variants = interface.get("variants", ())
    if variants:
        return [(variant["name"], variant["blocks"]) for variant in variants]
    return [("", interface["memory"]["blocks"])]


def _extent(blocks: Iterable[Mapping[str, Any]]) -> tuple[int, int, int, int]:
    """First and last node, lowest address and end."""
    blocks = list(blocks)
    return (
        min(b["first_node"] for b in blocks),
        max(b["last_node"] for b in blocks),
        min(b["address"] for b in blocks),
        max(b["address"] + b["size_bytes"] for b in blocks),
    )


def _cells(start: int, end: int, whole: int, count: int) -> range:
    """Which of `count` cells a stretch covers, at least one."""
    first = min(count - 1, start * count // max(1, whole))
    return range(first, max(first + 1, min(count, -(-end * count // max(1, whole)))))


def _kind(block: Mapping[str, Any]) -> str:
    kind = str(block["name"]).partition(" ")[0]
    return kind if kind in _COLOURS else "tensor"

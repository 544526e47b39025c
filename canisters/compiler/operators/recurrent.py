"""LSTM, GRU, RNN: forward, backward or both ways, over batches whose rows may have lengths of their own.

Source: ONNX Operators, LSTM-7, -14, -22; GRU-7, -14, -22; RNN-7, -14, -22. The inputs' products with the weights are made for all steps at
once, as those of a dense layer; what is left for each step is the product of the state, and the gates (kernels/recurrent.h).
Past its length a row's outputs are zero, and its last state is that of its last step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from canisters.compiler.ir import Graph, Node, TensorType

from . import dense, packing
from .loops import indent
from .registry import Kernel, Mode, Typing, c_float, operator

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DEFAULT = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
# By ONNX's name: our constant, how many of alpha and beta it takes, and their defaults.
_KINDS = {
    "sigmoid": ("GATE_SIGMOID", 0, ()), "tanh": ("GATE_TANH", 0, ()), "relu": ("GATE_RELU", 0, ()),
    "leakyrelu": ("GATE_LEAKY_RELU", 1, (0.01,)), "thresholdedrelu": ("GATE_THRESHOLDED_RELU", 1, (1.0,)),
    "scaledtanh": ("GATE_SCALED_TANH", 2, (1.0, 1.0)), "hardsigmoid": ("GATE_HARD_SIGMOID", 2, (0.2, 0.5)),
    "elu": ("GATE_ELU", 1, (1.0,)), "softsign": ("GATE_SOFTSIGN", 0, ()), "softplus": ("GATE_SOFTPLUS", 0, ()),
    "affine": ("GATE_AFFINE", 2, (1.0, 0.0)),
}  # fmt: skip
_UNBOUNDED = "-__builtin_inff(), __builtin_inff()"
_CHECK = "Check the model with onnx.checker"


@dataclass(frozen=True)
class _Layer:
    """Sizes of a layer. `batch_first`: ONNX's layout 1. `backward`: for each direction."""

    steps: int
    batch: int
    inputs: int
    hidden: int
    backward: tuple[bool, ...]
    batch_first: bool

    @property
    def directions(self) -> int:
        return len(self.backward)

    @property
    def y_shape(self) -> tuple[int, ...]:
        if self.batch_first:
            return (self.batch, self.steps, self.directions, self.hidden)
        return (self.steps, self.directions, self.batch, self.hidden)

    @property
    def state_shape(self) -> tuple[int, ...]:
        return (
            (self.batch, self.directions, self.hidden)
            if self.batch_first
            else (self.directions, self.batch, self.hidden)
        )


def _layer(node: Node, x: tuple[int, ...], w: tuple[int, ...], r: tuple[int, ...]) -> _Layer:
    ways = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    direction = node.attributes.get("direction", "forward")
    if direction not in ways:
        raise node.cannot(f"its direction is {direction!r}", _CHECK)
    if len(x) != 3 or len(w) != 3 or len(r) != 3:
        raise node.cannot(f"its inputs are {x}, {w} and {r}", _CHECK)
    batch_first = bool(node.attributes.get("layout", 0))
    steps, batch = (x[1], x[0]) if batch_first else x[:2]
    found = _Layer(steps, batch, x[2], r[2], ways[direction], batch_first)
    rows = GATES[node.op] * found.hidden
    if w != (found.directions, rows, found.inputs) or r != (found.directions, rows, found.hidden):
        raise node.cannot(f"weights {w} and {r} do not fit {found.directions} directions of {x}", _CHECK)
    if int(node.attributes.get("hidden_size", found.hidden)) != found.hidden:
        raise node.cannot(f"its hidden_size is {node.attributes['hidden_size']}, its weights' {found.hidden}", _CHECK)
    return found


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    layer = _layer(node, *(typing.floats(node, index).shape for index in range(3)))
    gates = GATES[node.op]
    shapes = {3: (layer.directions, 2 * gates * layer.hidden), 5: layer.state_shape, 6: layer.state_shape}
    shapes[7] = (layer.directions, 3 * layer.hidden)
    for index, shape in shapes.items():
        if node.input(index) and typing.floats(node, index).shape != shape:
            raise node.cannot(f"input {index} is {typing.input(node, index)}, not of shape {shape}", _CHECK)
    if node.input(4) and typing.input(node, 4) != TensorType("int32", (layer.batch,)):
        raise node.cannot(f"its lengths are {typing.input(node, 4)}, not int32 ({layer.batch})", _CHECK)
    _gates(node, layer)
    state = TensorType("float32", layer.state_shape)
    return (TensorType("float32", layer.y_shape), state, state)[: 3 if node.op == "LSTM" else 2]


def _gates(node: Node, layer: _Layer) -> list[list[str]]:
    """For each direction its activations as `struct gate`."""
    default = _DEFAULT[node.op] * layer.directions
    names = [str(n, "utf-8") if isinstance(n, bytes) else n for n in node.attributes.get("activations", default)]
    if len(names) != len(default):
        raise node.cannot(f"its activations {names} are not {len(default)}", _CHECK)
    alphas, betas = (list(node.attributes.get(f"activation_{which}", ())) for which in ("alpha", "beta"))
    clip = c_float(float(node.attributes.get("clip", 0.0)))
    found = []
    for name in names:
        if name.lower() not in _KINDS:
            raise node.cannot(f"its activation {name!r} is not offered", f"Take one of {', '.join(_KINDS)}")
        kind, count, defaults = _KINDS[name.lower()]
        alpha = float(alphas.pop(0) if alphas else defaults[0]) if count else 0.0
        beta = float(betas.pop(0) if betas else defaults[1]) if count > 1 else 0.0
        found.append(f"(struct gate){{{{{kind}, {c_float(alpha)}, {c_float(beta)}, {clip}}}}}")
    each = len(names) // layer.directions
    return [found[at : at + each] for at in range(0, len(names), each)]


@dataclass(frozen=True)
class _Matrix:
    """Rows of the layer's weights: `index` of the input, direction, first row, rows; k, what each multiplies. `biases`: first element in a
    direction's row of B, how many, and the first of our rows that they belong to."""

    index: int
    direction: int
    first: int
    n: int
    k: int
    biases: tuple[tuple[int, int, int], ...]


@dataclass
class _Code:
    """What a layer's lowering gathers: packed weights, scratch, lines that run once, multiply-accumulates."""

    node: Node
    graph: Graph
    mode: Mode
    weights: dict[str, bytes] = field(default_factory=dict)
    scratch: dict[str, int] = field(default_factory=dict)
    once: list[str] = field(default_factory=list)

    def room(self, key: str, floats: int) -> str:
        self.scratch[key] = max(self.scratch.get(key, 0), 4 * floats)
        return f"F32({{s_{key}}})"

    def product(self, key: str, matrix: _Matrix, m: int, x: str, y: str) -> str:
        """y (m, n) = x (m, k) times the matrix, plus its biases."""
        given, bias = self.graph.constant(self.node.inputs[matrix.index]), self.graph.constant(self.node.input(3))
        n, k = matrix.n, matrix.k
        if given is None or (self.node.input(3) and bias is None):
            self._pack_at_run_time(key, matrix)
            return f"dense_f32({x}, F32({{s_{key}}}), {y}, {m}, {n}, {k}, {dense.PANEL_WIDTH}, NONE, 0, 0);"
        columns = given[matrix.direction, matrix.first : matrix.first + n].T.astype(np.float32)
        row = np.zeros(n, np.float32)
        for start, size, first in matrix.biases if bias is not None else ():
            row[first : first + size] += bias[matrix.direction, start : start + size]  # type: ignore[index]
        is_int8 = self.mode == "int8" and np.isfinite(columns).all()
        if is_int8 and dense.int8_cost(m, k, n) < dense.f32_cost(m, k, n):
            return self._int8(key, columns, row, m, x, y)
        width = dense.ROW_WIDTH if m == 1 else dense.PANEL_WIDTH
        self.weights[key] = packing.dense_f32(columns, row, width)
        if m == 1:
            return f"dense_row_f32({x}, F32({{w_{key}}}), {y}, {n}, {k}, {_UNBOUNDED});"
        return f"dense_f32({x}, F32({{w_{key}}}), {y}, {m}, {n}, {k}, {width}, NONE, 0, 0);"

    def _int8(self, key: str, columns: packing.Floats, row: packing.Floats, m: int, x: str, y: str) -> str:
        k, n = columns.shape
        limit = c_float(packing.int16_limit(k))
        padded = -(-k // dense.ROW_STEPS_INT8) * dense.ROW_STEPS_INT8
        self.room("rows", m * padded // 2)
        if m == 1:
            self.weights[key] = packing.dense_int8(columns, row, dense.ROW_WIDTH, padded)
            return f"dense_row_int8({x}, U8({{w_{key}}}), {y}, I16({{s_rows}}), {n}, {k}, {limit}, {_UNBOUNDED});"
        self.weights[key] = packing.dense_int8(columns, row, dense.PANEL_WIDTH)
        steps = self.room("steps", m)
        return f"dense_int8({x}, U8({{w_{key}}}), {y}, I16({{s_rows}}), {steps}, {m}, {n}, {k}, {dense.PANEL_WIDTH}, {limit}, NONE, 0, 0);"

    def _pack_at_run_time(self, key: str, matrix: _Matrix) -> None:
        """Weights that are only known at run time are packed once a run."""
        panels = self.room(key, (matrix.k + 1) * (-(-matrix.n // 4) * 4))
        start = (matrix.direction * self.graph.type(self.node.inputs[matrix.index]).shape[1] + matrix.first) * matrix.k
        self.once.append(
            f"pack_panels_f32(F32({{x{matrix.index}}}) + {start}, 1, {matrix.k}, {panels}, {matrix.k}, {matrix.n});"
        )
        for first, size, column in matrix.biases if self.node.input(3) else ():
            at = matrix.direction * self.graph.type(self.node.inputs[3]).shape[1] + first
            self.once.append(f"add_panel_bias({panels}, F32({{x3}}) + {at}, {matrix.k}, {column}, {size});")


def _lower(node: Node, graph: Graph, mode: Mode) -> Kernel:
    layer = _layer(node, *(graph.type(name).shape for name in node.inputs[:3]))
    code = _Code(node, graph, mode)
    lines: list[str] = []
    if 0 in layer.y_shape:
        return _nothing(node, graph)
    for direction in range(layer.directions):
        lines += _direction(code, layer, direction, _gates(node, layer)[direction])
    each = GATES[node.op] * layer.hidden * (layer.inputs + layer.hidden)
    note = "int8" if "rows" in code.scratch else "f32"
    return Kernel(
        "\n".join([*code.once, *lines]),
        code.weights,
        code.scratch,
        layer.steps * layer.batch * layer.directions * each,
        note,
    )


def _nothing(node: Node, graph: Graph) -> Kernel:
    """No steps, rows or features: the state is what it was, or zero."""
    lines = []
    for output, given in ((1, 5), (2, 6)):
        name = node.outputs[output] if output < len(node.outputs) else ""
        if name and graph.type(name).size:
            size = graph.type(name).size_bytes
            source = f"copy_bytes(U8({{y{output}}}), U8({{x{given}}}), {size});"
            lines.append(source if node.input(given) else f"fill_bytes(U8({{y{output}}}), 0, {size});")
    return Kernel("\n".join(lines))


def _direction(code: _Code, layer: _Layer, direction: int, gates: list[str]) -> list[str]:
    node, h, b = code.node, layer.hidden, layer.batch
    count = GATES[node.op] * h
    before = node.op == "GRU" and not node.attributes.get("linear_before_reset", 0)
    after = node.op == "GRU" and not before
    # The state's own bias joins that of the inputs, but for a hidden gate that is reset after its product.
    joined = ((0, count, 0), (count, 2 * h if after else count, 0))
    given = _Matrix(1, direction, 0, count, layer.inputs, joined)
    inputs = code.room("inputs", layer.steps * b * count)
    products = code.room("products", b * count)
    state = code.room("h", b * h)
    lines = [code.product(f"w{direction}", given, layer.steps * b, "F32({x0})", inputs)]
    lines += _initial(code, layer, direction, 5, state)
    if node.op == "LSTM":
        lines += _initial(code, layer, direction, 6, code.room("c", b * h))
    own = ((count + 2 * h, h, 2 * h),) if after else ()
    recurrent = _Matrix(2, direction, 0, 2 * h if before else count, h, own)
    step = [code.product(f"r{direction}", recurrent, b, state, products)]
    if before:
        scaled, hidden = code.room("scaled", b * h), code.room("hidden", b * h)
        row = f"gru_reset_row(x, {products} + b * {2 * h}, {state} + b * {h}, {scaled} + b * {h}, {h}, {gates[0]});"
        step += _rows(layer, node, direction, [row], writes=False)
        step.append(code.product(f"h{direction}", _Matrix(2, direction, 2 * h, h, h, ()), b, scaled, hidden))
        row = f"gru_hidden_row(x, {products} + b * {2 * h}, {hidden} + b * {h}, {state} + b * {h}, y, {h}, {gates[1]});"
    else:
        row = _row(code, layer, direction, gates, f"{products} + b * {count}", f"{state} + b * {h}")
    step += _rows(layer, node, direction, [row], writes=True)
    body = "\n".join(indent(line) for line in step)
    lines.append(f"ROLLED for (unsigned s = 0; s < {layer.steps}; s++) {{{{\n{body}\n}}}}")
    return lines + _final(node, layer, direction)


def _row(code: _Code, layer: _Layer, direction: int, gates: list[str], r: str, state: str) -> str:
    node, h = code.node, layer.hidden
    if node.op == "RNN":
        return f"rnn_row(x, {r}, {state}, y, {h}, {gates[0]});"
    if node.op == "GRU":
        return f"gru_row(x, {r}, {state}, y, {h}, {gates[0]}, {gates[1]});"
    peepholes = f"F32({{x7}}) + {direction * 3 * h}" if node.input(7) else "0"
    couples = "true" if node.attributes.get("input_forget", 0) else "false"
    return f"lstm_row(x, {r}, {peepholes}, {state}, F32({{s_c}}) + b * {h}, y, {h}, {', '.join(gates)}, {couples});"


def _rows(layer: _Layer, node: Node, direction: int, row: list[str], *, writes: bool) -> list[str]:
    """A loop over the batch around `row`, which uses b, x (the step's gates) and, where it writes, y (its place in the output, or 0)."""
    h, b, count = layer.hidden, layer.batch, GATES[node.op] * layer.hidden
    backward = layer.backward[direction]
    lines = []
    if node.input(4):
        lines.append(f"const unsigned length = length_of(I32({{x4}})[b], {layer.steps});")
        lines.append(f"const unsigned t = {'s < length ? length - 1 - s : s' if backward else 's'};")
    else:
        lines.append(f"const unsigned t = {f'{layer.steps - 1} - s' if backward else 's'};")
    place = f"b * {layer.steps} + t" if layer.batch_first else f"t * {b} + b"
    if writes:
        at = f"((b * {layer.steps} + t) * {layer.directions} + {direction}) * {h}"
        if not layer.batch_first:
            at = f"((t * {layer.directions} + {direction}) * {b} + b) * {h}"
        lines.append(f"float *y = {f'F32({{y0}}) + {at}' if node.outputs[0] else '0'};")
    if node.input(4):
        rest = ["  if (y) fill_f32(y, 0.0f, {});".format(h)] if writes else []  # noqa: UP032
        lines += ["if (s >= length) {{", *rest, "  continue;", "}}"]
    lines += [f"const float *x = F32({{s_inputs}}) + ({place}) * {count};", *row]
    body = "\n".join(indent(line) for line in lines)
    return [f"ROLLED for (unsigned b = 0; b < {b}; b++) {{{{\n{body}\n}}}}"]


def _state_rows(layer: _Layer, direction: int) -> tuple[int, int]:
    """Where the first row of the batch lies among a direction's states, and the step to the next."""
    if layer.batch_first:
        return direction * layer.hidden, layer.directions * layer.hidden
    return direction * layer.batch * layer.hidden, layer.hidden


def _initial(code: _Code, layer: _Layer, direction: int, index: int, state: str) -> list[str]:
    h, b = layer.hidden, layer.batch
    if not code.node.input(index):
        return [f"fill_f32({state}, 0.0f, {b * h});"]
    start, step = _state_rows(layer, direction)
    copied = (
        f"copy_bytes((uint8_t *)({state} + b * {h}), (uint8_t *)(F32({{x{index}}}) + {start} + b * {step}), {4 * h});"
    )
    return [f"ROLLED for (unsigned b = 0; b < {b}; b++) {copied}"]


def _final(node: Node, layer: _Layer, direction: int) -> list[str]:
    h, b = layer.hidden, layer.batch
    start, step = _state_rows(layer, direction)
    return [
        f"ROLLED for (unsigned b = 0; b < {b}; b++) "
        f"copy_bytes((uint8_t *)(F32({{y{index}}}) + {start} + b * {step}), (uint8_t *)(F32({{s_{key}}}) + b * {h}), {4 * h});"
        for index, key in ((1, "h"), (2, "c"))
        if index < len(node.outputs) and node.outputs[index]
    ]


for _name in GATES:
    operator(_name, infer=_infer, lower=_lower)

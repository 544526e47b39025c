"""A function of tinygrad Tensors, compiled by tinygrad's own scheduler and code generator to C, and from there on like any other model.

A second, independent way from a network to a module: of our compiler it takes the memory plan, the canister and the build, but none of the
operators. Each of tinygrad's kernels is a node of the graph, each of its buffers a tensor; the memory planner of tinygrad is off, since ours
runs behind it. tinygrad's internals move with every release, so its version is exact in pyproject.toml.

tinygrad itself needs a device for Tensors to live on: where it finds none (it wants clang for its CPU), set DEV=PYTHON before importing it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from canisters.compiler.compiled import CompiledModel, compiled_model
from canisters.compiler.errors import CannotCompile
from canisters.compiler.ir import Array, Graph, Node, TensorType
from canisters.compiler.operators.registry import Kernel, Mode, Typing, operator
from canisters.compiler.pipeline import build_graph

OP = "TinygradKernel"
_NEEDED = "Install it: pip install tinygrad==0.14.0"
_DTYPES = ("float32", "float64", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool")
_SOURCE = re.compile(r"(?P<types>.*?)\bvoid \w+\((?P<parameters>[^)]*)\) \{\n(?P<body>.*)\}\s*", re.DOTALL)
# What clang says about C that no person has written.
_QUIET = '#pragma clang diagnostic ignored "-Wall"\n#pragma clang diagnostic ignored "-Wextra"'


def compile_tinygrad(function: Callable[..., Any], examples: Mapping[str, Array]) -> CompiledModel:
    """`function` takes one Tensor for each example, in their order, and returns a Tensor, a sequence of them, or a mapping by name; what
    else it needs it has captured. Only the types and shapes of the examples count. Raises: CannotCompile."""
    return compiled_model(build_graph(graph_of(function, examples)), "f32", ())


def graph_of(function: Callable[..., Any], examples: Mapping[str, Array]) -> Graph:
    """As `compile_tinygrad`, up to the graph."""
    with _scheduling() as tinygrad:
        given = {name: _placeholder(tinygrad, name, np.asarray(array)) for name, array in examples.items()}
        outputs = _named(function(*given.values()))
        for name, tensor in outputs.items():
            if not isinstance(tensor, tinygrad.Tensor):
                raise CannotCompile(f"output {name!r}", f"it is a {type(tensor).__name__}", "Return Tensors")
        return _Scheduled(tinygrad, given, {name: tensor.contiguous() for name, tensor in outputs.items()}).graph()


def graph_of_onnx(onnx_bytes: bytes, examples: Mapping[str, Array]) -> Graph:
    """The same ONNX model through tinygrad's own reading of it: an oracle that shares no operator with ours. Raises: CannotCompile."""
    with _scheduling() as tinygrad:
        from tinygrad.nn.onnx import OnnxRunner

        try:
            runner = OnnxRunner(tinygrad.Tensor(onnx_bytes))
        except Exception as error:  # its reader raises whatever comes
            raise CannotCompile(
                "the model", f"tinygrad cannot read it: {error}", "Use the compiler's own operators"
            ) from error
        names = list(runner.graph_outputs)

    def function(*tensors: Any) -> dict[str, Any]:
        try:
            found = runner(dict(zip(examples, tensors, strict=True)))
        except Exception as error:
            raise CannotCompile(
                "the model", f"tinygrad cannot compute it: {error}", "Use the compiler's own operators"
            ) from error
        return {name: found[name] for name in names}

    return graph_of(function, examples)


@contextmanager
def _scheduling() -> Iterator[Any]:
    """The package, with its device known and everything off that its environment variables could change."""
    try:
        import tinygrad
        from tinygrad.helpers import Context
    except ImportError as error:
        raise CannotCompile("tinygrad", "the package tinygrad is missing", _NEEDED) from error
    try:
        device = tinygrad.Device.DEFAULT
    except RuntimeError:
        device = "PYTHON"
    from tinygrad.tensor import all_tensors

    # Scheduling turns every Tensor that it meets into a buffer without data, those of the caller too: afterwards they are what they were.
    before = [(tensor, tensor.uop) for tensor in (reference() for reference in list(all_tensors)) if tensor is not None]
    try:
        with Context(DEV=device, NO_MEMORY_PLANNER=1, BEAM=0, NOOPT=0, DEBUG=0):
            yield tinygrad
    finally:
        for tensor, meaning in before:
            tensor.uop = meaning


def _placeholder(tinygrad: Any, name: str, array: Array) -> Any:
    if array.dtype.name not in _DTYPES or not array.size:
        raise CannotCompile(
            f"input {name!r}", f"it is {array.dtype} {array.shape}", f"Give an array of {', '.join(_DTYPES)}"
        )
    return tinygrad.Tensor.empty(*array.shape, dtype=getattr(tinygrad.dtypes, array.dtype.name))


def _named(found: Any) -> dict[str, Any]:
    if isinstance(found, Mapping):
        return {str(name): tensor for name, tensor in found.items()}
    if isinstance(found, Sequence) and not isinstance(found, str):
        return {f"output{index}": tensor for index, tensor in enumerate(found)}
    return {"output": found}


class _Scheduled:
    """One schedule, as it becomes a graph. `names`: what each buffer is called."""

    def __init__(self, tinygrad: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.types = {name: TensorType(_dtype(tensor.dtype), tuple(tensor.shape)) for name, tensor in inputs.items()}
        self.names: dict[Any, str] = {tensor.uop.base: name for name, tensor in inputs.items()}
        self.constants: dict[str, Array] = {}
        self.nodes: list[Node] = []
        try:
            self.calls = tinygrad.Tensor.schedule_linear(*outputs.values()).src
        except Exception as error:  # tinygrad asserts
            raise CannotCompile(
                "the function",
                f"tinygrad cannot schedule it: {error}",
                "Fix its shapes; leave out random numbers and variables",
            ) from error
        self.renderer = _renderer()

    def graph(self) -> Graph:
        for name, tensor in self.outputs.items():
            if name in self.inputs:
                raise CannotCompile(f"output {name!r}", "an input has its name", "Give it another")
            self.types[name] = TensorType(_dtype(tensor.dtype), tuple(int(size) for size in tensor.shape))
            self.names.setdefault(tensor.uop.base, name)
        for index, call in enumerate(self.calls):
            self._take(index, call)
        for name, tensor in self.outputs.items():
            made = self._name(tensor.uop.base)
            if made != name:  # the same buffer under a second name, or an input as it came
                self.nodes.append(Node(f"view {name}", "View", (made,), (name,)))
        return Graph(tuple(self.inputs), tuple(self.outputs), tuple(self.nodes), self.types, self.constants)

    def _name(self, buffer: Any) -> str:
        """Of a buffer; one that already has data becomes a constant."""
        if buffer.op.name != "BUFFER":
            raise CannotCompile("the function", f"a kernel reads a {buffer.op.name}", "Leave out views of other memory")
        if buffer not in self.names:
            name = f"buffer{len(self.names)}"
            self.names[buffer] = name
            size = int(buffer.arg.size if hasattr(buffer.arg, "size") else buffer.buffer.size)
            self.types[name] = TensorType(_dtype(buffer.dtype), (size,))
            if buffer.buffer.is_allocated():
                self._keep(name, buffer)
        return self.names[buffer]

    def _keep(self, name: str, buffer: Any) -> None:
        data = np.frombuffer(bytes(buffer.buffer.as_memoryview()), self.types[name].dtype)
        self.constants[name] = data[: self.types[name].size].reshape(self.types[name].shape)

    def _take(self, index: int, call: Any) -> None:
        kind, *buffers = call.src
        if kind.op.name == "COPY":
            target, source = buffers[:2]
            if source.op.name != "BUFFER" or not source.buffer.is_allocated():
                raise CannotCompile(
                    f"step {index}", "it copies what is only known at run time", "Keep all Tensors on one device"
                )
            self._keep(self._name(target), source)
            return
        if kind.op.name != "SINK":
            raise CannotCompile(f"step {index}", f"tinygrad schedules a {kind.op.name}", "Leave it out of the function")
        self.nodes.append(self._kernel(index, kind, buffers))

    def _kernel(self, index: int, kernel: Any, buffers: Sequence[Any]) -> Node:
        from tinygrad.codegen import to_program

        program = to_program(kernel, self.renderer)
        info, source = program.arg, next(part.arg for part in program.src if part.op.name == "SOURCE")
        where = f"{index} {info.function_name}"
        if info.vars or any(size != 1 for size in info.global_size):
            raise CannotCompile(where, "its size is only known at run time", "Give fixed shapes")
        taken = [buffers[place] for place in info.globals]
        writes = [taken.index(buffers[place]) for place in info.outs]
        reads = [place for place in range(len(taken)) if place not in writes]
        inputs, outputs = [self._name(taken[place]) for place in reads], [self._name(taken[place]) for place in writes]
        made = {name for node in self.nodes for name in node.outputs}
        if (
            any(buffers[place] in [taken[p] for p in writes] for place in info.ins)
            or made.intersection(outputs)
            or set(outputs) & self.constants.keys()
        ):
            raise CannotCompile(
                where, "it writes where something lies already", "Return new Tensors instead of assigning to old ones"
            )
        places = {place: f"{{x{at}}}" for at, place in enumerate(reads)} | {
            place: f"{{y{at}}}" for at, place in enumerate(writes)
        }
        return Node(where, OP, tuple(inputs), tuple(outputs), {"code": _code(where, source, places)})


def _code(where: str, source: str, places: Mapping[int, str]) -> str:
    """The kernel's body, with its parameters as local pointers to fixed addresses."""
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise CannotCompile(where, "tinygrad has written C of another form than is known here", _NEEDED)
    pointers = []
    for place, parameter in enumerate(found["parameters"].split(", ")):
        if "*" not in parameter or place not in places:
            raise CannotCompile(where, f"its parameter {parameter!r} is no buffer", "Give fixed shapes")
        kind, name = parameter.rsplit(" ", 1)
        pointers.append(f"{_braced(kind)} {name} = (void *){places[place]};")
    body = "\n".join(line.removeprefix("  ") for line in found["body"].rstrip().split("\n"))
    return "\n".join(filter(None, [_QUIET, _braced(found["types"].strip()), *pointers, _braced(body)]))


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _dtype(dtype: Any) -> str:
    from tinygrad.dtype import _to_np_dtype

    found = _to_np_dtype(dtype.base if hasattr(dtype, "base") else dtype)
    name = np.dtype(found).name if found is not None else str(dtype)
    if name not in _DTYPES:
        raise CannotCompile("the function", f"it computes in {name}", f"Cast to one of {', '.join(_DTYPES)}")
    return name


def _renderer() -> Any:
    """tinygrad's C for clang, without threads and without running a compiler."""
    from tinygrad import dtypes
    from tinygrad.device import Compiler
    from tinygrad.helpers import Target
    from tinygrad.renderer.cstyle import ClangRenderer, CStyleLanguage

    class SourceOnly(ClangRenderer):  # type: ignore[misc]  # tinygrad's types are not followed
        has_threads = False
        # A long has 32 bits where this C goes.
        type_map = {**ClangRenderer.type_map, dtypes.int64: "int64_t", dtypes.uint64: "uint64_t"}

        def __init__(self, target: Any) -> None:
            CStyleLanguage.__init__(self, target)
            self.compiler = Compiler()

    return SourceOnly(Target("CPU"))


def _infer(node: Node, _typing: Typing) -> tuple[TensorType, ...]:
    raise node.cannot("it is no operator of ONNX", "Compile the function with compile_tinygrad")


def _lower(node: Node, _graph: Graph, _mode: Mode) -> Kernel:
    return Kernel(str(node.attributes["code"]))


operator(OP, infer=_infer, lower=_lower)

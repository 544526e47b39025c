"""Language models of real sizes with seeded random weights: what tokens cost on chain, and a GPT-2 decode against ONNX Runtime.

What a message costs is its counted instructions and the charge for the pages that it touches (canisters/compiler/language/cost.py). The shapes
are GPT-2 124M's and Qwen2 0.5B's; what weights are makes no difference to a count.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import wasmtime
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import wasm as w
from canisters.compiler.build import engine
from canisters.compiler.language import CompiledLanguageModel, LocalLanguageModel, compile_language_model
from canisters.compiler.language.cost import page_charges
from canisters.compiler.language.layout import BLOCK_POSITIONS
from canisters.compiler.language.shell import MESSAGE_INSTRUCTIONS

from .figure import Figure
from .wall import ratio

GPT2 = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
    "eos_token_id": 50256,
}
QWEN2 = {
    "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
    "num_key_value_heads": 2, "max_position_embeddings": 32768, "rope_theta": 1e6, "tie_word_embeddings": True, "vocab_size": 151936,
}  # fmt: skip
POSITION, TOKENS, PROMPT = 64, 32, 32


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="commonweight-bench-") as folder:
        yield from _gpt2(Path(folder) / "gpt2")
        yield from _qwen2(Path(folder) / "qwen2")


def random_model(folder: Path, config: Mapping[str, Any]) -> Path:
    """Weights in bfloat16 from one seed."""
    import torch  # takes seconds to import

    from tests.canisters.compiler.language_models import saved, shapes_of

    rng = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.empty(shape, dtype=torch.bfloat16).normal_(1.0 if len(shape) == 1 else 0.0, 0.02, generator=rng)
        for name, shape in shapes_of(config).items()
    }
    return saved(folder, config, tensors)


def compiled_apart(folder: Path) -> tuple[float, int]:
    """Seconds and peak memory in bytes of compiling, in a process that does nothing else."""
    start = time.perf_counter()
    compile_language_model(folder)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _gpt2(folder: Path) -> Iterator[Figure]:
    random_model(folder, GPT2)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        seconds, peak = apart.submit(compiled_apart, folder).result()
    yield Figure("compiler.gpt2.compile", round(seconds, 1), "seconds", 60)
    yield Figure("compiler.gpt2.compile_memory", peak, "bytes", 4 << 30)
    model = compile_language_model(folder, slots=1)
    yield Figure("compiler.gpt2.module", len(model.wasm), "bytes", 400_000)
    yield Figure("compiler.gpt2.weights", model.shape.weights_bytes, "bytes", None)
    yield Figure("compiler.gpt2.session", model.shape.slot_bytes, "bytes", None)
    local = LocalLanguageModel(model.wasm, model.weight_chunks)
    text = [int(token) for token in np.random.default_rng(0).integers(0, GPT2["vocab_size"], POSITION)]
    session = local.open()
    local.prompt(session, text[:PROMPT])
    prompt = local.canister.used() + page_charges(model.shape, model.memory, 0, PROMPT - 1, wants_logits=False)
    first = _generated(model, local, session, 1)
    yield Figure("compiler.gpt2.int8.prompt_32", prompt, "instructions", None)
    yield Figure("compiler.gpt2.int8.prompt_32_with_logits", prompt + first, "instructions", 2.0e9)
    local.prompt(session, [*text[PROMPT + 1 :], 0])
    yield Figure("compiler.gpt2.int8.token_alone", _generated(model, local, session, 1), "instructions", 0.28e9)
    yield Figure(
        "compiler.gpt2.int8.token_of_32", _generated(model, local, session, TOKENS) // TOKENS, "instructions", 0.13e9
    )
    timed = TimedDecode(model, folder)
    yield Figure("compiler.wall.gpt2_decode.int8", round(ratio(timed.run, timed.other), 3), "times ONNX Runtime", 1.0)


def _generated(model: CompiledLanguageModel, local: LocalLanguageModel, session: int, count: int) -> int:
    """What a message that makes `count` tokens costs."""
    made = local.generate(session, count)
    assert len(made.tokens) == count, made
    last = made.length - 1
    return made.instructions + page_charges(model.shape, model.memory, last - count, last, wants_logits=True)


def _qwen2(folder: Path) -> Iterator[Figure]:
    model = compile_language_model(random_model(folder, QWEN2), slots=1)
    local = LocalLanguageModel(model.wasm, model.weight_chunks)
    session = local.open()
    local.prompt(session, list(range(16)))
    # Pages are charged for on the network, not here: what they take is kept back.
    room = MESSAGE_INSTRUCTIONS - page_charges(model.shape, model.memory, 0, model.shape.context, wants_logits=True)
    made = local.generate(session, model.shape.context, max_instructions=room)
    yield Figure("compiler.qwen2.int8.tokens_a_call", len(made.tokens), "tokens", 80, "higher")
    yield Figure("compiler.qwen2.int8.token", made.instructions // len(made.tokens), "instructions", None)
    yield Figure("compiler.qwen2.module", len(model.wasm), "bytes", None)
    yield Figure("compiler.qwen2.memory", model.memory.end, "bytes", None)


# --- wall time ---


class TimedDecode:
    """One token at POSITION, in wasmtime and in ONNX Runtime, from the same weights and the same cache; no messages, no metering. Raises
    AssertionError when they do not agree."""

    def __init__(self, model: CompiledLanguageModel, folder: Path) -> None:
        run = next(index for index, name in w.function_names(model.named).items() if name == "model_rows")
        entries = [*w.exports(model.named), w.Export("model_rows", w.FUNCTION_KIND, run)]
        its_engine = engine()
        parts = [w.export_section(entries) if part.number == w.EXPORT else part for part in w.sections(model.named)]
        module = wasmtime.Module(its_engine, w.assembled(parts))
        self._store = wasmtime.Store(its_engine)
        linker = wasmtime.Linker(its_engine)
        linker.define_unknown_imports_as_traps(module)
        exports = linker.instantiate(self._store, module).exports(self._store)
        memory = exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        at = model.memory.weights
        for chunk in model.weight_chunks:
            memory.write(self._store, chunk, at)
            at += len(chunk)
        tokens = np.random.default_rng(1).integers(0, GPT2["vocab_size"], POSITION + 1).astype(np.uint32)
        memory.write(self._store, tokens.tobytes(), model.memory.message[0])
        self._rows = exports["model_rows"]
        self._memory = model.memory
        for position in range(POSITION):
            self._step(position)
        self.run()
        logits = np.frombuffer(
            memory.read(
                self._store, model.memory.buffers["logits"], model.memory.buffers["logits"] + 4 * GPT2["vocab_size"]
            ),
            np.float32,
        )
        block = np.frombuffer(
            memory.read(self._store, model.memory.slots, model.memory.slots + model.shape.cache_bytes), np.float32
        )
        inputs = {"token": tokens[-1:].astype(np.int64), **past_of(block, model)}
        running = session_of(folder)
        self.other: Callable[[], object] = lambda: running.run(None, inputs)
        wanted = running.run(None, inputs)[0][0]
        error = float(np.abs(logits - wanted).max() / np.abs(wanted).max())
        assert error < 0.05, f"logits are {error:.1e} from ONNX Runtime's"

    def _step(self, position: int) -> None:
        arguments = (self._memory.message[0] + 4 * position, 1, position, self._memory.slots, 1)
        self._rows(self._store, *arguments)  # type: ignore[operator]

    def run(self) -> None:
        self._step(POSITION)


def past_of(cache: np.ndarray, model: CompiledLanguageModel) -> dict[str, np.ndarray]:
    """(heads, POSITION, head size) of each layer, out of a session's cache."""
    heads, size, layers = GPT2["n_head"], model.shape.decoder.head_size, GPT2["n_layer"]
    blocks = cache.reshape(-1, layers, 2, BLOCK_POSITIONS * heads * size)[: POSITION // BLOCK_POSITIONS]
    found = {}
    for layer in range(layers):
        keys = blocks[:, layer, 0].reshape(-1, heads, size, BLOCK_POSITIONS).transpose(1, 0, 3, 2)
        values = blocks[:, layer, 1].reshape(-1, BLOCK_POSITIONS, heads, size).transpose(2, 0, 1, 3)
        found |= {f"k{layer}": keys.reshape(heads, POSITION, size), f"v{layer}": values.reshape(heads, POSITION, size)}
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


def session_of(folder: Path) -> Any:
    """ONNX Runtime on one thread with GPT-2's decode in float32."""
    import onnxruntime

    path = folder / "decode.onnx"
    onnx.save(decode_graph(folder), path, save_as_external_data=True, location="decode.bin")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def decode_graph(folder: Path) -> onnx.ModelProto:
    """One token at POSITION with the cache of those before it as inputs."""
    import torch
    from safetensors.torch import load_file

    weights = {
        name.removeprefix("transformer."): tensor.to(torch.float32).numpy()
        for name, tensor in load_file(folder / "model.safetensors").items()
    }
    heads, width = GPT2["n_head"], GPT2["n_embd"]
    size = width // heads
    constants = {
        **weights,
        "row": np.array([1, width]),
        "heads": np.array([heads, 1, size]),
        "scale": np.float32(size**-0.5),
    }
    constants["wpe.weight"] = weights["wpe.weight"][POSITION : POSITION + 1]
    nodes: list[onnx.NodeProto] = []

    def node(op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def dense(x: str, at: str) -> str:
        return node("Gemm", [x, f"{at}.weight", f"{at}.bias"], at)

    def norm(x: str, at: str) -> str:
        return node("LayerNormalization", [x, f"{at}.weight", f"{at}.bias"], at)

    x = node("Add", [node("Gather", ["wte.weight", "token"], "embedded"), "wpe.weight"], "x")
    for layer in range(GPT2["n_layer"]):
        h = f"h.{layer}."
        parts = [f"{h}q", f"{h}k", f"{h}v"]
        nodes.append(
            helper.make_node("Split", [dense(norm(x, h + "ln_1"), h + "attn.c_attn")], parts, axis=1, num_outputs=3)
        )
        q, k, v = (node("Reshape", [part, "heads"], f"{part}.heads") for part in parts)
        keys = node("Transpose", [node("Concat", [f"k{layer}", k], f"{h}keys", axis=1)], f"{h}keys.t", perm=[0, 2, 1])
        scores = node(
            "Softmax", [node("Mul", [node("MatMul", [q, keys], f"{h}scores"), "scale"], f"{h}scaled")], f"{h}shares"
        )
        mixed = node("MatMul", [scores, node("Concat", [f"v{layer}", v], f"{h}values", axis=1)], f"{h}mixed")
        x = node("Add", [x, dense(node("Reshape", [mixed, "row"], f"{h}row"), h + "attn.c_proj")], f"{h}x")
        wide = node("Gelu", [dense(norm(x, h + "ln_2"), h + "mlp.c_fc")], f"{h}gelu", approximate="tanh")
        x = node("Add", [x, dense(wide, h + "mlp.c_proj")], f"{h}y")
    node("Gemm", [norm(x, "ln_f"), "wte.weight"], "logits", transB=1)
    inputs = [helper.make_tensor_value_info("token", TensorProto.INT64, [1])]
    for layer in range(GPT2["n_layer"]):
        inputs += [
            helper.make_tensor_value_info(f"{part}{layer}", TensorProto.FLOAT, [heads, POSITION, size]) for part in "kv"
        ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, GPT2["vocab_size"]])]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "decode", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)

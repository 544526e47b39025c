"""Where a decoder's weights are in a checkpoint, by family: GPT-2 keeps matrices (in, out) and q, k, v side by side, the others (out, in) apart.

`Matrix` is one dense layer, assembled from the tensors that stand side by side in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .checkpoint import Checkpoint, Floats
from .config import Decoder, refused


@dataclass(frozen=True)
class Matrix:
    """Columns side by side: tensors (n, k), or (k, n) when `is_transposed`; `biases` are empty or one for each tensor."""

    k: int
    n: int
    tensors: tuple[str, ...]
    biases: tuple[str, ...] = ()
    is_transposed: bool = False

    def weights(self, checkpoint: Checkpoint) -> Floats:
        """(k, n)."""
        parts = [checkpoint.whole(name) for name in self.tensors]
        return np.concatenate([part if self.is_transposed else part.T for part in parts], axis=1)

    def bias(self, checkpoint: Checkpoint) -> Floats:
        if not self.biases:
            return np.zeros(self.n, np.float32)
        return np.concatenate([checkpoint.whole(name) for name in self.biases])


@dataclass(frozen=True)
class Layer:
    """Vectors by what they are for (none where the family has none), and the four dense layers."""

    vectors: Mapping[str, str]
    qkv: Matrix
    output: Matrix
    up: Matrix
    down: Matrix


@dataclass(frozen=True)
class Names:
    """`embedding` (vocabulary, width); `head` is the same tensor when tied. `learned`: the table of positions, if any."""

    embedding: str
    head: str
    learned: str
    final: Mapping[str, str]
    layer: Callable[[int], Layer]


def names_of(decoder: Decoder, checkpoint: Checkpoint) -> Names:
    """Every tensor that the decoder needs, required in its shape. Raises CannotCompile for what is missing, misshapen or left over."""
    found = _gpt2(decoder, checkpoint) if decoder.family == "gpt2" else _llama(decoder, checkpoint)
    require = checkpoint.require
    require(found.embedding, (decoder.vocabulary, decoder.width))
    require(found.head, (decoder.vocabulary, decoder.width))
    if found.learned:
        require(found.learned, (decoder.positions, decoder.width))
    for name in found.final.values():
        require(name, (decoder.width,))
    for index in range(decoder.layers):
        layer = found.layer(index)
        for purpose, name in layer.vectors.items():
            require(name, (decoder.head_size if purpose.endswith("head_norm") else decoder.width,))
        _require_matrices(decoder, layer, checkpoint)
    left = [name for name in checkpoint.left() if not _is_buffer(name, decoder)]
    if left:
        raise refused(
            f"tensor {left[0]}",
            f"a {decoder.family} decoder has no such tensor ({len(left)} are left over)",
            "Give the plain model: adapters and added heads must be merged or removed first",
        )
    return found


def _is_buffer(name: str, decoder: Decoder) -> bool:
    """What older versions saved besides the weights, and a head that is the embedding."""
    last = name.rpartition("attn.")[2]
    return last in ("bias", "masked_bias", "rotary_emb.inv_freq") or (decoder.tied and name == "lm_head.weight")


def _require_matrices(decoder: Decoder, layer: Layer, checkpoint: Checkpoint) -> None:
    sizes = {
        "qkv": [decoder.q_size, decoder.kv_size, decoder.kv_size],
        "output": [decoder.width],
        "up": [decoder.hidden] * (2 if decoder.gated else 1),
        "down": [decoder.width],
    }
    for which, columns in sizes.items():
        matrix: Matrix = getattr(layer, which)
        if len(matrix.tensors) != len(columns):
            columns = [sum(columns)]
        for name, n in zip(matrix.tensors, columns, strict=True):
            checkpoint.require(name, (matrix.k, n) if matrix.is_transposed else (n, matrix.k))
        for name, n in zip(matrix.biases, columns, strict=False):
            checkpoint.require(name, (n,))


def _gpt2(decoder: Decoder, checkpoint: Checkpoint) -> Names:
    at = "transformer." if "transformer.wte.weight" in checkpoint else ""
    width, hidden = decoder.width, decoder.hidden

    def layer(index: int) -> Layer:
        here = f"{at}h.{index}."

        def dense(name: str, k: int, n: int) -> Matrix:
            return Matrix(k, n, (f"{here}{name}.weight",), (f"{here}{name}.bias",), is_transposed=True)

        vectors = {
            "attention_norm": f"{here}ln_1.weight", "attention_shift": f"{here}ln_1.bias",
            "mlp_norm": f"{here}ln_2.weight", "mlp_shift": f"{here}ln_2.bias",
        }  # fmt: skip
        return Layer(
            vectors, dense("attn.c_attn", width, 3 * width), dense("attn.c_proj", width, width), dense("mlp.c_fc", width, hidden),
            dense("mlp.c_proj", hidden, width),
        )  # fmt: skip

    embedding = f"{at}wte.weight"
    final = {"final_norm": f"{at}ln_f.weight", "final_shift": f"{at}ln_f.bias"}
    return Names(embedding, embedding if decoder.tied else "lm_head.weight", f"{at}wpe.weight", final, layer)


def _llama(decoder: Decoder, checkpoint: Checkpoint) -> Names:
    at = "model." if "model.embed_tokens.weight" in checkpoint else ""
    width = decoder.width

    def layer(index: int) -> Layer:
        here = f"{at}layers.{index}."

        def dense(k: int, n: int, has_bias: bool, *names: str) -> Matrix:
            biases = tuple(f"{here}{name}.bias" for name in names) if has_bias else ()
            return Matrix(k, n, tuple(f"{here}{name}.weight" for name in names), biases)

        vectors = {
            "attention_norm": f"{here}input_layernorm.weight",
            "mlp_norm": f"{here}post_attention_layernorm.weight",
        }
        if decoder.qk_norm:
            vectors |= {
                "q_head_norm": f"{here}self_attn.q_norm.weight",
                "k_head_norm": f"{here}self_attn.k_norm.weight",
            }
        qkv = (f"self_attn.{part}_proj" for part in "qkv")
        return Layer(
            vectors,
            dense(width, decoder.q_size + 2 * decoder.kv_size, decoder.qkv_bias, *qkv),
            dense(decoder.q_size, width, decoder.output_bias, "self_attn.o_proj"),
            dense(width, 2 * decoder.hidden, decoder.mlp_bias, "mlp.gate_proj", "mlp.up_proj"),
            dense(decoder.hidden, width, decoder.mlp_bias, "mlp.down_proj"),
        )

    embedding = f"{at}embed_tokens.weight"
    return Names(
        embedding, embedding if decoder.tied else "lm_head.weight", "", {"final_norm": f"{at}norm.weight"}, layer
    )

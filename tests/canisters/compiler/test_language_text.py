"""From a text to a text: a small model learns a page by heart, is compiled in int8, and goes on with it on chain, through the tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as f

from canisters.client.tokenizer import tokenizer_of
from canisters.compiler.language import LocalLanguageModel, compile_language_model

from .language_models import Tensors, config_of, reference_logits_of, saved, tensors_of

CONFIG = config_of("gpt2", vocab_size=256, n_embd=64, n_layer=1)
CONTEXT, STEPS, BATCH = 64, 260, 4


def page(repository: Path) -> bytes:
    """The beginning of the licence, in lines of single spaces."""
    return " ".join((repository / "LICENSE").read_text().split()).encode()[:300]


def taught(text: bytes) -> Tensors:
    """The weights of a network of bytes that has learned `text` by heart."""
    torch.manual_seed(0)
    data = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
    tensors = {
        name: tensor * 0.5 if tensor.dim() > 1 else torch.full_like(tensor, float(name.endswith("weight")))
        for name, tensor in tensors_of(CONFIG).items()
    }
    for tensor in tensors.values():
        tensor.requires_grad_()
    optimizer = torch.optim.AdamW(tensors.values(), lr=8e-3)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 8e-3 * (1 - step / STEPS)
        starts = torch.randint(0, len(data) - CONTEXT - 1, (BATCH,))
        loss = torch.stack(
            [
                f.cross_entropy(
                    reference_logits_of(CONFIG, tensors, data[s : s + CONTEXT]), data[s + 1 : s + CONTEXT + 1]
                )
                for s in starts
            ]
        )
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    return {name: tensor.detach() for name, tensor in tensors.items()}


@pytest.mark.slow
def test_a_model_that_has_learned_a_page_by_heart_goes_on_with_it(tmp_path: Path, repository: Path) -> None:
    text = page(repository)
    folder = saved(tmp_path, CONFIG, taught(text))
    compiled = compile_language_model(folder, mode="int8", context=64, slots=1)
    model, tokenizer = LocalLanguageModel(compiled.wasm, compiled.weight_chunks), tokenizer_of(folder)
    begun = text[100:132].decode()

    session = model.open()
    model.prompt(session, tokenizer.encode(begun))
    greedy = tokenizer.decode(model.generate(session, 32).tokens)
    model.close(session)
    session = model.open(seed=1, temperature=0.3, top_p=0.9)
    model.prompt(session, tokenizer.encode(begun))
    drawn = tokenizer.decode(model.generate(session, 32).tokens)

    assert greedy == text[132:164].decode()
    assert sum(a == b for a, b in zip(drawn, greedy, strict=True)) > 24

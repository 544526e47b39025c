"""The C of three small networks, committed so that a change of the compiler can be read. COMMONWEIGHT_WRITE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from canisters.compiler import compile_model

from .networks import NETWORKS

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "mode"), [("mlp", "f32"), ("cnn", "f32"), ("cnn", "int8"), ("branches", "f32")])
def test_the_c_of_a_small_network_is_the_committed_one(name: str, mode: str) -> None:
    path = GOLDEN / f"{name}_{mode}.c"

    written = compile_model(NETWORKS[name]().SerializeToString(), mode=mode).c_source  # type: ignore[arg-type]

    if os.environ.get("COMMONWEIGHT_WRITE_GOLDEN"):
        path.write_text(written)
    assert written == path.read_text(), (
        f"{path.name} differs: read the difference, then write it anew with COMMONWEIGHT_WRITE_GOLDEN=1"
    )

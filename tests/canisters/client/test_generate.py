"""The typed clients are what the .did files give, and are clients that work."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from canisters.client import generate
from canisters.client.contracts import CANDID, service
from canisters.client.generate import Writer
from canisters.interface.candid import parse_did


def test_the_committed_clients_fit_the_contracts() -> None:
    assert generate.stale() == [], "run `python -m canisters.client.generate`"


def test_a_client_that_is_out_of_date_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in generate.sources().items():
        (tmp_path / name).write_text(text.replace("icrc1_balance_of", "icrc1_balance"))
    (tmp_path / "removed.py").write_text("# made from a contract that is no more\n")
    monkeypatch.setattr(generate, "TYPED", tmp_path)
    monkeypatch.setattr("sys.argv", ["generate", "--check"])

    assert generate.main() == 1

    monkeypatch.setattr("sys.argv", ["generate"])
    assert generate.main() == 0
    assert generate.stale() == []
    assert not (tmp_path / "removed.py").exists()


@pytest.mark.parametrize("name", sorted(path.stem for path in CANDID.glob("*.did")))
def test_every_method_of_a_contract_has_a_method(name: str) -> None:
    tree = ast.parse((generate.TYPED / f"{name}.py").read_text())
    actor = next(
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(b) == "Contract" for b in node.bases)
    )

    methods = {node.name for node in actor.body if isinstance(node, ast.FunctionDef)} - {"__init__", "as_"}

    assert methods == set(service(name).methods)


def test_names_that_collide_and_keywords_still_give_python() -> None:
    text = """
    type Any = record { "class" : nat; from : opt principal };
    type Tree = variant { leaf; node : record { left : Tree; right : Tree } };
    service : { go : (a : Any, b : vec nat8) -> (Tree, record { nat; text }) query; stop : () -> () }
    """

    source = Writer("sample", parse_did(text), text).module()

    compile(source, "sample.py", "exec")
    assert "def go(self, argument_0: AnyType, argument_1: bytes, /, *, certified: bool = False)" in source

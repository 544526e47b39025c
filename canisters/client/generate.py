"""`python -m canisters.client.generate`: writes canisters/client/typed/ from the committed .did files; `--check` fails when it is stale.

A record becomes a TypedDict, a tuple a tuple, a variant `dict[str, Any]` with one key (its tags stand in the comment above), a service a
class with one method a method. Nested records without a name are named after where they stand.
"""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
import sys
from pathlib import Path

from canisters.interface.candid import types
from canisters.interface.candid.did import Method, Service
from canisters.interface.candid.types import Func, Opt, Prim, Record, Ref, ServiceType, Type, Variant, Vec

from .contracts import CANDID, service

TYPED = Path(__file__).parent / "typed"
_PRIMITIVES = {
    "null": "None", "bool": "bool", "text": "str", "principal": "Principal", "reserved": "None", "empty": "Never",
    "float32": "float", "float64": "float",
}  # fmt: skip
_COMMENT = re.compile(r"^  (\w+) : \([^\n]*//([^\n]*)$", re.MULTILINE)
_TAKEN = {"Any", "Contract", "ChainAgent", "NotRequired", "Principal", "TypeAlias", "TypedDict", "Never"}


def _camel(*parts: str) -> str:
    return "".join(word[:1].upper() + word[1:] for part in parts for word in part.split("_") if word)


class Writer:
    """The source of one module; records are written out as they are met."""

    def __init__(self, name: str, interface: Service, text: str) -> None:
        self.class_name = _camel(name)
        self.name = name
        self.interface = interface
        self.comments = {name: said.strip().rstrip(".") for name, said in _COMMENT.findall(text)}
        self.blocks: list[str] = []
        self.taken = _TAKEN | {self.class_name}
        self.names = {found: self._free(_camel(found)) for found in interface.types}

    def _free(self, wanted: str) -> str:
        while wanted in self.taken:
            wanted += "Type"
        self.taken.add(wanted)
        return wanted

    def module(self) -> str:
        for name, type_ in self.interface.types.items():
            self._define(self.names[name], type_)
        methods = "\n\n".join(self._method(method) for method in self.interface.methods.values())
        head = (
            f'"""The {self.name} canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/{self.name}.did."""\n\n'
            "from __future__ import annotations\n\n"
            "from typing import Any, Never, NotRequired, TypeAlias, TypedDict\n\n"
            "from canisters.client.agent import ChainAgent\n"
            "from canisters.client.contracts import Contract\n"
            "from canisters.interface.principal import Principal\n"
        )
        actor = (
            f"class {self.class_name}(Contract):\n"
            f"    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:\n"
            f'        super().__init__("{self.name}", agent, canister_id)\n\n'
            f"    def as_(self, agent: ChainAgent) -> {self.class_name}:\n"
            f'        """The same canister, asked by another identity."""\n'
            f"        return {self.class_name}(agent, self.canister_id)\n\n{methods}\n"
        )
        return head + "\n\n" + "\n\n".join([*self.blocks, actor])

    def _define(self, name: str, type_: Type) -> None:
        if isinstance(type_, Record) and type_.fields and not type_.is_tuple:
            self._record(name, type_)
        else:
            comment = (
                f"# One of: {', '.join(self._tag(f, name) for f in type_.fields)}\n"
                if isinstance(type_, Variant)
                else ""
            )
            shown = self._shown(type_, name)
            self.blocks.append(f'{comment}{name}: TypeAlias = "{shown}"\n')

    def _tag(self, field: types.Field, name: str) -> str:
        inner = self._shown(field.type, _camel(name, field.key))
        return field.key if inner == "None" else f"{field.key}: {inner}"

    def _record(self, name: str, type_: Record) -> None:
        position = len(self.blocks)
        rows = [(f.key, self._field(f.type, _camel(name, f.key))) for f in type_.fields]
        if all(key.isidentifier() and not keyword.iskeyword(key) for key, _ in rows):
            body = "\n".join(f"    {key}: {shown}" for key, shown in rows)
            self.blocks.insert(position, f"class {name}(TypedDict):\n{body}\n")
        else:
            body = "\n".join(f'        "{key}": "{shown}",' for key, shown in rows)
            self.blocks.insert(position, f'{name} = TypedDict(\n    "{name}",\n    {{\n{body}\n    }},\n)\n')

    def _field(self, type_: Type, name: str) -> str:
        shown = self._shown(type_, name)
        return f"NotRequired[{shown}]" if isinstance(types.resolved(type_), Opt) else shown

    def _shown(self, type_: Type, name: str) -> str:
        """The annotation of `type_`; a record without a name is defined as `name`."""
        match type_:
            case Ref(found, _):
                return self.names[found]
            case Prim(primitive):
                return _PRIMITIVES.get(primitive, "int")
            case Opt(inner):
                shown = self._shown(inner, name)
                return shown if shown == "None" else f"{shown} | None"
            case Vec(Prim("nat8")):
                return "bytes"
            case Vec(inner):
                return f"list[{self._shown(inner, name)}]"
            case Record(fields) if not fields:
                return "dict[str, Any]"
            case Record(fields) if type_.is_tuple:
                return f"tuple[{', '.join(self._shown(f.type, _camel(name, str(f.id))) for f in fields)}]"
            case Record():
                free = self._free(name)
                self._record(free, type_)
                return free
            case Variant():
                return "dict[str, Any]"
            case Func():
                return "tuple[Principal, str]"
            case ServiceType():
                return "Principal"
        raise TypeError(f"no annotation for {type_}")

    def _method(self, method: Method) -> str:
        base = _camel(method.name)
        several = len(method.arguments) > 1
        arguments = [
            f"argument_{i}: {self._shown(t, _camel(base, 'Argument', str(i) if several else ''))}"
            for i, t in enumerate(method.arguments)
        ]
        results = [self._shown(t, _camel(base, "Result")) for t in method.results]
        result = "None" if not results else results[0] if len(results) == 1 else f"tuple[{', '.join(results)}]"
        passed = ", ".join(f"argument_{i}" for i in range(len(arguments)))
        extra, forwarded = "", ""
        if method.is_query:
            extra, forwarded = "*, certified: bool = False", "certified=certified"
        elif self.name == "management":
            extra, forwarded = "*, effective_canister_id: Principal", "effective_canister_id=effective_canister_id"
        signature = ", ".join(part for part in ("self", *arguments, "/" if arguments else "", extra) if part)
        call = ", ".join(part for part in (passed, forwarded) if part)
        answer = f'        result: {result} = self.bound("{method.name}")({call})\n        return result'
        if result == "None":
            answer = f'        self.bound("{method.name}")({call})'
        kind = "Query" if method.is_query else "Update"
        kind += f": {self.comments[method.name]}" if method.name in self.comments else ""
        return f'    def {method.name}({signature}) -> {result}:\n        """{kind}."""\n{answer}'


def sources() -> dict[str, str]:
    """File name -> source, for every .did there is."""
    names = sorted(path.stem for path in CANDID.glob("*.did"))
    modules = {
        f"{name}.py": Writer(name, service(name), (CANDID / f"{name}.did").read_text()).module() for name in names
    }
    imports = "\n".join(f"from .{name} import {_camel(name)}" for name in names)
    listed = "\n".join(f'    "{_camel(name)}",' for name in names)
    modules["__init__.py"] = (
        '"""One typed client a canister. Made by `python -m canisters.client.generate`: change the .did files, not these."""\n\n'
        f"{imports}\n\n__all__ = [\n{listed}\n]\n"
    )
    return modules


def stale() -> list[str]:
    """What differs between the folder and the .did files, as lines of a diff."""
    wanted = sources()
    there = {path.name: path.read_text() for path in TYPED.glob("*.py")}
    lines: list[str] = []
    for name in sorted(wanted.keys() | there.keys()):
        old, new = there.get(name, ""), wanted.get(name, "")
        lines += difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"typed/{name}", f"from .did/{name}", lineterm=""
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m canisters.client.generate", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the folder does not fit the .did files"
    )
    if parser.parse_args().check:
        differences = stale()
        print("\n".join(differences) if differences else "canisters/client/typed fits the .did files")
        return 1 if differences else 0
    TYPED.mkdir(exist_ok=True)
    wanted = sources()
    for path in TYPED.glob("*.py"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (TYPED / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

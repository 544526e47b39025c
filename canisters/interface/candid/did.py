"""Reads the text of a Candid interface (.did): named types, and the service with its methods and init arguments.

Takes what the Motoko compiler writes: named arguments, comments, quoted names, actor classes. Raises DidError with line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import types
from .types import Environment, Field, Func, Opt, Prim, Record, Ref, ServiceType, Type, Variant, Vec

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<number>0x[0-9a-fA-F_]+|[0-9][0-9_]*)|(?P<sign>->|[(){};:,=.])""",
    re.DOTALL,
)


class DidError(ValueError):
    """The text is not Candid; the message tells where."""


@dataclass(frozen=True)
class Method:
    name: str
    arguments: tuple[Type, ...]
    results: tuple[Type, ...]
    modes: tuple[str, ...]

    @property
    def is_query(self) -> bool:
        return "query" in self.modes or "composite_query" in self.modes


@dataclass(frozen=True)
class Service:
    methods: Mapping[str, Method]
    init: tuple[Type, ...]
    types: Mapping[str, Type]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_did(text: str) -> Service:
    """Read an interface. Raises DidError."""
    parser = _Parser(text)
    return parser.program()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.environment = Environment()
        self.used: set[str] = set()
        self.tokens: list[_Token] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(f"unexpected '{text[at]}'", at)
            if match.lastgroup != "space":
                self.tokens.append(_Token(str(match.lastgroup), match.group(), at))
            at = match.end()
        self.tokens.append(_Token("end", "end of text", len(text)))
        self.position = 0

    def _error(self, message: str, at: int) -> DidError:
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        return DidError(f"line {line}, column {column}: {message}")

    @property
    def ahead(self) -> _Token:
        return self.tokens[self.position]

    def _after(self) -> _Token:
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)]

    def _take(self) -> _Token:
        token = self.ahead
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token

    def _accept(self, text: str) -> bool:
        if self.ahead.text == text and self.ahead.kind != "string":
            self._take()
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._error(f"expected '{text}', found '{self.ahead.text}'", self.ahead.at)

    def program(self) -> Service:
        actor: Type | None = None
        init: tuple[Type, ...] = ()
        while self.ahead.kind != "end":
            if self._accept("type"):
                name = self._name()
                self._expect("=")
                if name in self.environment.types:
                    raise self._error(f"type {name} is defined twice", self.ahead.at)
                self.environment.types[name] = self._type()
            elif self._accept("service"):
                if self.ahead.kind == "name":
                    self._take()
                self._expect(":")
                if self.ahead.text == "(":
                    init = self._tuple()
                    self._expect("->")
                actor = self._service_body() if self.ahead.text == "{" else self._type()
            else:
                raise self._error(f"expected 'type' or 'service', found '{self.ahead.text}'", self.ahead.at)
            if self.ahead.kind != "end":
                self._expect(";")
        self._check_names()
        return Service(self._methods(actor), init, dict(self.environment.types))

    def _check_names(self) -> None:
        for token, follows in zip(self.tokens, self.tokens[1:], strict=False):
            undefined = token.text in self.used and token.text not in self.environment.types
            if token.kind == "name" and undefined and follows.text != ":":
                raise self._error(f"type {token.text} is not defined", token.at)

    def _methods(self, actor: Type | None) -> dict[str, Method]:
        if actor is None:
            return {}
        service = types.resolved(actor)
        if not isinstance(service, ServiceType):
            raise self._error("the service is not a service type", 0)
        methods = {}
        for name, type_ in service.methods:
            func = types.resolved(type_)
            if not isinstance(func, Func):
                raise self._error(f"method {name} is not a function", 0)
            methods[name] = Method(name, func.arguments, func.results, func.modes)
        return methods

    def _name(self) -> str:
        token = self._take()
        if token.kind == "string":
            return _unquoted(token.text)
        if token.kind != "name":
            raise self._error(f"expected a name, found '{token.text}'", token.at)
        return token.text

    def _type(self) -> Type:
        token = self._take()
        if token.kind != "name":
            raise self._error(f"expected a type, found '{token.text}'", token.at)
        match token.text:
            case "opt":
                return Opt(self._type())
            case "vec":
                return Vec(self._type())
            case "blob":
                return Vec(Prim("nat8"))
            case "record":
                return Record(self._fields(variant=False))
            case "variant":
                return Variant(self._fields(variant=True))
            case "func":
                return self._func()
            case "service":
                return self._service_body()
            case name if name in types.PRIMITIVES:
                return Prim(name)
            case name:
                self.used.add(name)
                return Ref(name, self.environment)

    def _fields(self, *, variant: bool) -> tuple[Field, ...]:
        self._expect("{")
        fields: dict[int, Field] = {}
        next_id = 0
        while not self._accept("}"):
            at = self.ahead.at
            field = self._field(next_id, variant=variant)
            if field.id in fields:
                raise self._error(f"two fields have the id {field.id}", at)
            fields[field.id] = field
            next_id = field.id + 1
            if not self._accept(";") and self.ahead.text != "}":
                raise self._error(f"expected ';' or '}}', found '{self.ahead.text}'", self.ahead.at)
        return tuple(fields[id_] for id_ in sorted(fields))

    def _field(self, next_id: int, *, variant: bool) -> Field:
        token, named = self.ahead, self._after().text == ":"
        if token.kind == "number" and (named or variant):
            self._take()
            id_ = int(token.text.replace("_", ""), 0)
            return Field(id_, None, self._type() if self._accept(":") else Prim("null"))
        if token.kind == "string" or named or variant:
            name = self._name()
            type_ = self._type() if self._accept(":") else Prim("null")
            return Field(types.label_id(name), name, type_)
        return Field(next_id, None, self._type())

    def _tuple(self) -> tuple[Type, ...]:
        self._expect("(")
        items: list[Type] = []
        while not self._accept(")"):
            if self._after().text == ":":  # an argument's name is a comment
                self._name()
                self._expect(":")
            items.append(self._type())
            if not self._accept(",") and self.ahead.text != ")":
                raise self._error(f"expected ',' or ')', found '{self.ahead.text}'", self.ahead.at)
        return tuple(items)

    def _func(self) -> Func:
        arguments = self._tuple()
        self._expect("->")
        results = self._tuple()
        modes = []
        while self.ahead.text in ("query", "oneway", "composite_query") and self.ahead.kind == "name":
            modes.append(self._take().text)
        return Func(arguments, results, tuple(modes))

    def _service_body(self) -> ServiceType:
        self._expect("{")
        methods: list[tuple[str, Type]] = []
        while not self._accept("}"):
            name = self._name()
            self._expect(":")
            methods.append((name, self._func() if self.ahead.text == "(" else self._type()))
            if not self._accept(";") and self.ahead.text != "}":
                raise self._error(f"expected ';' or '}}', found '{self.ahead.text}'", self.ahead.at)
        return ServiceType(tuple(methods))


def _unquoted(text: str) -> str:
    simple = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
    return re.sub(r"\\(.)", lambda m: simple.get(m.group(1), m.group(1)), text[1:-1])

"""The part of interface.h that follows from a .did file alone: the numbers of labels and tags, and the type table that every reply begins with.

ID_label            a field's number              REPLY_TYPES   "DIDL", the type table, one argument
TAG_Type_Label      a variant's tag, counted      TYPE_method   the result of a method, as a place in that table
TAG_method_Label    the same, for its result
"""

from __future__ import annotations

from collections.abc import Iterator

from canisters.interface.candid import Service, type_table
from canisters.interface.candid.types import Func, Opt, Record, Ref, ServiceType, Type, Variant, Vec, label_id, resolved
from canisters.interface.leb128 import encode_unsigned

from .errors import BuildFailed


def doors_h(service: Service, whole: Service) -> list[str]:
    """Lines of C. `service`: what the module publishes, a part of `whole`; numbers are given for all of that."""
    answering = [method for method in service.methods.values() if method.results]
    roots = [*whole.init, *(t for method in whole.methods.values() for t in (*method.arguments, *method.results))]
    labels = sorted({label for root in roots for label in _labels(root, set())})
    head, references = type_table([method.results[0] for method in answering])
    if any(len(method.results) > 1 for method in answering) or any(len(reference) > 1 for reference in references):
        raise BuildFailed(
            "the interface has a method with two results, or more types than a reply's table can name in a byte"
        )
    return [
        *(f"#define ID_{label} {label_id(label)}u" for label in labels),
        *(line for name, type_ in whole.types.items() for line in _tags(name, type_)),
        *(
            line
            for method in whole.methods.values()
            for result in method.results
            for line in _tags(method.name, result)
        ),
        array("REPLY_TYPES", head + encode_unsigned(1)),
        *(f"#define TYPE_{m.name} {reference[0]}" for m, reference in zip(answering, references, strict=True)),
        "",
    ]


def array(name: str, data: bytes, *, is_const: bool = True) -> str:
    numbers = ", ".join(map(str, data))
    return f"static {'const ' if is_const else ''}uint8_t {name}[] = {{{numbers}}};"


def _labels(type_: Type, seen: set[str]) -> Iterator[str]:
    """Of the records in a type."""
    if isinstance(type_, Ref):
        if type_.name in seen:
            return
        seen.add(type_.name)
    match resolved(type_):
        case Opt(inner) | Vec(inner):
            yield from _labels(inner, seen)
        case Record(fields) | Variant(fields) as found:
            for field in fields:
                if isinstance(found, Record) and field.name is not None:
                    yield field.name
                yield from _labels(field.type, seen)
        case Func() | ServiceType() | _:
            return


def _tags(owner: str, type_: Type) -> list[str]:
    found = resolved(type_)
    if not isinstance(found, Variant):
        return []
    return [f"#define TAG_{owner}_{field.key} {index}" for index, field in enumerate(found.fields)]

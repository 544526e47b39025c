"""Candid: the types (`types`), the text of an interface (`did`) and the bytes of a message (`codec`).

Python's form of a value: nat and int are int, text str, blob bytes, vec list, opt None or the value, record dict (tuple when its fields
are numbered from 0), variant a dict with one key, principal Principal, func (Principal, name), service Principal.
Source: Candid specification, versions 0.1.x."""

from .codec import CandidError, decode, decode_typed, encode, encode_value, type_table
from .did import Method, Service, parse_did

__all__ = [
    "CandidError",
    "Method",
    "Service",
    "decode",
    "decode_typed",
    "encode",
    "encode_value",
    "parse_did",
    "type_table",
]

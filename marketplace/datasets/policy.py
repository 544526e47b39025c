"""A policy in the API's form, and in plain words: what its owner allows, in one or two sentences, so that nobody has to read fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marketplace.chain.projection import principal_of

E8S = 10**8
Terms = dict[str, Any]


def terms_json(logged: dict[str, Any]) -> Terms:
    """The terms of a `policy_set` block: principals as text, hashes as hex, amounts and times as decimal strings."""
    return {
        "audience": _listed(logged["audience"], "Principals", principal_of),
        "purposes": _listed(logged["purposes"], "Listed", str),
        "code": _listed(logged["code"], "Listed", bytes.hex),
        "compute": logged["compute"],
        "columns": logged.get("columns"),
        "price_e8s": str(logged["price_e8s"]),
        "max_uses": logged.get("max_uses"),
        "expires_at_ns": None if "expires_at_ns" not in logged else str(logged["expires_at_ns"]),
        "max_epsilon_micros": logged.get("max_epsilon_micros"),
        "decision": logged["decision"],
        "workers": [principal_of(worker) for worker in logged["workers"]],
    }


def _listed(value: Any, tag: str, shown: Any) -> Any:
    return value if isinstance(value, str) else {tag: [shown(item) for item in value[tag]]}


def policy_sentence(terms: Terms, token: str = "CWT") -> str:
    """What may be done, by whom, for what, at what price, and who decides."""
    if terms["decision"] == "Deny":
        return "Nobody may train on this: every request is denied."
    who = "Anyone" if terms["audience"] == "Anyone" else _count(len(terms["audience"]["Principals"]), "named builder")
    first = f"{who} may train on {_columns(terms['columns'])}{_purpose(terms['purposes'])}, {_how(terms)}, {_price(terms['price_e8s'], token)}"
    decides = (
        "fitting requests are approved at once"
        if terms["decision"] == "AutoApprove"
        else "the owner decides on each request"
    )
    return " ".join((f"{first}; {decides}.", *_limits(terms)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _columns(columns: list[str] | None) -> str:
    return "all columns" if columns is None else _count(len(columns), "column")


def _purpose(purposes: Any) -> str:
    if purposes == "Any":
        return " for any purpose"
    listed = [f"“{purpose}”" for purpose in purposes["Listed"]]
    shown = listed if len(listed) <= 3 else [*listed[:3], f"{len(listed) - 3} more"]
    return " for " + (shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}")


def _how(terms: Terms) -> str:
    code = (
        "with any code"
        if terms["code"] == "Any"
        else f"with {_count(len(terms['code']['Listed']), 'listed program')} only"
    )
    where = {
        "Central": "on the worker's machine",
        "Federated": "only where the data is",
        "Either": "centrally or where the data is",
    }
    return f"{code}, {where[terms['compute']]}"


def _price(price_e8s: str, token: str) -> str:
    if price_e8s == "0":
        return "free of charge"
    whole, rest = divmod(int(price_e8s), E8S)
    amount = f"{whole:,}" + (f".{rest:08d}".rstrip("0") if rest else "")
    return f"for {amount} {token} a job"


def _limits(terms: Terms) -> list[str]:
    said = []
    if terms["max_uses"] is not None:
        said.append(f"At most {_count(terms['max_uses'], 'use')}.")
    if terms["expires_at_ns"] is not None:
        said.append(f"It ends on {datetime.fromtimestamp(int(terms['expires_at_ns']) // 10**9, UTC):%Y-%m-%d}.")
    if terms["max_epsilon_micros"] is not None:
        said.append(f"Only with differential privacy, epsilon at most {terms['max_epsilon_micros'] / 10**6:g}.")
    if terms["workers"]:
        said.append(f"The key goes to {_count(len(terms['workers']), 'named worker')} and nobody else.")
    return said

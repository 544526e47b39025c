"""The Python client for builders, contributors and owners: what a person's own machine does with their own key.

    market.py      the marketplace's HTTP API, one method an endpoint
    forms.py       chain values in JSON and back: hashes in hex, amounts and times as decimal strings
    profile.py     what a dataset shows of itself: schema, statistics, a synthetic sample
    sealing.py     how a file is encrypted, committed to and wrapped for a worker; the browser does the same
    canonical.py   the one JSON text that is hashed
    person.py      a person with a key: signs in, registers data, decides, votes, pays, claims

It speaks HTTP to the marketplace and, where a signature is wanted, to the chain itself (`canisters.client`). Nothing of Django is in it, so
it installs beside a notebook.
"""

from .market import Market, MarketRefused, MarketUnavailable
from .person import Person

__all__ = ["Market", "MarketRefused", "MarketUnavailable", "Person"]

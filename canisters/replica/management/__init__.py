"""The management canister `aaaaa-aa`: creates, installs, upgrades, stops and deletes canisters, for those who control them.

Source: interface specification, "The IC management canister"."""

from . import code, keys, lifecycle, settings, snapshots
from .canister import CANISTER

__all__ = ["CANISTER", "code", "keys", "lifecycle", "settings", "snapshots"]

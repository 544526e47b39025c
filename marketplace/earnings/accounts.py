"""Accounts of the ledger as text. Source: ICRC-1, "Textual encoding of accounts"."""

from __future__ import annotations

import base64
import zlib

from canisters.interface.principal import Principal


def account_text(owner: str, subaccount: str) -> str:
    """`subaccount`: 32 bytes in hex, or empty: then the account is written as its owner alone."""
    if not subaccount.strip("0"):
        return owner
    checksum = zlib.crc32(Principal.from_text(owner).raw + bytes.fromhex(subaccount)).to_bytes(4, "big")
    return f"{owner}-{base64.b32encode(checksum).decode().lower().rstrip('=')}.{subaccount.lstrip('0')}"

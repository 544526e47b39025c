"""The offline verifier: is what the site says what the chain says, and does it follow from itself?

`collect` puts logs, certificates and receipts into one bundle, from the public network; `verify_bundle` checks it with nothing but the
network's root key. docs/verify.md lists every check, and what cannot be known.
"""

from .bundle import Bundle, BundleMalformed
from .collect import collect
from .report import Check, Report
from .verify import verify_bundle

__all__ = ["Bundle", "BundleMalformed", "Check", "Report", "collect", "verify_bundle"]

"""Django's name for this app; at the start, every app's projection is made known, and this app's parts of `health`."""

import sys

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

# A `nat` comes in at most 4096 bytes (canisters.interface.leb128), which is more decimal digits than Python writes by itself: somebody's
# absurd amount in a log must not stop the index.
MAX_NAT_DIGITS = 10_000


class ChainConfig(AppConfig):
    name = "marketplace.chain"
    label = "chain"

    def ready(self) -> None:
        sys.set_int_max_str_digits(MAX_NAT_DIGITS)
        autodiscover_modules("projection")
        from marketplace.core.health import register_check

        from . import health

        register_check("chain", health.chain)
        register_check("index", health.index)

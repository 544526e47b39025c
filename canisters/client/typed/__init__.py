"""One typed client a canister. Made by `python -m canisters.client.generate`: change the .did files, not these."""

from .cooperative import Cooperative
from .cooperatives import Cooperatives
from .jobs import Jobs
from .ledger import Ledger
from .management import Management
from .registry import Registry

__all__ = [
    "Cooperative",
    "Cooperatives",
    "Jobs",
    "Ledger",
    "Management",
    "Registry",
]

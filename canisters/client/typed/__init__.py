"""One typed client a canister. Made by `python -m canisters.client.generate`: change the .did files, not these."""

from .cooperative import Cooperative
from .cooperatives import Cooperatives
from .inference import Inference
from .jobs import Jobs
from .language import Language
from .ledger import Ledger
from .management import Management
from .registry import Registry

__all__ = [
    "Cooperative",
    "Cooperatives",
    "Inference",
    "Jobs",
    "Language",
    "Ledger",
    "Management",
    "Registry",
]

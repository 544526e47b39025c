"""`manage.py reindex`: throws the index away and makes it again from the chain. Uploads, keys, sessions and tokens are not part of it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from canisters.client import ClientError
from marketplace.chain.errors import IndexRefused
from marketplace.chain.follower import reindex
from marketplace.core.errors import MarketError


class Command(BaseCommand):
    help = "Make the index anew from the chain; the old one stays until the new one is whole."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = reindex()
        except (IndexRefused, MarketError, ClientError) as error:
            raise CommandError(f"{error} The index is as it was.") from error
        self.stdout.write(f"the index is made anew from {done.applied} blocks")

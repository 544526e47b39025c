"""Django's name for this app."""

from django.apps import AppConfig


class EarningsConfig(AppConfig):
    name = "marketplace.earnings"
    label = "earnings"

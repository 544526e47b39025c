"""Django's name for this app."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "marketplace.datasets"
    label = "datasets"

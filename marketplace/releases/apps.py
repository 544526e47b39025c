"""Django's name for this app."""

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "marketplace.releases"
    label = "releases"

"""Addresses of what every app stands on, below /api/market/."""

from django.urls import path

from . import endpoints

urlpatterns = [path("health", endpoints.HealthApi.as_view())]

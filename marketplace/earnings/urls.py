"""Addresses of accounts and earnings, below /api/market/."""

from __future__ import annotations

from django.urls import path

from . import api

urlpatterns = [
    path("accounts/<str:principal>", api.AccountApi.as_view()),
    path("accounts/<str:principal>/earnings", api.EarningsApi.as_view()),
    path("accounts/<str:principal>/transfers", api.TransfersApi.as_view()),
]

"""Addresses of the chain's index, below /api/market/."""

from django.urls import path

from . import api

urlpatterns = [
    path("network", api.NetworkApi.as_view()),
    path("activity", api.ActivityApi.as_view()),
    path("blocks/<str:canister>/<id:index>", api.BlockApi.as_view()),
]

"""Addresses of models, proposals and releases, below /api/market/."""

from __future__ import annotations

from django.urls import path

from marketplace.releases.api import ReleaseApi

from . import api

urlpatterns = [
    path("jobs/<id:job_id>/release", ReleaseApi.as_view()),
    path("models", api.ModelsApi.as_view()),
    path("models/<str:canister>", api.ModelApi.as_view()),
    path("models/<str:canister>/proposals", api.ProposalsApi.as_view()),
    path("models/<str:canister>/proposals/<id:proposal_id>", api.ProposalApi.as_view()),
    path("votes", api.VotesApi.as_view()),
]

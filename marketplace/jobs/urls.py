"""Addresses of jobs, below /api/market/."""

from __future__ import annotations

from django.urls import path

from . import api, live

urlpatterns = [
    path("recipes", api.RecipesApi.as_view()),
    path("workers", api.WorkersApi.as_view()),
    path("configs", api.ConfigsApi.as_view()),
    path("requests", api.RequestsApi.as_view()),
    path("jobs", api.JobsApi.as_view()),
    path("jobs/<id:job_id>", api.JobApi.as_view()),
    path("jobs/<id:job_id>/fund", api.JobFundApi.as_view()),
    path("jobs/<id:job_id>/cancel", api.JobCancelApi.as_view()),
    path("jobs/<id:job_id>/progress", api.ProgressApi.as_view()),
    path("jobs/<id:job_id>/events", live.job_events),
]

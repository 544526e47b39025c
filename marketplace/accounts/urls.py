"""Addresses of signing in and of API tokens, below /api/market/."""

from django.urls import path

from . import api

urlpatterns = [
    path("auth/challenge", api.ChallengeApi.as_view()),
    path("auth/sign-in", api.SignInApi.as_view()),
    path("auth/sign-out", api.SignOutApi.as_view()),
    path("me", api.MeApi.as_view()),
    path("tokens", api.TokensApi.as_view()),
    path("tokens/<id:token_id>", api.TokenApi.as_view()),
    path("tokens/<id:token_id>/activate", api.TokenActivateApi.as_view()),
]

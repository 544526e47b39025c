"""Addresses. `/api/market/` is ours, `/api/v2|v3|v4/` is the chain's, everything else is the page."""

from __future__ import annotations

from django.urls import include, path, re_path, register_converter
from drf_spectacular.views import SpectacularJSONAPIView

from marketplace.chain.proxy import chain_proxy
from marketplace.core import pages
from marketplace.core.api import ChainId, not_found

register_converter(ChainId, "id")

APPS = ("core", "chain", "accounts", "datasets", "jobs", "governance", "earnings")

urlpatterns = [
    *(path("api/market/", include(f"marketplace.{app}.urls")) for app in APPS),
    path("api/market/schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path("api/market/docs", pages.docs),
    re_path(r"^api/(?P<version>v2|v3|v4)/(?P<rest>.*)$", chain_proxy),
    re_path(r"^api/.*$", not_found),
    re_path(r"^.*$", pages.page),
]
handler404 = "marketplace.core.pages.handler404"
handler500 = "marketplace.core.pages.handler500"
handler400 = "marketplace.core.pages.handler400"

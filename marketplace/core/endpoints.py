"""HTTP: whether all is well."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from .api import ApiView
from .health import health
from .openapi import described


class ChecksShape(serializers.Serializer[Any]):
    database = serializers.CharField()
    broker = serializers.CharField()
    chain = serializers.CharField()
    index = serializers.CharField()


class HealthShape(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["ok", "degraded"])
    checks = ChecksShape(help_text='"ok", or what is wrong and what to do')


class HealthApi(ApiView):
    @described("Whether all is well", response=HealthShape, errors=())
    def get(self, request: Request) -> Response:
        well, checks = health()
        return Response({"status": "ok" if well else "degraded", "checks": checks})

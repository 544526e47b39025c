"""The release of a job over HTTP."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api import ApiView
from marketplace.core.openapi import AnyObject, Hex, described

from . import selectors


class ReleaseShape(serializers.Serializer[Any]):
    manifest = AnyObject()
    manifest_hash = Hex()
    interface = AnyObject(allow_null=True)
    cost = AnyObject(allow_null=True)
    equality = AnyObject(allow_null=True)


class ReleaseApi(ApiView):
    @described("Show the release that a job's result carries", response=ReleaseShape)
    def get(self, request: Request, job_id: int) -> Response:
        return Response(selectors.release_of(job_id))

"""Jobs over HTTP. Everything may be read by anybody; what changes a job is done on the chain, as the caller, by an API token."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

import training
from marketplace.core.api import ApiView
from marketplace.core.openapi import described

from . import selectors, services
from .models import Job
from .record import Record
from .shapes import (
    ConfigInput,
    ConfigShape,
    JobInput,
    JobShape,
    JobSummaryShape,
    ProgressShape,
    RecipeShape,
    RequestShape,
    WorkerShape,
)

_BY_TOKEN = (400, 401, 403, 404, 409, 503)


class RecipesApi(ApiView):
    @described("List what can be trained", response=RecipeShape, many=True, errors=())
    def get(self, request: Request) -> Response:
        return Response(
            [
                {
                    "name": recipe.name,
                    "title": recipe.title,
                    "description": recipe.description,
                    "code_hash": recipe.code_hash.hex(),
                    "config_schema": recipe.config_schema,
                    "default_config": recipe.default_config,
                    "task": recipe.task,
                }
                for recipe in training.recipes()
            ]
        )


class WorkersApi(ApiView):
    @described("List the workers that an owner can let have a key", response=WorkerShape, many=True, errors=())
    def get(self, request: Request) -> Response:
        return Response(selectors.workers_shown())


class ConfigsApi(ApiView):
    @described(
        "Check a config and keep it, so that a proposal can name its hash",
        request=ConfigInput,
        response=ConfigShape,
        status=201,
    )
    def post(self, request: Request) -> Response:
        _ = self.caller
        kept = services.config_keep(**self.read(ConfigInput))
        return Response(
            {"config_hash": kept.config_hash, "code_hash": kept.code_hash, "config": kept.config}, status=201
        )


class JobsApi(ApiView):
    @described(
        "List jobs, newest first",
        response=JobSummaryShape,
        page=True,
        query={
            "state": "one state",
            "builder": "who proposed it",
            "worker": "who claimed it",
            "owner": "who owns a dataset that it names",
            "dataset_id": "a dataset that it names",
        },
    )
    def get(self, request: Request) -> Response:
        rows = selectors.job_rows(
            state=self.query("state"),
            builder=self.query_principal("builder"),
            worker=self.query_principal("worker"),
            owner=self.query_principal("owner"),
            dataset_id=self.query_number("dataset_id"),
        )
        return self.page(rows, selectors.jobs_shown)

    @described(
        "Propose a job, as the owner of the API token",
        request=JobInput,
        response=JobShape,
        status=201,
        errors=_BY_TOKEN,
    )
    def post(self, request: Request) -> Response:
        caller = self.caller
        given = {name: value for name, value in self.read(JobInput).items() if value is not None}
        if "key" in given:
            given["key"] = bytes.fromhex(given["key"])
        if "worker" in given:
            given["worker"] = selectors.named_worker(given["worker"])
        record = services.job_propose(caller=caller, proposal=services.Proposal(**given))
        return Response(_as_the_chain_says(record), status=201)


class JobApi(ApiView):
    @described("Show a job", response=JobShape)
    def get(self, request: Request, job_id: int) -> Response:
        return Response(selectors.job_shown(selectors.job_row(job_id)))


class JobFundApi(ApiView):
    @described("Pay a job's budget into escrow, as the owner of the API token", response=JobShape, errors=_BY_TOKEN)
    def post(self, request: Request, job_id: int) -> Response:
        return Response(_as_the_chain_says(services.job_fund(caller=self.caller, job_id=job_id)))


class JobCancelApi(ApiView):
    @described(
        "Take a job back before a worker has claimed it, as the owner of the API token",
        response=JobShape,
        errors=_BY_TOKEN,
    )
    def post(self, request: Request, job_id: int) -> Response:
        return Response(_as_the_chain_says(services.job_cancel(caller=self.caller, job_id=job_id)))


class ProgressApi(ApiView):
    @described("Show the last events of a job's training", response=ProgressShape, errors=(404, 503))
    def get(self, request: Request, job_id: int) -> Response:
        return Response({"events": selectors.progress_of(selectors.job_row(job_id))})


class RequestsApi(ApiView):
    @described("List the jobs that wait for my word on my data", response=RequestShape, page=True)
    def get(self, request: Request) -> Response:
        owner = self.caller.principal
        return self.page(selectors.requests_of(owner), lambda rows: selectors.requests_shown(rows, owner))


def _as_the_chain_says(record: Record) -> dict[str, Any]:
    """The job as the chain answered; from the index when that has come as far, since it knows the timeline too."""
    row = Job.objects.filter(id=record["id"]).first()
    if row is not None and int(row.record["updated_at_ns"]) >= int(record["updated_at_ns"]):
        return selectors.job_shown(row)
    return selectors.job_shown(Job(id=record["id"], state=record["state"], record=record))

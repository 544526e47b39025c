"""Models and proposals over HTTP: for reading. Voting and proposing is signed by the owner's own key, on the chain itself."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api import ApiView, principal_text
from marketplace.core.openapi import described

from . import selectors
from .shapes import ModelShape, ModelSummaryShape, ProposalShape, ProposalSummaryShape, VoteShape


class ModelsApi(ApiView):
    @described(
        "List models, newest first",
        response=ModelSummaryShape,
        page=True,
        query={"owner": "who holds shares of it", "job_id": "the job that it came from"},
    )
    def get(self, request: Request) -> Response:
        rows = selectors.model_rows(owner=self.query_principal("owner"), job_id=self.query_number("job_id"))
        return self.page(rows, selectors.models_shown)


class ModelApi(ApiView):
    @described("Show a model", response=ModelShape)
    def get(self, request: Request, canister: str) -> Response:
        return Response(selectors.model_shown(principal_text(canister, "canister")))


class ProposalsApi(ApiView):
    @described("List a model's proposals, newest first", response=ProposalSummaryShape, page=True)
    def get(self, request: Request, canister: str) -> Response:
        return self.page(selectors.proposal_rows(principal_text(canister, "canister")), selectors.proposals_shown)


class ProposalApi(ApiView):
    @described("Show a proposal", response=ProposalShape)
    def get(self, request: Request, canister: str, proposal_id: int) -> Response:
        return Response(selectors.proposal_shown(principal_text(canister, "canister"), proposal_id))


class VotesApi(ApiView):
    @described("List the open proposals that wait for my vote, nearest deadline first", response=VoteShape, page=True)
    def get(self, request: Request) -> Response:
        owner = self.caller.principal
        return self.page(selectors.votes_of(owner), lambda rows: selectors.votes_shown(rows, owner))

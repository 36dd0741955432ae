"""The API object: routers of the apps, authentication, and one shape for everything that goes wrong."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Final

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from agents.messaging.errors import MessagingError
from agents.prompts.errors import PromptError
from approvals.able.api import gate_routes, reviewing_routes
from approvals.accounts.answerable_api import answerable_routes
from approvals.api import delegations, gates, renewing, token_routes
from approvals.feedback.api import feedback_routes, proposal_routes
from approvals.feedback.usability_api import usability_routes
from approvals.importing.api import answer_routes
from approvals.notices.api import notice_routes
from config.api.auth import Bearer, SessionCookie, WorkerBearer, by_secret_address, by_signed_address
from config.api.parsing import StrictParser
from config.api.prompts import prompt_routes
from monitoring.alerts.api import alert_routes
from monitoring.api import events
from monitoring.costs.api import cost_routes
from monitoring.metrics.api import metric_routes
from monitoring.telemetry.api import telemetry_routes
from orchestrator import act_api, budget_api, gallery_api, service_api, snapshot_api, tools_api, workers_api
from orchestrator.api import runs, stopping, tasks, workflows
from orchestrator.definitions.errors import DefinitionError
from orchestrator.errors import OrchestratorError
from orchestrator.messages_api import message_routes
from orchestrator.parts_api import part_routes
from orchestrator.privacy_api import privacy_routes
from orchestrator.quality_api import evaluation_routes, quality_routes
from orchestrator.schedules_api import schedule_routes
from orchestrator.signals_api import address_routes, callback_routes, group_routes, signal_routes

log = structlog.get_logger(__name__)
DESCRIPTION = """Everything the pages can do, for programs. Send `Authorization: Bearer wk_...`; a signed-in person
makes a token with `POST /tokens`, an operator with `manage.py token create`. Every error has the shape
`{"error": {"code", "message", "remedy", "facts"}}`. Starting a run and deciding a gate take an `Idempotency-Key`."""

api = NinjaAPI(
    title="Watchkeeper",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api-v1",
    parser=StrictParser(),
    auth=[Bearer(), SessionCookie()],
    docs_url=None,
)
api.add_router("/workflows", workflows)
api.add_router("/runs", runs)
api.add_router("/tasks", tasks)
api.add_router("/parts", part_routes)
api.add_router("/agents", act_api.agents)
api.add_router("/agents", service_api.agents)
api.add_router("/workers", service_api.workers)
api.add_router("/tools", tools_api.tools)
api.add_router("/gallery", gallery_api.gallery)
api.add_router("/policies", tools_api.policies)
api.add_router("/runs", snapshot_api.past)
api.add_router("/runs", budget_api.run_routes)
api.add_router("/workflows", budget_api.workflow_routes)
api.add_router("/agents", budget_api.agent_routes)
api.add_router("/teams", act_api.teams)
api.add_router("/teams", budget_api.team_routes)
api.add_router("/everything", act_api.everything)
api.add_router("/privacy", privacy_routes)
api.add_router("/quality", quality_routes)
api.add_router("/evaluations", evaluation_routes)
api.add_router("/events", events)
api.add_router("/alerts", alert_routes)
api.add_router("/metrics", metric_routes)
api.add_router("/telemetry", telemetry_routes)
api.add_router("/costs", cost_routes)
api.add_router("/gates", gate_routes)
api.add_router("/gates", gates)
api.add_router("/reviewing", reviewing_routes)
api.add_router("/notices", notice_routes)
api.add_router("/feedback", feedback_routes)
api.add_router("/usability", usability_routes)
api.add_router("/responsibilities", answerable_routes)
api.add_router("/proposals", proposal_routes)
api.add_router("/stops", stopping)
api.add_router("/tasks", address_routes)
api.add_router("/signals", signal_routes)
api.add_router("/groups", group_routes)
api.add_router("/schedules", schedule_routes)
api.add_router("/messages", message_routes)
api.add_router("/prompts", prompt_routes)
api.add_router("/callbacks", callback_routes, auth=by_secret_address)
api.add_router("/workers/answers", workers_api.answers, auth=by_signed_address)
api.add_router("/workers", workers_api.routes, auth=Bearer())
api.add_router("/workers", renewing, auth=Bearer())
api.add_router("/workers", workers_api.fetching, auth=WorkerBearer())
api.add_router("/answers", answer_routes)
api.add_router("/delegations", delegations)
api.add_router("/tokens", token_routes, auth=SessionCookie())


@login_not_required
@csrf_exempt
def nowhere(request: HttpRequest, path: str) -> HttpResponse:
    """No route has this address: the answer is JSON here, too."""
    return error(404, "not_found", f"There is no /api/v1/{path}", remedy="see /api/docs")


def in_one_shape(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A route's view whose "method not allowed" has the shape of every other error."""

    if iscoroutinefunction(view):

        @csrf_exempt
        @wraps(view)
        async def awaited(request: HttpRequest, **arguments: str) -> HttpResponse:
            return _shaped(request, await view(request, **arguments))

        return awaited  # type: ignore[return-value]  # Django takes both

    @csrf_exempt  # a session's calls are checked by SessionCookie
    @wraps(view)
    def wrapped(request: HttpRequest, **arguments: str) -> HttpResponse:
        return _shaped(request, view(request, **arguments))

    return wrapped


def _shaped(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    if response.status_code != 405:
        return response
    refusal = error(405, "method_not_allowed", f"{request.method} is not for this address", remedy="see /api/docs")
    refusal["Allow"] = response["Allow"]
    return refusal


def error(
    status: int, code: str, message: str, *, remedy: str = "", facts: dict[str, object] | None = None
) -> HttpResponse:
    """An answer that is not a success, with what to do about it: said by whoever refuses, or else by its kind."""
    remedy = remedy or _REMEDIES.get(status, "see /api/docs for what is expected")
    body = {"error": {"code": code, "message": message, "remedy": remedy, "facts": facts or {}}}
    response = JsonResponse(body, status=status, encoder=_Encoder)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="watchkeeper"'
    return response


_REMEDIES: Final = {
    403: "ask somebody who has the right, or an administrator for it",
    404: "check the address and the id",
    409: "look at it as it is now, then send what still makes sense",
    410: "ask for a new address",
    422: "correct what the message names and send it again; nothing has changed",
}


class _Encoder(DjangoJSONEncoder):
    """Facts are written for people first: what has no JSON form is written as text."""

    def default(self, value: object) -> object:
        try:
            return super().default(value)
        except TypeError:
            return str(value)


@api.exception_handler(OrchestratorError)
def _refused(request: HttpRequest, refusal: OrchestratorError) -> HttpResponse:
    message, _, remedy = str(refusal).partition("; ")
    response = error(refusal.status, refusal.code, message, remedy=remedy, facts=refusal.facts)
    if refusal.status == 429:
        response["Retry-After"] = str(refusal.facts["seconds"])
    return response


@api.exception_handler(MessagingError)
def _message_refused(request: HttpRequest, refusal: MessagingError) -> HttpResponse:
    message, _, remedy = str(refusal).partition("; ")
    return error(refusal.status, refusal.code, message, remedy=remedy, facts=dict(refusal.facts))


@api.exception_handler(PromptError)
def _prompt_refused(request: HttpRequest, refusal: PromptError) -> HttpResponse:
    message, _, remedy = str(refusal).partition("; ")
    return error(refusal.status, refusal.code, message, remedy=remedy, facts=refusal.facts)


@api.exception_handler(DefinitionError)
def _invalid_definition(request: HttpRequest, refusal: DefinitionError) -> HttpResponse:
    problems = [
        {name: getattr(problem, name) for name in ("file", "line", "step", "field", "message", "remedy")}
        for problem in refusal.problems
    ]
    message = str(refusal).splitlines()[0]
    return error(
        refusal.status,
        refusal.code,
        message,
        remedy="put right what facts.problems lists",
        facts={"problems": problems},
    )


@api.exception_handler(ValidationError)
def _unreadable(request: HttpRequest, refusal: ValidationError) -> HttpResponse:
    fields = [{"field": ".".join(map(str, found["loc"])), "message": found["msg"]} for found in refusal.errors]
    first = fields[0] if fields else {"field": "request", "message": "is not valid"}
    message = f"{first['field']}: {first['message']}"
    return error(422, "invalid_request", message, remedy="see /api/docs for what is expected", facts={"fields": fields})


@api.exception_handler(AuthenticationError)
def _stranger(request: HttpRequest, refusal: AuthenticationError) -> HttpResponse:
    return error(401, "not_authenticated", "Nobody is signed in", remedy="send Authorization: Bearer wk_...")


@api.exception_handler(HttpError)
def _http(request: HttpRequest, refusal: HttpError) -> HttpResponse:
    if refusal.status_code == 403:
        return error(
            403, "csrf_failed", "The CSRF token is missing or wrong", remedy="send X-CSRFToken, or use a token"
        )
    return error(refusal.status_code, "bad_request", str(refusal), remedy="send one JSON object")


@api.exception_handler(Http404)
def _missing(request: HttpRequest, refusal: Http404) -> HttpResponse:
    message = str(refusal) or "It does not exist, or you may not see it"
    return error(404, "not_found", message, remedy="check the address and the id")


@api.exception_handler(PermissionDenied)
def _forbidden(request: HttpRequest, refusal: PermissionDenied) -> HttpResponse:
    return error(
        403, "not_permitted", str(refusal) or "You may not do this", remedy="ask an administrator for the right"
    )


@api.exception_handler(SuspiciousOperation)
def _suspicious(request: HttpRequest, refusal: SuspiciousOperation) -> HttpResponse:
    return error(400, "bad_request", "The request cannot be read", remedy="send at most 2.5 MB of JSON")


@api.exception_handler(OperationalError)
def _unavailable(request: HttpRequest, problem: OperationalError) -> HttpResponse:
    log.warning("api.unavailable", path=request.path, problem=type(problem).__name__)
    response = error(
        503, "unavailable", "The database does not answer in time", remedy="send the same again in a moment"
    )
    response["Retry-After"] = "1"
    return response


@api.exception_handler(Exception)
def _broken(request: HttpRequest, problem: Exception) -> HttpResponse:
    log.error("api.failed", path=request.path, method=request.method, exc_info=problem)
    return error(
        500, "internal", "Something broke on our side; it was logged", remedy="try again; if it stays, tell us"
    )

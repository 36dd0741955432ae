"""Requests in traces: a caller's trace goes on here, and where spans are sent, requests that change a run have one."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents import tracing
from agents.tracing import Trace
from monitoring.telemetry import own_spans


class TraceContext:
    """Read `traceparent`, so that a run that is started now belongs to its caller's trace.

    Nothing is opened, and nothing costs anything, where nobody has named a trace and no spans are sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        header = request.headers.get("traceparent", "")
        records = bool(settings.TRACES["endpoint"])
        if not records and not header:
            return self.get_response(request)
        with tracing.opened(header, recorded=records) as trace:
            began = timezone.now()
            response = self.get_response(request)
        if records and (trace.parent_id or trace.runs):
            self._record(trace, request, response, timezone.now() - began)
        return response

    def _record(self, trace: Trace, request: HttpRequest, response: HttpResponse, took: timedelta) -> None:
        # The pattern of the address, never the address itself: that may hold a secret, or somebody's words.
        route = request.resolver_match.route if request.resolver_match else ""
        facts: dict[str, str | int] = {
            "http.request.method": request.method or "",
            "http.route": route,
            "http.response.status_code": response.status_code,
        }
        ended = timezone.now()
        own_spans.put(
            trace, name=f"{request.method} {route}", kind="server", began=ended - took, ended=ended,
            failed=response.status_code >= 500, facts=facts,
        )  # fmt: skip

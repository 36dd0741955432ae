"""Spans in OpenTelemetry's own form, and on their way: OTLP over HTTP, as protobuf. Loads the SDK: only the exporter
imports this module, and only while an address is set.
"""

import gzip
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Final

from django.conf import settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers

from monitoring.telemetry import names
from monitoring.telemetry.sending import SECONDS, Sender
from monitoring.telemetry.spans import Fact, Span

_SCOPE: Final = InstrumentationScope("watchkeeper", "1")
_KINDS: Final[Mapping[str, SpanKind]] = {kind.name.lower(): kind for kind in SpanKind}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


def send(spans: Sequence[Span]) -> int:
    """Send them; how many of them were not taken. Raises Undelivered and Refused."""
    body = encode_spans([_readable(span) for span in spans]).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    if _of_traces("COMPRESSION") == "gzip":
        body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
    answer = sender().post(body, headers)
    try:
        return int(ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except Exception:  # noqa: BLE001 - protobuf raises what its backend likes; some collectors answer in JSON
        return 0


def chosen(spans: Iterable[Span]) -> list[Span]:
    """Those of the traces that are sent: whole traces, whoever asks and however often.

    By a hash: the SDK's sampler looks at the lower half of the id, where every UUID has the same two bits.
    """
    share = settings.TRACES["share"]
    return [span for span in spans if share >= 1 or _place(span.trace) < share]


def _place(trace: str) -> float:
    return int.from_bytes(sha256(trace.encode()).digest()[:8]) / 2**64


@cache
def sender() -> Sender:
    """Who sends, by OpenTelemetry's own variables."""
    key = _of_traces("CLIENT_KEY")
    own = _of_traces("CLIENT_CERTIFICATE")
    headers = {**parse_env_headers(_of_traces("HEADERS"), liberal=True), "User-Agent": "watchkeeper"}
    seconds = _of_traces("TIMEOUT")
    return Sender(
        settings.TRACES["endpoint"], headers, certificate=_of_traces("CERTIFICATE"),
        client=(own, key) if own and key else None,
        seconds=min(float(seconds), 60.0) if seconds.replace(".", "", 1).isdigit() else SECONDS,
    )  # fmt: skip


def _of_traces(name: str) -> str:
    return os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "")


@cache
def resource() -> Resource:
    """Who we are: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else `watchkeeper`."""
    return (
        Resource({SERVICE_NAME: "watchkeeper"}).merge(Resource.create())
        if _is_named()
        else Resource.create({SERVICE_NAME: "watchkeeper"})
    )


def _is_named() -> bool:
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )


def _readable(span: Span) -> ReadableSpan:
    status = Status(StatusCode.ERROR) if span.failed else Status(StatusCode.UNSET)
    return ReadableSpan(
        name=names.clean(span.name), context=_context(span.trace, span.id),
        parent=_context(span.trace, span.parent) if span.parent else None, resource=resource(),
        attributes={name: _plain(value) for name, value in span.facts.items()},
        links=[Link(_context(*link)) for link in span.links], kind=_KINDS[span.kind], instrumentation_scope=_SCOPE,
        status=status, start_time=_ns(span.began), end_time=_ns(max(span.began, span.ended)),
    )  # fmt: skip


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=_SAMPLED)


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _plain(value: Fact) -> Fact:
    return names.clean(value) if isinstance(value, str) else value

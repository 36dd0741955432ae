"""One id from end to end: what a call says of its trace, in the words of W3C Trace Context. Pure, and free when unused.

A trace's id is its correlation id where that has the form of one (it has, unless somebody chose their own words), else
a hash of it. Ids of spans are hashes of what they are about, so that whoever tells of a span later (the exporter, which
reads the event log) gives it the id that was sent along while it ran.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Final

HEADER: Final = "traceparent"
_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_OF_TASK: Final = re.compile(r"task-(\d+)")


@dataclass(slots=True)
class Trace:
    """Where in which trace this process is just now; `runs`: what was written about meanwhile."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    runs: set[int] = field(default_factory=set)
    by_message: bool = False  # came with a Celery message: those that are sent now begin something else

    @property
    def header(self) -> str:
        """What is sent along."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The trace in which this process works just now, if somebody has opened one."""
    return _current.get()


@contextmanager
def opened(header: str = "", *, recorded: bool = True) -> Iterator[Trace]:
    """Work in the trace that a caller has named; in a new one when the header says nothing that can be read.

    Where nobody records a span of this work, what it begins hangs on the caller's span.
    """
    caller = parse(header)
    trace = Trace(caller[0] if caller else token_hex(16), new_span_id(), caller[1] if caller else "")
    if caller and not recorded:
        trace.span_id = caller[1]
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def parse(header: str) -> tuple[str, str] | None:
    """Trace and span of a `traceparent`; None for what is none. What is malformed is ignored, as the standard says."""
    found = _PARENT.fullmatch(header.strip()) if len(header) < 200 else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[4]):
        return None
    trace, span = found[2], found[3]
    return (trace, span) if trace.strip("0") and span.strip("0") else None


def trace_id_of(correlation_id: str) -> str:
    """32 hexadecimal digits, the same for the same correlation id."""
    if _TRACE.fullmatch(correlation_id) and correlation_id.strip("0"):
        return correlation_id
    return sha256(f"trace {correlation_id}".encode()).hexdigest()[:32]


def span_id_of(*about: str | int) -> str:
    """16 hexadecimal digits, the same for the same thing: `span_id_of("task", 5)`."""
    found = sha256(" ".join(map(str, about)).encode()).hexdigest()[:16]
    return found if found.strip("0") else "1" * 16


def new_span_id() -> str:
    """Of something that happens once, and that nobody looks up again."""
    return token_hex(8)


def of_call(correlation_id: str, key: str, attempt: int = 0) -> str:
    """The header for what an agent, a tool or a message sends out: it names the span of the attempt, or of the task.

    `key` begins with `task-<id>` where a task is behind it. Without a correlation id there is no trace.
    """
    if not correlation_id:
        return ""
    task = _OF_TASK.match(key)
    if task is None:
        span = span_id_of("call", key)
    else:
        span = span_id_of("attempt", task[1], attempt) if attempt else span_id_of("task", task[1])
    return f"00-{trace_id_of(correlation_id)}-{span}-01"

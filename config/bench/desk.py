"""The workload `desk`: what a reviewer waits for with 20,000 gates open, through the real web server.

A few hundred gates are opened by the engine itself, agents, contracts and all; these are decided. The others are
copies of them in the tables, each with its own run, task, words and deadline, so that every query has to find its way.
"""

import http.client
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

from approvals import access
from approvals.models import Profile
from config.bench import definitions
from config.bench.measure import Result, cpu_s, percentile
from config.bench.plan import Bench
from config.bench.stack import Stack, TookTooLong

GATES: Final = 20_000
QUEUES: Final = 5
REAL: Final = 60  # gates of each queue that the engine opens
SAMPLES: Final = 200
WARM_UP: Final = 20
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
_WORDS: Final = ("isolate", "refund", "publish", "restart", "approve", "escalate", "quarantine", "reimburse")

# A copy of each real gate with its run and its task: `n` of them, with words and times of their own.
_COPY: Final = """
CREATE TEMP TABLE copies AS
SELECT g.id AS gate, g.run_id AS run, nextval(pg_get_serial_sequence('orchestrator_run', 'id')) AS new_run,
       row_number() OVER () AS n, md5(g.id || ' ' || k) AS word
  FROM approvals_gate g CROSS JOIN generate_series(1, %(each)s) k WHERE g.status = 'open' LIMIT %(missing)s;
INSERT INTO orchestrator_run ({run})
SELECT {run_new} FROM copies c JOIN orchestrator_run r ON r.id = c.run;
INSERT INTO orchestrator_task ({task})
SELECT {task_new} FROM copies c JOIN orchestrator_task t ON t.run_id = c.run;
INSERT INTO approvals_gate ({gate})
SELECT {gate_new} FROM copies c JOIN approvals_gate g ON g.id = c.gate;
ANALYZE
"""


@dataclass(frozen=True, slots=True)
class Browser:
    """A reviewer's signed-in browser on one connection that is kept alive."""

    web: http.client.HTTPConnection
    cookies: str
    token: str

    def get(self, path: str, **headers: str) -> float:
        """Milliseconds until the whole answer is here."""
        return self._timed("GET", path, None, headers)

    def decide(self, gate: int, version: int) -> float:
        """The same of a verdict: the decision is committed, and the next card is here."""
        form = {"verdict": "approve", "version": str(version), "note": "", "key": secrets.token_hex(8)}
        return self._timed("POST", f"/inbox/{gate}/decide/", urlencode(form), {**_FORM, "X-CSRFToken": self.token})

    def _timed(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> float:
        began = time.perf_counter()
        self.web.request(method, path, body=body, headers={**headers, "Cookie": self.cookies, "Accept": "text/html"})
        answer = self.web.getresponse()
        text = answer.read()
        taken = (time.perf_counter() - began) * 1000
        if answer.status != http.client.OK:
            raise TookTooLong(f"desk: {method} {path} was answered with {answer.status}: {text[:300]!r}")
        return taken


def desk(bench: Bench) -> Result:
    """p50 and p95 of a decision, the inbox, a card and a search."""
    total, samples = bench.scaled(GATES), bench.scaled(SAMPLES)
    with bench.running("desk") as stack:
        user = _reviewer()
        real = _open_real(stack, bench.scaled(REAL))
        bench.say(f"desk: {len(real)} gates opened by the engine; copying to {total:,}")
        _copy(stack, total - len(real))
        stack.collect_static()
        began = time.monotonic()
        browser = signed_in(stack.serve(), user)
        taken, processor = _measured(browser, real, samples, stack.web_pid())
        return bench.result(
            stack,
            parameters={"gates": stack.value("SELECT count(*) FROM approvals_gate WHERE status = 'open'")},
            seconds=time.monotonic() - began,
            figures={
                f"{name}_{share}_ms": percentile(times, {"p50": 0.5, "p95": 0.95}[share])
                for name, times in taken.items()
                for share in ("p50", "p95")
            }
            | {f"{name}_cpu_ms": spent for name, spent in processor.items()},
            spread={f"{name}_p50_ms": (min(times), max(times)) for name, times in taken.items()},
            basis_ms=percentile(taken["decision"], 0.5),
        )


def _measured(
    browser: Browser, real: Sequence[tuple[int, int]], samples: int, web: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """What each kind of request took, in ms, and the web server's processor time for one of them, in ms."""
    gates = iter(real)
    last = [gate for gate, _version in real[-20:]]
    decisions = min(samples, len(real) - WARM_UP - 1)
    what: dict[str, tuple[Callable[[int], float], int]] = {
        "inbox": (lambda _n: browser.get("/inbox/"), samples),
        "card": (lambda n: browser.get(f"/inbox/{last[n % len(last)]}/", **{"HX-Request": "true"}), samples),
        "search": (
            lambda n: browser.get(f"/inbox/?q={_WORDS[n % len(_WORDS)]}", **{"HX-Request": "true"}), samples,
        ),
        "decision": (lambda _n: browser.decide(*next(gates)), max(2, decisions)),
    }  # fmt: skip
    taken: dict[str, list[float]] = {}
    processor: dict[str, float] = {}
    for name, (once, count) in what.items():
        warm = min(WARM_UP, count // 2 if name == "decision" else count)
        total = count if name == "decision" else warm + count
        began = cpu_s(web)
        taken[name] = [once(n) for n in range(total)][warm:]
        processor[name] = (cpu_s(web) - began) * 1000 / total
    return taken, processor


def _reviewer() -> User:
    user = User.objects.create_user("bench-reviewer", first_name="Bench")
    Profile.objects.create(user=user, title="Reviewer of the bench")
    access.set_role(user_id=user.pk, role="Reviewer", by=None)
    for number in range(QUEUES):
        queue = access.ensure_queue(name=f"bench-{number}", title=f"Bench {number}")
        if number:  # one queue is somebody else's
            access.grant(to=user, permission="decide_gates", on=queue, by=None)
    return User.objects.get(pk=user.pk)


def _open_real(stack: Stack, each: int) -> list[tuple[int, int]]:
    """Let the engine open gates in every queue; those that the reviewer may decide, with their versions."""
    runs: list[int] = []
    for number in range(QUEUES):
        stack.publish(f"desk-{number}", definitions.proposing(f"desk-{number}", f"bench-{number}"))
        for start in range(each):
            runs += stack.submit(f"desk-{number}", given={"n": start + number * each})[0]
    waiting = "SELECT count(*) FROM approvals_gate WHERE status = 'open' AND run_id = ANY(%s)"
    stack.until(lambda: stack.value(waiting, runs) == len(runs), what="all gates are open", seconds=120)
    stack.quiet()
    mine = (
        "SELECT g.id, g.version FROM approvals_gate g JOIN approvals_queue q ON q.id = g.queue_id"
        " WHERE g.status = 'open' AND q.name <> 'bench-0' ORDER BY g.id"
    )
    return [(gate, version) for gate, version in stack.rows(mine)]


def _copy(stack: Stack, missing: int) -> None:
    open_ones = stack.value("SELECT count(*) FROM approvals_gate WHERE status = 'open'")
    new = {
        "run": {"id": "c.new_run", "idempotency_key": "NULL", "title": "r.title || ' ' || c.n"},
        "task": {"id": "(c.new_run << 20) | (t.id & 1048575)", "run_id": "c.new_run"},
        "gate": {
            "id": "nextval(pg_get_serial_sequence('approvals_gate', 'id'))",
            "run_id": "c.new_run",
            "task_id": "(c.new_run << 20) | (g.task_id & 1048575)",
            "title": "g.title || ' ' || c.n",
            "subject": "jsonb_set(g.subject, '{proposal,summary}',"
            " to_jsonb((g.subject #>> '{proposal,summary}') || ' ' || c.word))",
            "risk": "(ARRAY['low','medium','high','critical'])[1 + c.n % 4]",
            "opened_at": "g.opened_at - c.n * interval '10 s'",
            "deadline_at": "g.deadline_at + (c.n % 1000) * interval '10 min'",
        },
    }
    tables = {"run": "orchestrator_run", "task": "orchestrator_task", "gate": "approvals_gate"}
    parts: dict[str, str] = {}
    for name, table in tables.items():
        columns = [column for (column,) in stack.rows(_COLUMNS, table)]
        parts[name] = ", ".join(columns)
        parts[f"{name}_new"] = ", ".join(new[name].get(column, f"{name[0]}.{column}") for column in columns)
    each = missing // max(1, open_ones) + 1
    statements = _COPY.replace("%(each)s", str(each)).replace("%(missing)s", str(missing)).format(**parts)
    # Twenty thousand rows with all their indexes take their time.
    for statement in ("SET statement_timeout = 0", *statements.split(";")):
        stack.raw.execute(statement.encode())


_COLUMNS: Final = (
    "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
    " ORDER BY ordinal_position"
)


def signed_in(web: http.client.HTTPConnection, user: User) -> Browser:
    """A browser with a session of this person's."""
    token = secrets.token_hex(16)
    cookies = f"{settings.SESSION_COOKIE_NAME}={session_of(user)}; {settings.CSRF_COOKIE_NAME}={token}"
    return Browser(web, cookies, token)


def session_of(user: User) -> str:
    """The key of a session of this person's."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)

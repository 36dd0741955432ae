"""The run's shared state: the one place that writes it. The caller holds the run's lock; a version is never changed.

Keys are `<namespace>.<name>`: the namespace is a task's key (only that task's agent writes there, so that parallel
branches cannot disturb each other) or `shared` (for steps whose definition lists the name in `shares`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from agents.cleaning import clean
from agents.errors import OutputRejected, StateRefused
from agents.types import Json
from orchestrator import db
from orchestrator.engine import lifecycles
from orchestrator.errors import StaleState, StateNotWritten
from orchestrator.models import StateEntry

SHARED: Final = "shared"
MAX_BYTES: Final = 65_536  # of one value, as JSON
SHOWN_KEYS: Final = 10
SHOWN_CHARACTERS: Final = 300
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Write:
    """One change that somebody asks for. `expected`: the version they have seen, 0 for none, None for any."""

    key: str
    value: Json
    expected: int | None = None
    deleted: bool = False
    reason: str = ""
    restored: bool = False  # brought back by a fork or a rollback, whatever may follow what


def write(run_id: int, change: Write, *, writer: str, task: int | None = None) -> int:
    """Write one version, with its event, and return its number. Raises StaleState, StateNotWritten, IllegalMove."""
    body = encoded(change.key, None if change.deleted else change.value)
    if not change.restored:
        lifecycles.require(run_id, change.key, change.value, deleted=change.deleted)
    done = db.write_state(
        db.StateWrite(run_id, change.key, change.expected, body, change.deleted, writer, task, change.reason[:1000])
    )
    if done.outcome == "stale":
        raise StaleState(
            key=change.key, run_id=run_id, version=done.version, writer=done.writer or "nobody",
            expected=change.expected,
        )  # fmt: skip
    return done.version


def encoded(key: str, value: Json) -> str:
    """A value as it is stored. Raises StateNotWritten for what cannot be kept."""
    try:
        body = orjson.dumps(clean(value).value)
    except OutputRejected as flaw:
        raise StateNotWritten(key=key, problem=f"{flaw.path}: {flaw.problem}") from flaw
    if len(body) > MAX_BYTES:
        problem = (
            f"its value has {len(body):,} bytes, more than {MAX_BYTES:,}; keep it in an output and store a summary"
        )
        raise StateNotWritten(key=key, problem=problem)
    return body.decode()


def own_key(name: str, *, task_key: str, shares: Sequence[str]) -> str:
    """The whole key that an agent's name means, if its step may write it. Raises StateRefused."""
    namespace, _, part = name.rpartition(".")
    namespace = namespace or task_key
    if not NAME.fullmatch(part):
        raise StateRefused(key=name, problem="a name is 1 to 80 letters, digits, _ and -")
    if namespace == SHARED and part not in shares:
        raise StateRefused(key=name, problem=f"the step does not list {part} in its `shares`")
    if namespace not in (SHARED, task_key):
        raise StateRefused(key=name, problem=f"{namespace} is not this step; it writes {task_key}.* only")
    return f"{namespace}.{part}"


def current(run_id: int, key: str) -> StateEntry | None:
    """The newest version of a key; None if there is none, or if it says that the key is gone."""
    last = StateEntry.objects.filter(run_id=run_id, key=key).order_by("-version").first()
    return None if last is None or last.deleted else last


def written_by_hand(run_id: int) -> list[Json]:
    """Values that people have written themselves, newest versions, the last first: who decides is to see them."""
    latest = StateEntry.objects.filter(run_id=run_id).order_by("key", "-version").distinct("key")
    rows = StateEntry.objects.filter(pk__in=latest.values("pk"), writer__startswith="user:").order_by("-pk")
    return [
        {"key": row.key, "by": row.writer, "value": orjson.dumps(row.value).decode()[:SHOWN_CHARACTERS]}
        for row in rows[:SHOWN_KEYS]
    ]


def at_versions(run_id: int, versions: dict[str, int]) -> dict[str, StateEntry]:
    """These versions of these keys."""
    rows = StateEntry.objects.filter(run_id=run_id, key__in=list(versions))
    return {row.key: row for row in rows if row.version == versions[row.key]}

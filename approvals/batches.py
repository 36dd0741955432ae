"""Cards that look alike, to be decided on one page: each is still a decision of its own, through the same door.

Alike are gates of one step of one workflow that ask for the same kind of act. What stands out among them is pulled out
and decided singly: a value far from the others', a field that they have not, an agent that is less sure.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from agents.types import Json
from approvals import outline, policy, queries, services
from approvals.errors import BatchRefused
from approvals.models import Gate, GateKind
from approvals.voting import terms_of
from approvals.wording import spoken
from orchestrator.errors import OrchestratorError

MOST: Final = 50
LEAST: Final = 3  # cards that make a batch
VERDICTS: Final = ("approve", "reject", "request_changes")
_RISKS: Final = frozenset({"low", "medium"})
_FAR: Final = 3.5  # robust z-score beyond which a number stands out (Iglewicz & Hoaglin 1993)
_RARE: Final = 0.2  # share of a value below which it stands out, where another one is common
_COMMON: Final = 0.6


@dataclass(frozen=True, slots=True)
class Like:
    """One card among its like: what it says that others do not, and why it stands out, if it does."""

    gate: Gate
    facts: tuple[outline.Fact, ...] = ()
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Cards that look alike. `odd` ones are not decided here."""

    first: Gate
    columns: tuple[str, ...]
    shared: tuple[outline.Fact, ...]
    alike: tuple[Like, ...]
    odd: tuple[Like, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """What somebody decides together. `seen`: gate id to the version that was shown."""

    seen: Mapping[int, int]
    verdict: str
    note: str = ""
    key: str = ""


@dataclass(slots=True)
class Result:
    """What came of a batch, card by card."""

    decided: list[Gate] = field(default_factory=list)
    refused: list[tuple[Gate, str]] = field(default_factory=list)


def alike(gate: Gate, user: User) -> Batch:
    """The cards that look like this one and that this person may decide. BatchRefused says why there is no batch."""
    if problem := _problem(gate):
        raise BatchRefused(why=problem)
    found = queries.like(gate, user, limit=MOST)
    usable = [other for other in found if not _problem(other) and _signature(other) == _signature(gate)]
    if len(usable) < LEAST:
        raise BatchRefused(why=_("fewer than three cards look alike"))
    table = outline.table(tuple(_facts_of(one) for one in usable))
    reasons = _odd([_facts_of(one) for one in usable], [one.confidence for one in usable])
    rows = [Like(one, cells, odd) for one, cells, odd in zip(usable, table.rows, reasons, strict=True)]
    verdicts = tuple(verdict for verdict in VERDICTS if all(verdict in one.allowed for one in usable))
    return Batch(
        gate, table.columns, table.shared, tuple(row for row in rows if not row.odd),
        tuple(row for row in rows if row.odd), verdicts,
    )  # fmt: skip


def decide(*, first: Gate, by: User, sent: Sent) -> Result:
    """Decide each of these cards by itself.

    BatchRefused when one is not among the like of the first, or stands out: nothing is decided then. Whatever is
    refused by the door (settled meanwhile, changed) is told, and the others stand.
    """
    batch = alike(first, by)
    if sent.verdict not in batch.verdicts:
        raise BatchRefused(why=_("this verdict is not among those that all of them take"))
    by_id = {row.gate.pk: row.gate for row in batch.alike}
    if not sent.seen or not set(sent.seen) <= set(by_id):
        raise BatchRefused(why=_("nothing is ticked, or a card was settled, changed or stands out; look again"))
    result = Result()
    for pk, version in sent.seen.items():
        key = f"{sent.key}-{pk}" if sent.key else None
        try:
            services.decide(
                gate_id=pk, by=by, verdict=sent.verdict, gate_version=version, note=sent.note, idempotency_key=key
            )
        except OrchestratorError as refusal:
            result.refused.append((by_id[pk], str(refusal)))
        else:
            result.decided.append(by_id[pk])
    return result


def _problem(gate: Gate) -> str:
    """Why a gate is no part of any batch; empty if it may be."""
    if gate.kind not in (GateKind.APPROVAL, GateKind.TOOL):
        return _("only approvals are decided together")
    if gate.risk not in _RISKS:
        return _("what is of high risk is decided one by one")
    terms = terms_of(gate)
    if gate.approvals > 1 or terms.checklist or terms.purpose:
        return _("what needs several people, a list or a purpose is decided one by one")
    return ""


def _signature(gate: Gate) -> tuple[Any, ...]:
    action = gate.subject["action"]
    kind = [str(action.get(name, "")) for name in ("operation", "action", "tool", "kind")]
    return (gate.workflow_id, gate.step, gate.kind, gate.risk, gate.agent, tuple(kind))


def _facts_of(gate: Gate) -> dict[str, Json]:
    """What this card is about, in one row: the action's and the proposal's plain values."""
    facts: dict[str, Json] = {"title": gate.title}
    for part in (gate.subject["action"], gate.subject["proposal"]):
        facts |= {name: value for name, value in part.items() if isinstance(value, str | int | float | bool)}
    return dict(list(facts.items())[:12])


def _odd(rows: Sequence[Mapping[str, Json]], confidences: Sequence[float | None]) -> list[tuple[str, ...]]:
    """For each row, why it stands out among the others."""
    names = sorted({name for row in rows for name in row} - {"title"})
    found: list[list[str]] = [[] for _row in rows]
    for name in names:
        for at, why in _stands_out(name, [row.get(name) for row in rows]):
            found[at].append(why)
    for at, why in _stands_out("confidence", list(confidences)):
        found[at].append(why)
    return [tuple(reasons) for reasons in found]


def _stands_out(name: str, values: Sequence[Json]) -> list[tuple[int, str]]:
    said = spoken(name)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values if value is not None):
        return _far(said, values)
    return _rare(said, values)


def _far(said: str, values: Sequence[Any]) -> list[tuple[int, str]]:
    numbers = [value for value in values if value is not None]
    if len(numbers) < LEAST:
        return []
    middle = statistics.median(numbers)
    spread = statistics.median(abs(number - middle) for number in numbers)
    spread = spread or statistics.fmean(abs(number - middle) for number in numbers) / 1.25 or 1.0
    words = _("%(name)s is %(value)s; of the others it is about %(usual)s")
    return [
        (at, words % {"name": said, "value": f"{value:,.6g}", "usual": f"{middle:,.6g}"})
        for at, value in enumerate(values)
        if value is not None and 0.6745 * abs(value - middle) / spread > _FAR
    ]


def _rare(said: str, values: Sequence[Json]) -> list[tuple[int, str]]:
    keys = [policy.canonical(value) for value in values]
    counted = Counter(keys)
    common, times = counted.most_common(1)[0]
    if times < _COMMON * len(keys):
        return []
    usual = values[keys.index(common)]
    words = _("%(name)s is %(value)s; of the others it is %(usual)s")
    return [
        (at, words % {"name": said, "value": _short(values[at]), "usual": _short(usual)})
        for at, key in enumerate(keys)
        if key != common and counted[key] <= _RARE * len(keys)
    ]


def _short(value: Json) -> str:
    return _("missing") if value is None else str(value)[:60]

"""What has changed since somebody looked at a gate: only that, so that nobody reads all of it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from approvals.diffs import Change, changes
from approvals.models import Gate, GateBefore, Presence
from orchestrator.models import Event

AWAY: Final = timedelta(seconds=60)  # a card that was closed for less is one that somebody is reading
MOST: Final = 12
_COMPARED: Final = ("title", "risk", "rule", "consequence", "action", "proposal", "input", "evidence", "alternatives")

# What may happen around an open gate, in words; a `%(by)s` in them is who did it.
_HAPPENED: Final[Mapping[str, str | Promise]] = {
    "gate.escalated": _("passed on to another queue, by %(by)s"),
    "gate.amended": _("%(by)s changed what is up for decision"),
    "gate.taken_back": _("what was decided was taken back by %(by)s"),
    "gate.approved": _("%(by)s approved it"),
    "gate.turned_down": _("%(by)s rejected it"),
    "gate.voted": _("%(by)s voted"),
    "gate.commented": _("%(by)s commented"),
    "gate.assigned": _("handed on by %(by)s"),
    "gate.asked": _("%(by)s asked the agent"),
    "gate.answered": _("the agent answered"),
    "gate.reminded": _("its deadline came near"),
    "gate.called": _("the next on call was called"),
    "run.paused": _("%(by)s paused the run"),
    "run.resumed": _("%(by)s resumed the run"),
    "task.edited": _("%(by)s edited an input of the run"),
    "state.written": _("the run's state was written to"),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened meanwhile."""

    at: datetime
    words: str | Promise
    by: str

    @property
    def said(self) -> str:
        """In one line."""
        return str(self.words) % {"by": self.by} if "%(by)s" in str(self.words) else str(self.words)


@dataclass(frozen=True, slots=True)
class Drift:
    """What is new to somebody since they looked."""

    since: datetime | None
    changes: tuple[Change, ...]
    happened: tuple[Happening, ...]

    def __bool__(self) -> bool:
        return bool(self.changes or self.happened)


def remember(gate: Gate) -> None:
    """Keep what the gate asks now: it is about to change. In the change's transaction, under its locks."""
    GateBefore.objects.get_or_create(gate=gate, version=gate.version, defaults={"subject": gate.subject})


def since(gate: Gate, user: User, *, seen: int = 0) -> Drift | None:
    """What is new on this gate to this person: since the version `seen`, or since they had its card open last.

    None when they look for the first time, or have only just looked.
    """
    looked = Presence.objects.filter(gate=gate, user=user).first()
    version = seen or (looked.version if looked else 0)
    was_away = looked is not None and Presence.objects.filter(pk=looked.pk, seen_at__lt=Now() - AWAY).exists()
    if looked is None or not (was_away or (version and version != gate.version)):
        return None
    before = GateBefore.objects.filter(gate=gate, version__gte=version).order_by("version").first() if version else None
    differs = changes(_shown(before.subject), _shown(gate.subject)) if before else ()
    return Drift(looked.seen_at, differs, happened(gate, since=looked.seen_at, apart_from=user))


def _shown(subject: Mapping[str, Any]) -> dict[str, Any]:
    return {name: subject.get(name) for name in _COMPARED if subject.get(name) not in (None, "", [], {})}


def happened(gate: Gate, *, since: datetime, apart_from: User | None = None) -> tuple[Happening, ...]:
    """What happened to the gate and around it since then, the newest first, but what this person did."""
    kinds = list(_HAPPENED)
    rows = Event.objects.filter(run_id=gate.run_id, at__gt=since, kind__in=kinds).order_by("-id")[: 5 * MOST]
    own = f"user:{apart_from.get_username()}" if apart_from else ""
    found = [
        Happening(row.at, _HAPPENED[row.kind], row.actor.removeprefix("user:"))
        for row in rows
        if row.actor != own and (not row.kind.startswith("gate.") or (row.data or {}).get("gate") == gate.pk)
    ]
    return tuple(found[:MOST])
